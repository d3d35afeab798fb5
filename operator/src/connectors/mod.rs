//! How the connectors fare with their providers, by what their pods say: asked aside, so that no
//! reconcile waits for a pod, and shown by the next reconcile when it is another thing than before.

mod ailment;
pub mod pods;
mod record;
mod watch;

pub use ailment::Ailment;
pub use watch::{Connectors, Wake, Watch};
