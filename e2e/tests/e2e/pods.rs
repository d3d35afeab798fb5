//! Pods are deleted under load. After a graceful end nothing is lost and nothing comes twice; after
//! a kill, what comes twice is what the ledger names.

use std::sync::Arc;

use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::deletion::Way;
use chat4all_e2e::settings::Settings;
use chat4all_e2e::story::{Duplicates, Story, Watched};
use serde_json::json;

/// A connector has one pod and all partitions: its end is worth fewer repetitions than a router's.
const CONNECTORS: u32 = 2;

/// Messages that are sent at least while connectors end.
const WITH_CONNECTORS: u64 = 2000;

pub async fn routers_deleted(context: Arc<Context>) -> Outcome {
    let mut story = Story::begin(&context, "routers deleted", Watched::Routers).await?;
    let done = story.delete(&context.sample.routers, Way::Graceful, context.settings.deletions).await;
    story.end(done, Duplicates::Never).await.map(drop)
}

/// A router names no unknown outcomes, and needs none: its steps are the same when they are
/// repeated, so the provider gets nothing twice here either, unless the connector says so.
pub async fn routers_killed(context: Arc<Context>) -> Outcome {
    let mut story = Story::begin(&context, "routers killed", Watched::Routers).await?;
    let done = story.delete(&context.sample.routers, Way::Killed, context.settings.deletions).await;
    story.end(done, Duplicates::Named).await.map(drop)
}

pub async fn connectors_deleted(context: Arc<Context>) -> Outcome {
    connectors(&context, "connectors deleted", Way::Graceful, Duplicates::Never).await
}

pub async fn connectors_killed(context: Arc<Context>) -> Outcome {
    connectors(&context, "connectors killed", Way::Killed, Duplicates::Named).await
}

/// The provider takes a tenth of a second for its answers, as real ones do: so there are always
/// calls under way when a pod ends.
async fn connectors(context: &Context, case: &'static str, way: Way, duplicates: Duplicates) -> Outcome {
    context.sample.simulator.misbehave(&json!({"delayMillis": 100})).await?;
    let Settings { rate, conversations, deletions, .. } = context.settings;
    let mut story = Story::begin_with(context, case, Watched::Connector, rate, conversations, WITH_CONNECTORS).await?;
    let done = story.delete(&context.sample.connectors, way, deletions.min(CONNECTORS)).await;
    story.end(done, duplicates).await.map(drop)
}
