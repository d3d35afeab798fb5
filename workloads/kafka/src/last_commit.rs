//! The commit before a consumer leaves its group. While the group changes, the broker refuses commits
//! that name the generation before; closing the client commits once and does not look at the answer, and
//! of many members that leave together some would leave done work behind as not done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::types::RDKafkaErrorCode;
use tokio::task::JoinHandle;

use crate::consumer::Context;

/// How long a commit is repeated. A group has a new generation when all who stay have noticed, which
/// takes a heartbeat.
const PATIENCE: Duration = Duration::from_secs(4);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// Begins once. Rebalances must be served meanwhile.
#[derive(Default)]
pub(crate) struct LastCommit(Option<JoinHandle<()>>);

impl LastCommit {
    /// Begins to commit what is stored.
    pub(crate) fn begin(&mut self, client: &Arc<StreamConsumer<Context>>) {
        if self.0.is_none() {
            let client = client.clone();
            self.0 = Some(tokio::task::spawn_blocking(move || commit(&client)));
        }
    }

    /// Returns when it is committed, or cannot be.
    pub(crate) async fn ended(&mut self) {
        match &mut self.0 {
            // It was given a time-out of its own; a panic in it leaves the commit undone.
            Some(running) => _ = running.await,
            None => std::future::pending().await,
        }
    }
}

fn commit(client: &StreamConsumer<Context>) {
    use RDKafkaErrorCode as Code;
    let began = Instant::now();
    while let Err(error) = client.commit_consumer_state(CommitMode::Sync) {
        match error.rdkafka_error_code() {
            // Everything is committed.
            Some(Code::NoOffset) => return,
            Some(Code::IllegalGeneration | Code::RebalanceInProgress) if began.elapsed() < PATIENCE => {
                std::thread::sleep(PAUSE);
            }
            _ => {
                tracing::info!(%error, "left without the last commit; the next owners repeat a little");
                return;
            }
        }
    }
}
