//! What one connector replica does: deliveries a second at several answer times of the provider, beside a
//! bare loop that makes the same HTTP calls at the same concurrency, and the memory of 10,000 recipients
//! that wait for their next attempt. Needs KAFKA_BOOTSTRAP_SERVERS and STORE_CONTACT_POINTS; prints tables
//! and asserts nothing.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod bare;
mod place;
mod provider;

use std::time::Duration;

use chat4all_connector::RetryPolicy;
use chat4all_measure::{Rounded, Tables, rounded};
use place::Place;
use provider::Provider;
use serde::Serialize;
use tokio::time::Instant;

/// As the workload's: what memory is given back to the system is its doing.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The two are measured in turn, so often, and the median is shown.
const ROUNDS: usize = 3;
/// The provider's answer time, and how many deliveries are carried: seconds of work.
const CASES: [(Duration, usize); 3] =
    [(Duration::ZERO, 20_000), (Duration::from_millis(20), 20_000), (Duration::from_millis(200), 6_000)];
/// A connector holds 10,000 records, shared out among 12 partitions; recipients are spread unevenly, so
/// some more are asked for.
const PARKED: usize = 10_000 / 12 * 12;
const ASKED: usize = 12_000;
/// An hour, so that nobody's next attempt comes before the memory is read.
const LONG: RetryPolicy =
    RetryPolicy { max_attempts: 100, initial_backoff_millis: 3_600_000, max_backoff_millis: 3_600_000 };

/// What is carried when the provider answers after so long.
#[derive(Serialize)]
struct Carried {
    answer_time_ms: u64,
    bare_loop_per_s: Rounded,
    connector_per_s: Rounded,
    share_percent: Rounded,
}

/// What those who wait for their next attempt take.
#[derive(Serialize)]
struct Waiting {
    recipients_waiting: usize,
    mib: Rounded,
    mib_before: Rounded,
    kib_for_each: Rounded,
}

#[tokio::main]
async fn main() {
    if std::env::args().nth(1).as_deref() == Some(provider::AS_PROVIDER) {
        return provider::serve().await;
    }
    let provider = Provider::start().await;
    let place = Place::create(&provider).await;
    if cfg!(debug_assertions) {
        println!("built without optimisation: figures are for comparison with each other only\n");
    }
    println!(
        "One connector replica, {} calls at once, Kafka, Cassandra and the provider on the same machine.",
        bare::AT_ONCE
    );
    let mut tables = Tables::of("bench-connectors");
    let mut carried = Vec::new();
    for (answer_time, deliveries) in CASES {
        eprintln!("the provider answers after {answer_time:?}");
        provider.answer_after(answer_time).await;
        let (mut bare, mut connector) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bare.push(bare::calls_per_second(&place, deliveries).await);
            connector.push(deliveries_per_second(&place, deliveries).await);
        }
        let (bare, connector) = (median(bare), median(connector));
        carried.push(Carried {
            answer_time_ms: answer_time.as_millis() as u64,
            bare_loop_per_s: rounded(bare, 0),
            connector_per_s: rounded(connector, 0),
            share_percent: rounded(100.0 * connector / bare, 0),
        });
    }
    tables.add(&carried).unwrap();
    let (idle, parked) = memory(&place, &provider).await;
    let kib = |bytes: u64| bytes as f64 / 1024.0;
    let waiting = Waiting {
        recipients_waiting: PARKED,
        mib: rounded(kib(parked) / 1024.0, 0),
        mib_before: rounded(kib(idle) / 1024.0, 0),
        kib_for_each: rounded(kib(parked.saturating_sub(idle)) / PARKED as f64, 1),
    };
    tables.add(&[waiting]).unwrap();
    place.remove().await;
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The rate between a tenth of the deliveries and all of them: without the joining of the group.
async fn deliveries_per_second(place: &Place, deliveries: usize) -> f64 {
    let before = place.told();
    place.order(deliveries).await;
    let connector = place.start(RetryPolicy::default());
    let first = deliveries / 10;
    place.until("a tenth is told", || place.told() - before >= first as u64).await;
    let (begun, at_first) = (Instant::now(), place.told() - before);
    place.until("all are told", || place.told() - before >= deliveries as u64).await;
    let rate = (deliveries as u64 - at_first) as f64 / begun.elapsed().as_secs_f64();
    connector.stop().await;
    rate
}

/// What the process holds before and while so many recipients wait, in bytes. Everything that is held once
/// is there before: the connector carried as many deliveries to their ends.
async fn memory(place: &Place, provider: &Provider) -> (u64, u64) {
    provider.answer_after(Duration::ZERO).await;
    let connector = place.start(LONG);
    let before = place.told();
    place.order(ASKED).await;
    place.until("all are told", || place.told() - before >= ASKED as u64).await;
    let idle = place::resident();
    provider.be_away().await;
    let called = place.refused();
    place.order(ASKED).await;
    place.until("as many as it holds wait", || place.refused() - called >= PARKED as u64).await;
    let parked = place::resident();
    connector.cut_off();
    (idle, parked)
}
