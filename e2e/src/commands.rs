//! The commands of the binary that ask a running hub, run as a person would run them: in the binary's image,
//! under Docker, as the sample's user with the role operator.

use std::ops::AddAssign;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;

/// The image, as `e2e/images/programs.sh` makes it.
const IMAGE: &str = concat!("chat4all/chat4all:", env!("CARGO_PKG_VERSION"));
/// The user, as `e2e/deploy.sh` makes it.
const USER: &str = "ops";

/// What one check of the ledger is asked for: the whole of a long load is more than it holds and than a client waits for.
const PART: SignedDuration = SignedDuration::from_mins(10);

/// Runs commands against the sample's API.
#[derive(Debug, Clone)]
pub struct Commands {
    url: String,
    password: String,
}

/// A command failed, or printed something else than it should.
#[derive(Debug, thiserror::Error)]
#[error("chat4all {command}: {said}")]
pub struct Error {
    command: String,
    said: String,
}

/// What became of the accepted messages of a range of time, as far as a case asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// All of them.
    pub accepted: u64,
    /// On the way.
    pub in_flight: u64,
    /// In the dead-letter queue.
    pub dead_lettered: u64,
    /// Nowhere.
    pub unaccounted: u64,
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        let Self { accepted, in_flight, dead_lettered, unaccounted } = other;
        self.accepted += accepted;
        self.in_flight += in_flight;
        self.dead_lettered += dead_lettered;
        self.unaccounted += unaccounted;
    }
}

impl Commands {
    /// Asks the API at this URL.
    pub fn new(url: &str, password: &str) -> Self {
        Self { url: url.to_owned(), password: password.to_owned() }
    }

    /// What the command prints; what it complains of, if it fails.
    pub async fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        let docker = ["run", "--rm", "--network=host", "-eCHAT4ALL_URL", "-eCHAT4ALL_USERNAME", "-eCHAT4ALL_PASSWORD"];
        let output = Command::new("docker")
            .args(docker)
            .arg(IMAGE)
            .args(arguments)
            .env("CHAT4ALL_URL", &self.url)
            .env("CHAT4ALL_USERNAME", USER)
            .env("CHAT4ALL_PASSWORD", &self.password)
            .output()
            .await;
        let fail = |said: String| Error { command: arguments.join(" "), said };
        let output = output.map_err(|error| fail(format!("docker: {error}")))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(fail(format!("{}\n{}", text(&output.stdout), text(&output.stderr))))
        }
    }

    /// What became of all messages that were accepted since then, asked for ten minutes at a time. Fails when some are
    /// not accounted for.
    pub async fn ledger(&self, from: Timestamp) -> Result<Ledger, Error> {
        #[derive(Deserialize)]
        struct Report {
            messages: Ledger,
        }
        let mut all = Ledger::default();
        for (from, to) in parts(from, Timestamp::now()) {
            let (from, to) = (from.to_string(), to.to_string());
            let report: Report = self.json(&["ledger", "--json", "--from", &from, "--to", &to]).await?;
            all += report.messages;
        }
        Ok(all)
    }

    /// The dead letters for a recipient, newest first.
    pub async fn dead_letters(&self, recipient: &str) -> Result<Vec<Value>, Error> {
        let arguments = ["dlq", "list", "--json", "--recipient", recipient];
        let lines = self.run(&arguments).await?;
        let letters: Result<Vec<Value>, _> = lines.lines().map(serde_json::from_str).collect();
        letters.map_err(|error| Error { command: arguments.join(" "), said: error.to_string() })
    }

    async fn json<T: for<'de> Deserialize<'de>>(&self, arguments: &[&str]) -> Result<T, Error> {
        let text = self.run(arguments).await?;
        serde_json::from_str(&text)
            .map_err(|error| Error { command: arguments.join(" "), said: format!("{error}: {text}") })
    }
}

/// The parts of a range of time, which touch each other; none where it ends before it begins.
fn parts(from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let begins = std::iter::successors(Some(from), |begin| Some(*begin + PART)).take_while(move |begin| *begin < to);
    begins.map(move |begin| (begin, to.min(begin + PART)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_asked_for_in_parts_that_leave_nothing_out() {
        let at = |minute: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute);
        let asked = |from, to| parts(at(from), at(to)).collect::<Vec<_>>();
        assert_eq!(asked(0, 25), [(at(0), at(10)), (at(10), at(20)), (at(20), at(25))]);
        assert_eq!(asked(0, 10), [(at(0), at(10))]);
        assert!(asked(5, 5).is_empty());
    }
}
