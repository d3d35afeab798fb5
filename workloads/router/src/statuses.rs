//! A status: note it on its delivery. One that comes before the provider's id is known waits in
//! the store, unless our echoed reference tells whose it is. Both sides write first and read then, so that at least one of them sees the other.

use chat4all_kafka::{Ended, Lease};
use chat4all_message::{DeliveryEvent, DeliveryRef, ProviderRef, StatusUpdate, Subject};
use chat4all_store::HeldStatus;
use jiff::Timestamp;

use crate::handler::Handlers;

impl Handlers {
    /// Handles a record of `status-updates`.
    pub(crate) async fn status(&self, update: &StatusUpdate, lease: &Lease) -> Result<(), Ended> {
        match &update.subject {
            Subject::Delivery { delivery, connector } => {
                self.apply(delivery, &update.event, update.at, lease).await?;
                match &update.event {
                    DeliveryEvent::Sent { provider_id: Some(provider_id), .. } => {
                        let provider = ProviderRef { connector: connector.clone(), provider_id: provider_id.clone() };
                        self.link(&provider, delivery, lease).await
                    }
                    _ => Ok(()),
                }
            }
            Subject::Provider(provider) => self.told_by_provider(provider, update, lease).await,
        }
    }

    /// The provider's id became known: statuses that waited for it are applied.
    async fn link(&self, provider: &ProviderRef, delivery: &DeliveryRef, lease: &Lease) -> Result<(), Ended> {
        lease.persist("link a provider id", || self.store.link(provider, delivery)).await?;
        let held = lease.persist("read held statuses", || self.store.held(provider)).await?;
        for status in &held {
            self.apply(delivery, &status.event, status.at, lease).await?;
        }
        if !held.is_empty() {
            lease.persist("release held statuses", || self.store.release(provider)).await?;
        }
        Ok(())
    }

    async fn told_by_provider(
        &self,
        provider: &ProviderRef,
        update: &StatusUpdate,
        lease: &Lease,
    ) -> Result<(), Ended> {
        if let Some(delivery) = self.linked(provider, lease).await? {
            return self.apply(&delivery, &update.event, update.at, lease).await;
        }
        if let Some(delivery) = self.correlated(update, lease).await? {
            self.apply(&delivery, &update.event, update.at, lease).await?;
            let (id, name) = (delivery.delivery_id, &provider.provider_id);
            // Nothing is sent again that the provider is known to have.
            lease.persist("note that a delivery was taken", || self.store.taken(id, name, update.at)).await?;
            return self.link(provider, &delivery, lease).await;
        }
        let status = HeldStatus { at: update.at, event: update.event.clone() };
        lease.persist("hold a status", || self.store.hold(provider, &status)).await?;
        match self.linked(provider, lease).await? {
            // The link came in between and may have missed the held one, or even released it.
            Some(delivery) => self.apply(&delivery, &update.event, update.at, lease).await,
            None => Ok(()),
        }
    }

    /// The delivery that our echoed reference names, while the provider's own name for it is not known:
    /// its answer is under way, or never came.
    async fn correlated(&self, update: &StatusUpdate, lease: &Lease) -> Result<Option<DeliveryRef>, Ended> {
        let Some(correlation) = update.correlation else { return Ok(None) };
        let id = correlation.delivery_id;
        let delivery = lease.persist("look up a correlation", || self.store.delivery(id)).await?;
        Ok(delivery.filter(|delivery| delivery.message_id == correlation.message_id))
    }

    async fn linked(&self, provider: &ProviderRef, lease: &Lease) -> Result<Option<DeliveryRef>, Ended> {
        lease.persist("look up a provider id", || self.store.linked(provider)).await
    }

    async fn apply(
        &self,
        delivery: &DeliveryRef,
        event: &DeliveryEvent,
        at: Timestamp,
        lease: &Lease,
    ) -> Result<(), Ended> {
        lease.persist("note a status", || self.store.apply(delivery, event, at)).await
    }
}
