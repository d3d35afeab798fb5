//! Both rules on every curve, as a table.

use chat4all_measure::{Rounded, rounded};
use serde::Serialize;

use crate::curves;
use crate::rules::{LagByThreshold, Ours, THRESHOLDS};
use crate::run::{Outcome, mean};

/// Both rules on one curve.
pub struct Row {
    /// The curve.
    pub curve: &'static str,
    /// Ours.
    pub ours: Outcome,
    /// The usual rule with each threshold.
    pub usual: Vec<(f64, Outcome)>,
}

impl Row {
    /// The threshold to compare with, chosen for this very curve and knowing it: the cheapest one that is
    /// done with backlogs as soon as ours; without such a one, the fastest.
    pub fn rival(&self) -> &(f64, Outcome) {
        let as_fast = |usual: &Outcome| usual.drain <= self.ours.drain;
        let order = |(_, usual): &(f64, Outcome)| match as_fast(usual) {
            true => (0.0, usual.replica_seconds),
            false => (usual.drain, usual.replica_seconds),
        };
        let best = self.usual.iter().min_by(|one, other| order(one).partial_cmp(&order(other)).expect("finite"));
        best.expect("there are thresholds")
    }
}

/// The whole table.
pub struct Table(pub Vec<Row>);

impl Table {
    /// Runs everything.
    pub fn of_all_curves() -> Self {
        let usual = |curve: &curves::Curve, threshold: f64| {
            (threshold, mean(curve, || Box::new(LagByThreshold::new(threshold))))
        };
        let row = |curve: curves::Curve| Row {
            curve: curve.name,
            ours: mean(&curve, || Box::new(Ours::new())),
            usual: THRESHOLDS.iter().map(|threshold| usual(&curve, *threshold)).collect(),
        };
        Self(curves::all().into_iter().map(row).collect())
    }

    /// As it is shown: ours and its rival, curve by curve.
    pub fn lines(&self) -> Vec<Line> {
        let lines = |row: &Row| {
            let (threshold, usual) = row.rival();
            let rival = format!("ceil(lag / {threshold})");
            [Line::of(row.curve, "chat4all".to_owned(), &row.ours), Line::of(row.curve, rival, usual)]
        };
        self.0.iter().flat_map(lines).collect()
    }
}

/// A rule on a curve. The names of the fields are the headings.
#[derive(Serialize)]
pub struct Line {
    curve: &'static str,
    rule: String,
    steps_to_right_count: Option<u32>,
    s_over_target: Rounded,
    s_to_drain: Rounded,
    replica_seconds: Rounded,
    changes: Rounded,
}

impl Line {
    fn of(curve: &'static str, rule: String, outcome: &Outcome) -> Self {
        Self {
            curve,
            rule,
            steps_to_right_count: outcome.steps,
            s_over_target: rounded(outcome.over_target, 0),
            s_to_drain: rounded(outcome.drain, 0),
            replica_seconds: rounded(outcome.replica_seconds, 0),
            changes: rounded(outcome.changes, 1),
        }
    }
}
