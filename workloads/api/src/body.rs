//! Reads a request's body as raw bytes, bounded in size and in time.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::problem::{Kind, Problem};

/// A client on a bad line gets 3 MiB through in this time; a connection that sends nothing is let go.
const DEADLINE: Duration = Duration::from_secs(20);

/// Larger bodies are read only a few at a time.
const SMALL: usize = 64 << 10;
/// Anybody may begin a webhook, and its signature can be checked only once all of it is here: so
/// many of 3 MiB may be in memory at once. Small ones never wait for large ones.
const LARGE_AT_ONCE: usize = 16;

/// How long one waits for a turn. Those who have one may be slow; who sends a webhook sends it again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Seconds until one that had no turn comes again.
const RETRY_AFTER: u64 = 10;

/// Turns for large bodies.
#[derive(Debug)]
pub(crate) struct LargeBodies(Semaphore);

impl Default for LargeBodies {
    fn default() -> Self {
        Self(Semaphore::new(LARGE_AT_ONCE))
    }
}

/// The whole body, at most `limit` bytes, for limits that need no turn.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    debug_assert!(limit <= SMALL, "a large body needs a turn");
    within_deadline(collect(headers, body, limit, &mut Turn::NotNeeded)).await
}

/// The whole body, at most `limit` bytes. What comes back with it is the turn of a large one: hold
/// it for as long as the bytes are there.
pub(crate) async fn read_large<'a>(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    turns: &'a LargeBodies,
) -> Result<(Bytes, Turn<'a>), Problem> {
    let mut turn = Turn::NotYet(turns);
    let bytes = within_deadline(collect(headers, body, limit, &mut turn)).await?;
    Ok((bytes, turn))
}

/// Whether a body may grow large.
pub(crate) enum Turn<'a> {
    NotNeeded,
    NotYet(&'a LargeBodies),
    Taken { _permit: SemaphorePermit<'a> },
}

impl Turn<'_> {
    async fn take(&mut self) -> Result<(), Problem> {
        if let Turn::NotYet(LargeBodies(turns)) = self {
            let detail = "too many large bodies are being read; nothing was taken, send this one again";
            let Ok(Ok(permit)) = timeout(PATIENCE, turns.acquire()).await else {
                return Err(Problem::unavailable(RETRY_AFTER, detail));
            };
            *self = Turn::Taken { _permit: permit };
        }
        Ok(())
    }
}

async fn collect(headers: &HeaderMap, body: Body, limit: usize, turn: &mut Turn<'_>) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Kind::BodyTooLarge, format!("the body may have at most {limit} bytes"));
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    let mut stream = body.into_data_stream();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| Problem::new(Kind::InvalidRequest, "the body ended early"))?;
        let size = whole.len() + part.len();
        if size > limit {
            return Err(too_large());
        }
        if size > SMALL {
            turn.take().await?;
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}

async fn within_deadline<T>(reading: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    timeout(DEADLINE, reading).await.unwrap_or_else(|_elapsed| {
        Err(Problem::new(Kind::BodyTooSlow, format!("the body must arrive within {} s", DEADLINE.as_secs())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_size(size: usize) -> Body {
        Body::from(vec![b'x'; size])
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_take_turns_and_small_ones_never_wait() {
        let turns = LargeBodies::default();
        let headers = HeaderMap::new();
        let mut held = Vec::new();
        for _ in 0..LARGE_AT_ONCE {
            held.push(read_large(&headers, of_size(SMALL + 1), 3 << 20, &turns).await.unwrap());
        }
        assert!(read_large(&headers, of_size(SMALL), 3 << 20, &turns).await.is_ok());
        let waited = read_large(&headers, of_size(SMALL + 1), 3 << 20, &turns).await;
        assert_eq!(waited.err().map(|problem| problem.kind), Some(Kind::Unavailable), "it was not its own fault");
        held.pop();
        assert!(read_large(&headers, of_size(SMALL + 1), 3 << 20, &turns).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_let_go() {
        let parts = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let problem = read(&HeaderMap::new(), Body::from_stream(parts), 100).await.unwrap_err();
        assert_eq!(problem.kind, Kind::BodyTooSlow);
    }
}
