//! Deliveries that wait aside: their recipient is held up, and nobody else. A recipient's deliveries run
//! one after another, so their number is the number of such recipients.

use prometheus_client::metrics::gauge::Gauge;

/// One that waits; counted until it is dropped.
pub(crate) struct Parked(Gauge);

impl Parked {
    pub(crate) fn count(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.0.dec();
    }
}
