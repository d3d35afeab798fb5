//! The right to work on a partition: ends when the partition is revoked or the process stops.

use tokio_util::sync::CancellationToken;

/// Given to a handler with each record.
#[derive(Debug, Clone)]
pub struct Lease {
    ending: CancellationToken,
    epoch: u64,
}

/// Proof that a lease is ending: a handler returns it to leave its record to the next owner.
#[derive(Debug)]
pub struct Ended(());

impl Lease {
    /// A lease that lasts until the token is cancelled.
    pub fn until(ending: CancellationToken) -> Self {
        Self { ending, epoch: 0 }
    }

    /// The same, in this epoch.
    pub fn in_epoch(self, epoch: u64) -> Self {
        Self { epoch, ..self }
    }

    /// Of one consumer, leases with the same epoch come from one partition and one assignment of it, without
    /// another owner in between: what a handler learnt then is still as it was left. Never the same again
    /// after the partition was given back.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Waits for `wait`, unless the partition is to be given back first. For waiting (a retry, a
    /// breaker, a store that is away), never around a step that must not be cut in two.
    pub async fn unless_ending<T>(&self, wait: impl Future<Output = T>) -> Result<T, Ended> {
        self.ending.run_until_cancelled(wait).await.ok_or(Ended(()))
    }
}
