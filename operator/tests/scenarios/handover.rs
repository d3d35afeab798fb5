//! The number of routers changes hands without a jump, whatever else is wrong, and two who set it do not
//! fight.

use std::time::Duration;

use serde_json::json;

use crate::world::{NAMESPACE, World, scaling};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn switching_scaling_on_leaves_the_number_and_its_owner_is_the_scaler() {
    let world = World::with_a_ready_cluster().await;
    assert_eq!(world.condition("RouterScaling").1, "Off");
    world.edit_spec(|spec| spec["router"]["autoscaling"] = scaling());
    world.until("scaling is on", |w| w.condition("RouterScaling").1 != "Off").await;
    world.pass(MINUTE).await;
    assert_eq!(world.replicas(), 3);
    let owners = world.api.owners("deployments", NAMESPACE, "demo-router", "/f:spec/f:replicas");
    assert_eq!(owners, ["chat4all-operator-scaler/scale"]);
}

#[tokio::test(start_paused = true)]
async fn switching_scaling_off_leaves_the_number_and_the_resource_says_it() {
    let world = World::with_scaling_on().await;
    world.flow.runs(1000.0, 200.0);
    world.pass(MINUTE * 2).await;
    assert_eq!(world.replicas(), 12);
    world.edit_spec(|spec| spec["router"]["autoscaling"]["enabled"] = false.into());
    world.until("scaling is off", |w| w.condition("RouterScaling").1 == "Off").await;
    world.pass(MINUTE).await;
    assert_eq!(world.replicas(), 12);
    assert_eq!(world.cluster()["spec"]["router"]["replicas"], 12);
    // From now on the resource says it, for kubectl scale and for other autoscalers.
    world.edit_spec(|spec| spec["router"]["replicas"] = 4.into());
    world.until("the resource is followed", |w| w.replicas() == 4).await;
    world.edit_spec(|spec| spec["router"]["autoscaling"]["enabled"] = true.into());
    world.until("scaling is on", |w| w.condition("RouterScaling").1 != "Off").await;
    assert_eq!(world.replicas(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_number_given_in_the_same_edit_that_switches_scaling_off_is_meant() {
    let world = World::with_scaling_on().await;
    world.flow.runs(1000.0, 200.0);
    world.pass(MINUTE * 2).await;
    world.edit_spec(|spec| {
        spec["router"]["autoscaling"]["enabled"] = false.into();
        spec["router"]["replicas"] = 5.into();
    });
    world.until("the resource is followed", |w| w.replicas() == 5).await;
    world.pass(MINUTE).await;
    assert_eq!((world.replicas(), world.cluster()["spec"]["router"]["replicas"].as_i64()), (5, Some(5)));
}

#[tokio::test(start_paused = true)]
async fn a_new_cluster_with_scaling_on_begins_with_the_number_of_its_resource() {
    let world = World::new();
    world.create_secrets();
    let mut cluster = crate::world::sample();
    cluster["spec"]["router"] =
        json!({"replicas": 3, "autoscaling": {"enabled": true, "minReplicas": 2, "maxReplicas": 6}});
    world.api.put(cluster);
    world.kubernetes_runs_everything().await;
    world.until("the cluster is ready", |w| w.condition("Ready").0 == "True").await;
    world.pass(MINUTE).await;
    assert_eq!(world.replicas(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_new_cluster_with_scaling_on_begins_within_its_bounds() {
    let world = World::new();
    world.create_secrets();
    let mut cluster = crate::world::sample();
    cluster["spec"]["router"] =
        json!({"replicas": 9, "autoscaling": {"enabled": true, "minReplicas": 2, "maxReplicas": 6}});
    world.api.put(cluster);
    world.kubernetes_runs_everything().await;
    world.until("the cluster is ready", |w| w.condition("Ready").0 == "True").await;
    world.pass(MINUTE).await;
    assert_eq!(world.replicas(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_somebody_else_sets_is_named_respected_and_then_taken_over() {
    let world = World::with_scaling_on().await;
    world.flow.runs(100.0, 200.0);
    world.pass(MINUTE).await;
    world.api.edit("deployments", NAMESPACE, "demo-router", |d| d["spec"]["replicas"] = 9.into());
    world.until("it is named", |w| w.condition("RouterScaling").1 == "ReplicasSetElsewhere").await;
    let (status, _, message) = world.condition("RouterScaling");
    assert_eq!(status, "False");
    assert!(message.contains("set by kubectl") && message.contains("300 s"), "{message}");
    world.pass(MINUTE * 4).await;
    assert_eq!(world.replicas(), 9, "it is respected");
    world.pass(MINUTE * 30).await;
    assert_eq!(world.replicas(), 1, "it is taken over");
    assert_eq!(world.condition("Ready").0, "True");
}

#[tokio::test(start_paused = true)]
async fn scaling_that_is_switched_off_while_a_secret_is_missing_is_off_and_leaves_the_number_when_it_is_back() {
    let world = World::with_scaling_on().await;
    world.flow.runs(1000.0, 200.0);
    world.pass(MINUTE * 2).await;
    assert_eq!(world.replicas(), 12);
    world.api.delete("secrets", NAMESPACE, "demo-whatsapp");
    world.until("it is missed", |w| w.condition("SecretsAvailable").0 == "False").await;
    world.edit_spec(|spec| spec["router"]["autoscaling"]["enabled"] = false.into());
    world.until("scaling is off", |w| w.condition("RouterScaling").1 == "Off").await;
    world.flow.runs(0.0, 200.0);
    world.pass(MINUTE * 15).await;
    assert_eq!(world.replicas(), 12, "off is off");

    world.create_secrets();
    world.until("the resource says the number", |w| w.cluster()["spec"]["router"]["replicas"] == 12).await;
    world.pass(MINUTE).await;
    assert_eq!((world.replicas(), world.condition("Ready").0.as_str()), (12, "True"));
    // It is owed no more: what the resource says from now on is meant.
    world.edit_spec(|spec| spec["router"]["replicas"] = 3.into());
    world.until("the resource is followed", |w| w.replicas() == 3).await;
    world.pass(MINUTE).await;
    assert_eq!(world.cluster()["spec"]["router"]["replicas"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_the_resource_may_not_say_is_handed_back_as_the_most_that_it_may() {
    let world = World::with_scaling_on().await;
    world.api.edit("deployments", NAMESPACE, "demo-router", |d| d["spec"]["replicas"] = 20.into());
    world.until("it is named", |w| w.condition("RouterScaling").1 == "ReplicasSetElsewhere").await;
    world.edit_spec(|spec| spec["router"]["autoscaling"]["enabled"] = false.into());
    world.until("the resource is followed", |w| w.replicas() == 12).await;
    assert_eq!(world.cluster()["spec"]["router"]["replicas"], 12);
}

#[tokio::test(start_paused = true)]
async fn two_who_set_the_number_change_it_no_more_than_once_in_the_time_of_respect_and_each_time_is_told() {
    let world = World::with_scaling_on().await;
    world.edit_spec(|spec| {
        spec["router"]["autoscaling"]["scaleDownStabilizationSeconds"] = 60.into();
        spec["router"]["autoscaling"]["cooldownSeconds"] = 0.into();
    });
    world.flow.runs(100.0, 200.0);
    world.pass(MINUTE * 5).await;
    assert_eq!(world.replicas(), 1);
    let told =
        |w: &World| w.api.all("events").into_iter().filter(|event| event["reason"] == "ReplicasSetElsewhere").count();
    let (mut ours, before) = (0, told(&world));
    // Ten minutes of an autoscaler that wants nine.
    for _ in 0..60 {
        if world.replicas() != 9 {
            ours += 1;
            world.api.edit_as("an-autoscaler", "deployments", NAMESPACE, "demo-router", |d| {
                d["spec"]["replicas"] = 9.into();
            });
        }
        world.pass(Duration::from_secs(10)).await;
    }
    // The first time it is the other that begins.
    assert!((2..=10).contains(&(ours - 1)), "{ours} changes in ten minutes");
    assert!(told(&world) > before, "{:#?}", world.api.all("events"));
    assert!(world.condition("RouterScaling").2.contains("an-autoscaler"), "{:?}", world.condition("RouterScaling"));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_ours_whose_answer_was_lost_is_nobody_elses_and_is_told_once() {
    let world = World::with_scaling_on().await;
    world.flow.runs(1000.0, 200.0);
    world.api.loses_the_answer_to("PATCH deployments/demo-router/scale");
    world.pass(MINUTE * 2).await;
    assert_eq!(world.replicas(), 12);
    let events = world.api.all("events");
    let told = |reason: &str| events.iter().filter(|event| event["reason"] == reason).count();
    assert_eq!((told("ScaledRouters"), told("ReplicasSetElsewhere")), (1, 0), "{events:#?}");
}
