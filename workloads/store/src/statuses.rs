//! What providers and connectors tell about deliveries, also before the delivery is known here.

use std::time::Duration;

use async_trait::async_trait;
use chat4all_message::{DeliveryEvent, DeliveryRef, ProviderRef};
use jiff::Timestamp;

use crate::Result;

/// How long a status waits for its link: as long as WhatsApp itself repeats a webhook.
pub const HELD: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// States of deliveries, and the names that providers give to messages.
#[async_trait]
pub trait Statuses: Send + Sync {
    /// Notes an event on a delivery. Events commute: each writes columns of its own, and of two
    /// that write the same column the one that happened later stands, whichever arrives first.
    async fn apply(&self, delivery: &DeliveryRef, event: &DeliveryEvent, at: Timestamp) -> Result<()>;

    /// Notes that a replay answers the failures of a delivery up to and including this instant. Commutes as
    /// events do.
    async fn reopen(&self, delivery: &DeliveryRef, failure: Timestamp) -> Result<()>;

    /// Remembers that the provider calls this delivery so.
    async fn link(&self, provider: &ProviderRef, delivery: &DeliveryRef) -> Result<()>;

    /// The delivery that the provider means; `None` when no link is known (yet).
    async fn linked(&self, provider: &ProviderRef) -> Result<Option<DeliveryRef>>;

    /// Keeps a status that came before its link, for seven days. The link may be written at the
    /// same moment, so whoever holds a status asks [`linked`](Self::linked) once more afterwards.
    async fn hold(&self, provider: &ProviderRef, status: &HeldStatus) -> Result<()>;

    /// The statuses that wait for this link.
    async fn held(&self, provider: &ProviderRef) -> Result<Vec<HeldStatus>>;

    /// Forgets the statuses that waited, once they are applied.
    async fn release(&self, provider: &ProviderRef) -> Result<()>;
}

/// A status that waits for its delivery to become known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldStatus {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: DeliveryEvent,
}
