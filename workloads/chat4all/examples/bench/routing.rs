//! What one router moves beside a bare loop, on a topic that holds few records and on one that holds many.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::accept::{cost, mib};
use crate::bare::{AS_ROUTER, FROM, GROUP, TO};
use crate::cores::{Cores, Count};
use crate::place::{CONNECTOR, Place, Progress};
use crate::process::{Memory, Process};
use crate::table::{Table, thousands};
use crate::{ROUNDS, median};

/// What waits when a router begins.
const BACKLOG: i64 = 40_000;
/// What the smaller topic holds already.
const FEW: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(300);

/// How a backlog was moved.
struct Moved {
    /// Messages a second.
    rate: f64,
    cores: Cores,
    memory: Memory,
}

/// Adds its rows to the table, and returns how the figures changed as the topic grew to `many` records.
pub async fn measure(place: &Place, many: usize, table: &mut Table) -> Table {
    place.accept(FEW).await;
    let small = pair(place, table, FEW).await;
    let there = Progress::of("bench", &place.topics.messages()).records();
    place.accept(many.saturating_sub(usize::try_from(there).unwrap())).await;
    let large = pair(place, table, many).await;
    let mut growth = Table::default();
    let what = |who: &str| format!("{who}, {} and {} records in the topic: messages/s", short(FEW), short(many));
    growth.rate(what("bare loop"), [small[0], large[0]], "");
    growth.rate(what("router"), [small[1], large[1]], "100 %");
    growth
}

/// Messages a second of the bare loop and of ours, with so many records in the topic.
async fn pair(place: &Place, table: &mut Table, records: usize) -> [f64; 2] {
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let group = format!("bare-{}", uuid::Uuid::new_v4());
        place.pass(&group);
        place.pass(&place.topics.router_group());
        place.accept(usize::try_from(BACKLOG).unwrap()).await;
        let settings = [(FROM, place.topics.messages()), (TO, place.bare()), (GROUP, group)];
        let bare = || Process::floor(AS_ROUTER, &place.and(&settings));
        floor.push(drain(&place.bare(), bare).await);
        ours.push(drain(&place.topics.outbound(CONNECTOR), || Process::ours("router", &place.settings)).await);
    }
    let pair = [floor, ours].map(|runs| median(runs, |run| run.rate));
    let rates = pair.each_ref().map(|run| run.rate);
    table.rate(format!("router, {} records in the topic: messages/s", thousands(records as f64)), rates, "60 %");
    table.note("    its own CPU, µs a message", pair.each_ref().map(|run| cost(run.cores.process, run.rate)), "");
    table.note("    cores: itself, load, rest", pair.each_ref().map(|run| run.cores.to_string()), "");
    let memory = |run: &Moved| format!("{:.0} {:.0}", mib(run.memory.now), mib(run.memory.highest));
    table.note("    memory at the end and at most, MiB", pair.each_ref().map(memory), "< 64 MiB");
    rates
}

/// Starts it and sees it move the backlog into this topic. Counted from a tenth of it, so without the joining
/// of the group.
async fn drain(topic: &str, start: impl FnOnce() -> Process) -> Moved {
    let progress = Progress::of("bench", topic);
    let before = progress.records();
    let process = start();
    let first = until(&progress, before + BACKLOG / 10).await;
    let (begun, count) = (Instant::now(), Count::begin(process.pid));
    until(&progress, before + BACKLOG).await;
    let rate = (before + BACKLOG - first) as f64 / begun.elapsed().as_secs_f64();
    let moved = Moved { rate, cores: count.end(process.pid), memory: process.memory() };
    process.stop().await;
    moved
}

/// Waits until a topic holds so many records; returns how many it holds then.
async fn until(progress: &Progress, wanted: i64) -> i64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let records = progress.records();
        if records >= wanted {
            return records;
        }
        assert!(Instant::now() < deadline, "{records} of {wanted} records after {PATIENCE:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn short(number: usize) -> String {
    match number {
        n if n % 1_000_000 == 0 => format!("{}m", n / 1_000_000),
        n if n % 1000 == 0 => format!("{}k", n / 1000),
        n => n.to_string(),
    }
}
