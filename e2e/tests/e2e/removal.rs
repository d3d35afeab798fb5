//! The resource is deleted and applied again: everything that it owned goes with it, and what
//! Kafka and Cassandra keep is still there for the next one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ::kube::ResourceExt as _;
use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::{Grace, Object, owned, ready};
use chat4all_e2e::wait::{self, Look};
use chat4all_operator::api::Chat4AllCluster;

use crate::install::first_message;

/// Pods take their grace of 30 s at most; the garbage collector comes after them.
const GONE_WITHIN: Duration = Duration::from_secs(90);

/// Topics and schema are there, so this is the start of the pods.
const READY_WITHIN: Duration = Duration::from_secs(180);

pub async fn case(context: Arc<Context>) -> Outcome {
    let sample = &context.sample;
    let conversation = first_message(&context, "before removal").await?;
    let before = sample.sign_in().await?.messages(&conversation).await?;
    let (topics, ends) = (sample.kafka.topics().await?, sample.kafka.ends(&sample.topics.messages()).await?);

    let resource = sample.resource.find().await?.ok_or("the sample is not installed")?;
    remove(&context, &resource).await?;
    let left = (sample.kafka.topics().await?, sample.kafka.ends(&sample.topics.messages()).await?);
    if left != (topics, ends) {
        return Err(format!("Kafka has not kept what it had: {left:?}").into());
    }

    let mut again = Chat4AllCluster::new(&resource.name_any(), resource.spec.clone());
    again.metadata.namespace = resource.namespace();
    again.metadata.labels = resource.metadata.labels.clone();
    again.metadata.annotations = resource.metadata.annotations.clone();
    sample.resource.create(&again).await?;
    context.say("applied again");
    sample.resource.until(ready(), READY_WITHIN).await?;
    let after = sample.sign_in().await?.messages(&conversation).await?;
    if after != before {
        return Err(format!("{conversation} was {before:?} and is now {after:?}").into());
    }
    first_message(&context, "applied again").await.map(drop)
}

/// Deletes the resource and waits until nothing is left of what it owned.
async fn remove(context: &Context, resource: &Chat4AllCluster) -> Outcome {
    let sample = &context.sample;
    let survey = sample.namespace.survey().await?;
    let owner = HashSet::from([resource.uid().ok_or("a resource has a uid")?]);
    let objects = survey.objects().await?;
    let owned_before = owned(&objects, &owner);
    for kind in ["Deployment", "Service", "ConfigMap", "ServiceAccount", "PodDisruptionBudget", "Pod"] {
        if !owned_before.iter().any(|object| object.kind == kind) {
            return Err(format!("the resource owns no {kind}: {}", names(&owned_before)).into());
        }
    }
    context.say(format!("deleting the resource, which owns {} objects", owned_before.len()));
    // A pod's owner may go before it, so what was owned before is looked for as well.
    let mut gone = owner.clone();
    gone.extend(owned_before.iter().map(|object| object.uid.clone()));

    let uid = sample.resource.delete(Grace::Own).await?.ok_or("the resource is gone already")?;
    sample.resource.until_gone(&uid, GONE_WITHIN).await?;
    let what = "everything that the resource owned is gone";
    wait::until(what, GONE_WITHIN, async || match survey.objects().await {
        Err(error) => Look::NotYet(error.to_string()),
        Ok(objects) => {
            let mut left = owned(&objects, &gone);
            left.extend(objects.iter().filter(|object| gone.contains(&object.uid)));
            if left.is_empty() { Look::Yes(()) } else { Look::NotYet(names(&left)) }
        }
    })
    .await?;
    Ok(())
}

fn names(objects: &[&Object]) -> String {
    objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
