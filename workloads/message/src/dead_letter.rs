//! What names a record that was given up, and the headers of the records in the dead-letter queue. The `kafka_dlt-` names are those that Spring
//! for Apache Kafka writes and that tools recognise (KafkaHeaders.DLT_*); the `chat4all-` ones are ours.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

/// What letter ids are made under, so that they are nobody else's UUIDs.
const NAMESPACE: Uuid = Uuid::from_u128(0x5d0c_5f5e_7f0b_4b5e_9a55_0a1f_44a1_d1e7);

/// Names a record that was given up, by where it stood: given up twice, it is one letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LetterId(Uuid);

/// The text is no letter's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of a dead letter, as the list of dead letters shows it")]
pub struct NotALetterId(String);

impl LetterId {
    /// The id of the record at this place.
    pub fn of(topic: &str, partition: i32, offset: i64) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("{topic}/{partition}/{offset}").as_bytes()))
    }

    /// The id as a UUID.
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for LetterId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl FromStr for LetterId {
    type Err = NotALetterId;
    fn from_str(text: &str) -> Result<Self, NotALetterId> {
        Uuid::parse_str(text).map(Self).map_err(|_| NotALetterId(text.to_owned()))
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_given_up_twice_is_one_letter_and_its_neighbour_is_another() {
        let id = LetterId::of("acme.main-outbound", 3, 17);
        assert_eq!(LetterId::of("acme.main-outbound", 3, 17), id);
        assert_ne!(LetterId::of("acme.main-outbound", 3, 18), id);
        assert_ne!(LetterId::of("acme.main-outbound", 31, 7), LetterId::of("acme.main-outbound", 3, 17));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("17".parse::<LetterId>().is_err());
    }
}
