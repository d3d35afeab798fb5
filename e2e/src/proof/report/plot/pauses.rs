//! How long everything stood still and took to be normal again, each round a dot.

use maud::{Markup, html};

use super::super::facts::told;
use super::super::number::{counted, seconds};
use super::axis::{marks, percent, short};
use super::frame::Frame;
use super::scale::Scale;
use crate::proof::record::{Fault, Proof, Round};

const HEIGHT: u32 = 40;
/// In pixels from the top, of the middle of the dots.
const PAUSE: i32 = 13;
const NORMAL: i32 = 28;

/// The axis that all faults share.
pub struct Pauses {
    scale: Scale,
    /// Whether something lies below its beginning.
    below: bool,
}

impl Pauses {
    /// Of a run.
    pub fn of(proof: &Proof) -> Self {
        let values = || {
            let rounds = proof.faults.iter().flat_map(|fault| &fault.rounds);
            rounds.flat_map(|round| [round.longest_pause_s, round.normal_after_s])
        };
        // What is measured is not finer than a tenth of a second.
        let scale = Scale::decades(values(), -1);
        let lowest = scale.marks().first().copied().unwrap_or_default();
        Self { scale, below: values().any(|value| value < lowest) }
    }

    /// The axis by itself, to stand above and below the rows.
    pub fn axis(&self) -> Markup {
        html! {
            div.plot {
                svg width="100%" height="18" aria-hidden="true" {
                    @for (n, (part, text)) in marks(&self.scale, short).into_iter().enumerate() {
                        text.tick x=(percent(part)) y="13" text-anchor="middle" {
                            @if n == 0 && self.below { "≤ " } (text) " s"
                        }
                    }
                }
            }
        }
    }

    /// The rounds of one fault.
    pub fn row(&self, fault: &Fault, id: &str) -> Markup {
        let title = format!("Pauses and times back to normal: {}", fault.name);
        let list = |of: fn(&Round) -> f64| {
            let texts: Vec<String> = fault.rounds.iter().map(|round| seconds(of(round))).collect();
            texts.join(", ")
        };
        let description = format!(
            "{}. Longest pauses in seconds: {}. Normal again after, in seconds: {}.",
            counted(fault.rounds.len() as u64, "round"),
            list(|round| round.longest_pause_s),
            list(|round| round.normal_after_s),
        );
        Frame { id, title: &title, description: &description, height: HEIGHT }.around(&html! {
            @for (part, _) in marks(&self.scale, short) {
                line.grid x1=(percent(part)) x2=(percent(part)) y1="0" y2=(HEIGHT) {}
            }
            @for (n, round) in fault.rounds.iter().enumerate() { (self.dots(n, round)) }
        })
    }

    fn dots(&self, n: usize, round: &Round) -> Markup {
        // Up and down by turns: rounds that took equally long are seen beside each other.
        let turn = [0, -3, 3][n % 3];
        let at = |value| percent(self.scale.at(value));
        html! {
            g {
                title { "Round " (n + 1) ": " (told(round)) }
                circle class="pause" cx=(at(round.longest_pause_s)) cy=(PAUSE + turn) r="4" {}
                circle class="normal" cx=(at(round.normal_after_s)) cy=(NORMAL + turn) r="4" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::example;
    use super::*;

    #[test]
    fn what_is_shorter_than_the_axis_begins_is_said_to_be_less() {
        let mut proof = example::proof();
        proof.faults[0].rounds[0].longest_pause_s = 0.02;
        assert!(Pauses::of(&proof).axis().into_string().contains(">≤ 0.1 s<"));
        proof.faults[0].rounds[0].longest_pause_s = 0.3;
        assert!(!Pauses::of(&proof).axis().into_string().contains('≤'));
    }
}
