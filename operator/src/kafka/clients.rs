//! Clients that ask Kafka: one for each list of brokers, and one for each consumer group whose offsets
//! are looked at. Shared by all who ask the same, dropped when nobody has used them for a while or when
//! they failed. None of them ever joins a group.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;

use super::Error;

/// How long one question to Kafka may take. A broker in the same data centre answers in
/// milliseconds; a reconcile must not hang much longer than a person waits.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// A client that nobody used this long is dropped, with its threads and connections.
const IDLE: Duration = Duration::from_secs(600);

/// Log lines of a client that are taken over at a time.
const LINES: usize = 100;

/// A consumer that never subscribes: it fetches metadata and offsets, and unlike `AdminClient` it runs
/// no thread of its own and hands over its log when it is asked to.
pub(super) type Handle = Arc<BaseConsumer<Complaints>>;

/// Whom a client asks.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Whom {
    pub(super) brokers: String,
    /// The consumer group whose offsets it can fetch.
    pub(super) group: Option<String>,
}

/// The clients that there are.
#[derive(Default)]
pub(super) struct Clients {
    clients: Mutex<HashMap<Whom, Client>>,
}

struct Client {
    handle: Handle,
    used: Instant,
}

impl Clients {
    /// The client that asks them; connects in the background.
    pub(super) fn asking(&self, whom: &Whom) -> Result<Handle, Error> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let idle: Vec<_> = clients.extract_if(|_, client| client.used.elapsed() > IDLE).collect();
        idle.into_iter().for_each(|(_, client)| drop_elsewhere(client.handle));
        if let Some(client) = clients.get_mut(whom) {
            client.used = Instant::now();
            return Ok(Arc::clone(&client.handle));
        }
        let mut config = config(&whom.brokers);
        // A log ends where the routers see it end: what an open transaction holds back is no work yet, and
        // would be a backlog that no number of routers works off.
        config.set("isolation.level", "read_committed");
        if let Some(group) = &whom.group {
            config.set("group.id", group).set("enable.auto.commit", "false");
        }
        let handle: BaseConsumer<Complaints> =
            config.create_with_context(Complaints::default()).map_err(|e| unusable(&e))?;
        let handle = Arc::new(handle);
        clients.insert(whom.clone(), Client { handle: Arc::clone(&handle), used: Instant::now() });
        Ok(handle)
    }

    /// Drops a client, so that the next one resolves and connects afresh instead of waiting out a
    /// reconnect backoff. With the last one that asks for a group goes the one that serves them all.
    pub(super) fn forget(&self, whom: &Whom) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let mut forgotten: Vec<_> = clients.remove(whom).into_iter().collect();
        if whom.group.is_some() && !clients.keys().any(|other| other.brokers == whom.brokers && other.group.is_some()) {
            forgotten.extend(clients.remove(&Whom { group: None, ..whom.clone() }));
        }
        forgotten.into_iter().for_each(|client| drop_elsewhere(client.handle));
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// What every client of ours is set to.
pub(super) fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "chat4all-operator")
        // A question about a topic must not create it with the broker's defaults.
        .set("allow.auto.create.topics", "false")
        .set("socket.timeout.ms", TIMEOUT.as_millis().to_string())
        // Nobody reads what the client would report to the broker about itself.
        .set("enable.metrics.push", "false")
        .set_log_level(RDKafkaLogLevel::Warning);
    config
}

/// The client could not be made.
pub(super) fn unusable(error: &KafkaError) -> Error {
    Error::Unusable { reason: error.to_string() }
}

/// Nobody answered this client, for the reason that it last complained about.
pub(super) fn unreachable(brokers: &str, client: &BaseConsumer<Complaints>, error: &KafkaError) -> Error {
    let reason = Complaints::of(client).or_else(|| error.rdkafka_error_code().map(|code| code.to_string()));
    Error::Unreachable { brokers: brokers.to_owned(), reason: reason.unwrap_or_else(|| error.to_string()) }
}

/// Runs what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|gone| Err(Error::Unusable { reason: gone.to_string() }))
}

/// Dropping a client waits for its threads and, with requests in flight, for their end.
pub(super) fn drop_elsewhere(client: impl Send + 'static) {
    tokio::task::spawn_blocking(move || drop(client));
}

/// Keeps what librdkafka last complained about; its error codes alone say "transport failure" for a
/// name that does not resolve and a port that is closed alike.
#[derive(Default)]
pub(super) struct Complaints(Mutex<Option<String>>);

impl Complaints {
    /// What the client complained about since this was last asked, if it did.
    pub(super) fn of(client: &BaseConsumer<Self>) -> Option<String> {
        for _ in 0..LINES {
            client.poll(Duration::ZERO);
        }
        client.context().0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Complaints {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
        if facility == "FAIL" {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(gist(message).to_owned());
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for Complaints {}

/// What happened, without the thread, the connection and the time that it took.
fn gist(complaint: &str) -> &str {
    let text = complaint.split_once("]: ").map_or(complaint, |(_thread, text)| text);
    let text = text.split_once(": ").map_or(text, |(_connection, text)| text);
    text.split_once(" (after ").map_or(text, |(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_told_without_what_only_the_library_knows() {
        let bootstrap = "[thrd:kafka:9092/bootstrap]: kafka:9092/bootstrap: Failed to resolve 'kafka:9092': no such name (after 3ms in state CONNECT)";
        assert_eq!(gist(bootstrap), "Failed to resolve 'kafka:9092': no such name");
        let coordinator =
            "[thrd:GroupCoordinator]: GroupCoordinator: 10.0.0.7:9092: Connection refused (after 0ms in state CONNECT)";
        assert_eq!(gist(coordinator), "10.0.0.7:9092: Connection refused");
        assert_eq!(gist("something else"), "something else");
    }
}
