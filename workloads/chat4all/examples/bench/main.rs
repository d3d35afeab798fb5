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
    let (records, messages) =
        (setting("BENCH_TOPIC_RECORDS", 1_000_000), setting("BENCH_CONVERSATION_MESSAGES", 100_000));
    // Two, because the accepted messages of the one would be the router's work in the other.
    let (accepting, routing) = (Place::create().await, Place::create().await);
    println!("{}\n", machine::described());
    table::head("floor", "ours");
    accept::measure(&accepting).await;
    let routed = routing::measure(&routing, records).await;
    println!();
    table::head("few", "many");
    routed.grown();
    reading::measure(&accepting, messages).await;
    println!("\n{NOTES}");
    accepting.remove().await;
    routing.remove().await;
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// The run of median throughput, and the least and the most of all.
fn median<T>(mut runs: Vec<T>, rate: impl Fn(&T) -> f64) -> (T, String) {
    runs.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    let ends = [runs.first(), runs.last()].map(|run| table::thousands(run.map_or(0.0, &rate)));
    (runs.swap_remove(runs.len() / 2), ends.join(" "))
}

const NOTES: &str = "\
Kafka, Cassandra, what is measured and the load generator share the cores, so a figure is the cost of the
whole way. \"cores\" tells who used how many: what is measured, the load generator, everything else.
accept: messages of 100 bytes over 1,000 conversations whose members are in the store. The floor is an axum
handler that produces the body with the same producer; ours checks token, fields and members as well.
open loop: a fixed arrival rate, latency from the intended time; the generator's clock ticks each millisecond.
router: the rate between a tenth of the backlog and all of it, counted in the topic of the deliveries. The
floor consumes, inserts one row and produces, 512 at once.";
