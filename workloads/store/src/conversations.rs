//! Messages, their deliveries and the members of conversations.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chat4all_message::{
    AcceptedMessage, Address, ConversationId, Delivery, DeliveryId, DeliveryTimes, Effort, MessageId, Status,
};
use jiff::Timestamp;

use crate::Result;

/// What the router writes and clients read.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// The members; empty when the conversation does not exist.
    async fn members(&self, conversation: &ConversationId) -> Result<BTreeSet<Address>>;

    /// Adds members; those who are there stay. They are seen together or not at all.
    async fn add_members(&self, conversation: &ConversationId, members: &[Address]) -> Result<()>;

    /// Writes a message with its deliveries, and that the people outside among sender and recipients
    /// were [met](crate::People::met) in its conversation. Repeating it changes nothing, and it never overwrites
    /// what is known about a delivery's states.
    async fn put_message(&self, message: &AcceptedMessage, deliveries: &[Delivery]) -> Result<()>;

    /// What is known about each delivery of a message, ordered by delivery id; `None` when the message is
    /// not stored.
    async fn deliveries(
        &self,
        conversation: &ConversationId,
        message: MessageId,
    ) -> Result<Option<Vec<StoredDelivery>>>;

    /// One page of a conversation, newest first.
    async fn page(&self, conversation: &ConversationId, request: &PageRequest) -> Result<Page>;
}

/// A position in a conversation: just after this message, going back in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last message of the page before.
    pub message_id: MessageId,
}

/// Which messages of a conversation are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Only messages older than this one.
    pub before: Option<Cursor>,
    /// Messages to skip from there; costs as much as reading them.
    pub offset: u32,
    /// At most so many messages.
    pub limit: u32,
}

/// Messages, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The messages.
    pub messages: Vec<StoredMessage>,
    /// Where the next page begins; `None` at the end of the conversation.
    pub next: Option<Cursor>,
}

/// A message with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// As it was accepted.
    pub message: AcceptedMessage,
    /// One for each recipient, ordered by delivery id.
    pub deliveries: Vec<StoredDelivery>,
}

impl StoredMessage {
    /// The status shown for the whole message. What came in has arrived, also where nobody of this
    /// deployment is there to read it.
    pub fn status(&self) -> Status {
        if self.message.inbound.is_some() && self.deliveries.is_empty() {
            return Status::Delivered;
        }
        Status::of_message(self.deliveries.iter().map(|d| d.times.status()))
    }
}

/// What is known about one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDelivery {
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// To whom.
    pub recipient: Address,
    /// By which connector.
    pub connector: String,
    /// The instants of its states.
    pub times: DeliveryTimes,
    /// The provider's code of the failure, or ours.
    pub code: Option<String>,
    /// The failure in words.
    pub reason: Option<String>,
    /// When it went to the dead-letter queue.
    pub dead_lettered_at: Option<Timestamp>,
    /// The provider's id of the message.
    pub provider_id: Option<String>,
    /// What it took.
    pub effort: Effort,
}
