//! Wakes the client's threads. The one that fetches from a broker sleeps for up to a second when every
//! partition there is paused, and resuming a partition does not wake it (librdkafka 2.12.1,
//! `rd_kafka_broker_consumer_serve`); the client also pauses all partitions by itself for each step of a
//! rebalance. A question to the partitions' leaders wakes it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::topic_partition_list::Offset;
use tokio::task::JoinHandle;

use crate::assignment::PartitionId;
use crate::consumer::{Context, list};

/// How long a question may take. After that the threads are awake by themselves.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks one question at a time.
#[derive(Default)]
pub(crate) struct Waker {
    asking: Option<JoinHandle<()>>,
    /// What is asked about next.
    due: BTreeSet<PartitionId>,
}

impl Waker {
    /// Wakes the threads that fetch these partitions; later, with [`Waker::go_on`], where a question is under way
    /// already, which may have come too early for them.
    pub(crate) fn wake(
        &mut self,
        client: &Arc<StreamConsumer<Context>>,
        partitions: impl IntoIterator<Item = PartitionId>,
    ) {
        self.due.extend(partitions);
        self.go_on(client);
    }

    /// Asks the next question, when there is one and none is under way.
    pub(crate) fn go_on(&mut self, client: &Arc<StreamConsumer<Context>>) {
        if self.due.is_empty() || self.asking.is_some() {
            return;
        }
        let mut partitions = list(&std::mem::take(&mut self.due));
        if partitions.set_all_offsets(Offset::End).is_err() {
            return;
        }
        let client = client.clone();
        self.asking = Some(tokio::task::spawn_blocking(move || {
            if let Err(error) = client.offsets_for_times(partitions, PATIENCE) {
                tracing::debug!(%error, "the threads of the client wake up later");
            }
        }));
    }

    /// Returns when a question was answered.
    pub(crate) async fn answered(&mut self) {
        let Some(asking) = &mut self.asking else { return std::future::pending().await };
        let _ = asking.await;
        self.asking = None;
    }

    /// Returns when no question is under way: the client can be closed.
    pub(crate) async fn rest(&mut self) {
        if self.asking.is_some() {
            self.answered().await;
        }
        self.due.clear();
    }
}
