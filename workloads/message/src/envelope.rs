//! What stands in the records of the topics `messages` and `<connector>-inbound`.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::ids::{ConversationId, MessageId};
use crate::media::Media;

/// The longest text of a message, in bytes of UTF-8; what the earlier system took.
pub const LONGEST_CONTENT: usize = 10_240;

/// A message that the API answered with 202: the value of a record in `messages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedMessage {
    /// Made by the API.
    pub message_id: MessageId,
    /// The record's key, so that a conversation keeps its order.
    pub conversation_id: ConversationId,
    /// Who wrote it.
    pub sender: Address,
    /// Who receives it; `None` means all other members of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Address>,
    /// The text, at most [`LONGEST_CONTENT`] bytes; may be empty where there is media.
    pub content: String,
    /// A file sent along, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<String>,
    /// A file sent along, by where it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// The provider's id of the message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

impl AcceptedMessage {
    /// When it was accepted; stands in the id.
    pub fn accepted_at(&self) -> Timestamp {
        self.message_id.created_at()
    }
}

/// A provider's webhook as it arrived: the value of a record in `<connector>-inbound`.
/// The signature was checked before; the body is kept byte for byte so that it can be parsed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookRecord {
    /// When the API took it.
    pub received_at: Timestamp,
    /// Request headers, lower-case names; only those that parsing or tracing needs.
    pub headers: BTreeMap<String, String>,
    /// The raw body.
    #[serde(with = "base64_bytes")]
    pub body: Bytes,
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_body_survives_the_journal_byte_for_byte() {
        let body = Bytes::from_static(b"{\"text\":\"caf\\u00e9 \xff\"}");
        let record = WebhookRecord { received_at: Timestamp::UNIX_EPOCH, headers: BTreeMap::new(), body };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<WebhookRecord>(&text).unwrap(), record);
    }

    #[test]
    fn a_record_of_a_newer_version_with_more_fields_is_still_read() {
        let id = MessageId::now();
        let text =
            format!(r#"{{"message_id":"{id}","conversation_id":"c","sender":"ana","content":"hi","mood":"good"}}"#);
        assert_eq!(serde_json::from_str::<AcceptedMessage>(&text).unwrap().message_id, id);
    }
}
