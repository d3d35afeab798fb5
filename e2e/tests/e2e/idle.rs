//! An operator with nothing to do writes nothing, and costs little. It looks at offsets all the while,
//! and automatic scaling is on, so that it also decides.

use std::sync::Arc;
use std::time::Duration;

use ::kube::ResourceExt as _;
use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::{restarted_at, rolled_out_with};
use chat4all_e2e::metrics::sample as sample_of;
use chat4all_e2e::report::Figure;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use crate::routers;
use crate::world::World;

const CASE: &str = "operator at rest";
const RESTARTED_WITHIN: Duration = Duration::from_secs(90);
const ROUTERS: u32 = 2;
const MEBIBYTE: f64 = 1_048_576.0;

pub async fn case(context: Arc<Context>) -> Outcome {
    routers::kept(&context, at_rest(&context)).await
}

async fn at_rest(context: &Context) -> Outcome {
    let deployment = &context.sample.routers.deployment;
    let world = World::of(context).await?;
    routers::set_autoscaling(context, &json!({"enabled": true, "minReplicas": ROUTERS, "maxReplicas": ROUTERS}))
        .await?;
    deployment.until(rolled_out_with(ROUTERS), RESTARTED_WITHIN).await?;

    // As `kubectl rollout restart` does it. What it wrote must be there still when all has come to rest.
    let now = deployment.restart().await?;
    deployment.until(rolled_out_with(ROUTERS), RESTARTED_WITHIN).await?;
    world.at_rest().await?;
    let restarted = deployment.until(restarted_at(&now), Duration::ZERO).await?;
    context.say("the routers were restarted; nothing is done for a while");

    let looked_at = world.stays_untouched_for(context.settings.idle).await?;
    deployment.until(restarted_at(&now), Duration::ZERO).await?;
    context.say(format!("none of {looked_at} objects was written in {} s", context.settings.idle.as_secs()));
    if restarted.metadata.generation.is_none() {
        return Err("a Deployment has a generation".into());
    }
    memory(context).await
}

/// Notes what the operator's pods hold in memory.
async fn memory(context: &Context) -> Outcome {
    let operator = &context.sample.operator;
    let holder = operator.holder().await?;
    for pod in operator.workload.running().await? {
        let name = pod.name_any();
        let metrics = operator.namespace.one::<Pod>(&name).http("/metrics").await?;
        let bytes = sample_of(&metrics, "process_resident_memory_bytes", &[]);
        let bytes = bytes.ok_or_else(|| format!("{name} has no process_resident_memory_bytes"))?;
        let role = if holder == Some(name) { "the leader" } else { "the one that waits" };
        context.say(format!("{role} holds {:.1} MiB", bytes / MEBIBYTE));
        let figure = Figure::new(CASE, format!("memory of {role}"), bytes / MEBIBYTE, "MiB", "below 30");
        context.report().measured(figure);
    }
    Ok(())
}
