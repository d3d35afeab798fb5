//! A wrong setting in one line that names it, as it ends up in the last line of a pod's log.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What is wrong with the settings; `None` where the library's own text is wanted (help, version).
pub fn of(error: &Error) -> Option<String> {
    if !error.use_stderr() {
        return None;
    }
    let settings = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(all)) => all.iter().map(|one| variable(one)).collect::<Vec<_>>().join(", "),
        Some(ContextValue::String(one)) => variable(one).to_owned(),
        _ => return None,
    };
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return Some(format!("missing setting {settings}: set it as an environment variable; see --help"));
    }
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => format!("{value:?}"),
        _ => "its value".to_owned(),
    };
    let why = std::error::Error::source(error).map_or_else(|| "see --help".to_owned(), ToString::to_string);
    Some(format!("setting {settings} is {value}: {why}"))
}

/// The environment variable of `--some-setting <SOME_SETTING>`: ours are named after their options.
fn variable(argument: &str) -> &str {
    argument.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(argument, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Args;

    fn complaint(line: &str) -> Option<String> {
        of(&Args::try_parse_from(line.split(' ')).unwrap_err())
    }

    #[test]
    fn missing_settings_are_named_by_their_environment_variables() {
        let text = complaint("chat4all router").unwrap();
        for name in ["KAFKA_BOOTSTRAP_SERVERS", "STORE_CONTACT_POINTS", "STORE_KEYSPACE"] {
            assert!(text.contains(name), "{text}");
        }
        assert!(!text.contains('\n'));
    }

    #[test]
    fn a_wrong_value_is_shown_with_what_is_expected() {
        let text = complaint(
            "chat4all router --kafka-bootstrap-servers k:1 --store-contact-points c:1 --store-keyspace d --kafka-session-timeout-ms 5",
        )
        .unwrap();
        assert_eq!(text, "setting KAFKA_SESSION_TIMEOUT_MS is \"5\": 5 is not in 6000..=300000");
    }

    #[test]
    fn help_is_no_complaint() {
        assert_eq!(complaint("chat4all --help"), None);
    }
}
