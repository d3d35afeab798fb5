//! What cases do with `spec.router` of the sample, and how they put it back.

use std::time::Duration;

use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::{ready, rolled_out_with};
use serde_json::{Value, json};

/// Reasons of the condition RouterScaling when the operator looks and decides.
pub const AT_WORK: &[&str] =
    &["AsNeeded", "Learning", "Rebalancing", "CoolingDown", "Draining", "Stabilizing", "AtMaximum"];

/// Some pods are rolled.
const ROLLED_WITHIN: Duration = Duration::from_secs(90);

/// Runs a case that changes `spec.router`, and afterwards puts back what was there.
pub async fn kept(context: &Context, case: impl Future<Output = Outcome>) -> Outcome {
    let sample = &context.sample;
    let before = sample.resource.find().await?.ok_or("the sample is not installed")?.spec.router;
    let replicas = u32::try_from(before.replicas)?;
    let before = serde_json::to_value(before)?;
    let done = case.await;
    let restored = async {
        set(context, &before).await?;
        sample.routers.deployment.until(rolled_out_with(replicas), ROLLED_WITHIN).await?;
        sample.resource.until(ready(), ROLLED_WITHIN).await?;
        Ok(())
    };
    done.and(restored.await)
}

/// Sets `spec.router` of the sample to this and nothing else.
pub async fn set(context: &Context, router: &Value) -> Outcome {
    Ok(context.sample.resource.edit(|object| object["spec"]["router"] = router.clone()).await.map(drop)?)
}

/// Sets `spec.router.autoscaling` of the sample to this and nothing else.
pub async fn set_autoscaling(context: &Context, autoscaling: &Value) -> Outcome {
    let change = |object: &mut Value| object["spec"]["router"]["autoscaling"] = autoscaling.clone();
    Ok(context.sample.resource.edit(change).await.map(drop)?)
}

/// `spec.router.autoscaling` with these settings, switched on or off.
pub fn switched(settings: &Value, on: bool) -> Value {
    let mut settings = settings.clone();
    settings["enabled"] = json!(on);
    settings
}
