//! Places of messages that came in, as rows.

use async_trait::async_trait;
use chat4all_message::MessageId;
use scylla::DeserializeRow;
use scylla::serialize::row::SerializeRow;

use super::Cassandra;
use super::columns::{Unexpected, conversation_id};
use crate::{Error, InboundPlace, Inbox, Result};

#[async_trait]
impl Inbox for Cassandra {
    async fn inbound(&self, id: MessageId) -> Result<Option<InboundPlace>> {
        let action = || format!("read the place of message {id}");
        let row: Option<Row> = self.first_row(action, &self.statements.inbound, (id.as_uuid(),)).await?;
        row.map(Row::place).transpose().map_err(|error| Error::new(action(), error))
    }
}

/// The place of a message as it is written.
pub(super) fn note_inbound(id: MessageId, place: InboundPlace) -> impl SerializeRow + Send + Sync {
    let (sender, conversation) = (place.sender.to_string(), place.conversation_id.to_string());
    (id.as_uuid(), conversation, sender, place.connector, place.provider_id)
}

#[derive(DeserializeRow)]
struct Row {
    conversation_id: String,
    sender: String,
    connector: String,
    provider_id: String,
}

impl Row {
    fn place(self) -> std::result::Result<InboundPlace, Unexpected> {
        Ok(InboundPlace {
            conversation_id: conversation_id(self.conversation_id)?,
            sender: self.sender.parse().map_err(|_| Unexpected::new("sender", &self.sender))?,
            connector: self.connector,
            provider_id: self.provider_id,
        })
    }
}
