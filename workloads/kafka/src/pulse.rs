//! Signs of life of a consumer's loop, for the probes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shared by a consumer's loop and the probes.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    beat_millis: AtomicU64,
    joined: AtomicBool,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            beat_millis: AtomicU64::new(0),
            joined: AtomicBool::new(false),
        }))
    }
}

impl Pulse {
    pub(crate) fn beat(&self) {
        let now = u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.beat_millis.store(now, Ordering::Relaxed);
    }

    pub(crate) fn set_joined(&self, joined: bool) {
        self.0.joined.store(joined, Ordering::Relaxed);
    }

    /// How long ago the loop last came round. It does so several times a second, whatever the lag.
    pub fn age(&self) -> Duration {
        self.0.started.elapsed().saturating_sub(Duration::from_millis(self.0.beat_millis.load(Ordering::Relaxed)))
    }

    /// Whether the group has given this member an assignment, be it an empty one.
    pub fn joined(&self) -> bool {
        self.0.joined.load(Ordering::Relaxed)
    }
}
