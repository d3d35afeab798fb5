//! Unread deliveries as rows of their recipient, beside the mark up to which everything was read.

use async_trait::async_trait;
use chat4all_message::{Address, DeliveryRef};
use jiff::Timestamp;
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::Cassandra;
use super::columns::{Unexpected, conversation_id, maybe_instant, message_id, millis, written};
use crate::{Error, Result, UNREAD, Unread};

/// A month fits an i32 of seconds.
const TTL: i32 = UNREAD.as_secs() as i32;

#[async_trait]
impl Unread for Cassandra {
    async fn sent_to(
        &self,
        connector: &str,
        recipient: &Address,
        sent_at: Timestamp,
        delivery: &DeliveryRef,
    ) -> Result<Option<Timestamp>> {
        let action = || format!("note that {} is unread", delivery.delivery_id);
        let recipient = recipient.to_string();
        let target = (delivery.delivery_id.as_uuid(), delivery.conversation_id.as_str(), delivery.message_id.as_uuid());
        let values = (connector, &recipient, millis(sent_at), target.0, target.1, target.2, TTL);
        self.execute(action, &self.statements.sent_to, values).await?;
        let mark: Option<(Option<CqlTimestamp>,)> =
            self.first_row(action, &self.statements.last_read, (connector, &recipient)).await?;
        maybe_instant("read_until", mark.and_then(|(mark,)| mark)).map_err(|error| Error::new(action(), error))
    }

    async fn read_until(&self, connector: &str, recipient: &Address, until: Timestamp) -> Result<Vec<DeliveryRef>> {
        let action = || format!("note what {recipient} has read");
        let name = recipient.to_string();
        let mark = (written(until), millis(until), connector, &name);
        self.execute(action, &self.statements.read_mark, mark).await?;
        let rows: Vec<(String, Uuid, Uuid)> =
            self.all(action, &self.statements.unread, (connector, &name, millis(until))).await?;
        let reference = |(conversation, message, delivery): (String, Uuid, Uuid)| {
            Ok(DeliveryRef {
                conversation_id: conversation_id(conversation)?,
                message_id: message_id(message)?,
                delivery_id: delivery.into(),
            })
        };
        rows.into_iter()
            .map(reference)
            .collect::<std::result::Result<_, Unexpected>>()
            .map_err(|e| Error::new(action(), e))
    }

    async fn forget_read(&self, connector: &str, recipient: &Address, until: Timestamp) -> Result<()> {
        let values = (connector, recipient.to_string(), millis(until));
        let action = || format!("forget what {recipient} has read");
        self.execute(action, &self.statements.forget_read, values).await.map(drop)
    }
}
