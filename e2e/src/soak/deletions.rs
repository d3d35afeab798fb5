//! A pod ends each minute, gracefully, and another takes its place.

use std::collections::BTreeSet;
use std::time::Duration;

use ::kube::ResourceExt as _;
use tokio::time::{MissedTickBehavior, interval};

use super::chance::{Chance, candidates};
use crate::context::{Context, Outcome};
use crate::deletion::Way;
use crate::story::Story;

const A_MINUTE: Duration = Duration::from_secs(60);

/// So many, each when the one before was replaced and messages of every partition go all the way.
pub(super) async fn each_minute(context: &Context, story: &mut Story<'_>, minutes: u32, mut chance: Chance) -> Outcome {
    let sample = &context.sample;
    let workloads = [&sample.api, &sample.routers, &sample.connectors, &sample.operator.workload];
    story.until_every_partition_moved().await?;
    let mut turns = interval(A_MINUTE);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one is at once, and nothing is deleted in it.
    turns.tick().await;
    for minute in 1..=minutes {
        turns.tick().await;
        let mut pods = Vec::new();
        for workload in workloads {
            let running = workload.running().await?;
            pods.extend(candidates(&running).iter().map(|pod| (workload, pod.clone())));
        }
        let (workload, pod) = pods.get(chance.draw(pods.len())).ok_or("no pod is ready")?;
        context.say(format!("minute {minute} of {minutes}: {} is {}", pod.name_any(), Way::Graceful));
        story.disturb(pod.name_any(), BTreeSet::new());
        workload.delete(pod, Way::Graceful).await?;
        workload.until_replaced(pod).await?;
        story.until_every_partition_moved().await?;
    }
    Ok(())
}
