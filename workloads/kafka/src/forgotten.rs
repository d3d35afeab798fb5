//! Sees that a client has forgotten every broker. A lone broker that comes back may answer with topics and
//! no brokers; the client lets go all that it knew, its bootstrap servers too, and connects to nobody any
//! more (<https://github.com/confluentinc/librdkafka/issues/5301>, since librdkafka 2.10). It does not
//! recover; another client in its place does.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::metadata::Metadata;
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::config::KafkaConfig;

/// Between two looks while Kafka is away.
const PAUSE: Duration = Duration::from_secs(1);

/// How long one look may take.
const LOOK: Duration = Duration::from_secs(3);

/// How long a client is given once Kafka answered another one. A sound one needs at most 2.4 s between two
/// connections and 5 s for one that goes to the address of a pod that is gone.
const GRACE: Duration = Duration::from_secs(10);

/// Whether a client's last known broker went away.
#[derive(Default)]
pub(crate) struct Down(Notify);

impl Down {
    /// Takes note of an error that the client reported.
    pub(crate) fn note(&self, error: &KafkaError) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.again();
        }
    }

    /// Wants another look.
    pub(crate) fn again(&self) {
        self.0.notify_one();
    }
}

/// Returns when the client, which asks for the metadata with `ask`, reaches nobody though Kafka answers
/// another one with the same bootstrap servers. Looks only after all its brokers were `down`.
pub(crate) async fn forgotten<A>(kafka: &KafkaConfig, down: &Down, ask: A)
where
    A: Fn(Duration) -> KafkaResult<Metadata> + Clone + Send + 'static,
{
    loop {
        down.0.notified().await;
        while !answered(ask.clone(), LOOK).await {
            let other = kafka.onlooker(None);
            let another = move |patience| other.create::<BaseConsumer>()?.fetch_metadata(None, patience);
            if answered(another, LOOK).await && !answered(ask.clone(), GRACE).await {
                return;
            }
            sleep(PAUSE).await;
        }
    }
}

/// Whether Kafka named a broker within `patience`.
pub(crate) async fn answered<A>(ask: A, patience: Duration) -> bool
where
    A: FnOnce(Duration) -> KafkaResult<Metadata> + Send + 'static,
{
    let asked = tokio::task::spawn_blocking(move || ask(patience)).await;
    matches!(asked, Ok(Ok(metadata)) if !metadata.brokers().is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus_client::registry::Registry;
    use rdkafka::ClientConfig;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::lone_broker::LoneBroker;
    use crate::{Consumer, ConsumerMetrics, Ended, Gate, Handler, Lease, Limits, Producer, Record, Settings};

    const PATIENCE: Duration = Duration::from_secs(60);

    async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !is().await {
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect(what);
    }

    /// It names brokers, then none as one that has just started may do, and then itself again.
    async fn restart(broker: &LoneBroker) {
        let before = broker.nameless_answers();
        broker.name_none();
        eventually("the broker is asked while it names none", async || broker.nameless_answers() > before).await;
        sleep(Duration::from_millis(200)).await;
        broker.name_itself();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_producer_whose_broker_named_none_for_a_while_reaches_it_again() {
        let broker = LoneBroker::start().await;
        let producer = Producer::connect(&broker.config()).unwrap();
        eventually("the producer reaches Kafka", || producer.reachable(LOOK)).await;
        // Readiness asks all the time.
        let asking = producer.clone();
        let asking = tokio::spawn(async move {
            loop {
                asking.reachable(LOOK).await;
            }
        });
        restart(&broker).await;
        asking.abort();
        eventually("the producer reaches Kafka again", || producer.reachable(LOOK)).await;
    }

    struct Nothing;

    impl Handler for Nothing {
        async fn handle(&self, _: Record, _: Lease) -> Result<(), Ended> {
            Ok(())
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_consumer_whose_broker_named_none_for_a_while_looks_for_its_group_again() {
        let broker = LoneBroker::start().await;
        let settings = Settings {
            group: "a-group".into(),
            topics: vec![crate::lone_broker::TOPIC.into()],
            limits: Limits { records: 10, bytes: 1 << 20, at_work: 10 },
            drain: LOOK,
        };
        let metrics = ConsumerMetrics::register(&mut Registry::default());
        let consumer =
            Consumer::new(&broker.config(), settings, Arc::new(Nothing), Gate::always_open(), metrics).unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(consumer.run(shutdown.clone()));
        let looked = async || broker.group_questions() > 0;
        eventually("the consumer looks for its group", looked).await;
        restart(&broker).await;
        let before = broker.group_questions();
        eventually("the consumer looks for its group again", async || broker.group_questions() > before + 1).await;
        shutdown.cancel();
        running.await.unwrap().unwrap();
    }

    /// When this fails, the library no longer forgets, and this file can go.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_library_alone_never_reaches_such_a_broker_again() {
        let broker = LoneBroker::start().await;
        let client: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", broker.config().bootstrap_servers).create().unwrap();
        let client = Arc::new(client);
        let asked = client.clone();
        let ask = move |patience| asked.fetch_metadata(None, patience);
        eventually("the client reaches Kafka", || answered(ask.clone(), LOOK)).await;
        broker.name_none();
        assert!(!answered(ask.clone(), LOOK).await);
        broker.name_itself();
        assert!(!answered(ask.clone(), GRACE).await);
    }
}
