//! One rule on one curve.

use crate::curves::Curve;
use crate::group::{Group, TICK};
use crate::rules::{Rule, policy};

/// A record that has waited this long, seconds, is part of a backlog.
const BACKLOG: f64 = 5.0;
/// Each curve is run so often, with other arrivals and other moments of the first look.
const RUNS: u32 = 3;

/// A count is reached when it stays for this long, seconds.
const STAYS: f64 = 60.0;

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Changes from the change of the load until the count was the right one and stayed.
    pub steps: Option<u32>,
    /// Seconds in which the oldest record had waited longer than the drain target.
    pub over_target: f64,
    /// Seconds until the backlogs were gone, all together.
    pub drain: f64,
    /// Replicas by seconds, starting pods included.
    pub replica_seconds: f64,
    /// Changes of the count.
    pub changes: f64,
    /// The largest count.
    pub largest: u32,
}

/// The mean of all runs; the most steps of any of them.
pub fn mean(curve: &Curve, rule: impl Fn() -> Box<dyn Rule>) -> Outcome {
    let runs: Vec<_> = (0..RUNS).map(|number| run(curve, rule().as_mut(), number)).collect();
    let mean = |of: fn(&Outcome) -> f64| runs.iter().map(of).sum::<f64>() / f64::from(RUNS);
    Outcome {
        steps: runs.iter().map(|run| run.steps).min().flatten().and(runs.iter().filter_map(|run| run.steps).max()),
        over_target: mean(|run| run.over_target),
        drain: mean(|run| run.drain),
        replica_seconds: mean(|run| run.replica_seconds),
        changes: mean(|run| run.changes),
        largest: runs.iter().map(|run| run.largest).max().unwrap_or_default(),
    }
}

/// Lets the rule run on the curve. The number of the run is the seed, and shifts the first look.
pub fn run(curve: &Curve, rule: &mut dyn Rule, number: u32) -> Outcome {
    let target = policy().drain_target.as_secs_f64();
    let mut group = Group::new(1, u64::from(number));
    let mut outcome = Outcome { largest: 1, ..Outcome::default() };
    let mut next_look = rule.period() * f64::from(number % RUNS + 1) / f64::from(RUNS);
    let (mut steps, mut since) = (0, curve.changes_at);
    while group.now() < curve.seconds {
        group.tick(&(curve.world)(group.now()));
        let oldest = group.oldest();
        outcome.drain += if oldest > BACKLOG { TICK } else { 0.0 };
        outcome.over_target += if oldest > target { TICK } else { 0.0 };
        outcome.replica_seconds += f64::from(group.replicas()) * TICK;
        if curve.right == Some(group.replicas()) && group.now() - since >= STAYS {
            outcome.steps = outcome.steps.or(Some(steps));
        }
        if group.now() < next_look {
            continue;
        }
        next_look += rule.period();
        let wanted = rule.look(&mut group);
        if wanted != group.replicas() {
            group.scale(wanted);
            outcome.changes += 1.0;
            outcome.largest = outcome.largest.max(wanted);
            steps += u32::from(group.now() >= curve.changes_at);
            since = group.now().max(curve.changes_at);
        }
    }
    outcome
}
