//! How much a provider takes in one message, so that too much is refused at the API with the
//! limit named, and never cut.

use std::fmt;

/// An upper bound, and what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The most that is allowed.
    pub max: usize,
    /// What is counted.
    pub unit: Unit,
}

/// What a limit counts. Providers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Unicode scalar values.
    Characters,
}

impl Limit {
    /// The size of a text in this limit's unit.
    pub fn measure(&self, text: &str) -> usize {
        match self.unit {
            Unit::Characters => text.chars().count(),
        }
    }

    /// Whether the text is within the limit.
    pub fn allows(&self, text: &str) -> bool {
        self.measure(text) <= self.max
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Characters => write!(f, "{} characters", self.max),
        }
    }
}
