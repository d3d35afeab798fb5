//! SIGTERM and SIGINT begin a graceful stop; one that takes too long is cut off.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first signal cancels. When the process is still there `grace` later, it ends
/// with exit code 1, before Kubernetes kills it.
pub fn shutdown(grace: Duration) -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = token.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!(grace_seconds = grace.as_secs(), "stopping");
        stop.cancel();
        tokio::time::sleep(grace).await;
        tracing::error!(grace_seconds = grace.as_secs(), "did not stop within SHUTDOWN_GRACE_SECONDS; leaving anyhow");
        std::process::exit(1);
    });
    Ok(token)
}
