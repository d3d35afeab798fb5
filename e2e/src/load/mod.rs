//! An open-loop load: messages are sent at their intended times whatever becomes of those before,
//! and each accepted one is written down. A request whose answer is unknown is repeated under its
//! key until it is accepted, and counts as one message.

mod schedule;
mod sender;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::api::Api;
use crate::history::Accepted;

pub use schedule::Schedule;

/// Requests that may be under way at once: at 100 a second, longer than any fault keeps the API from accepting.
const BOUND: usize = 10_000;

/// What was sent, and what came of it.
#[derive(Debug, Default)]
pub struct Sent {
    /// How many messages were to be sent.
    pub scheduled: u64,
    /// The accepted messages.
    pub accepted: Vec<Accepted>,
    /// What was not accepted in the end, a line each: a fault of the API, or of this load.
    pub not_accepted: Vec<String>,
    /// Requests that were repeated, because there was no answer or one that says "not now".
    pub repeated: u64,
    /// Messages that went out late because [`BOUND`] requests were under way; their latency counts
    /// from the intended time all the same.
    pub held_back: u64,
}

/// A load that runs.
pub struct Load {
    shared: Arc<Shared>,
    task: AbortOnDropHandle<TaskTracker>,
}

struct Shared {
    api: Api,
    schedule: Schedule,
    clock: Clock,
    stop: CancellationToken,
    /// How many messages must be sent before a stop counts.
    at_least: u64,
    sent: Mutex<Sent>,
    accepted: AtomicU64,
    repeated: AtomicU64,
    /// Messages whose first request was not accepted and that are still being tried.
    repeating: AtomicU64,
    held_back: AtomicU64,
}

/// One clock for all instants of a run, which does not jump when the wall clock is set.
#[derive(Clone, Copy)]
struct Clock {
    started: Instant,
    wall: Timestamp,
}

impl Clock {
    fn starting_now() -> Self {
        Self { started: Instant::now(), wall: Timestamp::now() }
    }

    fn at(&self, instant: Instant) -> Timestamp {
        self.wall + instant.duration_since(self.started)
    }

    fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }
}

impl Load {
    /// Starts to send. It goes on until [`Load::stop`], and at least until `at_least` messages are sent.
    pub fn start(api: Api, schedule: Schedule, at_least: u64) -> Self {
        let shared = Arc::new(Shared {
            api,
            schedule,
            clock: Clock::starting_now(),
            stop: CancellationToken::new(),
            at_least,
            sent: Mutex::default(),
            accepted: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            repeating: AtomicU64::new(0),
            held_back: AtomicU64::new(0),
        });
        let task = tokio::spawn(run(shared.clone()));
        Self { shared, task: AbortOnDropHandle::new(task) }
    }

    /// Now, on the clock of the accepted messages.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// How many messages were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How many messages are tried again and again and have not been accepted.
    pub fn repeating(&self) -> u64 {
        self.shared.repeating.load(Ordering::Relaxed)
    }

    /// Sends what is left of the least number, waits for every answer, and returns the outcome.
    pub async fn stop(self) -> Sent {
        self.shared.stop.cancel();
        if let Ok(requests) = self.task.await {
            requests.wait().await;
        }
        let mut sent = std::mem::take(&mut *self.shared.sent.lock().await);
        sent.scheduled = (sent.accepted.len() + sent.not_accepted.len()) as u64;
        sent.repeated = self.shared.repeated.load(Ordering::Relaxed);
        sent.held_back = self.shared.held_back.load(Ordering::Relaxed);
        sent
    }
}

/// Sends every message at its time.
async fn run(shared: Arc<Shared>) -> TaskTracker {
    let requests = TaskTracker::new();
    let places = Arc::new(Semaphore::new(BOUND));
    for n in 0.. {
        if n >= shared.at_least && shared.stop.is_cancelled() {
            break;
        }
        let due = shared.clock.started + shared.schedule.due(n);
        sleep_until(due).await;
        let place = match places.clone().try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) => {
                shared.held_back.fetch_add(1, Ordering::Relaxed);
                places.clone().acquire_owned().await.ok()
            }
        };
        let shared = shared.clone();
        requests.spawn(async move {
            shared.send(n, due).await;
            drop(place);
        });
    }
    requests.close();
    requests
}

/// How long a message is tried before the API counts as one that does not accept it.
const PATIENCE: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_run_follows_the_monotonic_one() {
        let clock = Clock::starting_now();
        let later = Duration::from_millis(1500);
        assert_eq!(clock.at(clock.started + later), clock.wall + later);
    }
}
