//! The operator that leads is killed: another one takes over, and does nothing again that was done.

use std::sync::Arc;
use std::time::Duration;

use ::kube::ResourceExt as _;
use chat4all_e2e::context::{Context, Outcome, told};
use chat4all_e2e::deletion::Way;
use chat4all_e2e::metrics::sample as sample_of;
use chat4all_e2e::report::Figure;
use chat4all_e2e::wait::{self, Look};
use k8s_openapi::api::core::v1::Pod;
use tokio::time::Instant;

use crate::world::World;

const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(20);
/// It reads what there is, and reconciles it.
const AT_WORK_WITHIN: Duration = Duration::from_secs(30);

pub async fn killed(context: Arc<Context>) -> Outcome {
    let operator = &context.sample.operator;
    let world = World::of(&context).await?;
    let before = world.at_rest().await?;
    let leader = operator.leader().await?.ok_or("no operator leads")?;
    let former = leader.name_any();
    context.say(format!("{former} leads and is killed"));
    operator.workload.delete(&leader, Way::Killed).await?;
    let killed = Instant::now();
    let what = format!("the Lease names another than {former}");
    let holder = wait::until(what, TAKEN_OVER_WITHIN, async || match operator.holder().await {
        Ok(Some(holder)) if holder != former => Look::Yes(holder),
        Ok(holder) => Look::NotYet(format!("it names {holder:?}")),
        Err(error) => Look::NotYet(error.to_string()),
    })
    .await?;
    let took = killed.elapsed().as_secs_f64();
    context.say(format!("{holder} leads after {took:.1} s"));
    context.report().measured(Figure::new("leader killed", "until another leads", took, "s", "below 20"));

    let what = format!("{holder} has reconciled the sample");
    wait::until(what, AT_WORK_WITHIN, async || match reconciles(&context, &holder).await {
        Ok(count) if count >= 1.0 => Look::Yes(()),
        Ok(count) => Look::NotYet(format!("it counts {count} reconciles that applied everything")),
        Err(error) => Look::NotYet(told(&*error)),
    })
    .await?;
    operator.workload.until_replaced(&leader).await?;
    let writes = world.at_rest().await?.since(&before);
    if writes.is_empty() {
        Ok(())
    } else {
        Err(format!("written by the one that took over: {}", writes.join("; ")).into())
    }
}

/// Reconciles of this pod that applied everything.
async fn reconciles(context: &Context, pod: &str) -> Outcome<f64> {
    let metrics = context.sample.operator.namespace.one::<Pod>(pod).http("/metrics").await?;
    let count = sample_of(&metrics, "chat4all_operator_reconciles_total", &[("outcome", "Applied")]);
    Ok(count.unwrap_or_default())
}
