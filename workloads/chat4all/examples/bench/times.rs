//! How long things took, and the percentiles of that.

use std::time::Duration;

/// Latencies in microseconds.
#[derive(Default)]
pub struct Times(Vec<u32>);

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    pub fn take_in(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time in milliseconds that so many of a hundred did not exceed.
    pub fn percentile(&mut self, of_hundred: usize) -> f64 {
        self.0.sort_unstable();
        let place = (self.0.len() * of_hundred).div_ceil(100).max(1) - 1;
        f64::from(self.0[place]) / 1000.0
    }
}
