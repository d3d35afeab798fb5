//! The proof: one fault after another under a fixed rate of arrival, each several times, and a reckoning
//! after each. What is found is kept as records, from which the report is made.

pub mod record;
pub mod report;
