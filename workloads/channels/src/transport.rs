//! Calls that ended without an answer. The connector says how far the request got; what follows
//! is the same for every provider.

use crate::refusal::{Kind, Refusal};

/// How far a request got that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// No connection came about, so the provider has nothing.
    NotSent,
    /// The request was written, in part or whole, and then came a time-out or a reset.
    OutcomeUnknown,
}

impl Transport {
    /// What that means; `reason` says what happened, without URLs that hold credentials.
    pub fn refusal(self, reason: impl Into<String>) -> Refusal {
        match self {
            Transport::NotSent => Refusal::new(Kind::Unavailable, "chat4all:unreachable", reason),
            Transport::OutcomeUnknown => Refusal::new(Kind::OutcomeUnknown, "chat4all:unknown-outcome", reason),
        }
    }
}
