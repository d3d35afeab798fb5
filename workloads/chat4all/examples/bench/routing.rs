//! What one router moves beside a bare loop, on a topic that holds few records and on one that holds many.

use tokio::time::Instant;

use crate::bare::{AS_ROUTER, FROM, GROUP, TO};
use crate::cores::{Cores, Count};
use crate::parts::Part;
use crate::place::{CONNECTOR, Place, Progress};
use crate::process::{Memory, Process, mib};
use crate::table::{Beside, Grown, Row, Rows, thousands};
use crate::{ROUNDS, median};

/// What waits when a router begins.
const BACKLOG: i64 = 40_000;
/// What the smaller topic holds already.
const FEW: usize = 10_000;

/// How a backlog was moved.
struct Moved {
    /// Messages a second.
    rate: f64,
    cores: Cores,
    memory: Memory,
}

/// What was measured.
pub struct Routed {
    /// A router beside the bare loop, with few and with many records in the topic.
    pub beside: Vec<Row<Beside>>,
    /// How both changed as the topic grew.
    pub grown: Vec<Row<Grown>>,
}

/// Measures it with few records, and again when the topic has grown to `many`.
pub async fn measure(place: &Place, many: usize) -> Routed {
    let mut beside = Rows::of(Part::Router);
    place.accept(FEW).await;
    let few = pair(place, FEW, &mut beside).await;
    let there = place.progress(&place.topics.messages()).records();
    place.accept(many.saturating_sub(usize::try_from(there).unwrap())).await;
    let more = pair(place, many, &mut beside).await;
    let mut grown = Rows::of(Part::Router);
    let case = format!("{} and {} records in the topic", thousands(FEW as f64), thousands(many as f64));
    grown.rate(&case, "messages/s of the bare loop", [few[0], more[0]], "");
    grown.rate(&case, "messages/s of the router", [few[1], more[1]], "100 %");
    Routed { beside: beside.all(), grown: grown.all() }
}

/// Messages a second of the bare loop and of ours, with so many records in the topic.
async fn pair(place: &Place, records: usize, rows: &mut Rows<Beside>) -> [f64; 2] {
    let case = format!("{} records in the topic", thousands(records as f64));
    eprintln!("router: {case}");
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let group = format!("bare-{}", uuid::Uuid::new_v4());
        place.pass(&group);
        place.pass(&place.topics.router_group());
        place.accept(usize::try_from(BACKLOG).unwrap()).await;
        let settings = [(FROM, place.topics.messages()), (TO, place.bare()), (GROUP, group)];
        let bare = || Process::floor(AS_ROUTER, &place.and(&settings));
        floor.push(drain(&place.progress(&place.bare()), bare).await);
        let outbound = place.progress(&place.topics.outbound(CONNECTOR));
        ours.push(drain(&outbound, || Process::ours("router", &place.settings)).await);
    }
    let highest = [&floor, &ours].map(|runs| runs.iter().map(|run| run.memory.highest).max().unwrap());
    let [(floor, of_floor), (ours, of_ours)] = [floor, ours].map(|runs| median(runs, |run| run.rate));
    let pair = [floor, ours];
    let rates = pair.each_ref().map(|run| run.rate);
    rows.rate(&case, "messages/s", rates, "60 %");
    rows.spread(&case, [of_floor, of_ours]);
    rows.usage(&case, pair.each_ref().map(|run| &run.cores), rates);
    rows.note(&case, "memory at the end, MiB", pair.each_ref().map(|run| mib(run.memory.now)), 0, "< 64 MiB");
    rows.note(&case, "memory at most, MiB", highest.map(mib), 0, "< 64 MiB");
    rates
}

/// Starts it and sees it move the backlog into a topic. Counted from a tenth of it, so without the joining
/// of the group.
async fn drain(progress: &Progress, start: impl FnOnce() -> Process) -> Moved {
    let before = progress.records();
    let process = start();
    let first = progress.until(before + BACKLOG / 10).await;
    let (begun, count) = (Instant::now(), Count::begin(process.pid));
    progress.until(before + BACKLOG).await;
    let rate = (before + BACKLOG - first) as f64 / begun.elapsed().as_secs_f64();
    let moved = Moved { rate, cores: count.end(process.pid), memory: process.memory() };
    process.stop().await;
    moved
}
