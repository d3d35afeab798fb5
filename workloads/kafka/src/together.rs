//! Two consumers of one process: they live and end together.

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::Error;
use crate::runtime::{Consumer, Handler};

/// Runs both until `shutdown`. When one cannot go on, the other finishes what is at work and leaves
/// its group, too; then the error is given.
pub async fn together<A: Handler, B: Handler>(
    first: Consumer<A>,
    second: Consumer<B>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let stop = shutdown.child_token();
    let (first, second) = tokio::join!(until_end(first, &stop), until_end(second, &stop));
    first.and(second)
}

/// In a task of its own: on the thread that waits for the end of the process each record would be handed over to
/// another thread and back.
async fn until_end<H: Handler>(consumer: Consumer<H>, stop: &CancellationToken) -> Result<(), Error> {
    let outcome = AbortOnDropHandle::new(tokio::spawn(consumer.run(stop.clone()))).await;
    stop.cancel();
    match outcome.map_err(JoinError::try_into_panic) {
        Ok(outcome) => outcome,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // Nobody aborts it: the runtime is going.
        Err(Err(_aborted)) => std::future::pending().await,
    }
}
