//! Whether memory that was looked at again and again grows. Pure.
//!
//! Compared are the medians of the first and the last third of the time, so that neither a peak nor a moment of quiet
//! decides. What grows by no more than [`TOLERATED`] or by no more than [`SMALL_MIB`] is flat: an allocator keeps some
//! of what was used once, and a small process may do so by a fifth. In the hour of a whole soak a leak of 1 MiB a
//! minute is found in a process of up to 150 MiB, and one of 0.15 MiB a minute in one of 20 MiB.

use std::time::Duration;

/// What is left out at the beginning of each process, while connections, pools and caches fill.
pub const WARM_UP: Duration = Duration::from_secs(5 * 60);
/// What is shorter, without its beginning, is not judged.
pub const LONG_ENOUGH: Duration = Duration::from_secs(20 * 60);

const TOLERATED: f64 = 0.2;
const SMALL_MIB: f64 = 4.0;

/// What a process held at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When, from any zero.
    pub at: Duration,
    /// How much, in MiB.
    pub mib: f64,
}

/// What a process held first and last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// From the first moment that counts to the last.
    pub length: Duration,
    /// The median of the first third of that time, in MiB.
    pub first_mib: f64,
    /// The median of its last third, in MiB.
    pub last_mib: f64,
}

impl Growth {
    /// From what was seen of one process, oldest first, without the time of its warm-up; none where nothing is left.
    pub fn of(points: &[Point], warm_up: Duration) -> Option<Self> {
        let begin = points.first()?.at + warm_up;
        let counted = &points[points.partition_point(|point| point.at < begin)..];
        let (from, to) = (counted.first()?.at, counted.last()?.at);
        let third = (to - from) / 3;
        let first = counted.iter().filter(|point| point.at <= from + third);
        let last = counted.iter().filter(|point| point.at >= to - third);
        let (first_mib, last_mib) = (median(first)?, median(last)?);
        Some(Self { length: to - from, first_mib, last_mib })
    }

    /// By how much it grew, as a part of what it held first.
    pub fn part(&self) -> f64 {
        self.last_mib / self.first_mib - 1.0
    }

    /// Whether it is flat; none where that cannot be said yet.
    pub fn is_flat(&self) -> Option<bool> {
        let flat = self.part() <= TOLERATED || self.last_mib - self.first_mib <= SMALL_MIB;
        (self.length >= LONG_ENOUGH).then_some(flat)
    }
}

fn median<'a>(points: impl Iterator<Item = &'a Point>) -> Option<f64> {
    let mut values: Vec<f64> = points.map(|point| point.mib).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const APART: Duration = Duration::from_secs(15);
    const A_MINUTE: usize = 4;

    /// What a process holds, by the number of the look.
    fn seen(looks: usize, mib: impl Fn(usize) -> f64) -> Vec<Point> {
        (0..looks).zip(0_u32..).map(|(n, turn)| Point { at: APART * turn, mib: mib(n) }).collect()
    }

    fn is_flat(points: &[Point]) -> Option<bool> {
        Growth::of(points, WARM_UP)?.is_flat()
    }

    #[test]
    fn what_grows_while_it_warms_up_and_then_no_more_is_flat() {
        let warm = 5 * A_MINUTE;
        assert_eq!(is_flat(&seen(60 * A_MINUTE, |n| 20.0 + 10.0 * n.min(warm) as f64)), Some(true));
    }

    #[test]
    fn a_small_process_may_grow_by_a_few_mebibytes() {
        let step = |by: f64| seen(60 * A_MINUTE, move |n| if n < 30 * A_MINUTE { 10.0 } else { 10.0 + by });
        assert_eq!(is_flat(&step(4.0)), Some(true));
        assert_eq!(is_flat(&step(4.5)), Some(false));
    }

    #[test]
    fn a_peak_in_the_end_is_no_growth_and_less_than_before_is_none_either() {
        let looks = 60 * A_MINUTE;
        assert_eq!(is_flat(&seen(looks, |n| if n + A_MINUTE > looks { 200.0 } else { 20.0 })), Some(true));
        assert_eq!(is_flat(&seen(looks, |n| 100.0 - n as f64 / 10.0)), Some(true));
    }

    #[test]
    fn a_short_life_is_not_judged_and_a_shorter_one_has_no_figures() {
        assert_eq!(is_flat(&seen(24 * A_MINUTE, |n| n as f64)), None);
        assert!(Growth::of(&seen(24 * A_MINUTE, |n| n as f64), WARM_UP).is_some());
        assert_eq!(Growth::of(&seen(4 * A_MINUTE, |_| 20.0), WARM_UP), None);
        assert_eq!(Growth::of(&[], WARM_UP), None);
    }

    #[test]
    fn looks_that_failed_leave_a_gap_and_no_other_trace() {
        let mut points = seen(60 * A_MINUTE, |n| 20.0 + n as f64 / A_MINUTE as f64);
        points.retain(|point| !(600..1800).contains(&point.at.as_secs()));
        assert_eq!(is_flat(&points), Some(false));
    }

    proptest! {
        #[test]
        fn a_leak_of_a_mebibyte_a_minute_is_found(
            base in 10.0..40.0_f64,
            noise in prop::collection::vec(-0.02..0.02_f64, 26 * A_MINUTE..90 * A_MINUTE),
        ) {
            let leaking = seen(noise.len(), |n| (base + n as f64 / A_MINUTE as f64) * (1.0 + noise[n]));
            prop_assert_eq!(is_flat(&leaking), Some(false));
        }

        #[test]
        fn a_tenth_up_and_down_by_chance_is_no_leak(
            base in 5.0..250.0_f64,
            noise in prop::collection::vec(-0.1..0.1_f64, 26 * A_MINUTE..90 * A_MINUTE),
        ) {
            let noisy = seen(noise.len(), |n| base * (1.0 + noise[n]));
            prop_assert_eq!(is_flat(&noisy), Some(true));
        }
    }
}
