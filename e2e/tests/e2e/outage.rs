//! The provider is down for half a minute: the breaker opens, Kafka keeps the messages, and all of
//! them arrive when it has closed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ::kube::ResourceExt as _;
use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::because;
use chat4all_e2e::metrics::sample;
use chat4all_e2e::story::{Duplicates, Story, Watched};
use chat4all_e2e::wait::{self, Look};
use k8s_openapi::api::core::v1::Pod;

const DOWN: Duration = Duration::from_secs(30);

/// It opens within a second of calls that fail.
const OPENS_WITHIN: Duration = Duration::from_secs(30);

/// The operator looks every 15 s.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

/// It stays open for 30 s, and opens once more when its first trials come a little too early.
const CLOSES_WITHIN: Duration = Duration::from_secs(120);

pub async fn case(context: Arc<Context>) -> Outcome {
    let settings = &context.settings;
    // Half the rate: what piles up for a minute is then delivered in less than another.
    let rate = settings.rate.div_ceil(2);
    let mut story =
        Story::begin_with(&context, "provider down", Watched::Connector, rate, settings.conversations, 1).await?;
    let done = outage(&context, &mut story).await;
    story.end(done, Duplicates::Never).await.map(drop)
}

async fn outage(context: &Context, story: &mut Story<'_>) -> Outcome {
    story.until_received(100).await?;
    context.sample.simulator.go_down(503, DOWN).await?;
    story.disturb("provider".into(), BTreeSet::new());
    context.say("the provider is down");
    until_breaker(context, "open", OPENS_WITHIN).await?;
    context.say("the breaker is open");
    context.sample.resource.until(because("ConnectorsHealthy", &["BreakerOpen"]), TOLD_WITHIN).await?;
    until_breaker(context, "closed", CLOSES_WITHIN).await?;
    context.say("the breaker is closed");
    Ok(())
}

/// Waits until the breaker of every connector pod is in this state.
async fn until_breaker(context: &Context, state: &str, limit: Duration) -> Outcome {
    let connectors = &context.sample.connectors;
    let what = format!("the breaker is {state} in every pod of {}", connectors.deployment);
    let look = async || -> Outcome<()> {
        for pod in connectors.running().await? {
            let name = pod.name_any();
            let text = context.sample.namespace.one::<Pod>(&name).http("/metrics").await?;
            if sample(&text, "chat4all_connector_breaker_state", &[("state", state)]) != Some(1.0) {
                let lines: Vec<&str> = text.lines().filter(|line| line.contains("breaker_state{")).collect();
                return Err(format!("{name} says {lines:?}").into());
            }
        }
        Ok(())
    };
    Ok(wait::until(what, limit, async || Look::from(look().await)).await?)
}
