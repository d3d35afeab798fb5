//! Waiting for something to become true, with a time limit and with words for when it does not.
//! Everything that the tests wait for goes through here; nothing waits for a time to pass.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often something is looked at. Short against what is measured by it, and few enough calls
/// that two cores do not notice.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// What a look found.
#[derive(Debug)]
pub enum Look<T> {
    /// It is so.
    Yes(T),
    /// Not yet; how it is instead.
    NotYet(String),
}

impl<T, E: fmt::Display> From<Result<T, E>> for Look<T> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(found) => Look::Yes(found),
            Err(instead) => Look::NotYet(instead.to_string()),
        }
    }
}

/// It did not become true in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not within {} s: {what}\n  last seen: {last_seen}{}", limit.as_secs(), Indented(context))]
pub struct TimedOut {
    /// What was waited for.
    pub what: String,
    /// For how long.
    pub limit: Duration,
    /// How it was at the last look.
    pub last_seen: String,
    /// What else may explain it, a line each.
    pub context: Vec<String>,
}

struct Indented<'a>(&'a [String]);

impl fmt::Display for Indented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// Looks again and again until it is so, at most for `limit`.
pub async fn until<T>(
    what: impl fmt::Display,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Look<T>,
) -> Result<T, TimedOut> {
    let deadline = Instant::now() + limit;
    loop {
        let last_seen = match look().await {
            Look::Yes(found) => return Ok(found),
            Look::NotYet(instead) => instead,
        };
        if Instant::now() >= deadline {
            return Err(TimedOut { what: what.to_string(), limit, last_seen, context: Vec::new() });
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_returns_what_was_found_as_soon_as_it_is_so() {
        let mut looks = 0;
        let found = until("three looks", Duration::from_secs(60), async || {
            looks += 1;
            if looks == 3 { Look::Yes(looks) } else { Look::NotYet(format!("{looks} looks")) }
        });
        assert_eq!(found.await, Ok(3));
    }

    #[tokio::test]
    async fn a_wait_that_fails_says_what_for_and_what_was_seen_instead() {
        let waited = until("the pod to run", Duration::ZERO, async || Look::<()>::NotYet("it is Pending".into()));
        let mut error = waited.await.unwrap_err();
        error.context.push("event: no node has room".into());
        assert_eq!(
            error.to_string(),
            "not within 0 s: the pod to run\n  last seen: it is Pending\n  event: no node has room"
        );
    }
}
