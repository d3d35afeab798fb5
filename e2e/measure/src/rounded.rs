//! Figures as tables and JSON show them: no finer than they were measured.

use serde::{Serialize, Serializer};

/// A figure with so many decimals at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounded {
    value: f64,
    decimals: i32,
}

/// A figure with so many decimals at most; what is no number, such as a rate of nothing in no time, is null.
pub fn rounded(value: f64, decimals: i32) -> Rounded {
    Rounded { value, decimals }
}

impl Serialize for Rounded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unit = 10_f64.powi(self.decimals);
        let value = (self.value * unit).round() / unit;
        if self.decimals == 0 && value.is_finite() {
            // Without the point that a float is written with.
            serializer.serialize_i64(value as i64)
        } else {
            serializer.serialize_f64(value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_no_more_decimals_than_were_asked_for() {
        let figures = [rounded(40_077.6, 0), rounded(1.0449, 2), rounded(20.0, 1), rounded(f64::NAN, 0)];
        assert_eq!(serde_json::to_string(&figures).unwrap(), "[40078,1.04,20.0,null]");
    }
}
