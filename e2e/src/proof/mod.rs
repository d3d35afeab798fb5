//! The proof: one fault after another under a fixed rate of arrival, each several times, and a reckoning
//! after each. What is found is kept as records, from which the report is made.

mod around;
mod clock;
mod deed;
mod disk;
mod machine;
mod make;
mod prove;
pub mod record;
pub mod report;
mod run;
mod timeline;

pub use around::clear;
pub use deed::{Deed, all, short};
pub use prove::prove;
pub use run::{Error, Run};

/// How often a whole proof makes each fault.
pub const ROUNDS: u32 = 10;
