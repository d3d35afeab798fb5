//! Automatic scaling is switched on and off: the count does not jump, whoever wrote it before, and two
//! writers never fight over it.

use std::sync::Arc;
use std::time::Duration;

use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::{because, rolled_out_with, shows};
use chat4all_e2e::replicas::Counts;
use chat4all_e2e::wait::{self, Look};
use k8s_openapi::api::autoscaling::v1::Scale;
use serde_json::{Value, json};

use crate::routers;

/// As a HorizontalPodAutoscaler writes.
const AUTOSCALER: &str = "horizontal-pod-autoscaler";

const SCALED_WITHIN: Duration = Duration::from_secs(90);
const SEEN_WITHIN: Duration = Duration::from_secs(30);

pub async fn case(context: Arc<Context>) -> Outcome {
    routers::kept(&context, handed_over(&context)).await
}

async fn handed_over(context: &Context) -> Outcome {
    let sample = &context.sample;
    let (resource, deployment) = (&sample.resource, &sample.routers.deployment);
    let counts = Counts::watch(deployment);

    // Off: whoever writes the scale of the resource decides.
    resource.until(because("RouterScaling", &["Off"]), SEEN_WITHIN).await?;
    resource.scale_to(3, AUTOSCALER).await?;
    deployment.until(rolled_out_with(3), SCALED_WITHIN).await?;
    let scale = resource.scale().await?;
    let selector = scale.status.as_ref().and_then(|status| status.selector.clone()).unwrap_or_default();
    if replicas_of(&scale) != Some(3) || !selector.contains("router") {
        return Err(format!("an autoscaler reads this scale: {scale:?}").into());
    }

    // On: it goes on from there.
    routers::set_autoscaling(context, &on_from(1)).await?;
    resource.until(because("RouterScaling", routers::AT_WORK), SEEN_WITHIN).await?;
    context.say("switched on");
    stays(&counts, 3)?;

    // A bound is kept at once, without knowing anything else; and off again stays there.
    routers::set_autoscaling(context, &on_from(4)).await?;
    deployment.until(rolled_out_with(4), SCALED_WITHIN).await?;
    resource.until(because("RouterScaling", routers::AT_WORK), SEEN_WITHIN).await?;
    routers::set_autoscaling(context, &routers::switched(&on_from(4), false)).await?;
    resource.until(because("RouterScaling", &["Off"]), SEEN_WITHIN).await?;
    context.say("switched off");
    stays(&counts, 4)?;
    wait::until("an autoscaler of the resource would go on from 4", SEEN_WITHIN, async || {
        match resource.scale().await {
            Ok(scale) if replicas_of(&scale) == Some(4) => Look::Yes(()),
            Ok(scale) => Look::NotYet(format!("it would go on from {:?}", replicas_of(&scale))),
            Err(error) => Look::NotYet(error.to_string()),
        }
    })
    .await?;
    resource.scale_to(3, AUTOSCALER).await?;
    deployment.until(rolled_out_with(3), SCALED_WITHIN).await?;

    // On, and somebody else writes the count of the Deployment.
    routers::set_autoscaling(context, &on_from(1)).await?;
    resource.until(because("RouterScaling", routers::AT_WORK), SEEN_WITHIN).await?;
    deployment.scale_to(2, "kubectl").await?;
    let told = resource.until(shows("RouterScaling", "False", "kubectl"), SEEN_WITHIN).await?;
    resource.until(because("RouterScaling", &["ReplicasSetElsewhere"]), SEEN_WITHIN).await?;
    let conditions = told.status.iter().flat_map(|status| &status.conditions);
    let message = conditions.filter(|c| c.type_ == "RouterScaling").map(|c| c.message.as_str()).next();
    context.say(format!("its condition says: {}", message.unwrap_or_default()));
    match counts.replicas().as_slice() {
        [_, 3, 4, 3, 2] => Ok(()),
        other => Err(format!("the counts were {other:?}").into()),
    }
}

/// Switched on with this least count, and so patient that nothing comes down while this runs.
fn on_from(least: u32) -> Value {
    json!({
        "enabled": true,
        "minReplicas": least,
        "scaleDownStabilizationSeconds": 3600,
        "cooldownSeconds": 0,
        "pollIntervalSeconds": 1,
    })
}

fn replicas_of(scale: &Scale) -> Option<i32> {
    scale.spec.as_ref()?.replicas
}

fn stays(counts: &Counts, replicas: u32) -> Outcome {
    match counts.replicas().last() {
        Some(last) if *last == replicas => Ok(()),
        _ => Err(format!("the count did not stay at {replicas}: {:?}", counts.replicas()).into()),
    }
}
