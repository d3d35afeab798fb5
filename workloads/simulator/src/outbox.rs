//! Webhooks under way: each accepted message has a place until its last status is acknowledged,
//! and its statuses follow one another. Knows neither HTTP nor the form of a webhook.
//!
//! All pauses are equally long, so the line is in order of time without being sorted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};

/// A place in the outbox, for all statuses of one message.
pub(crate) struct Place(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

/// A status that is to be told.
pub(crate) struct Pending<T> {
    pub(crate) item: T,
    due: Instant,
    place: Place,
}

/// A bounded line of statuses, each told no earlier than its time.
pub(crate) struct Outbox<T> {
    pause: Duration,
    places: Arc<Semaphore>,
    /// Unbounded, and yet bounded: whatever is in it holds a place.
    entrance: mpsc::UnboundedSender<Pending<T>>,
    line: Mutex<Line<T>>,
}

struct Line<T> {
    exit: mpsc::UnboundedReceiver<Pending<T>>,
    /// Taken from the exit before its time had come.
    early: Option<Pending<T>>,
}

impl<T> Outbox<T> {
    pub(crate) fn new(capacity: usize, pause: Duration) -> Self {
        let (entrance, exit) = mpsc::unbounded_channel();
        Self {
            pause,
            places: Arc::new(Semaphore::new(capacity.min(Semaphore::MAX_PERMITS))),
            entrance,
            line: Mutex::new(Line { exit, early: None }),
        }
    }

    /// A place for one message; `None` when all are taken.
    pub(crate) fn reserve(&self) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(Place)
    }

    /// Puts a status at the end of the line.
    pub(crate) fn put(&self, item: T, place: Place) {
        let pending = Pending { item, due: Instant::now() + self.pause, place };
        // The receiver lives in this outbox, so there is always one.
        let _ = self.entrance.send(pending);
    }

    /// The statuses whose time has come, at least one and at most `most`; waits for the first.
    pub(crate) async fn take(&self, most: usize) -> Vec<Pending<T>> {
        let mut line = self.line.lock().await;
        let mut batch = Vec::new();
        if line.early.is_none() {
            line.early = line.exit.recv().await;
        }
        if let Some(first) = &line.early {
            sleep_until(first.due).await;
        }
        let now = Instant::now();
        while batch.len() < most {
            let Some(next) = line.early.take().or_else(|| line.exit.try_recv().ok()) else { break };
            if next.due > now {
                line.early = Some(next);
                break;
            }
            batch.push(next);
        }
        batch
    }
}

impl<T> Pending<T> {
    /// Takes it apart, so that its place can be used for the next status or given back.
    pub(crate) fn into_parts(self) -> (T, Place) {
        (self.item, self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(batch: &[Pending<u32>]) -> Vec<u32> {
        batch.iter().map(|pending| pending.item).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_comes_out_together_and_in_order() {
        let outbox = Outbox::new(10, Duration::from_millis(50));
        for item in 0..3 {
            outbox.put(item, outbox.reserve().unwrap());
        }
        tokio::time::advance(Duration::from_millis(20)).await;
        outbox.put(3, outbox.reserve().unwrap());
        let before = Instant::now();
        assert_eq!(items(&outbox.take(2).await), [0, 1]);
        assert_eq!(before.elapsed().as_millis(), 30);
        assert_eq!(items(&outbox.take(10).await), [2]);
        assert_eq!(items(&outbox.take(10).await), [3]);
        assert_eq!(before.elapsed().as_millis(), 50);
    }

    #[tokio::test]
    async fn a_full_outbox_has_a_place_again_when_a_message_is_done() {
        let outbox = Outbox::new(1, Duration::ZERO);
        outbox.put(0, outbox.reserve().unwrap());
        assert!(outbox.reserve().is_none());
        drop(outbox.take(1).await);
        assert!(outbox.reserve().is_some());
    }
}
