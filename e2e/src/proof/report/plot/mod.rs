//! Plots as SVG that is as wide as its place: whatever lies along the horizontal axis is placed in percent, and
//! curves are drawn in a box of their own that is stretched, so that letters and strokes keep their size.

mod axis;
mod curve;
mod frame;
pub mod latency;
pub mod pauses;
mod scale;
pub mod timeline;

#[cfg(test)]
mod tests {
    use super::super::{example, page};
    use crate::proof::record::{Api, Messages, Proof};

    /// Nothing that a browser could not draw.
    fn assert_drawable(proof: &Proof) {
        let page = page(proof);
        for broken in ["NaN", "\"inf", "inf%", " inf", "-inf", "%%"] {
            assert!(!page.contains(broken), "{broken} in {page}");
        }
    }

    #[test]
    fn every_round_is_marked_on_the_time_line_and_has_its_dots() {
        let proof = example::proof();
        let rounds: usize = proof.faults.iter().map(|fault| fault.rounds.len()).sum();
        let page = page(&proof);
        for mark in ["<g class=\"round\">", "<circle class=\"pause\"", "<circle class=\"normal\""] {
            assert_eq!(page.matches(mark).count(), rounds, "{mark}");
        }
    }

    #[test]
    fn an_empty_fault_makes_no_broken_plot() {
        let mut proof = example::proof();
        let fault = &mut proof.faults[0];
        fault.ended = fault.began;
        fault.rounds.clear();
        fault.timeline.clear();
        (fault.messages, fault.api) = (Messages::default(), Api::default());
        assert_drawable(&proof);
        proof.faults.truncate(1);
        assert_drawable(&proof);
        proof.faults.clear();
        assert_drawable(&proof);
    }

    #[test]
    fn one_round_and_one_second_make_no_broken_plot() {
        let mut proof = example::proof();
        proof.faults.truncate(1);
        let fault = &mut proof.faults[0];
        fault.rounds.truncate(1);
        fault.timeline.truncate(1);
        fault.timeline[0].routers = None;
        assert_drawable(&proof);
    }

    #[test]
    fn a_measurement_that_is_no_number_makes_no_broken_plot() {
        let mut proof = example::proof();
        let fault = &mut proof.faults[0];
        let round = &mut fault.rounds[0];
        (round.kept_s, round.longest_pause_s, round.normal_after_s) = (f64::NAN, f64::INFINITY, f64::NEG_INFINITY);
        (fault.api.p50_ms, fault.api.p99_ms) = (f64::NAN, f64::INFINITY);
        fault.api.latencies[3].up_to_ms = Some(f64::NAN);
        fault.api.latencies[4].up_to_ms = Some(0.0);
        assert_drawable(&proof);
    }
}
