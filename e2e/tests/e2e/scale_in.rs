//! The routers are scaled to the maximum and back under load, through the resource as `kubectl scale`
//! and autoscalers do it: nothing is lost, nothing comes twice or out of order, and a partition that
//! keeps its router does not stand still.

use std::sync::Arc;
use std::time::Duration;

use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::history::{Accepted, Pauses, longest_wait};
use chat4all_e2e::kube::rolled_out_with;
use chat4all_e2e::sample::PARTITIONS;
use chat4all_e2e::settings::Settings;
use chat4all_e2e::story::{Duplicates, Reckoning, Story, Watched};
use jiff::Timestamp;

use crate::routers;

/// Up at once, back in two steps: after the first of these several routers keep partitions.
const COUNTS: [u32; 3] = [PARTITIONS, 4, 1];

/// A partition that keeps its router may stand still for as long as the machine makes everybody wait at
/// that time, and this. A rebalance that stops everything takes a heartbeat and a drain more.
const UNTOUCHED_PAUSE: Duration = Duration::from_millis(500);

const STARTED_WITHIN: Duration = Duration::from_secs(60);

pub async fn case(context: Arc<Context>) -> Outcome {
    routers::kept(&context, under_load(&context)).await
}

async fn under_load(context: &Context) -> Outcome {
    let sample = &context.sample;
    sample.resource.scale_to(1, "kubectl").await?;
    sample.routers.deployment.until(rolled_out_with(1), STARTED_WITHIN).await?;
    // Half the rate: a dozen pods that start need some of the machine.
    let Settings { rate, conversations, .. } = context.settings;
    let case = "routers scaled up and in";
    let mut story = Story::begin_with(context, case, Watched::Routers, rate.div_ceil(2), conversations, 1).await?;
    let done = scaled(&mut story).await;
    let Reckoning { history, pauses, .. } = story.end(done, Duplicates::Never).await?;
    let ends = pauses.iter().skip(1).map(|next| next.disturbance.at).chain([Timestamp::MAX]);
    let complaints: Vec<String> =
        pauses.iter().zip(ends).filter_map(|(pauses, end)| complaint(pauses, &history.accepted, end)).collect();
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
}

async fn scaled(story: &mut Story<'_>) -> Outcome {
    story.until_received(100).await?;
    for count in COUNTS {
        story.scale_routers(count).await?;
    }
    Ok(())
}

/// What is wrong with the pauses of one change of the count, which the next one ended.
fn complaint(pauses: &Pauses, accepted: &[Accepted], end: Timestamp) -> Option<String> {
    let Pauses { disturbance, by_partition } = pauses;
    let untouched = by_partition.iter().filter(|(partition, _)| !disturbance.orphaned.contains(partition));
    let (partition, pause) = untouched.max_by_key(|(_, pause)| **pause)?;
    let everybody = longest_wait(accepted, disturbance.at, end);
    (*pause > everybody + UNTOUCHED_PAUSE).then(|| {
        let victim = &disturbance.victim;
        format!(
            "routers {victim}: partition {partition} kept its router and stood still for {pause:.1?}; the API answered within {everybody:.1?}"
        )
    })
}
