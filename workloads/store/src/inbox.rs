//! Where a message that came in lies, by its id alone: who marks one as read names nothing else.

use async_trait::async_trait;
use chat4all_message::{AcceptedMessage, Address, ConversationId, MessageId};

use crate::Result;

/// Messages that came in, by their ids. Putting such a message writes its place down.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Where it lies; `None` for what did not come in, or is not stored yet.
    async fn inbound(&self, id: MessageId) -> Result<Option<InboundPlace>>;
}

/// Where a message that came in lies, here and at its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundPlace {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Who wrote it.
    pub sender: Address,
    /// The connector that it came in by.
    pub connector: String,
    /// The provider's name for it.
    pub provider_id: String,
}

impl InboundPlace {
    /// The place of a message; `None` for what did not come in.
    pub(crate) fn of(message: &AcceptedMessage) -> Option<Self> {
        let inbound = message.inbound.as_ref()?;
        Some(Self {
            conversation_id: message.conversation_id.clone(),
            sender: message.sender.clone(),
            connector: inbound.connector.clone(),
            provider_id: inbound.provider_id.clone(),
        })
    }
}
