//! How cost grows with partitions and replicas: what 1, 2 and 4 routers move of a topic of 12, 48 and 192
//! partitions and what a message costs them, and for how long partitions stand still when one more joins and
//! when it leaves. Needs KAFKA_BOOTSTRAP_SERVERS, STORE_CONTACT_POINTS and the binary `chat4all` of the same
//! build; prints tables and asserts nothing. BENCH_GROWTH_RECORDS sets how many messages the routers drain.
//! What more clusters cost the operator is measured by `make measure-offsets`.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod backlog;
mod change;
mod draining;
mod flow;
mod handover;
mod owners;

#[allow(dead_code, reason = "the bench uses the rest")]
#[path = "../bench/connection.rs"]
mod connection;
#[allow(dead_code, reason = "the bench uses the rest")]
#[path = "../bench/cores.rs"]
mod cores;
#[path = "../bench/machine.rs"]
mod machine;
#[allow(dead_code, reason = "the bench uses the rest")]
#[path = "../bench/place.rs"]
mod place;
#[allow(dead_code, reason = "the bench uses the rest")]
#[path = "../bench/process.rs"]
mod process;

use chat4all_measure::Tables;
use futures::future::join_all;
use owners::Owners;
use place::{Place, setting};
use process::Process;

/// The usual number, and four and sixteen times as many.
const PARTITIONS: [i32; 3] = [12, 48, 192];
const REPLICAS: [usize; 3] = [1, 2, 4];

#[tokio::main]
async fn main() {
    let messages = setting("BENCH_GROWTH_RECORDS", 60_000);
    println!("{}", machine::described());
    let (mut drained, mut handed_over) = (Vec::new(), Vec::new());
    for partitions in PARTITIONS {
        let place = Place::create(partitions).await;
        let conversations = flow::conversations(&place).await;
        let owners = Owners::of(&place);
        for replicas in REPLICAS {
            eprintln!("{partitions} partitions, {replicas} replicas");
            let routers: Vec<_> = (0..replicas).map(|_| Process::ours("router", &place.settings)).collect();
            owners.among(replicas).await;
            drained.push(draining::measure(&place, &routers, messages).await);
            handed_over.extend(handover::measure(&place, &owners, &conversations, replicas).await);
            join_all(routers.into_iter().map(Process::stop)).await;
        }
        place.remove().await;
    }
    let mut tables = Tables::of("bench-growth");
    tables.add(&drained).unwrap();
    tables.add(&handed_over).unwrap();
    println!("\n{NOTES}");
}

const NOTES: &str = "\
Kafka, Cassandra and all replicas share the cores of this machine, so replicas cannot all have one: with more of
them than cores, messages_per_s tells how far the machine goes, and cpu_s_per_1000 what a message costs.
Draining: the backlog appears at once when the group has formed; counted from a tenth of it to all of it, in the
topic of the deliveries. rss_mib_at_most is of the replica that held the most.
Handover: each partition gets a message every 200 ms. One more replica joins, counted from the start of its
process, and leaves again, counted from its SIGTERM. A pause is the time in which messages of a partition waited
and none was done; moving_again_after_s tells when the last of the partitions that moved was at work again.";
