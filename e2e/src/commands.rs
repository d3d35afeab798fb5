//! The commands of the binary that ask a running hub, run as a person would run them: in the binary's image,
//! under Docker, as the sample's user with the role operator.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;

/// The image, as `e2e/images/programs.sh` makes it.
const IMAGE: &str = concat!("chat4all/chat4all:", env!("CARGO_PKG_VERSION"));
/// The user, as `e2e/deploy.sh` makes it.
const USER: &str = "ops";

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

    /// What became of all messages that were accepted since then. Fails when some are not accounted for.
    pub async fn ledger(&self, from: Timestamp) -> Result<Ledger, Error> {
        #[derive(Deserialize)]
        struct Report {
            messages: Ledger,
        }
        let report: Report = self.json(&["ledger", "--json", "--from", &from.to_string()]).await?;
        Ok(report.messages)
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
