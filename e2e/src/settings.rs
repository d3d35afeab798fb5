//! What a run can be told through the environment. The defaults are for two cores that also run
//! Kafka, Cassandra and three kind nodes.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::proof::ROUNDS;

/// The settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `KUBECONFIG`: the cluster. Default: `$CHAT4ALL_CACHE/kubeconfig`.
    pub kubeconfig: PathBuf,
    /// `CHAT4ALL_CACHE`: where `make up` keeps the sample's credentials. Default: `~/.cache/chat4all`.
    pub cache: PathBuf,
    /// `C4A_E2E_API`: the API of the sample. Default: `http://127.0.0.1:30080`.
    pub api: String,
    /// `C4A_E2E_SIMULATOR`: the provider simulator. Default: `http://127.0.0.1:30090`.
    pub simulator: String,
    /// `C4A_E2E_RATE`: messages a second that the load sends. Default: 50, of which machines with two cores carry 100 to
    /// 300 beside the load itself.
    pub rate: u32,
    /// `C4A_E2E_CONVERSATIONS`: conversations that the load is spread over at a time. Default: 240.
    pub conversations: u32,
    /// `C4A_E2E_MESSAGES`: messages that each case with a load sends at least. Default: 5000.
    pub messages: u64,
    /// `C4A_E2E_DELETIONS`: pods that each case deletes. Default: 5.
    pub deletions: u32,
    /// `C4A_E2E_DRAIN_SECONDS`: how long accepted messages may take to be read, once the load has
    /// ended. Default: 120.
    pub drain: Duration,
    /// `C4A_E2E_IDLE_SECONDS`: for how long nothing may be written while nothing happens. Default: 20.
    pub idle: Duration,
    /// `C4A_E2E_AWAY_SECONDS`: for how long the API server is taken away. Default: 20.
    pub away: Duration,
    /// `C4A_PROOF_RATE`: messages a second that `make proof` sends. Default: 50, so that a slow machine with two cores can
    /// work off what gathered under a fault.
    pub proof_rate: u32,
    /// `C4A_PROOF_ROUNDS`: how often `make proof` makes each fault. Default: 10.
    pub rounds: u32,
    /// `C4A_PROOF_FAULTS`: parts of the names of the faults that `make proof` makes, separated by commas.
    /// Default: all.
    pub faults: Vec<String>,
    /// `C4A_SOAK_MINUTES`: how long `make soak` lasts. Default: 60.
    pub soak_minutes: u32,
    /// `C4A_SOAK_RATE`: messages a second that `make soak` sends. Default: 50, which is about 15 to 30 % of what the whole
    /// cluster carries on two cores.
    pub soak_rate: u32,
    /// `C4A_SOAK_SEED`: which pods `make soak` deletes follows from it. Default: another one for each run, which is told.
    pub soak_seed: Option<u64>,
}

/// A setting has a value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value:?}; give it a whole number from 1")]
pub struct NotANumber {
    /// The environment variable.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

impl Settings {
    /// Reads them with this function, which knows the value of an environment variable.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, NotANumber> {
        let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME").unwrap_or_else(|| "/".into());
        let cache = path("CHAT4ALL_CACHE").unwrap_or_else(|| home.join(".cache/chat4all"));
        let seed = variable("C4A_SOAK_SEED").is_some();
        Ok(Self {
            kubeconfig: path("KUBECONFIG").unwrap_or_else(|| cache.join("kubeconfig")),
            cache,
            api: variable("C4A_E2E_API").unwrap_or_else(|| "http://127.0.0.1:30080".into()),
            simulator: variable("C4A_E2E_SIMULATOR").unwrap_or_else(|| "http://127.0.0.1:30090".into()),
            rate: number(&variable, "C4A_E2E_RATE", 50)?,
            conversations: number(&variable, "C4A_E2E_CONVERSATIONS", 240)?,
            messages: number(&variable, "C4A_E2E_MESSAGES", 5000)?,
            deletions: number(&variable, "C4A_E2E_DELETIONS", 5)?,
            drain: Duration::from_secs(number(&variable, "C4A_E2E_DRAIN_SECONDS", 120)?),
            idle: Duration::from_secs(number(&variable, "C4A_E2E_IDLE_SECONDS", 20)?),
            away: Duration::from_secs(number(&variable, "C4A_E2E_AWAY_SECONDS", 20)?),
            proof_rate: number(&variable, "C4A_PROOF_RATE", 50)?,
            rounds: number(&variable, "C4A_PROOF_ROUNDS", ROUNDS)?,
            faults: list(&variable("C4A_PROOF_FAULTS").unwrap_or_default()),
            soak_minutes: number(&variable, "C4A_SOAK_MINUTES", 60)?,
            soak_rate: number(&variable, "C4A_SOAK_RATE", 50)?,
            soak_seed: seed.then(|| number(&variable, "C4A_SOAK_SEED", 1)).transpose()?,
        })
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn number<N: FromStr + PartialOrd + From<u8>>(
    variable: impl Fn(&str) -> Option<String>,
    name: &'static str,
    default: N,
) -> Result<N, NotANumber> {
    let Some(value) = variable(name) else { return Ok(default) };
    match value.parse() {
        Ok(number) if number >= N::from(1) => Ok(number),
        _ => Err(NotANumber { name, value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, NotANumber> {
        Settings::read(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn what_is_not_said_has_a_default_under_the_cache_folder() {
        let settings = read(&[("HOME", "/home/ana")]).unwrap();
        assert_eq!(settings.kubeconfig, PathBuf::from("/home/ana/.cache/chat4all/kubeconfig"));
        assert_eq!(read(&[("CHAT4ALL_CACHE", "/c"), ("KUBECONFIG", "/k")]).unwrap().kubeconfig, PathBuf::from("/k"));
    }

    #[test]
    fn a_seed_is_only_there_when_it_is_given() {
        assert_eq!(read(&[]).unwrap().soak_seed, None);
        assert_eq!(read(&[("C4A_SOAK_SEED", "18446744073709551615")]).unwrap().soak_seed, Some(u64::MAX));
        assert_eq!(read(&[("C4A_SOAK_SEED", "x")]).unwrap_err().name, "C4A_SOAK_SEED");
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        assert_eq!(read(&[("C4A_E2E_RATE", "7")]).unwrap().rate, 7);
        for value in ["", "0", "-1", "many"] {
            assert_eq!(
                read(&[("C4A_E2E_RATE", value)]).unwrap_err(),
                NotANumber { name: "C4A_E2E_RATE", value: value.into() }
            );
        }
    }
}
