//! What the tables say of a case, and of each deletion in it. The names of the fields are the headings.

use std::time::Duration;

use serde::Serialize;

use crate::history::{Findings, History, Latencies, Pauses, latencies};

/// A case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub case: String,
    /// Accepted messages.
    pub messages: usize,
    /// Accepted messages that were not delivered and read.
    pub lost: usize,
    /// Messages that the store holds twice.
    pub stored_twice: usize,
    /// Times that the provider got a message again.
    pub duplicated: u64,
    /// Those among them that the ledger names as unknown outcomes.
    pub of_them_named: u64,
    /// Messages that overtook an earlier one of their conversation.
    pub out_of_order: usize,
    /// The longest standstill of a partition with work, in seconds; absent where nothing was disturbed.
    pub longest_pause_s: Option<f64>,
    /// Time from the intended sending to the 202 of half of the messages, in milliseconds.
    pub accept_p50_ms: f64,
    /// The same of 95 of 100.
    pub accept_p95_ms: f64,
    /// The same of 99 of 100.
    pub accept_p99_ms: f64,
}

/// A pod that was deleted in a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PauseRow {
    /// The case.
    pub case: String,
    /// The pod.
    pub pod: String,
    /// How many partitions lost their consumer.
    pub orphaned: usize,
    /// The longest standstill of those, in seconds.
    pub longest_of_orphaned_s: f64,
    /// The longest standstill of the others, in seconds.
    pub longest_of_others_s: f64,
    /// The standstill of each orphaned partition, in seconds: `partition:seconds`.
    pub each: String,
}

/// Something that was measured in a case, beside its messages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// The case.
    pub case: String,
    /// What was measured.
    pub figure: String,
    /// The value, with one decimal.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it should be; empty where nothing was set as a goal.
    pub aim: String,
}

impl Figure {
    /// A figure of a case.
    pub fn new(case: &str, figure: impl Into<String>, value: f64, unit: &'static str, aim: impl Into<String>) -> Self {
        let value = (value * 10.0).round() / 10.0;
        Self { case: case.to_owned(), figure: figure.into(), value, unit, aim: aim.into() }
    }
}

impl Row {
    /// The row of a case with this history.
    pub fn of(case: &str, history: &History, findings: &Findings, pauses: &[Pauses]) -> Self {
        let Latencies { p50, p95, p99 } = latencies(&history.accepted);
        Self {
            case: case.to_owned(),
            messages: history.accepted.len(),
            lost: findings.lost.len(),
            stored_twice: findings.stored_twice.len(),
            duplicated: findings.duplicated(),
            of_them_named: findings.named(),
            out_of_order: findings.overtakings.len(),
            longest_pause_s: pauses.iter().map(Pauses::longest).max().map(seconds),
            accept_p50_ms: millis(p50),
            accept_p95_ms: millis(p95),
            accept_p99_ms: millis(p99),
        }
    }
}

impl PauseRow {
    /// The row of a deletion.
    pub fn of(case: &str, pauses: &Pauses) -> Self {
        let orphaned = &pauses.disturbance.orphaned;
        let others = pauses.by_partition.iter().filter(|(partition, _)| !orphaned.contains(partition));
        let each = pauses.by_partition.iter().filter(|(partition, _)| orphaned.contains(partition));
        Self {
            case: case.to_owned(),
            pod: pauses.disturbance.victim.clone(),
            orphaned: orphaned.len(),
            longest_of_orphaned_s: seconds(pauses.longest_of_orphaned()),
            longest_of_others_s: seconds(others.map(|(_, pause)| *pause).max().unwrap_or_default()),
            each: each.map(|(p, pause)| format!("{p}:{}", seconds(*pause))).collect::<Vec<_>>().join(" "),
        }
    }
}

/// With two decimals: what is measured is not finer.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100.0).round() / 100.0
}

/// With one decimal.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}
