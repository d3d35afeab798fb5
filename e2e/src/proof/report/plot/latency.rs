//! How many messages were accepted within how long. The upper end is drawn out: what matters is how the slowest fare.

use maud::{Markup, html};

use super::super::number::{count, millis};
use super::axis::{Mark, Rows, horizontal, marks, short, vertical};
use super::curve::{Point, Shape, curve};
use super::frame::Frame;
use super::scale::Scale;
use crate::proof::record::{Bucket, Fault, Proof};

const CURVES: Rows = Rows { top: 24, height: 190 };
const HEIGHT: u32 = 252;

/// The axes that all faults share, and what all have in common.
pub struct Accept {
    scale: Scale,
    /// 2 for 99 of 100, 3 for 999 of 1,000 and so on, at the upper end.
    nines: u32,
    together: Vec<Share>,
}

/// Milliseconds, and the part of the messages that took no longer.
type Share = (f64, f64);

impl Accept {
    /// Of a run.
    pub fn of(proof: &Proof) -> Self {
        let buckets: Vec<Bucket> = proof.faults.iter().flat_map(|fault| fault.api.latencies.iter().copied()).collect();
        let together = cumulative(&buckets);
        let messages = buckets.iter().map(|bucket| bucket.messages).sum::<u64>();
        let scale = Scale::decades(together.iter().map(|(ms, _)| *ms), 0);
        Self { scale, nines: messages.max(100).ilog10().min(5), together }
    }

    /// All faults, and all of them together.
    pub fn all(&self, proof: &Proof, id: &str) -> Markup {
        let each: Vec<Vec<Point>> = proof.faults.iter().map(|fault| self.points(&of(fault))).collect();
        let description = format!("One line for each of {} faults, and one for all messages.", proof.faults.len());
        let frame = Frame { id, title: "Time until a message was accepted", description: &description, height: HEIGHT };
        frame.around(&self.plot(&html! {
            (curve("other", CURVES, Shape::Line, &each))
            (curve("accepted", CURVES, Shape::Line, &[self.points(&self.together)]))
        }))
    }

    /// One fault before all of them together.
    pub fn one(&self, fault: &Fault, id: &str) -> Markup {
        let api = &fault.api;
        let description = format!(
            "{} messages: half within {} ms, 95 of 100 within {} ms, 99 of 100 within {} ms.",
            count(fault.messages.accepted),
            millis(api.p50_ms),
            millis(api.p95_ms),
            millis(api.p99_ms),
        );
        let title = format!("Time until a message was accepted: {}", fault.name);
        Frame { id, title: &title, description: &description, height: HEIGHT }.around(&self.plot(&html! {
            (curve("other together", CURVES, Shape::Line, &[self.points(&self.together)]))
            (curve("accepted", CURVES, Shape::Line, &[self.points(&of(fault))]))
        }))
    }

    fn plot(&self, curves: &Markup) -> Markup {
        html! {
            text.caption x="0" y="12" { "% of the messages" }
            (vertical(CURVES, &self.levels()))
            (curves)
            (horizontal(CURVES, &marks(&self.scale, short), "accepted within, ms"))
        }
    }

    /// 0, 50, 90, 99, 99.9 % and so on.
    fn levels(&self) -> Vec<Mark> {
        let nines = (1..=self.nines).map(|n| {
            let decimals = (n as usize).saturating_sub(2);
            let share = 1.0 - 10_f64.powi(-(n as i32));
            (self.level(share), format!("{:.decimals$}", share * 100.0))
        });
        [(0.0, "0".to_owned()), (self.level(0.5), "50".to_owned())].into_iter().chain(nines).collect()
    }

    /// Each level that is ten times as close to all lies as much higher.
    fn level(&self, share: f64) -> f64 {
        (-(1.0 - share).log10() / f64::from(self.nines)).clamp(0.0, 1.0)
    }

    fn points(&self, shares: &[Share]) -> Vec<Point> {
        shares.iter().map(|(ms, share)| (self.scale.at(*ms), self.level(*share))).collect()
    }
}

fn of(fault: &Fault) -> Vec<Share> {
    cumulative(&fault.api.latencies)
}

/// From the last bound that no message kept to the first that all kept.
fn cumulative(buckets: &[Bucket]) -> Vec<Share> {
    let all = buckets.iter().map(|bucket| bucket.messages).sum::<u64>();
    let mut bounded: Vec<(f64, u64)> = buckets.iter().filter_map(|b| Some((b.up_to_ms?, b.messages))).collect();
    bounded.retain(|(ms, _)| ms.is_finite());
    bounded.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    bounded.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 += if same { next.1 } else { 0 };
        same
    });
    let Some(first) = bounded.iter().position(|(_, messages)| *messages > 0) else { return Vec::new() };
    let mut shares: Vec<Share> = Vec::new();
    let mut within = 0;
    for (ms, messages) in bounded.into_iter().skip(first.saturating_sub(1)) {
        within += messages;
        shares.push((ms, within as f64 / all as f64));
        if within == all {
            break;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::super::super::example;
    use super::*;

    fn buckets(of: &[(f64, u64)], longer: u64) -> Vec<Bucket> {
        let bounded = of.iter().map(|(ms, messages)| Bucket { up_to_ms: Some(*ms), messages: *messages });
        bounded.chain([Bucket { up_to_ms: None, messages: longer }]).collect()
    }

    #[test]
    fn the_curve_begins_where_nobody_and_ends_where_everybody_was_answered() {
        let buckets = buckets(&[(1.0, 0), (2.0, 0), (5.0, 3), (10.0, 1), (20.0, 0)], 0);
        assert_eq!(cumulative(&buckets), [(2.0, 0.0), (5.0, 0.75), (10.0, 1.0)]);
    }

    #[test]
    fn messages_that_took_longer_than_every_bound_keep_the_curve_below_the_top() {
        assert_eq!(cumulative(&buckets(&[(1.0, 1), (2.0, 2)], 1)), [(1.0, 0.25), (2.0, 0.75)]);
        assert!(cumulative(&buckets(&[(1.0, 0), (2.0, 0)], 4)).is_empty());
        assert!(cumulative(&[]).is_empty());
    }

    #[test]
    fn several_faults_are_added_bound_by_bound() {
        let one = buckets(&[(1.0, 0), (2.0, 0), (5.0, 1)], 0);
        let other = buckets(&[(1.0, 0), (2.0, 3), (5.0, 0)], 0);
        assert_eq!(cumulative(&[one, other].concat()), [(1.0, 0.0), (2.0, 0.75), (5.0, 1.0)]);
    }

    #[test]
    fn each_nine_lies_as_far_above_the_one_before() {
        let mut accept = Accept::of(&example::proof());
        accept.nines = 4;
        let levels = accept.levels();
        let texts: Vec<&str> = levels.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["0", "50", "90", "99", "99.9", "99.99"]);
        assert!((levels[3].0 - 0.5).abs() < 1e-9 && (levels[5].0 - 1.0).abs() < 1e-9, "{levels:?}");
    }
}
