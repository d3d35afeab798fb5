//! Where a value lies on an axis: a part of its length, from 0 to 1. Whatever goes in, what comes out can be drawn.

/// An axis's range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From 0 to `high`, with a mark at each `step`.
    Linear {
        /// The end.
        high: f64,
        /// From mark to mark.
        step: f64,
    },
    /// From one power of ten to another, with a mark at each.
    Decades {
        /// The exponent of the beginning.
        low: i32,
        /// The exponent of the end; larger.
        high: i32,
    },
}

impl Scale {
    /// From 0 to `high`, with at most `parts` parts.
    pub fn up_to(high: f64, parts: u32) -> Self {
        let high = if high.is_finite() && high > 0.0 { high } else { 1.0 };
        Self::Linear { high, step: round_step(high / f64::from(parts.max(1))) }
    }

    /// From 0 to the first mark at or above `highest`, for whole numbers.
    pub fn of_counts(highest: u64, parts: u32) -> Self {
        let highest = highest.max(1) as f64;
        let step = round_step(highest / f64::from(parts.max(1))).max(1.0);
        Self::Linear { high: (highest / step).ceil() * step, step }
    }

    /// From the power of ten at or below the smallest to the one at or above the largest of these values, but not
    /// below 10 to the `lowest`.
    pub fn decades(values: impl Iterator<Item = f64>, lowest: i32) -> Self {
        let positive = values.filter(|value| value.is_finite() && *value > 0.0);
        let exponents: Vec<f64> = positive.map(f64::log10).collect();
        let smallest = exponents.iter().copied().reduce(f64::min).unwrap_or_default();
        let largest = exponents.iter().copied().reduce(f64::max).unwrap_or_default();
        // Exponents of finite numbers are small.
        let low = (smallest.floor() as i32).max(lowest);
        Self::Decades { low, high: (largest.ceil() as i32).max(low + 1) }
    }

    /// Where a value lies; what is outside lies at the end that is nearer, and what is no number at the beginning.
    pub fn at(&self, value: f64) -> f64 {
        let part = match *self {
            Self::Linear { high, .. } => value / high,
            Self::Decades { low, high } => (value.max(0.0).log10() - f64::from(low)) / f64::from(high - low),
        };
        if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) }
    }

    /// The values of the marks.
    pub fn marks(&self) -> Vec<f64> {
        match *self {
            Self::Linear { high, step } => {
                // At most some ten parts.
                let parts = (high / step + 1e-6).floor() as u32;
                (0..=parts).map(|part| f64::from(part) * step).collect()
            }
            Self::Decades { low, high } => (low..=high).map(|exponent| 10_f64.powi(exponent)).collect(),
        }
    }
}

/// The first of 1, 2, 5, 10, 20 and so on that is not smaller.
fn round_step(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|step| step * decade);
    steps.into_iter().find(|step| *step >= value * (1.0 - 1e-9)).unwrap_or(10.0 * decade)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_end_at_a_round_number_and_have_whole_marks() {
        assert_eq!(Scale::of_counts(104, 3).marks(), [0.0, 50.0, 100.0, 150.0]);
        assert_eq!(Scale::of_counts(3, 3).marks(), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(Scale::of_counts(0, 3).marks(), [0.0, 1.0]);
    }

    #[test]
    fn a_length_keeps_its_end_and_has_marks_within_it() {
        assert_eq!(Scale::up_to(11.5, 6).marks(), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(Scale::up_to(f64::NAN, 6).marks().last(), Some(&1.0));
    }

    #[test]
    fn decades_hold_all_values_and_are_at_least_one() {
        assert_eq!(Scale::decades([0.3, 62.0].into_iter(), -1), Scale::Decades { low: -1, high: 2 });
        assert_eq!(Scale::decades([0.000_3, 5.0].into_iter(), -1), Scale::Decades { low: -1, high: 1 });
        assert_eq!(Scale::decades([f64::NAN, 0.0].into_iter(), -1), Scale::Decades { low: 0, high: 1 });
        assert_eq!(Scale::decades([0.000_3].into_iter(), -1), Scale::Decades { low: -1, high: 0 });
    }

    #[test]
    fn whatever_is_placed_lies_on_the_axis() {
        for scale in [Scale::up_to(10.0, 5), Scale::Decades { low: -1, high: 2 }] {
            for value in [0.0, -3.0, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert!((0.0..=1.0).contains(&scale.at(value)), "{value} on {scale:?}");
            }
        }
        assert_eq!(Scale::up_to(10.0, 5).at(2.5), 0.25);
        assert_eq!(Scale::Decades { low: 0, high: 2 }.at(10.0), 0.5);
    }
}
