//! From when on the rate of arrival is what it is now. A mean over a fixed span follows a step only by
//! and by, and would make several changes of one: the span reaches back only until the rate changed.

/// The longest span. Over 30 s the noise of 20 messages in a second is 4 %.
pub(super) const SPAN_SECONDS: f64 = 30.0;
/// Rates that differ by less are the same rate.
const SAME: f64 = 0.1;
/// So are rates that differ by less than this many standard deviations of random arrivals.
const DEVIATIONS: f64 = 4.0;

/// The rate of arrival in one interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Records in a second.
    pub(super) per_second: f64,
    /// Length of the interval.
    pub(super) seconds: f64,
}

/// The intervals to take the rate from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Span {
    /// The newest of them, counted back from the newest of all.
    pub(super) skip: usize,
    /// How many.
    pub(super) take: usize,
    /// The rate is the present one. Otherwise it is just changing, and the span is from before.
    pub(super) settled: bool,
}

/// Finds the span; `rates` are the newest first, at most [`SPAN_SECONDS`] of them. `unit` is how many
/// records of work arrive together.
pub(super) fn span(rates: &[Rate], unit: f64) -> Span {
    let differs = |a: &Rate, b: &Rate| {
        let noise = DEVIATIONS * (unit * (a.per_second / a.seconds + b.per_second / b.seconds)).sqrt();
        (a.per_second - b.per_second).abs() > noise.max(SAME * a.per_second.max(b.per_second))
    };
    let rises = |pair: &[Rate]| pair[0].per_second > pair[1].per_second && differs(&pair[0], &pair[1]);
    // A step makes two rises at most, since it may fall into the middle of an interval.
    if rates.len() > 3 && rates.windows(2).take(3).all(rises) {
        return Span { skip: 0, take: 1, settled: true };
    }
    let Some(skip) = rates.windows(2).position(|pair| !differs(&pair[0], &pair[1])) else {
        // No two are alike: that is how they arrive, once there are enough of them to say so.
        let seconds: f64 = rates.iter().map(|rate| rate.seconds).sum();
        return Span { skip: 0, take: rates.len(), settled: seconds > SPAN_SECONDS * 0.8 };
    };
    let mut mean = mean(&rates[skip..skip + 2]);
    let mut take = 2;
    for rate in &rates[skip + 2..] {
        if differs(&mean, rate) {
            break;
        }
        take += 1;
        mean = self::mean(&rates[skip..skip + take]);
    }
    Span { skip, take, settled: skip == 0 }
}

fn mean(rates: &[Rate]) -> Rate {
    let seconds = rates.iter().map(|rate| rate.seconds).sum::<f64>();
    let records = rates.iter().map(|rate| rate.per_second * rate.seconds).sum::<f64>();
    Rate { per_second: records / seconds, seconds }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span_of(per_second: &[f64]) -> Span {
        let rates: Vec<_> = per_second.iter().map(|&per_second| Rate { per_second, seconds: 5.0 }).collect();
        span(&rates, 1.0)
    }

    #[test]
    fn a_steady_rate_is_taken_from_all_intervals() {
        assert_eq!(span_of(&[101.0, 99.0, 104.0, 96.0, 100.0]), Span { skip: 0, take: 5, settled: true });
    }

    #[test]
    fn a_step_is_unsettled_until_two_intervals_agree_and_then_counts_from_the_step_on() {
        assert_eq!(span_of(&[450.0, 100.0, 100.0]), Span { skip: 1, take: 2, settled: false });
        assert_eq!(span_of(&[800.0, 450.0, 100.0, 100.0]), Span { skip: 2, take: 2, settled: false });
        assert_eq!(span_of(&[800.0, 800.0, 450.0, 100.0]), Span { skip: 0, take: 2, settled: true });
    }

    #[test]
    fn a_rate_that_rises_on_and_on_is_the_newest_one() {
        assert_eq!(span_of(&[900.0, 600.0, 300.0, 100.0]), Span { skip: 0, take: 1, settled: true });
    }

    #[test]
    fn arrivals_in_bursts_are_their_mean() {
        assert_eq!(span_of(&[0.0, 500.0, 0.0, 500.0, 0.0, 500.0]), Span { skip: 0, take: 6, settled: true });
    }

    #[test]
    fn the_first_interval_alone_is_not_settled() {
        assert!(!span_of(&[100.0]).settled);
    }

    #[test]
    fn nothing_at_all_is_a_steady_rate() {
        assert_eq!(span_of(&[0.0, 0.0]), Span { skip: 0, take: 2, settled: true });
    }
}
