//! What goes through the topics of the clusters: records arrive and routers finish them, as time passes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat4all_message::Topics;
use chat4all_operator::kafka::Error;
use chat4all_operator::kafka::offsets::OffsetSource;
use chat4all_operator::scaler::pods::{PodReading, PodSource, Readings};
use chat4all_operator::scaling::{Committed, Offsets, PartitionOffsets};
use tokio::time::Instant;

use crate::api_server::ApiServer;

const PARTITIONS: i32 = 12;

/// Messages of all clusters; they bring back no statuses. Clones share it.
#[derive(Clone)]
pub struct Flow {
    api: ApiServer,
    state: Arc<Mutex<State>>,
}

struct State {
    /// Records in a second, into every cluster.
    arrival: f64,
    /// Records that a router finishes in a second.
    capacity: f64,
    unreadable: bool,
    clusters: HashMap<String, Cluster>,
    looks: usize,
    forgotten: Vec<String>,
}

struct Cluster {
    at: Instant,
    arrived: f64,
    finished: f64,
    /// Of each router.
    busy_seconds: f64,
    /// How often the number of routers changed.
    rebalances: u64,
    routers: usize,
}

impl Flow {
    pub fn on(api: &ApiServer) -> Self {
        let state = State {
            arrival: 0.0,
            capacity: 100.0,
            unreadable: false,
            clusters: HashMap::new(),
            looks: 0,
            forgotten: Vec::new(),
        };
        Self { api: api.clone(), state: Arc::new(Mutex::new(state)) }
    }

    /// So many records a second come in from now on, and a router finishes so many.
    pub fn runs(&self, arrival: f64, capacity: f64) {
        let mut state = self.state.lock().unwrap();
        (state.arrival, state.capacity) = (arrival, capacity);
    }

    pub fn unreadable(&self, unreadable: bool) {
        self.state.lock().unwrap().unreadable = unreadable;
    }

    /// How often Kafka was asked.
    pub fn looks(&self) -> usize {
        self.state.lock().unwrap().looks
    }

    /// The topic prefixes of the clusters of which nothing is kept any more.
    pub fn forgotten(&self) -> Vec<String> {
        self.state.lock().unwrap().forgotten.clone()
    }

    /// The router pods of a cluster: their names are their addresses.
    fn routers(&self, cluster: &str) -> usize {
        self.api.names("pods").into_iter().filter(|pod| pod.starts_with(&format!("{cluster}-router-"))).count()
    }
}

impl State {
    /// Lets the time since the last look pass in a cluster.
    fn advance(&mut self, cluster: &str, routers: usize) -> &mut Cluster {
        let now = Instant::now();
        let cluster = self.clusters.entry(cluster.to_owned()).or_insert(Cluster {
            at: now,
            arrived: 0.0,
            finished: 0.0,
            busy_seconds: 0.0,
            rebalances: 0,
            routers,
        });
        let seconds = (now - std::mem::replace(&mut cluster.at, now)).as_secs_f64();
        if cluster.routers != routers {
            cluster.routers = routers;
            cluster.rebalances += 1;
        }
        cluster.arrived += self.arrival * seconds;
        let able = self.capacity * routers as f64 * seconds;
        let done = able.min(cluster.arrived - cluster.finished);
        cluster.finished += done;
        cluster.busy_seconds += if able > 0.0 { done / able * seconds } else { 0.0 };
        cluster
    }
}

/// The sample has no prefix; those beside it have `name.`.
fn cluster_of(topics: &Topics) -> String {
    let topic = topics.messages();
    topic.strip_suffix(".messages").unwrap_or("demo").to_owned()
}

#[async_trait]
impl OffsetSource for Flow {
    async fn look(&self, brokers: &str, topics: &Topics) -> Result<Offsets, Error> {
        let name = cluster_of(topics);
        let routers = self.routers(&name);
        let mut state = self.state.lock().unwrap();
        state.looks += 1;
        if state.unreadable {
            return Err(Error::Unreachable { brokers: brokers.into(), reason: "refused".into() });
        }
        let cluster = state.advance(&name, routers);
        #[allow(clippy::cast_possible_truncation)]
        let share = |total: f64| (total / f64::from(PARTITIONS)) as i64;
        let partition = |partition, high, committed| PartitionOffsets {
            partition,
            low: 0,
            high,
            committed: Committed::At(committed),
        };
        let (high, committed) = (share(cluster.arrived), share(cluster.finished));
        Ok(Offsets {
            messages: (0..PARTITIONS).map(|n| partition(n, high, committed)).collect(),
            statuses: (0..PARTITIONS).map(|n| partition(n, 0, 0)).collect(),
        })
    }

    fn forget(&self, _: &str, topics: &Topics) {
        self.state.lock().unwrap().forgotten.push(cluster_of(topics));
    }
}

#[async_trait]
impl PodSource for Flow {
    async fn ask(&self, addresses: &[String]) -> Readings {
        let Some(name) = addresses.first().and_then(|a| Some(a.split_once("-router-")?.0.to_owned())) else {
            return Readings::new();
        };
        let routers = self.routers(&name);
        let mut state = self.state.lock().unwrap();
        let cluster = state.advance(&name, routers);
        let prefix = if name == "demo" { String::new() } else { format!("{name}.") };
        let topics = Topics::with_prefix(prefix);
        let share =
            |n: usize| (PARTITIONS as usize * (n + 1) / addresses.len()) - (PARTITIONS as usize * n / addresses.len());
        let reading = |n: usize| PodReading {
            busy_seconds: cluster.busy_seconds,
            rebalances: cluster.rebalances,
            partitions: BTreeMap::from(
                [topics.router_group(), topics.status_group()].map(|group| (group, share(n) as u32)),
            ),
        };
        addresses.iter().enumerate().map(|(n, address)| (address.clone(), Some(reading(n)))).collect()
    }
}
