//! Trying again until a step is done. A record's steps are idempotent, so repeating one is
//! always right and giving one up never is.

use std::error::Error;
use std::time::Duration;

use crate::lease::{Ended, Lease};

/// The first pause; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause: a store or broker that is back is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Lease {
    /// Does `step` until it succeeds. Each try runs to its end; when the lease ends, no further
    /// one is begun. `step` must bound its own time.
    pub async fn persist<T, E, F>(&self, what: &str, step: impl Fn() -> F) -> Result<T, Ended>
    where
        E: Error,
        F: Future<Output = Result<T, E>>,
    {
        let mut pause = FIRST_PAUSE;
        loop {
            match step().await {
                Ok(value) => return Ok(value),
                Err(error) => {
                    complain(what, &error, pause);
                    self.unless_ending(tokio::time::sleep(pause)).await?;
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Does `step` until it succeeds, also while the lease is ending: for writing down what cannot be
/// found out again. A revoked partition's drain deadline still cuts it off.
pub async fn persevere<T, E, F>(what: &str, step: impl Fn() -> F) -> T
where
    E: Error,
    F: Future<Output = Result<T, E>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match step().await {
            Ok(value) => return value,
            Err(error) => {
                complain(what, &error, pause);
                tokio::time::sleep(pause).await;
            }
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn complain(what: &str, error: &dyn Error, pause: Duration) {
    let because = error.source().map(ToString::to_string).unwrap_or_default();
    // The first tries of a short hiccup are not worth a line for every record.
    if pause > FIRST_PAUSE * 4 {
        tracing::warn!(what, %error, because, next_try_seconds = pause.as_secs_f32(), "trying again");
    } else {
        tracing::debug!(what, %error, because, "trying again");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio_util::sync::CancellationToken;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("away")]
    struct Away;

    #[tokio::test(start_paused = true)]
    async fn a_step_is_repeated_until_it_succeeds() {
        let tries = AtomicU32::new(0);
        let lease = Lease::until(CancellationToken::new());
        let step = || std::future::ready(if tries.fetch_add(1, Ordering::Relaxed) < 20 { Err(Away) } else { Ok(7) });
        assert_eq!(lease.persist("count", step).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn an_ending_lease_begins_no_further_try_but_lets_the_first_one_finish() {
        let ending = CancellationToken::new();
        ending.cancel();
        let lease = Lease::until(ending);
        assert_eq!(lease.persist("work", || std::future::ready(Ok::<_, Away>(7))).await.unwrap(), 7);
        assert!(lease.persist("work", || std::future::ready(Err::<(), _>(Away))).await.is_err());
    }
}
