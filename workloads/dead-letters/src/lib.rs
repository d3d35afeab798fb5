//! Records that are given up: into the topic of dead letters and into the store's rows, and from there back
//! into their topics, mended or as they were. Knows no HTTP.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod about;
mod desk;
mod replay;

pub use about::about;
pub use desk::Desk;
pub use replay::{Edit, NotReplayable, Replay, original_order, replay};
