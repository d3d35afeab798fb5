//! What the API accepts, what a router moves, and whether either falls as topics and conversations grow:
//! each beside a floor, which is the same work with the same crates and nothing else, measured in the same
//! run; then how cost grows with partitions and replicas. Needs KAFKA_BOOTSTRAP_SERVERS, STORE_CONTACT_POINTS
//! and the binary `chat4all` of the same build; prints tables and asserts nothing. Its arguments are the parts
//! to run, `accept`, `router`, `read` and `growth`; all without any. BENCH_TOPIC_RECORDS and
//! BENCH_CONVERSATION_MESSAGES set how far the topic and the conversation grow, BENCH_GROWTH_RECORDS how many
//! messages the routers drain of each number of partitions.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod accept;
mod bare;
mod connection;
mod cores;
mod growth;
mod load;
mod machine;
mod parts;
mod place;
mod process;
mod reading;
mod routing;
mod table;
mod times;

use std::process::ExitCode;

use chat4all_measure::Tables;
use parts::Part;
use place::{PARTITIONS, Place, setting};

/// As the workload's, because the floors are this program too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Floor and ours are measured in turn, so often, and the run of median throughput is shown.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(bare::AS_API) => bare::api::serve().await,
        Some(bare::AS_ROUTER) => bare::router::run().await,
        _ => match parts::named(&arguments) {
            Ok(parts) => bench(&parts).await,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        },
    }
    ExitCode::SUCCESS
}

async fn bench(parts: &[Part]) {
    println!("{}", machine::described());
    let mut tables = Tables::of("bench");
    for part in parts {
        measure(*part, &mut tables).await;
    }
    println!("\n{NOTES}");
}

async fn measure(part: Part, tables: &mut Tables) {
    match part {
        Part::Accept => in_a_place(async |place| tables.add(&accept::measure(place).await).unwrap()).await,
        Part::Router => {
            let records = setting("BENCH_TOPIC_RECORDS", 1_000_000);
            let routed = in_a_place(async |place| routing::measure(place, records).await).await;
            tables.add(&routed.beside).unwrap();
            tables.add(&routed.grown).unwrap();
        }
        Part::Read => {
            let messages = setting("BENCH_CONVERSATION_MESSAGES", 100_000);
            in_a_place(async |place| tables.add(&reading::measure(place, messages).await).unwrap()).await;
        }
        Part::Growth => {
            let growth = growth::measure(setting("BENCH_GROWTH_RECORDS", 60_000)).await;
            tables.add(&growth.drained).unwrap();
            tables.add(&growth.handed_over).unwrap();
        }
    }
}

/// A part has a place of its own, because the accepted messages of one would be the router's work in another.
async fn in_a_place<T>(work: impl AsyncFnOnce(&Place) -> T) -> T {
    let place = Place::create(PARTITIONS).await;
    let done = work(&place).await;
    place.remove().await;
    done
}

/// The run of median throughput, and the least and the most throughput of all.
fn median<T>(mut runs: Vec<T>, rate: impl Fn(&T) -> f64) -> (T, [f64; 2]) {
    runs.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    let ends = [runs.first(), runs.last()].map(|run| run.map_or(0.0, &rate));
    (runs.swap_remove(runs.len() / 2), ends)
}

const NOTES: &str = "\
Kafka, Cassandra, what is measured and the load generator share the cores, so a figure is the cost of the
whole way. \"cores\" tells who used how many: what is measured, the load generator, everything else.
accept: messages of 100 bytes over 1,000 conversations whose members are in the store. The floor is an axum
handler that produces the body with the same producer; ours checks token, fields and members as well.
open loop: a fixed arrival rate, latency from the intended time; the generator's clock ticks each millisecond.
router: the rate between a tenth of the backlog and all of it, counted in the topic of the deliveries. The
floor consumes, inserts one row and produces, 512 at once.
growth: all replicas share the cores, so with more of them than cores messages_per_s tells how far the machine
goes, and cpu_s_per_1000 what a message costs. The backlog appears at once when the group has formed; counted
from a tenth of it to all of it. rss_mib_at_most is of the replica that held the most. Then each partition gets
a message every 200 ms; one more replica joins, counted from the start of its process, and leaves again, counted
from its SIGTERM. A pause is the time in which messages of a partition waited and none was done;
moving_again_after_s tells when the last of the partitions that moved was at work again.";
