//! Looks, decides and acts: one task for each cluster asks Kafka and the router pods how the work goes,
//! lets [`crate::scaling`] decide, and sets the number of routers while that is on. What the resource
//! shows of it is left to the reconcile, the only one that writes the status.

pub mod act;
mod look;
mod ownership;
mod plan;
pub mod pods;
mod registry;
mod task;
mod view;
mod world;

pub use plan::Plan;
pub use registry::Scalers;
pub use view::View;
pub use world::World;
pub(crate) use world::is_ready;
