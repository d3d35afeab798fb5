//! A workload at work in this process.

use std::fmt::Debug;

use chat4all_kafka::Pulse;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, eventually};

/// A workload that runs.
pub struct Running<E> {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), E>>,
    pub pulses: Vec<Pulse>,
}

impl<E: Debug + Send + 'static> Running<E> {
    /// Runs a workload.
    pub fn start<F>(pulses: Vec<Pulse>, run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run(shutdown.clone()));
        Self { shutdown, task, pulses }
    }

    /// Waits until its groups have given it assignments.
    pub async fn joined(self) -> Self {
        eventually("the workload joins its groups", async || self.pulses.iter().all(Pulse::joined)).await;
        self
    }

    /// Stops it as SIGTERM does.
    pub async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.task).await.expect("it stops in time").unwrap().unwrap();
    }

    /// Cuts it off wherever it is.
    pub async fn crash(self) {
        self.task.abort();
        let cut = timeout(PATIENCE, self.task).await.expect("it is cut off in time");
        assert!(cut.is_err_and(|error| error.is_cancelled()), "it ended before it was cut off");
    }

    /// Waits for the error that ends it.
    pub async fn failure(self) -> E {
        timeout(PATIENCE, self.task).await.expect("it ends in time").unwrap().expect_err("it ends with an error")
    }
}
