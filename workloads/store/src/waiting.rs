//! Deliveries whose outcome nobody knows, while they wait for a provider's status to tell: outside of
//! the lanes, so that they hold up nobody, and for a bounded time.

use async_trait::async_trait;
use chat4all_message::DeliveryId;
use jiff::Timestamp;

use crate::Result;

/// The waiting deliveries of each connector, by the end of their time.
#[async_trait]
pub trait Waiting: Send + Sync {
    /// Lets a delivery wait. Repeating it changes nothing.
    async fn wait(&self, connector: &str, delivery: &WaitingDelivery) -> Result<()>;

    /// Those whose time ended before `now`, the oldest first, at most so many.
    async fn overdue(&self, connector: &str, now: Timestamp, most: u32) -> Result<Vec<WaitingDelivery>>;

    /// Takes a delivery to end it, for a minute; `false` when somebody else has it or ended it.
    async fn take(&self, connector: &str, delivery: &WaitingDelivery) -> Result<bool>;

    /// Forgets a delivery that waited, once it has ended.
    async fn ended(&self, connector: &str, delivery: &WaitingDelivery) -> Result<()>;
}

/// A delivery that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingDelivery {
    /// When its time ends.
    pub due: Timestamp,
    /// Which one.
    pub delivery_id: DeliveryId,
    /// What its connector needs to end it; the store does not look into it.
    pub record: String,
}

/// How long a taken delivery stays taken when its taker dies, in seconds.
pub(crate) const TAKEN_SECONDS: u32 = 60;
