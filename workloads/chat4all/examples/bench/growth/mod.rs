//! How cost grows with partitions and replicas: what 1, 2 and 4 routers move of a topic of 12, 48 and 192
//! partitions and what a message costs them, and for how long partitions stand still when one more joins and
//! when it leaves. What more clusters cost the operator is measured by `make measure-offsets`.

mod backlog;
mod change;
mod draining;
mod flow;
mod handover;
mod owners;

use futures::future::join_all;

use crate::place::Place;
use crate::process::Process;
use owners::Owners;

/// The usual number, and four and sixteen times as many.
const PARTITIONS: [i32; 3] = [12, 48, 192];
const REPLICAS: [usize; 3] = [1, 2, 4];

/// What was measured.
#[derive(Default)]
pub struct Growth {
    pub drained: Vec<draining::Row>,
    pub handed_over: Vec<handover::Row>,
}

/// Measures it, in a place for each number of partitions. The routers drain so many messages each time.
pub async fn measure(messages: usize) -> Growth {
    let mut growth = Growth::default();
    for partitions in PARTITIONS {
        let place = Place::create(partitions).await;
        let conversations = flow::conversations(&place).await;
        let owners = Owners::of(&place);
        for replicas in REPLICAS {
            eprintln!("growth: {partitions} partitions, {replicas} replicas");
            let routers: Vec<_> = (0..replicas).map(|_| Process::ours("router", &place.settings)).collect();
            owners.among(replicas).await;
            growth.drained.push(draining::measure(&place, &routers, messages).await);
            growth.handed_over.extend(handover::measure(&place, &owners, &conversations, replicas).await);
            join_all(routers.into_iter().map(Process::stop)).await;
        }
        place.remove().await;
    }
    growth
}
