//! Load: as much as so many connections carry, or so many requests a second however long the answers take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep_until};

use crate::connection::Connection;
use crate::cores::{Cores, Count};
use crate::times::Times;

/// Before anything is counted: caches fill, connections open.
const WARM_UP: Duration = Duration::from_secs(1);

/// Who is sent what; the requests take turns and each is answered with 202.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub pid: u32,
    pub requests: Arc<Vec<Vec<u8>>>,
}

/// What a load came to.
pub struct Carried {
    /// Requests a second.
    pub rate: f64,
    pub times: Times,
    pub cores: Cores,
}

/// Each connection sends its next request as soon as the last one is answered.
pub async fn closed(target: &Target, connections: usize, time: Duration) -> Carried {
    let begin = Instant::now() + WARM_UP;
    let end = begin + time;
    carry(target, connections, begin, time, move |target, turn| async move {
        let mut connection = Connection::open(target.address).await.unwrap();
        let mut times = Times::default();
        let mut sent = Instant::now();
        while sent < end {
            accepted(&mut connection, &target, turn()).await;
            let answered = Instant::now();
            if sent >= begin && answered < end {
                times.add(answered - sent);
            }
            sent = answered;
        }
        times
    })
    .await
}

/// Requests begin at even distances, `rate` of them a second, on whichever connection is free; one that has
/// to wait for a connection is late from its intended time on.
pub async fn open(target: &Target, connections: usize, rate: f64, time: Duration) -> Carried {
    let start = Instant::now();
    let begin = start + WARM_UP;
    let end = begin + time;
    carry(target, connections, begin, time, move |target, turn| async move {
        let mut connection = Connection::open(target.address).await.unwrap();
        let mut times = Times::default();
        loop {
            let turn = turn();
            let due = start + Duration::from_secs_f64(turn as f64 / rate);
            if due >= end {
                return times;
            }
            sleep_until(due).await;
            accepted(&mut connection, &target, turn).await;
            if due >= begin {
                times.add(due.elapsed());
            }
        }
    })
    .await
}

async fn accepted(connection: &mut Connection, target: &Target, turn: u64) {
    let request = &target.requests[turn as usize % target.requests.len()];
    let answer = connection.call(request).await.unwrap();
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(answer.body));
}

/// Runs a worker for each connection; a worker is given the turn of its next request when it asks.
async fn carry<W: Future<Output = Times> + Send + 'static>(
    target: &Target,
    connections: usize,
    begin: Instant,
    time: Duration,
    work: impl Fn(Target, Box<dyn Fn() -> u64 + Send + Sync>) -> W,
) -> Carried {
    let turns = Arc::new(AtomicU64::new(0));
    let workers = (0..connections).map(|_| {
        let turns = turns.clone();
        tokio::spawn(work(target.clone(), Box::new(move || turns.fetch_add(1, Ordering::Relaxed))))
    });
    let workers: Vec<_> = workers.collect();
    sleep_until(begin).await;
    let count = Count::begin(target.pid);
    sleep_until(begin + time).await;
    let cores = count.end(target.pid);
    let mut times = Times::default();
    for ended in join_all(workers).await {
        times.take_in(ended.unwrap());
    }
    Carried { rate: times.count() as f64 / time.as_secs_f64(), times, cores }
}
