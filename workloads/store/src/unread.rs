//! Deliveries that their recipients have not read, for providers that tell up to when somebody has
//! read everything and name no message.

use std::time::Duration;

use async_trait::async_trait;
use chat4all_message::{Address, DeliveryRef};
use jiff::Timestamp;

use crate::Result;

/// How long a delivery waits to be read; afterwards it stays what it is.
pub const UNREAD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What was sent to whom, until it is read. A mark and a delivery that come at the same moment both
/// write first and read then, so that at least one of them sees the other.
#[async_trait]
pub trait Unread: Send + Sync {
    /// Notes a delivery that was sent at `sent_at`; gives up to when its recipient has read everything.
    async fn sent_to(
        &self,
        connector: &str,
        recipient: &Address,
        sent_at: Timestamp,
        delivery: &DeliveryRef,
    ) -> Result<Option<Timestamp>>;

    /// The recipient has read everything up to `until`; gives the deliveries of which that was not known.
    async fn read_until(&self, connector: &str, recipient: &Address, until: Timestamp) -> Result<Vec<DeliveryRef>>;

    /// Forgets what was sent up to `until`, once it is told as read.
    async fn forget_read(&self, connector: &str, recipient: &Address, until: Timestamp) -> Result<()>;
}
