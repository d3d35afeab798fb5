//! How busy this process is: the CPU that it uses of what it may use, or the records that its consumers
//! hold of what they may hold, whichever is more. Whoever divides what it finishes by this knows what
//! it could finish.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;

/// How long a slice of time is at least. Shorter than the period of a CPU quota (100 ms) the use of the
/// CPU would jump between none and more than all.
const SLICE: Duration = Duration::from_secs(1);

/// Shared by the consumers of a process; clones count together.
#[derive(Clone)]
pub(crate) struct Busy {
    /// Seconds, in which full capacity counts whole and half of it half.
    pub(crate) seconds: Counter<f64, AtomicU64>,
    began: Instant,
    slice: Arc<Mutex<Slice>>,
}

impl Default for Busy {
    fn default() -> Self {
        let slice = Slice { cpu: chat4all_process::cpu_time(), ..Slice::default() };
        Self { seconds: Counter::default(), began: Instant::now(), slice: Arc::new(Mutex::new(slice)) }
    }
}

impl fmt::Debug for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Busy").field(&self.seconds.get()).finish()
    }
}

impl Busy {
    /// A consumer says how full its hands are, 0 to 1; each does so several times a second.
    pub(crate) fn note(&self, group: &str, load: f64) {
        let mut slice = self.slice.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.began.elapsed();
        slice.note(now, group, load);
        if slice.is_over(now) {
            self.seconds.inc_by(slice.close(now, chat4all_process::cpu_time(), chat4all_process::cpus()));
        }
    }
}

/// A slice of time. Pure.
#[derive(Default)]
struct Slice {
    loads: HashMap<String, f64>,
    /// Seconds so far, each weighed with the load that there was.
    loaded: f64,
    noted: Duration,
    began: Duration,
    cpu: Duration,
}

impl Slice {
    fn note(&mut self, now: Duration, group: &str, load: f64) {
        let level = self.loads.values().sum::<f64>().min(1.0);
        self.loaded += level * now.saturating_sub(self.noted).as_secs_f64();
        self.noted = now;
        match self.loads.get_mut(group) {
            Some(known) => *known = load,
            None => drop(self.loads.insert(group.to_owned(), load)),
        }
    }

    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.began) >= SLICE
    }

    /// Ends the slice and says how many seconds of it the process was busy; the next one begins.
    fn close(&mut self, now: Duration, cpu: Duration, cpus: f64) -> f64 {
        let used = cpu.saturating_sub(self.cpu).as_secs_f64() / cpus;
        let elapsed = now.saturating_sub(self.began).as_secs_f64();
        let busy = used.max(self.loaded).min(elapsed);
        (self.began, self.cpu, self.loaded) = (now, cpu, 0.0);
        busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn half_of_the_cpu_for_two_seconds_is_one_busy_second() {
        let mut slice = Slice::default();
        slice.note(ms(2000), "messages", 0.0);
        assert_eq!(slice.close(ms(2000), ms(2000), 2.0), 1.0);
        assert_eq!(slice.close(ms(3000), ms(2000), 2.0), 0.0, "a slice counts once");
    }

    #[test]
    fn full_hands_are_busy_however_little_cpu_it_takes() {
        let mut slice = Slice::default();
        slice.note(ms(0), "messages", 1.0);
        slice.note(ms(500), "messages", 0.0);
        slice.note(ms(1000), "messages", 0.0);
        assert_eq!(slice.close(ms(1000), ms(10), 2.0), 0.5);
    }

    #[test]
    fn consumers_count_together_and_nobody_is_busier_than_busy() {
        let mut slice = Slice::default();
        for now in [0, 1000] {
            slice.note(ms(now), "messages", 0.25);
            slice.note(ms(now), "statuses", 0.5);
        }
        assert_eq!(slice.close(ms(1000), ms(0), 1.0), 0.75);
        slice.note(ms(1000), "messages", 0.9);
        slice.note(ms(2000), "messages", 0.9);
        assert_eq!(slice.close(ms(2000), ms(9000), 0.5), 1.0);
    }

    #[test]
    fn a_process_that_has_work_in_hand_counts_as_time_goes_by() {
        let busy = Busy::default();
        busy.note("messages", 1.0);
        let deadline = Instant::now() + Duration::from_secs(30);
        while busy.seconds.get() == 0.0 {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
            busy.note("messages", 1.0);
        }
        assert!(busy.seconds.get() > 0.99 && busy.seconds.get() <= busy.began.elapsed().as_secs_f64());
    }
}
