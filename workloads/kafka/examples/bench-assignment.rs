//! Compares the ways in which a group shares its partitions: a group is scaled from 1 member to 12 and
//! back to 1 while each of 12 partitions gets a record every 25 ms, three times; the worst of them is shown.
//! Needs a Kafka at KAFKA_BOOTSTRAP_SERVERS; prints a table.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use chat4all_kafka::GroupProtocol;
use chat4all_measure::{Rounded, Tables, rounded};
use serde::Serialize;
use support::scale::{Change, Report, up_and_down};

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/runtime/support/mod.rs"]
mod support;

const ROUNDS: usize = 3;

/// A change of the number of members under a protocol. The names of the fields are the headings.
#[derive(Serialize)]
struct Row {
    protocol: &'static str,
    members: &'static str,
    /// The longest time without a record, in partitions that stay where they are and in those that move.
    pause_of_those_that_stay_s: Rounded,
    pause_of_those_that_move_s: Rounded,
    settled_within_s: Rounded,
}

/// What became of the records in all rounds of a protocol.
#[derive(Serialize)]
struct Records {
    protocol: &'static str,
    handled: usize,
    twice: usize,
    reordered: usize,
    lost: usize,
}

#[tokio::main]
async fn main() {
    let (mut changes, mut records) = (Vec::new(), Vec::new());
    for (protocol, of) in [
        ("eager", GroupProtocol::Eager),
        ("cooperative-sticky", GroupProtocol::CooperativeSticky),
        ("consumer", GroupProtocol::Consumer),
    ] {
        eprintln!("{protocol}");
        let mut reports = Vec::new();
        for _ in 0..ROUNDS {
            reports.push(up_and_down(of).await);
        }
        changes.push(worst(protocol, "1 to 12", reports.iter().map(|report| &report.up)));
        changes.push(worst(protocol, "12 to 1", reports.iter().map(|report| &report.down)));
        let sum = |of: fn(&Report) -> usize| reports.iter().map(of).sum::<usize>();
        records.push(Records {
            protocol,
            handled: sum(|report| report.handled),
            twice: sum(|report| report.twice),
            reordered: sum(|report| report.out_of_order),
            lost: sum(|report| report.lost),
        });
    }
    let mut tables = Tables::of("bench-assignment");
    tables.add(&changes).unwrap();
    tables.add(&records).unwrap();
}

/// The worst of several changes.
fn worst<'a>(protocol: &'static str, members: &'static str, changes: impl Iterator<Item = &'a Change> + Clone) -> Row {
    let worst = |of: fn(&Change) -> Duration| {
        let worst = changes.clone().map(of).max().unwrap();
        rounded(worst.as_secs_f64(), 2)
    };
    Row {
        protocol,
        members,
        pause_of_those_that_stay_s: worst(|change| change.kept),
        pause_of_those_that_move_s: worst(|change| change.moved),
        settled_within_s: worst(|change| change.settled),
    }
}
