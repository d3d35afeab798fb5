//! What the API accepts, what a router moves, and whether either falls as topics and conversations grow:
//! each beside a floor, which is the same work with the same crates and nothing else, measured in the same
//! run. Needs KAFKA_BOOTSTRAP_SERVERS, STORE_CONTACT_POINTS and the binary `chat4all` of the same build;
//! prints a table and asserts nothing. BENCH_TOPIC_RECORDS and BENCH_CONVERSATION_MESSAGES set how far the
//! topic and the conversation grow.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod accept;
mod bare;
mod connection;
mod cores;
mod load;
mod machine;
mod place;
mod process;
mod reading;
mod routing;
mod table;
mod times;

use place::Place;
use table::Table;

/// As the workload's, because the floors are this program too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Floor and ours are measured in turn, so often, and the run of median throughput is shown.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(bare::AS_API) => return bare::api::serve().await,
        Some(bare::AS_ROUTER) => return bare::router::run().await,
        _ => {}
    }
    println!("{}\n", machine::described());
    let mut table = Table::default();

    let place = Place::create().await;
    accept::measure(&place, &mut table).await;
    let grown = reading::measure(&place, setting("BENCH_CONVERSATION_MESSAGES", 100_000)).await;
    place.remove().await;

    let place = Place::create().await;
    let topic = routing::measure(&place, setting("BENCH_TOPIC_RECORDS", 1_000_000), &mut table).await;
    place.remove().await;

    table.print("floor", "ours", "of floor", "aim");
    println!();
    topic.followed_by(grown).print("smaller", "larger", "of smaller", "aim");
    println!("\n{NOTES}");
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// The run of median throughput.
fn median<T>(mut runs: Vec<T>, rate: impl Fn(&T) -> f64) -> T {
    runs.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    runs.swap_remove(runs.len() / 2)
}

const NOTES: &str = "\
Kafka, Cassandra, what is measured and the load generator share the cores, so a figure is the cost of the
whole way. \"cores\" tells who used how many: what is measured, the load generator, everything else.
accept: messages of 100 bytes over 1,000 conversations whose members are in the store. The floor is an axum
handler that produces the body with the same producer; ours checks token, fields and members as well.
open loop: a fixed arrival rate, latency from the intended time; the generator's clock ticks each millisecond.
router: the rate between a tenth of the backlog and all of it, counted in the topic of the deliveries. The
floor consumes, inserts one row and produces, 512 at once.";
