//! The API server is away for a while: messages flow all the same, no workload restarts, and when it is
//! back the operator does its work again by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ::kube::ResourceExt as _;
use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::{Condition, Grace, ready};
use chat4all_e2e::node;
use chat4all_e2e::report::Figure;
use chat4all_e2e::story::{Duplicates, Story, Watched};
use chat4all_e2e::wait::{self, Look};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use tokio::time::Instant;

const CASE: &str = "API server away";

/// Its container ends.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// Its container starts, on a machine that carries a load.
const STARTS_WITHIN: Duration = Duration::from_secs(120);
/// A leader that could not renew the Lease has ended, and is started again after a pause.
const AT_WORK_WITHIN: Duration = Duration::from_secs(90);

pub async fn away(context: Arc<Context>) -> Outcome {
    let rate = context.settings.rate.div_ceil(2);
    let mut story =
        Story::begin_with(&context, CASE, Watched::Routers, rate, context.settings.conversations, 1).await?;
    let done = away_and_back(&context, &mut story).await;
    story.end(done, Duplicates::Never).await.map(drop)
}

async fn away_and_back(context: &Context, story: &mut Story<'_>) -> Outcome {
    story.until_received(50).await?;
    node::take_api_server_away(context.settings.away).await?;
    let cluster = &context.sample.cluster;
    wait::until("the API server does not answer", ENDS_WITHIN, async || match cluster.text("/readyz").await {
        Ok(answer) => Look::NotYet(format!("it says {answer:?}")),
        Err(_) => Look::Yes(()),
    })
    .await?;
    story.disturb("API server".into(), BTreeSet::new());
    context.say("the API server is away");
    story.until_every_partition_moved().await?;
    if let Ok(answer) = cluster.text("/readyz").await {
        return Err(format!("it was not away long enough to see messages flow: it says {answer:?}").into());
    }
    context.say("messages of every partition go on");
    let limit = context.settings.away + STARTS_WITHIN;
    wait::until("the API server is back", limit, async || cluster.text("/readyz").await.into()).await?;
    context.say("the API server is back");
    at_work_again(context).await
}

/// The operator puts back what is taken from it.
async fn at_work_again(context: &Context) -> Outcome {
    let back = Instant::now();
    let budget = context.sample.namespace.one::<PodDisruptionBudget>("demo-router");
    let gone = budget.delete(Grace::Own).await?.ok_or("the routers have no PodDisruptionBudget")?;
    let another = Condition::new("is there again", move |budget: &PodDisruptionBudget| match budget.uid() {
        Some(uid) if uid != gone => Ok(()),
        _ => Err("it is still the former one".into()),
    });
    budget.until(another, AT_WORK_WITHIN).await?;
    let after = back.elapsed().as_secs_f64();
    context.say(format!("the operator is at work {after:.1} s after that"));
    context.report().measured(Figure::new(CASE, "until the operator is at work again", after, "s", ""));
    context.sample.resource.until(ready(), AT_WORK_WITHIN).await?;
    Ok(())
}
