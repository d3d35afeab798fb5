//! For how long partitions stand still when one more router joins the others, and when it leaves them again.

use std::time::Duration;

use chat4all_measure::{Rounded, rounded, standstills};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::sleep;

use super::change::{Change, Pauses};
use super::flow;
use super::owners::Owners;
use crate::place::Place;
use crate::process::Process;

/// How long messages flow before and after each change.
const STEADY: Duration = Duration::from_secs(2);

/// The names of the fields are the headings.
#[derive(Serialize)]
pub struct Row {
    partitions: i32,
    replicas_before: usize,
    replicas_after: usize,
    partitions_that_moved: usize,
    moving_again_after_s: Rounded,
    longest_pause_of_moved_s: Rounded,
    longest_pause_of_others_s: Rounded,
}

impl Row {
    fn of(partitions: i32, [replicas_before, replicas_after]: [usize; 2], pauses: &Pauses) -> Self {
        let seconds = |time: Duration| rounded(time.as_secs_f64(), 2);
        Self {
            partitions,
            replicas_before,
            replicas_after,
            partitions_that_moved: pauses.moved,
            moving_again_after_s: seconds(pauses.moving_again),
            longest_pause_of_moved_s: seconds(pauses.longest_of_moved),
            longest_pause_of_others_s: seconds(pauses.longest_of_kept),
        }
    }
}

/// Lets one more router come to so many and go again, while messages of these conversations flow.
pub async fn measure(place: &Place, owners: &Owners, conversations: &[usize], routers: usize) -> [Row; 2] {
    let (work, [joined, left]) = flow::during(place, conversations, come_and_go(place, owners, routers)).await;
    let standstills = standstills(work);
    let (few, more) = (routers, routers + 1);
    [
        Row::of(place.partitions, [few, more], &joined.pauses(&standstills)),
        Row::of(place.partitions, [more, few], &left.pauses(&standstills)),
    ]
}

async fn come_and_go(place: &Place, owners: &Owners, routers: usize) -> [Change; 2] {
    sleep(STEADY).await;
    let before = owners.among(routers).await;
    let began = Timestamp::now();
    let another = Process::ours("router", &place.settings);
    let with_it = owners.among(routers + 1).await;
    let joined = Change::of(began, &before, &with_it);
    sleep(STEADY).await;
    let began = Timestamp::now();
    // Its process ends some time after its partitions have gone to others.
    let ((), without_it) = tokio::join!(another.stop(), owners.among(routers));
    let left = Change::of(began, &with_it, &without_it);
    sleep(STEADY).await;
    [joined, left]
}
