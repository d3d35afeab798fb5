//! What one router moves beside a bare loop, on a topic that holds few records and on one that holds many.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::accept::{cost, mib};
use crate::bare::{AS_ROUTER, FROM, GROUP, TO};
use crate::cores::{Cores, Count};
use crate::place::{CONNECTOR, Place, Progress};
use crate::process::{Memory, Process};
use crate::table::{self, thousands};
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

/// Messages a second of the bare loop and of ours, with few and with many records in the topic.
pub struct Routed {
    many: usize,
    floor: [f64; 2],
    ours: [f64; 2],
}

impl Routed {
    /// Prints how the figures changed as the topic grew.
    pub fn grown(&self) {
        let topic =
            format!("{} and {} records in the topic: messages/s", thousands(FEW as f64), thousands(self.many as f64));
        table::rate(&format!("bare loop, {topic}"), self.floor, "");
        table::rate(&format!("router, {topic}"), self.ours, "100 %");
    }
}

/// Prints its rows; lets the topic grow to `many` records meanwhile.
pub async fn measure(place: &Place, many: usize) -> Routed {
    place.accept(FEW).await;
    let few = pair(place, FEW).await;
    let there = Progress::of("bench", &place.topics.messages()).records();
    place.accept(many.saturating_sub(usize::try_from(there).unwrap())).await;
    let more = pair(place, many).await;
    Routed { many, floor: [few[0], more[0]], ours: [few[1], more[1]] }
}

/// Messages a second of the bare loop and of ours, with so many records in the topic.
async fn pair(place: &Place, records: usize) -> [f64; 2] {
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
    let highest = [&floor, &ours].map(|runs| runs.iter().map(|run| run.memory.highest).max().unwrap());
    let [(floor, of_floor), (ours, of_ours)] = [floor, ours].map(|runs| median(runs, |run| run.rate));
    let pair = [floor, ours];
    let rates = pair.each_ref().map(|run| run.rate);
    table::rate(&format!("router, {} records in the topic: messages/s", thousands(records as f64)), rates, "60 %");
    table::note("    least and most of the rounds", [of_floor, of_ours], "");
    table::note("    its own CPU, µs a message", pair.each_ref().map(|run| cost(run.cores.process, run.rate)), "");
    table::note("    cores: itself, load, rest", pair.each_ref().map(|run| run.cores.to_string()), "");
    let memory = [0, 1].map(|side| format!("{:.0} {:.0}", mib(pair[side].memory.now), mib(highest[side])));
    table::note("    memory at the end and at most, MiB", memory, "< 64 MiB");
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
