//! How many router replicas the waiting work needs. Pure: no clock, no client, no I/O; a window of
//! [`Sample`]s and a [`Policy`] go in, a [`Decision`] comes out that says its reason as a value.

mod advance;
mod arrival;
mod capacity;
mod decide;
mod decision;
mod downstream;
mod interval;
mod past;
mod policy;
mod remainder;
mod replicas;
mod sample;
mod statuses;
mod window;
mod work;

pub use decide::decide;
pub use decision::{Cause, Decision, Hold, Limit, Measures, Need, Verdict};
pub use policy::Policy;
pub use sample::{Committed, Offsets, PartitionOffsets, Pods, Sample};
pub use window::{Learned, Window};

#[cfg(test)]
mod tests;
