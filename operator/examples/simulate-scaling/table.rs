//! Both rules on every curve, as a table.

use std::fmt::{self, Display};

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
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:18} {:16} {:>20} {:>13} {:>11} {:>16} {:>8}",
            "curve", "rule", "steps to right count", "s over target", "s to drain", "replica-seconds", "changes"
        )?;
        for row in &self.0 {
            let (threshold, usual) = row.rival();
            line(f, row.curve, "chat4all", &row.ours)?;
            line(f, "", &format!("ceil(lag / {threshold})"), usual)?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, curve: &str, rule: &str, outcome: &Outcome) -> fmt::Result {
    let steps = outcome.steps.map_or("-".to_owned(), |steps| steps.to_string());
    let Outcome { over_target, drain, replica_seconds, changes, .. } = outcome;
    writeln!(
        f,
        "{curve:18} {rule:16} {steps:>20} {over_target:>13.0} {drain:>11.0} {replica_seconds:>16.0} {changes:>8.1}"
    )
}
