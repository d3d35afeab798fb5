//! The right to work on a partition: ends when the partition is revoked or the process stops.

use tokio_util::sync::CancellationToken;

/// Given to a handler with each record.
#[derive(Debug, Clone)]
pub struct Lease {
    ending: CancellationToken,
}

/// Proof that a lease is ending: a handler returns it to leave its record to the next owner.
#[derive(Debug)]
pub struct Ended(());

impl Lease {
    /// A lease that lasts until the token is cancelled.
    pub fn until(ending: CancellationToken) -> Self {
        Self { ending }
    }

    /// Waits for `wait`, unless the partition is to be given back first. For waiting (a retry, a
    /// breaker, a store that is away), never around a step that must not be cut in two.
    pub async fn unless_ending<T>(&self, wait: impl Future<Output = T>) -> Result<T, Ended> {
        self.ending.run_until_cancelled(wait).await.ok_or(Ended(()))
    }
}
