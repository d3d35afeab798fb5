//! Compares the ways in which a group shares its partitions: a group is scaled from 1 member to 12 and
//! back to 1 while each of 12 partitions gets a record every 25 ms, three times. Needs a Kafka at
//! KAFKA_BOOTSTRAP_SERVERS; prints a table.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::Duration;

use chat4all_kafka::GroupProtocol;
use support::scale::{Change, Report, up_and_down};

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/runtime/support/mod.rs"]
mod support;

const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    println!("                          the longest pause of a partition    settled   records");
    println!("protocol            1->12->1  that stays  that moves          within    handled  twice  reordered  lost");
    for (name, protocol) in [
        ("eager", GroupProtocol::Eager),
        ("cooperative-sticky", GroupProtocol::CooperativeSticky),
        ("consumer", GroupProtocol::Consumer),
    ] {
        let mut reports = Vec::new();
        for _ in 0..ROUNDS {
            reports.push(up_and_down(protocol).await);
        }
        let sum = |of: fn(&Report) -> usize| reports.iter().map(of).sum::<usize>();
        let counts = (sum(|r| r.handled), sum(|r| r.twice), sum(|r| r.out_of_order), sum(|r| r.lost));
        let up = row(reports.iter().map(|r| &r.up));
        let down = row(reports.iter().map(|r| &r.down));
        println!("{name:20}up        {up}  {:7}  {:5}  {:9}  {:4}", counts.0, counts.1, counts.2, counts.3);
        println!("{:20}down      {down}", "");
    }
}

/// The worst of several changes.
fn row<'a>(changes: impl Iterator<Item = &'a Change> + Clone) -> String {
    let worst = |of: fn(&Change) -> Duration| {
        let worst = changes.clone().map(of).max().unwrap();
        format!("{:.2} s", worst.as_secs_f64())
    };
    format!("{:10}  {:18}  {:8}", worst(|c| c.kept), worst(|c| c.moved), worst(|c| c.settled))
}
