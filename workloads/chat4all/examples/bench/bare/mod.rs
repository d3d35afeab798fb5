//! The floors: the least that does the work, each in a process of its own.

pub mod api;
pub mod router;

/// The arguments with which this program is a floor.
pub const AS_API: &str = "as-bare-api";
pub const AS_ROUTER: &str = "as-bare-router";

/// Where a floor finds its topics and its table.
pub const FROM: &str = "BARE_FROM";
pub const TO: &str = "BARE_TO";
pub const GROUP: &str = "BARE_GROUP";
