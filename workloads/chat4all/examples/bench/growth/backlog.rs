//! A backlog that appears at once. It is written in one transaction, of which a router sees nothing before all of
//! it is there: routers that start on a full topic would drain much of it while their group is forming.

use std::time::Duration;

use chat4all_message::AcceptedMessage;
use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::place::{CONVERSATIONS, Place, kafka, message};

/// How long Kafka may take for each step, and for the whole of it.
const TIMEOUT: Duration = Duration::from_secs(60);
const WHOLE: Duration = Duration::from_secs(600);

/// Lets so many accepted messages appear in the topic of messages, the conversations in turn.
pub fn appear(place: &Place, messages: usize) {
    let topic = place.topics.messages();
    tokio::task::block_in_place(|| {
        // Otherwise as the API's producer: the same conversation is in the same partition.
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", kafka().bootstrap_servers)
            .set("transactional.id", &topic)
            .set("transaction.timeout.ms", WHOLE.as_millis().to_string())
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .create()
            .unwrap();
        producer.init_transactions(TIMEOUT).unwrap();
        producer.begin_transaction().unwrap();
        for number in 0..messages {
            put(&producer, &topic, &message(number % CONVERSATIONS));
        }
        producer.commit_transaction(TIMEOUT).unwrap();
    });
}

/// Waits for room where the queue is full.
fn put(producer: &BaseProducer, topic: &str, message: &AcceptedMessage) {
    let (key, value) = (message.conversation_id.as_str(), serde_json::to_vec(message).unwrap());
    let mut record = BaseRecord::to(topic).key(key).payload(&value);
    while let Err((error, unsent)) = producer.send(record) {
        assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
        producer.poll(Duration::from_millis(10));
        record = unsent;
    }
}
