//! The number of routers follows the work.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{NAMESPACE, World, another, condition, scaling};

const MINUTE: Duration = Duration::from_secs(60);

fn scale_writes(world: &World) -> usize {
    world.api.writes().iter().filter(|write| write.ends_with("deployments/demo-router/scale")).count()
}

fn scaled(world: &World) -> Vec<Value> {
    world.api.all("events").into_iter().filter(|event| event["reason"] == "ScaledRouters").collect()
}

#[tokio::test(start_paused = true)]
async fn a_backlog_brings_the_right_number_in_one_step_with_one_event() {
    let world = World::with_scaling_on().await;
    // Three routers can do 600 a second; 1000 need 1000 / 0.7 / 200 = 7.2, and 12 partitions share evenly at 12.
    world.flow.runs(1000.0, 200.0);
    let before = scale_writes(&world);
    world.pass(MINUTE * 2).await;
    assert_eq!(world.replicas(), 12);
    assert_eq!(scale_writes(&world) - before, 1, "{:?}", world.api.writes());
    let events = scaled(&world);
    assert_eq!(events.len(), 1, "{events:#?}");
    let line = events[0]["note"].as_str().unwrap();
    assert!(line.starts_with("routers 3 -> 12: arrival "), "{line}");
    assert!(line.contains("/s, capacity 200/s per busy replica, backlog "), "{line}");
    assert_eq!(world.cluster()["status"]["router"]["desired"], 12);
    assert!(
        world
            .metrics()
            .contains("chat4all_operator_router_desired_replicas{namespace=\"chat4all\",cluster=\"demo\"} 12")
    );
}

#[tokio::test(start_paused = true)]
async fn routers_that_are_not_needed_go_when_that_was_so_for_the_time_of_stabilization() {
    let world = World::with_scaling_on().await;
    world.flow.runs(100.0, 200.0);
    world.pass(MINUTE * 4).await;
    assert_eq!((world.replicas(), world.condition("RouterScaling").1.as_str()), (3, "Stabilizing"));
    world.pass(MINUTE * 2).await;
    assert_eq!(world.replicas(), 1);
    assert_eq!(scaled(&world).len(), 1, "{:#?}", scaled(&world));
}

#[tokio::test(start_paused = true)]
async fn an_idle_cluster_with_scaling_on_causes_no_writes_while_kafka_is_asked() {
    let world = World::with_scaling_on().await;
    world.pass(MINUTE * 30).await;
    let (before, looks) = (world.api.writes(), world.flow.looks());
    tokio::time::sleep(MINUTE * 5).await;
    assert!(world.flow.looks() >= looks + 55, "every five seconds");
    assert_eq!(world.api.writes()[before.len()..], [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn keda_4098_a_kafka_that_cannot_be_asked_leaves_the_number_and_says_so() {
    let world = World::with_scaling_on().await;
    world.flow.runs(300.0, 200.0);
    world.pass(MINUTE * 2).await;
    let before = world.replicas();
    world.flow.unreadable(true);
    world.until("it is said", |w| w.condition("RouterScaling").1 == "OffsetsUnreadable").await;
    assert!(
        world.condition("RouterScaling").2.contains("spec.kafka.bootstrapServers"),
        "{:?}",
        world.condition("RouterScaling")
    );
    assert!(world.metrics().contains("reason=\"OffsetsUnreadable\"} 1"), "{}", world.metrics());
    world.pass(MINUTE * 30).await;
    assert_eq!(world.replicas(), before);
    world.flow.unreadable(false);
    world.until("it goes on", |w| w.condition("RouterScaling").0 == "True").await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_is_started_anew_knows_what_a_router_can_do() {
    let world = World::with_scaling_on().await;
    world.flow.runs(400.0, 200.0);
    world.pass(MINUTE * 3).await;
    let learned = world.cluster()["status"]["router"]["learned"].clone();
    assert_eq!(learned["recordsPerSecond"], 200);
    let world = World::around(world.stop().await);
    world.pass(MINUTE).await;
    assert_eq!(world.cluster()["status"]["router"]["learned"], learned);
    assert!(
        world.metrics().contains("router_capacity_records_per_second{namespace=\"chat4all\",cluster=\"demo\"} 200"),
        "{}",
        world.metrics()
    );
}

#[tokio::test(start_paused = true)]
async fn other_pods_are_learned_about_anew() {
    let world = World::with_scaling_on().await;
    world.flow.runs(400.0, 200.0);
    world.pass(MINUTE * 3).await;
    world.flow.runs(0.0, 500.0);
    world.edit_spec(|spec| {
        spec["router"]["resources"] = json!({"limits": {"cpu": "2", "memory": "256Mi"}, "requests": {}})
    });
    world.pass(MINUTE).await;
    assert!(!world.metrics().contains("router_capacity_records_per_second{"), "{}", world.metrics());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_gone_is_not_asked_about_any_more() {
    let world = World::with_scaling_on().await;
    world.api.delete("chat4allclusters", NAMESPACE, "demo");
    world.until("it is forgotten", |w| w.flow.forgotten() == ["demo"]).await;
    let looks = world.flow.looks();
    tokio::time::sleep(MINUTE).await;
    assert_eq!(world.flow.looks(), looks);
    assert!(!world.metrics().contains("cluster=\"demo\""), "{}", world.metrics());
}

#[tokio::test(start_paused = true)]
async fn a_hundred_clusters_with_scaling_on_are_asked_about_and_written_only_when_something_changes() {
    let world = World::new();
    world.create_secrets();
    for number in 0..100 {
        let mut cluster = another(&format!("tenant-{number}"));
        cluster["spec"]["router"]["autoscaling"] = scaling();
        world.api.put(cluster);
    }
    let shown = |w: &World| {
        let clusters = w.api.all("chat4allclusters");
        clusters.iter().filter(|c| condition(c, "RouterScaling").0 == "True").count()
    };
    world.kubernetes_runs_everything().await;
    world.until("all were looked at", |w| shown(w) == 100).await;
    tokio::time::sleep(MINUTE * 2).await;
    let (before, looks) = (world.api.writes(), world.flow.looks());
    tokio::time::sleep(MINUTE).await;
    assert!(world.flow.looks() - looks >= 100 * 11, "{} looks", world.flow.looks() - looks);
    assert_eq!(world.api.writes()[before.len()..], [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_became_invalid_is_not_asked_about_until_it_is_valid() {
    let world = World::with_scaling_on().await;
    world.edit_spec(|spec| spec["store"]["keyspace"] = "Not A Keyspace".into());
    world.until("it is said", |w| w.condition("RouterScaling").1 == "SpecInvalid").await;
    assert_eq!(world.flow.forgotten(), ["demo"]);
    let looks = world.flow.looks();
    world.pass(MINUTE * 5).await;
    assert_eq!((world.flow.looks(), world.replicas()), (looks, 3));
    assert!(!world.metrics().contains("chat4all_operator_router_desired_replicas{"), "{}", world.metrics());
    assert_eq!(world.cluster()["status"]["router"]["lagSeconds"], json!(null));
    world.edit_spec(|spec| spec["store"]["keyspace"] = "demo".into());
    world.until("it goes on", |w| w.condition("RouterScaling").0 == "True").await;
    assert_eq!(world.replicas(), 3);
}
