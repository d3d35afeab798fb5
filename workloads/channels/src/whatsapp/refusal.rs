//! The table of WhatsApp's error codes. Source: provider-contracts, "What each refusal means".

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::refusal::{Cause, Kind, Refusal, Scope};
use crate::secret::Secret;
use crate::wait::Wait;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The number's throughput is measured by the second. Source: the table ("about 1 s").
const THROUGHPUT: Wait = Wait::of(SECOND);
/// The table says 4^X seconds without an end; an hour is more than the whole burst of 45 at one in
/// six seconds takes to be paid back.
const PAIR: Wait = Wait::growing(SECOND, 4, Duration::from_secs(3600));
/// The table says minutes; these windows are an hour long, so a quarter of it is the longest pause.
const CALL_LIMIT: Wait = Wait::growing(MINUTE, 2, Duration::from_secs(15 * 60));
/// Source: the table ("1 to 5 minutes").
const MAINTENANCE: Wait = Wait::growing(MINUTE, 2, Duration::from_secs(5 * 60));
/// The table says no fast retry; the provider judges over days, so from a quarter of an hour up to four.
const SPAM: Wait = Wait::growing(Duration::from_secs(15 * 60), 2, Duration::from_secs(4 * 3600));
/// For a 429 whose code says nothing about time: as a careful client backs off.
const UNTOLD: Wait = Wait::growing(SECOND, 2, MINUTE);
/// No hint is believed beyond a day, so that a broken one cannot silence an account.
const LONGEST_HINT: Duration = Duration::from_secs(24 * 3600);

/// The provider's `error`, also as it stands in a failed status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorObject {
    pub(super) code: Option<i64>,
    pub(super) subcode: Option<i64>,
    pub(super) text: String,
}

impl ErrorObject {
    /// The object under `error` of an answer.
    pub(super) fn of(answer: &Value) -> Option<Self> {
        answer.get("error").filter(|error| error.is_object()).map(Self::read)
    }

    /// Reads what is there; anything may be missing or of another type.
    pub(super) fn read(error: &Value) -> Self {
        let text = |value: Option<&Value>| {
            value.and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
        };
        let said = text(error.get("message")).or_else(|| text(error.get("title")));
        let details = text(error.get("error_data").and_then(|data| data.get("details")));
        let text = match (said, details) {
            (Some(said), Some(details)) if said != details => format!("{said}: {details}"),
            (Some(said), _) => said,
            (None, Some(details)) => details,
            (None, None) => "the provider gave no reason".to_owned(),
        };
        Self { code: number(error.get("code")), subcode: number(error.get("error_subcode")), text }
    }

    /// Without the token, which the provider repeats in some of its messages.
    pub(super) fn redacted(mut self, token: &Secret) -> Self {
        self.text = token.redact(&self.text);
        self
    }
}

fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// What an error object that came with this status means.
pub(super) fn of(error: &ErrorObject, status: StatusCode, headers: &HeaderMap) -> Refusal {
    let listed = error.code.and_then(|code| by_code(code, error.subcode));
    let kind = match listed {
        _ if status == StatusCode::TOO_MANY_REQUESTS => throttled(listed, headers),
        Some(throttle @ Kind::Throttled { .. }) => throttled(Some(throttle), headers),
        Some(kind) => kind,
        None if status.is_server_error() => Kind::Unavailable,
        None => Kind::Permanent(Cause::Unlisted),
    };
    let code = error.code.map_or_else(|| format!("chat4all:http-{}", status.as_u16()), |code| code.to_string());
    Refusal::new(kind, code, error.text.clone())
}

/// A throttle: as long as the code's kind says, unless a hint says how long the account has to wait.
pub(super) fn throttled(listed: Option<Kind>, headers: &HeaderMap) -> Kind {
    match listed {
        Some(pair @ Kind::Throttled { scope: Scope::Recipient, .. }) => pair,
        Some(restricted @ Kind::Restricted { .. }) => restricted,
        Some(Kind::Throttled { scope, wait }) => Kind::Throttled { scope, wait: hint(headers).unwrap_or(wait) },
        _ => Kind::Throttled { scope: Scope::Account, wait: hint(headers).unwrap_or(UNTOLD) },
    }
}

/// The table, row by row; `None` for a code that it does not list.
fn by_code(code: i64, subcode: Option<i64>) -> Option<Kind> {
    let throttled = |scope, wait| Kind::Throttled { scope, wait };
    Some(match code {
        2 | 131016 | 133004 => Kind::Unavailable,
        1 | 131000 => Kind::Unexplained,
        4 => throttled(Scope::App, CALL_LIMIT),
        80007 => throttled(Scope::Account, CALL_LIMIT),
        130429 => throttled(Scope::Account, THROUGHPUT),
        131056 => throttled(Scope::Recipient, PAIR),
        131048 | 131064 => Kind::Restricted { wait: SPAM },
        131057 => throttled(Scope::Account, MAINTENANCE),
        131047 => Kind::Permanent(Cause::WindowClosed),
        131026 => Kind::Permanent(Cause::RecipientUnreachable),
        131049 | 131050 | 130472 => Kind::Permanent(Cause::RecipientProtected),
        130403 | 131021 | 131030 => Kind::Permanent(Cause::RecipientNotAllowed),
        // How the Graph API says that the number in the URL is not there (or not ours to see).
        100 if subcode == Some(33) => Kind::AccountNeedsAttention,
        100 | 131008 | 131009 | 131051 | 135000 => Kind::Permanent(Cause::BadRequest),
        33 | 131037 | 131042 | 131045 | 133010 => Kind::AccountNeedsAttention,
        131053 => Kind::MediaNotTaken,
        132000 | 132001 | 132005 | 132007 | 132012 | 132015 | 132016 | 132068 | 132069 => {
            Kind::Permanent(Cause::Template)
        }
        0 | 3 | 10 | 190 | 200..=299 | 131005 => Kind::AccountDisconnected,
        368 | 131031 | 130497 => Kind::AccountSuspended,
        _ => return None,
    })
}

/// The longest `estimated_time_to_regain_access` (minutes) of `X-Business-Use-Case-Usage`:
/// `{"<business id>":[{"type":...,"estimated_time_to_regain_access":N}]}`.
fn hint(headers: &HeaderMap) -> Option<Wait> {
    let usage: Value = serde_json::from_slice(headers.get("x-business-use-case-usage")?.as_bytes()).ok()?;
    let minutes = usage
        .as_object()?
        .values()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(|entry| entry.get("estimated_time_to_regain_access")?.as_u64())
        .max()
        .filter(|&minutes| minutes > 0)?;
    Some(Wait::of(Duration::from_secs(minutes.saturating_mul(60)).min(LONGEST_HINT)))
}
