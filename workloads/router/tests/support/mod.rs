//! What the tests of routers and of connectors share: a cluster's topics of their own, a store
//! that does as it is told, and workloads that can be stopped or cut off.

#![allow(dead_code, unused_imports, clippy::unwrap_used)]

mod cluster;
mod running;
mod script;

use std::time::Duration;

use tokio::time::{Instant, sleep};

pub use cluster::{Cluster, PARTITIONS, Seen, assert_dead_letter, with_cluster};
pub use running::Running;
pub use script::{Script, Scripted};

/// How long anything may take. Longer than several session time-outs on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until it holds.
pub async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
