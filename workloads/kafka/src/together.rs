//! Two consumers of one process: they live and end together.

use tokio_util::sync::CancellationToken;

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

async fn until_end<H: Handler>(consumer: Consumer<H>, stop: &CancellationToken) -> Result<(), Error> {
    let outcome = consumer.run(stop.clone()).await;
    stop.cancel();
    outcome
}
