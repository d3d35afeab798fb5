//! States of deliveries, the names that providers give them, and statuses that wait for such a name.

use async_trait::async_trait;
use chat4all_message::{DeliveryEvent, DeliveryRef, Effort, ProviderRef};
use jiff::Timestamp;
use scylla::value::{CqlTimestamp, MaybeUnset};
use uuid::Uuid;

use super::Cassandra;
use super::columns::{conversation_id, from_count, instant, key, message_id, millis};
use crate::{Error, HELD, HeldStatus, Result, Statuses};

#[async_trait]
impl Statuses for Cassandra {
    async fn apply(&self, delivery: &DeliveryRef, event: &DeliveryEvent, at: Timestamp) -> Result<()> {
        let action = || format!("write a status of delivery {}", delivery.delivery_id);
        let (conversation, bucket, created_at, message) = key(&delivery.conversation_id, delivery.message_id);
        let id = delivery.delivery_id.as_uuid();
        let at = millis(at);
        // Write timestamps count microseconds.
        let written = at.0.saturating_mul(1000);
        let written = match event {
            DeliveryEvent::Delivered => {
                let values = (written, at, conversation, bucket, created_at, message, id);
                self.execute(action, &self.statements.delivered, values).await
            }
            DeliveryEvent::Read => {
                let values = (written, at, conversation, bucket, created_at, message, id);
                self.execute(action, &self.statements.read, values).await
            }
            DeliveryEvent::Sent { provider_id, effort } => {
                let (attempts, unknown) = columns_of(*effort);
                let provider_id = MaybeUnset::from_option(provider_id.as_deref());
                let values =
                    (written, at, provider_id, attempts, unknown, conversation, bucket, created_at, message, id);
                self.execute(action, &self.statements.sent, values).await
            }
            DeliveryEvent::Failed { code, reason, effort, dead_lettered_at } => {
                let (attempts, unknown) = columns_of(*effort);
                let dead = MaybeUnset::from_option(dead_lettered_at.map(millis));
                let why = (code.as_str(), reason.as_str());
                let values =
                    (written, at, why.0, why.1, dead, attempts, unknown, conversation, bucket, created_at, message, id);
                self.execute(action, &self.statements.failed, values).await
            }
        };
        written.map(drop)
    }

    async fn reopen(&self, delivery: &DeliveryRef, failure: Timestamp) -> Result<()> {
        let action = || format!("reopen delivery {}", delivery.delivery_id);
        let (conversation, bucket, created_at, message) = key(&delivery.conversation_id, delivery.message_id);
        let at = millis(failure);
        let values =
            (at.0.saturating_mul(1000), at, conversation, bucket, created_at, message, delivery.delivery_id.as_uuid());
        self.execute(action, &self.statements.reopen, values).await.map(drop)
    }

    async fn link(&self, provider: &ProviderRef, delivery: &DeliveryRef) -> Result<()> {
        let action = || format!("write the provider's id of delivery {}", delivery.delivery_id);
        let target = (delivery.conversation_id.as_str(), delivery.message_id.as_uuid(), delivery.delivery_id.as_uuid());
        let values = (&provider.connector, &provider.provider_id, target.0, target.1, target.2);
        self.execute(action, &self.statements.link, values).await.map(drop)
    }

    async fn linked(&self, provider: &ProviderRef) -> Result<Option<DeliveryRef>> {
        let action = || format!("look up the provider's id {}", provider.provider_id);
        let values = (&provider.connector, &provider.provider_id);
        let row: Option<(String, Uuid, Uuid)> = self.first_row(action, &self.statements.linked, values).await?;
        let reference = row.map(|(conversation, message, delivery)| {
            Ok(DeliveryRef {
                conversation_id: conversation_id(conversation)?,
                message_id: message_id(message)?,
                delivery_id: delivery.into(),
            })
        });
        reference.transpose().map_err(|error: super::columns::Unexpected| Error::new(action(), error))
    }

    async fn hold(&self, provider: &ProviderRef, status: &HeldStatus) -> Result<()> {
        let action = || format!("hold a status for the provider's id {}", provider.provider_id);
        let event = serde_json::to_string(&status.event).map_err(|error| Error::new(action(), error))?;
        // Seven days fit an i32 of seconds.
        let ttl = HELD.as_secs() as i32;
        let values = (&provider.connector, &provider.provider_id, millis(status.at), event, ttl);
        self.execute(action, &self.statements.hold, values).await.map(drop)
    }

    async fn held(&self, provider: &ProviderRef) -> Result<Vec<HeldStatus>> {
        let action = || format!("read the statuses held for the provider's id {}", provider.provider_id);
        let values = (&provider.connector, &provider.provider_id);
        let rows: Vec<(CqlTimestamp, String)> = self.all(action, &self.statements.held, values).await?;
        rows.into_iter()
            .map(|(at, event)| {
                let at = instant("at", at).map_err(|error| Error::new(action(), error))?;
                let event = serde_json::from_str(&event).map_err(|error| Error::new(action(), error))?;
                Ok(HeldStatus { at, event })
            })
            .collect()
    }

    async fn release(&self, provider: &ProviderRef) -> Result<()> {
        let action = || format!("release the statuses held for the provider's id {}", provider.provider_id);
        let values = (&provider.connector, &provider.provider_id);
        self.execute(action, &self.statements.release, values).await.map(drop)
    }
}

/// An effort that was not told leaves its columns as they are.
fn columns_of(effort: Option<Effort>) -> (MaybeUnset<i32>, MaybeUnset<i32>) {
    (
        MaybeUnset::from_option(effort.map(|e| from_count(e.attempts))),
        MaybeUnset::from_option(effort.map(|e| from_count(e.unknown_outcomes))),
    )
}
