//! Every setting with its environment variable, default and unit.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use chat4all_channels::Pace;
use chat4all_connector::{BreakerPolicy, OnUnknownOutcome, RetryPolicy};
use chat4all_kafka::{GroupProtocol, KafkaConfig};
use chat4all_message::{Channel, Connector, Topics};
use chat4all_store::cassandra::{CassandraConfig, Keyspace, Replication};
use clap::{Parser, Subcommand};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::telemetry::LogFormat;

/// Chat4All: a self-hosted messaging hub.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Args {
    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", default_value = "json", global = true)]
    pub log_format: LogFormat,
    /// What to be.
    #[command(subcommand)]
    pub command: Command,
}

/// What to be.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the HTTP API and take providers' webhooks.
    Api(Api),
    /// Store accepted messages, make deliveries, apply statuses.
    Router(Router),
    /// Carry deliveries to one provider account and read its webhooks.
    Connector(Box<ConnectorArgs>),
    /// Create the keyspace and bring its tables up to date.
    Migrate(Migrate),
    /// Stand in for the providers, strictly, with scripted faults; for development and tests.
    Simulator(Simulator),
    /// Everything in one process, for trying; keeps nothing.
    Dev(Dev),
    /// Work with what a running hub gave up: list, show, replay, discard.
    #[command(subcommand)]
    Dlq(crate::client::dlq::Dlq),
    /// Ask a running hub what became of every accepted message, by id.
    Ledger(crate::client::ledger::Ledger),
    /// Work with a running hub's journals of webhooks.
    #[command(subcommand)]
    Journal(crate::client::journal::Journal),
    /// Read a password from standard input and print its hash for users.yaml.
    HashPassword,
}

/// The commands that people type at a terminal, who are told errors as text; the rest is started by Kubernetes.
const FOR_PEOPLE: [&str; 4] = ["dlq", "ledger", "journal", "hash-password"];

/// Whether the words of a command line are such a command, be it complete or not.
pub fn is_for_people(mut words: impl Iterator<Item = String>) -> bool {
    words.any(|word| FOR_PEOPLE.contains(&word.as_str()))
}

/// Where Kafka is.
#[derive(Debug, clap::Args)]
pub struct Kafka {
    /// Brokers to begin with, host:port, separated by commas.
    #[arg(long, env = "KAFKA_BOOTSTRAP_SERVERS")]
    kafka_bootstrap_servers: String,
    /// Stands before every topic and group name.
    #[arg(long, env = "KAFKA_TOPIC_PREFIX", default_value = "")]
    kafka_topic_prefix: String,
    /// After how many milliseconds of silence a member's partitions go to others.
    #[arg(long, env = "KAFKA_SESSION_TIMEOUT_MS", default_value = "10000",
        value_parser = clap::value_parser!(u64).range(6000..=300_000))]
    kafka_session_timeout_ms: u64,
}

impl Kafka {
    /// The clients' settings.
    pub fn config(&self) -> KafkaConfig {
        KafkaConfig {
            bootstrap_servers: self.kafka_bootstrap_servers.clone(),
            session_timeout: Duration::from_millis(self.kafka_session_timeout_ms),
            protocol: GroupProtocol::default(),
        }
    }

    /// The topics' names.
    pub fn topics(&self) -> Topics {
        Topics::with_prefix(&self.kafka_topic_prefix)
    }
}

/// Where the store is.
#[derive(Debug, clap::Args)]
pub struct Store {
    /// Nodes to begin with, host:port, separated by commas.
    #[arg(long, env = "STORE_CONTACT_POINTS", value_delimiter = ',', required = true)]
    store_contact_points: Vec<String>,
    /// The keyspace.
    #[arg(long, env = "STORE_KEYSPACE")]
    store_keyspace: Keyspace,
}

impl Store {
    /// The driver's settings.
    pub fn config(&self) -> CassandraConfig {
        CassandraConfig { contact_points: self.store_contact_points.clone(), keyspace: self.store_keyspace.clone() }
    }
}

/// How a workload lives and ends.
#[derive(Debug, clap::Args)]
pub struct Life {
    /// Where to listen.
    #[arg(long, env = "HTTP_LISTEN", default_value = "0.0.0.0:8080")]
    pub http_listen: SocketAddr,
    /// How many seconds a graceful stop may take; less than terminationGracePeriodSeconds.
    #[arg(long, env = "SHUTDOWN_GRACE_SECONDS", default_value = "25",
        value_parser = clap::value_parser!(u64).range(11..=3600))]
    shutdown_grace_seconds: u64,
}

/// What leaving the consumer group and closing its client may take, of the grace.
const LEAVING: Duration = Duration::from_secs(10);

impl Life {
    /// How long a graceful stop may take.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_seconds)
    }

    /// How long records at work may take, so that there is time to leave the group.
    pub fn drain(&self) -> Duration {
        self.grace() - LEAVING
    }
}

/// What every workload of the message path needs.
#[derive(Debug, clap::Args)]
pub struct Workload {
    #[command(flatten)]
    pub kafka: Kafka,
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub life: Life,
}

/// `chat4all api`.
#[derive(Debug, clap::Args)]
pub struct Api {
    #[command(flatten)]
    pub workload: Workload,
    /// The connectors, name=channel, separated by commas; the first one of a channel carries it.
    #[arg(long, env = "CONNECTORS", value_delimiter = ',')]
    pub connectors: Vec<Connector>,
    /// Folder with the files jwt-key and users.yaml.
    #[arg(long, env = "AUTH_DIR", default_value = "/etc/chat4all/auth")]
    pub auth_dir: PathBuf,
    /// Folder with a folder for each connector, with its webhook's secrets.
    #[arg(long, env = "WEBHOOKS_DIR", default_value = "/etc/chat4all/webhooks")]
    pub webhooks_dir: PathBuf,
}

/// `chat4all router`.
#[derive(Debug, clap::Args)]
pub struct Router {
    #[command(flatten)]
    pub workload: Workload,
    /// The connectors, name=channel, separated by commas; the first one of a channel carries it.
    #[arg(long, env = "CONNECTORS", value_delimiter = ',')]
    pub connectors: Vec<Connector>,
}

/// `chat4all connector`.
#[derive(Debug, clap::Args)]
pub struct ConnectorArgs {
    #[command(flatten)]
    pub workload: Workload,
    /// The connector's name in the resource.
    #[arg(long, env = "CONNECTOR_NAME")]
    pub connector_name: String,
    /// The channel it speaks.
    #[arg(long, env = "CONNECTOR_CHANNEL")]
    pub connector_channel: Channel,
    /// Folder with the credentials, one file for each key of the Secret.
    #[arg(long, env = "CONNECTOR_CREDENTIALS_DIR", default_value = "/etc/chat4all/credentials")]
    pub connector_credentials_dir: PathBuf,
    /// The provider's base URL, without version; the usual one of the channel when left out.
    #[arg(long, env = "CONNECTOR_BASE_URL")]
    pub connector_base_url: Option<String>,
    /// spec.connectors[].account as JSON.
    #[arg(long, env = "CONNECTOR_ACCOUNT")]
    pub connector_account: String,
    /// spec.connectors[].budget as JSON; what the channel's provider takes by default when left out.
    #[arg(long, env = "CONNECTOR_BUDGET", value_parser = json::<Budget>)]
    pub connector_budget: Option<Budget>,
    /// spec.connectors[].circuitBreaker as JSON.
    #[arg(long, env = "CONNECTOR_CIRCUIT_BREAKER", value_parser = json::<BreakerPolicy>)]
    pub connector_circuit_breaker: Option<BreakerPolicy>,
    /// spec.connectors[].retry as JSON.
    #[arg(long, env = "CONNECTOR_RETRY", value_parser = json::<RetryPolicy>)]
    pub connector_retry: Option<RetryPolicy>,
    /// How many milliseconds the provider may take for one answer.
    #[arg(long, env = "CONNECTOR_REQUEST_TIMEOUT_MS", default_value = "10000",
        value_parser = clap::value_parser!(u64).range(100..=300_000))]
    pub connector_request_timeout_ms: u64,
    /// Resend or Hold.
    #[arg(long, env = "CONNECTOR_ON_UNKNOWN_OUTCOME", default_value = "Resend", value_parser = quoted::<OnUnknownOutcome>)]
    pub connector_on_unknown_outcome: OnUnknownOutcome,
    /// With Hold: how many seconds to wait for a status of the provider that tells whether it took the
    /// message, before the message goes to the dead-letter queue; 1 to 86400.
    #[arg(long, env = "CONNECTOR_HOLD_SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub connector_hold_seconds: u64,
}

/// How fast one account may be called, where it is not as fast as the provider takes by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// Calls a second of all replicas together.
    messages_per_second: NonZeroU32,
}

impl Budget {
    /// The channel's pace with this budget.
    pub fn of(self, usual: Pace) -> Pace {
        usual.with_account(f64::from(self.messages_per_second.get()))
    }
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// A value that JSON would write in quotes.
fn quoted<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

/// `chat4all migrate`.
#[derive(Debug, clap::Args)]
pub struct Migrate {
    #[command(flatten)]
    pub store: Store,
    /// The replication map for a keyspace that is not there yet, as JSON.
    #[arg(long, env = "STORE_REPLICATION")]
    pub store_replication: Replication,
}

/// `chat4all simulator`.
#[derive(Debug, clap::Args)]
pub struct Simulator {
    /// Where to listen.
    #[arg(long, env = "SIMULATOR_LISTEN", default_value = "0.0.0.0:8090")]
    pub simulator_listen: SocketAddr,
    /// The bearer token that callers must show.
    #[arg(long, env = "SIMULATOR_ACCESS_TOKEN", hide_env_values = true)]
    pub simulator_access_token: String,
    /// Signs the webhooks.
    #[arg(long, env = "SIMULATOR_APP_SECRET", hide_env_values = true)]
    pub simulator_app_secret: String,
    /// The phone number's id.
    #[arg(long, env = "SIMULATOR_PHONE_NUMBER_ID", default_value = "106540352242922")]
    pub simulator_phone_number_id: String,
    /// Where webhooks go.
    #[arg(long, env = "SIMULATOR_WEBHOOK_URL")]
    pub simulator_webhook_url: String,
    /// Enforce the rates of the real providers.
    #[arg(long, env = "SIMULATOR_ENFORCE_LIMITS")]
    pub simulator_enforce_limits: bool,
    /// The id of the page with Messenger that there is; none when left out.
    #[arg(long, env = "SIMULATOR_PAGE_ID")]
    pub simulator_page_id: Option<String>,
    /// The id of the Instagram account that there is; none when left out.
    #[arg(long, env = "SIMULATOR_INSTAGRAM_ID")]
    pub simulator_instagram_id: Option<String>,
    /// The token of the Telegram bot that there is; none when left out.
    #[arg(long, env = "SIMULATOR_TELEGRAM_BOT_TOKEN", hide_env_values = true)]
    pub simulator_telegram_bot_token: Option<String>,
    /// whsec_<base64>, with which webhooks to the endpoints at /hooks/<name> are signed; none when left out.
    #[arg(long, env = "SIMULATOR_WEBHOOK_SECRET", hide_env_values = true)]
    pub simulator_webhook_secret: Option<String>,
}

/// `chat4all dev`.
#[derive(Debug, clap::Args)]
pub struct Dev {
    /// Where the API listens.
    #[arg(long, env = "HTTP_LISTEN", default_value = "127.0.0.1:8080")]
    pub http_listen: SocketAddr,
    /// Where the simulator listens.
    #[arg(long, env = "SIMULATOR_LISTEN", default_value = "127.0.0.1:8090")]
    pub simulator_listen: SocketAddr,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }

    #[test]
    fn a_command_that_people_type_is_one_that_there_is() {
        use clap::CommandFactory as _;
        let all: Vec<String> = Args::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert!(FOR_PEOPLE.iter().all(|name| all.iter().any(|known| known == name)), "{all:?}");
        let typed = |line: &str| is_for_people(line.split(' ').map(str::to_owned));
        assert!(typed("--log-format text dlq discard") && !typed("router"));
    }

    #[test]
    fn policies_are_read_as_the_operator_writes_them() {
        let breaker =
            r#"{"failureRatePercent":50,"minimumCalls":10,"windowSeconds":10,"openSeconds":30,"halfOpenCalls":3}"#;
        assert_eq!(json::<BreakerPolicy>(breaker), Ok(BreakerPolicy::default()));
        let retry = r#"{"maxAttempts":6,"initialBackoffMillis":1000,"maxBackoffMillis":16000}"#;
        assert_eq!(json::<RetryPolicy>(retry), Ok(RetryPolicy::default()));
        let budget = json::<Budget>(r#"{"messagesPerSecond":1000}"#).unwrap();
        assert_eq!(budget.of(Pace::UNLIMITED).account, Some(1000.0));
        assert!(json::<Budget>(r#"{"messagesPerSecond":0}"#).is_err());
        assert_eq!(quoted::<OnUnknownOutcome>("Hold"), Ok(OnUnknownOutcome::Hold));
        assert!(quoted::<OnUnknownOutcome>("Forget").is_err());
    }
}
