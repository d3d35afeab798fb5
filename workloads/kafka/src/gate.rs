//! A gate before a consumer: while it is closed, its partitions are paused and Kafka keeps the
//! records. Polling goes on.

use tokio::sync::watch;

/// The side that opens and closes. When every keeper is gone, the gate stays as it was.
#[derive(Debug, Clone)]
pub struct GateKeeper(watch::Sender<bool>);

/// The consumer's side.
#[derive(Debug, Clone)]
pub struct Gate(watch::Receiver<bool>);

/// A gate that stands open.
pub fn gate() -> (GateKeeper, Gate) {
    let (sender, receiver) = watch::channel(true);
    (GateKeeper(sender), Gate(receiver))
}

impl GateKeeper {
    /// Opens or closes the gate.
    pub fn set_open(&self, open: bool) {
        self.0.send_if_modified(|now| std::mem::replace(now, open) != open);
    }
}

impl Gate {
    /// A gate that nobody closes.
    pub fn always_open() -> Self {
        gate().1
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when the gate was moved.
    pub(crate) async fn moved(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
