//! One message to one recipient: the value of a record in `<connector>-outbound`.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::envelope::AcceptedMessage;
use crate::ids::{ConversationId, DeliveryId, MessageId};
use crate::mark::ReadMark;
use crate::media::Media;
use crate::template::Template;

/// Points at one delivery; enough to find its row without an index.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeliveryRef {
    /// The conversation of the message.
    pub conversation_id: ConversationId,
    /// The message.
    pub message_id: MessageId,
    /// The delivery itself.
    pub delivery_id: DeliveryId,
}

/// What a connector is asked to carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Which delivery this is.
    #[serde(flatten)]
    pub reference: DeliveryRef,
    /// The name of the connector that carries it; `local` for users of this deployment.
    pub connector: String,
    /// The record's key, so that a recipient's messages keep their order.
    pub recipient: Address,
    /// The text.
    pub content: String,
    /// A file sent along, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<String>,
    /// A file sent along, by where it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// A text that the provider approved, in place of `content` and `media`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// The provider's id of the message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// No message: tells the recipient that one of theirs was read. Everything else is empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_mark: Option<ReadMark>,
}

/// The connector name of deliveries to users of this deployment, who read through the API.
pub const LOCAL: &str = "local";

impl Delivery {
    /// The delivery of `message` to `recipient` by `connector`; the same every time.
    pub fn of(message: &AcceptedMessage, recipient: Address, connector: impl Into<String>) -> Self {
        Self {
            reference: DeliveryRef {
                conversation_id: message.conversation_id.clone(),
                message_id: message.message_id,
                delivery_id: DeliveryId::of(message.message_id, &recipient),
            },
            connector: connector.into(),
            recipient,
            content: message.content.clone(),
            file_id: message.file_id.clone(),
            media: message.media.clone(),
            template: message.template.clone(),
            reply_to: message.reply_to.clone(),
            read_mark: None,
        }
    }

    /// A mark on the message `id` that came in from `sender` by `connector`. The same one is the same
    /// delivery, so that it is made once; typing is shown anew each time.
    pub fn marking(
        id: MessageId,
        conversation_id: ConversationId,
        sender: Address,
        connector: String,
        mark: ReadMark,
    ) -> Self {
        let typing_since = mark.typing.then_some(mark.asked_at);
        let delivery_id = DeliveryId::of_read_mark(id, typing_since);
        Self {
            reference: DeliveryRef { conversation_id, message_id: id, delivery_id },
            connector,
            recipient: sender,
            content: String::new(),
            file_id: None,
            media: None,
            template: None,
            reply_to: None,
            read_mark: Some(mark),
        }
    }

    /// The same as two deliveries, the file and then its text; the same two every time.
    pub fn file_then_text(self) -> [Self; 2] {
        let delivery_id = DeliveryId::of_following_text(self.reference.message_id, &self.recipient);
        let text = Self {
            reference: DeliveryRef { delivery_id, ..self.reference.clone() },
            media: None,
            reply_to: None,
            ..self.clone()
        };
        [Self { content: String::new(), ..self }, text]
    }
}
