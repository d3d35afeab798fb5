//! What the benchmarks and the end-to-end tests share: tables that are printed and written as JSON, and how
//! long something stood still. Knows nothing of Chat4All.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod file;
mod rounded;
mod standstill;
mod table;
mod tables;

pub use file::{Error, folder, write, write_text};
pub use rounded::{Rounded, rounded};
pub use standstill::{Standstill, Work, longest, standstills};
pub use table::table;
pub use tables::Tables;
