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
    /// Units of UTF-16: most emoji count twice.
    Utf16Units,
    /// Bytes of UTF-8: letters with accents count twice.
    Bytes,
}

impl Limit {
    /// At most so many Unicode scalar values.
    pub const fn characters(max: usize) -> Self {
        Self { max, unit: Unit::Characters }
    }

    /// At most so many units of UTF-16.
    pub const fn utf16_units(max: usize) -> Self {
        Self { max, unit: Unit::Utf16Units }
    }

    /// At most so many bytes of UTF-8.
    pub const fn bytes(max: usize) -> Self {
        Self { max, unit: Unit::Bytes }
    }

    /// The size of a text in this limit's unit.
    pub fn measure(&self, text: &str) -> usize {
        match self.unit {
            Unit::Characters => text.chars().count(),
            Unit::Utf16Units => text.encode_utf16().count(),
            Unit::Bytes => text.len(),
        }
    }

    /// Whether the text is within the limit.
    pub fn allows(&self, text: &str) -> bool {
        self.measure(text) <= self.max
    }
}

impl Unit {
    /// The unit in words, plural.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Characters => "characters",
            Unit::Utf16Units => "UTF-16 units",
            Unit::Bytes => "bytes of UTF-8",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.max, self.unit.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_counts_in_its_own_way() {
        let text = "olá 🙂";
        assert_eq!(Limit::characters(5).measure(text), 5);
        assert_eq!(Limit::utf16_units(6).measure(text), 6);
        assert_eq!(Limit::bytes(9).measure(text), 9);
        assert!(Limit::characters(5).allows(text) && !Limit::utf16_units(5).allows(text));
    }
}
