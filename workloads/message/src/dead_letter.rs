//! Headers of the records in the dead-letter queue. The `kafka_dlt-` names are those that Spring
//! for Apache Kafka writes and that tools recognise (KafkaHeaders.DLT_*); the `chat4all-` ones are ours.

/// The topic that the record came from.
pub const ORIGINAL_TOPIC: &str = "kafka_dlt-original-topic";
/// Its partition there, in decimal.
pub const ORIGINAL_PARTITION: &str = "kafka_dlt-original-partition";
/// Its offset there, in decimal.
pub const ORIGINAL_OFFSET: &str = "kafka_dlt-original-offset";
/// Its timestamp there, in milliseconds since the Unix epoch, in decimal.
pub const ORIGINAL_TIMESTAMP: &str = "kafka_dlt-original-timestamp";
/// The consumer group that gave it up.
pub const ORIGINAL_CONSUMER_GROUP: &str = "kafka_dlt-original-consumer-group";
/// Why, in words.
pub const EXCEPTION_MESSAGE: &str = "kafka_dlt-exception-message";
/// Why, as a stable code.
pub const REASON: &str = "chat4all-reason";
/// How many provider calls were begun, in decimal.
pub const ATTEMPTS: &str = "chat4all-attempts";
/// How often the record was replayed from the dead-letter queue, in decimal.
pub const REPLAYS: &str = "chat4all-replays";
