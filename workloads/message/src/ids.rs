//! Identifiers. A message id carries its time; a delivery id is derived, so that every replay
//! of a message makes the same deliveries.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::address::Address;

/// Identifies one accepted message: a UUIDv7, so its first 48 bits are the time of acceptance
/// in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Uuid", into = "Uuid")]
pub struct MessageId(Uuid);

/// A UUID that is not of version 7 was given where a message id is wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a message id: message ids are UUIDs of version 7, as POST /v1/messages returns them")]
pub struct NotAMessageId(String);

impl MessageId {
    /// A new id for a message accepted now.
    pub fn now() -> Self {
        Self(Uuid::now_v7())
    }

    /// The one id of the message that a provider's event tells of: made of the time when it was
    /// written and of the event's name, which is unique within the connector.
    pub fn of_event(connector: &str, event_id: &str, at: Timestamp) -> Self {
        // No connector's name holds a NUL, so no two pairs are alike.
        let name = format!("{connector}\0{event_id}");
        let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).into_bytes();
        let mut rest = [0; 10];
        rest.copy_from_slice(&hash[..10]);
        let millis = u64::try_from(at.as_millisecond()).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid())
    }

    /// The instant the id was made, with a resolution of one millisecond.
    pub fn created_at(self) -> Timestamp {
        let millis = self.0.as_u128() >> 80;
        // 48 bits of milliseconds end in the year 10889, Timestamp's range in 9999.
        Timestamp::from_millisecond(millis as i64).unwrap_or(Timestamp::MAX)
    }

    /// The id as a UUID.
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl TryFrom<Uuid> for MessageId {
    type Error = NotAMessageId;
    fn try_from(uuid: Uuid) -> Result<Self, NotAMessageId> {
        if uuid.get_version_num() == 7 { Ok(Self(uuid)) } else { Err(NotAMessageId(uuid.to_string())) }
    }
}

impl FromStr for MessageId {
    type Err = NotAMessageId;
    fn from_str(text: &str) -> Result<Self, NotAMessageId> {
        Uuid::parse_str(text).map_err(|_| NotAMessageId(text.to_owned()))?.try_into()
    }
}

impl From<MessageId> for Uuid {
    fn from(id: MessageId) -> Uuid {
        id.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies the delivery of one message to one recipient: UUIDv5(message id, recipient).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(Uuid);

impl DeliveryId {
    /// The one delivery id that this message has for this recipient.
    pub fn of(message: MessageId, recipient: &Address) -> Self {
        Self(Uuid::new_v5(&message.0, recipient.to_string().as_bytes()))
    }

    /// The id of the text that follows the file of this message, where a channel wants two messages.
    /// No address holds a `#`, so it is nobody else's.
    pub fn of_following_text(message: MessageId, recipient: &Address) -> Self {
        Self(Uuid::new_v5(&message.0, format!("{recipient}#text").as_bytes()))
    }

    /// The id of a mark that this message was read; of its own for each time that typing is shown.
    /// No address begins with a `#`, so it is no delivery's.
    pub fn of_read_mark(message: MessageId, typing_since: Option<Timestamp>) -> Self {
        let what = typing_since.map_or_else(|| "#read".to_owned(), |at| format!("#typing:{}", at.as_millisecond()));
        Self(Uuid::new_v5(&message.0, what.as_bytes()))
    }

    /// The id as a UUID.
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for DeliveryId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a conversation: 1 to 128 letters, digits, `.`, `_`, `:`, `@`, `+` or `-`, chosen by the client.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConversationId(String);

/// The text cannot name a conversation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a conversation id is 1 to 128 letters, digits or . _ : @ + -")]
pub struct NotAConversationId;

impl ConversationId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ConversationId {
    type Error = NotAConversationId;
    fn try_from(text: String) -> Result<Self, NotAConversationId> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._:@+-".contains(c);
        if (1..=128).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text))
        } else {
            Err(NotAConversationId)
        }
    }
}

impl FromStr for ConversationId {
    type Err = NotAConversationId;
    fn from_str(text: &str) -> Result<Self, NotAConversationId> {
        text.to_owned().try_into()
    }
}

impl From<ConversationId> for String {
    fn from(id: ConversationId) -> String {
        id.0
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_tells_when_it_was_made() {
        let before = Timestamp::now().as_millisecond();
        let made = MessageId::now().created_at().as_millisecond();
        assert!((before..=Timestamp::now().as_millisecond()).contains(&made));
    }

    #[test]
    fn an_event_told_twice_has_one_message_id_and_it_tells_the_time() {
        let at = Timestamp::from_millisecond(1_764_072_000_123).unwrap();
        let id = MessageId::of_event("main", "wamid.1", at);
        assert_eq!(id, MessageId::of_event("main", "wamid.1", at));
        assert_eq!(id.created_at(), at);
        assert_eq!(MessageId::try_from(id.as_uuid()), Ok(id));
        for other in [MessageId::of_event("main", "wamid.2", at), MessageId::of_event("spare", "wamid.1", at)] {
            assert_ne!(other, id);
        }
    }

    #[test]
    fn only_version_7_uuids_are_message_ids() {
        assert!(MessageId::try_from(Uuid::new_v4()).is_err());
        assert!("nonsense".parse::<MessageId>().is_err());
        let id = MessageId::now();
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn every_replay_of_a_message_makes_the_same_delivery_id() {
        let message = MessageId::now();
        let ana: Address = "whatsapp:+5562998765432".parse().unwrap();
        let bob: Address = "whatsapp:+5562998765433".parse().unwrap();
        assert_eq!(DeliveryId::of(message, &ana), DeliveryId::of(message, &ana));
        assert_ne!(DeliveryId::of(message, &ana), DeliveryId::of(message, &bob));
        assert_ne!(DeliveryId::of(message, &ana), DeliveryId::of(MessageId::now(), &ana));
    }

    #[test]
    fn a_conversation_id_is_short_plain_text() {
        assert!("order-1042".parse::<ConversationId>().is_ok());
        assert!("".parse::<ConversationId>().is_err());
        assert!("a b".parse::<ConversationId>().is_err());
        assert!("x".repeat(129).parse::<ConversationId>().is_err());
    }
}
