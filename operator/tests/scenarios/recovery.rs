//! The operator is started anew, or loses the API server for a while, and goes on as if nothing had been.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::{World, another, condition, scaling};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn an_api_server_that_was_away_for_a_minute_is_followed_again_by_itself() {
    let world = World::with_scaling_on().await;
    world.pass(MINUTE).await;
    world.api.is_away(true);
    world.flow.runs(1000.0, 200.0);
    world.pass(MINUTE).await;
    assert_eq!(world.replicas(), 3);
    // In its last moment away, when no watch could see it.
    world.edit_spec(|spec| spec["connectors"] = json!([]));
    world.api.is_away(false);

    world.until("the routers follow the work", |w| w.replicas() == 12).await;
    world.until("the connector is gone", |w| w.api.names("deployments") == ["demo-api", "demo-router"]).await;
    world.kubernetes_runs_everything().await;
    world.until("the cluster is ready", |w| w.condition("Ready").0 == "True").await;
    let told = world.api.all("events").into_iter().filter(|event| event["reason"] == "ScaledRouters").count();
    assert_eq!(told, 1, "{:#?}", world.api.all("events"));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_clusters_with_scaling_on_are_reconciled_within_a_minute_of_a_restart_and_nothing_changes() {
    let world = World::new();
    world.create_secrets();
    for number in 0..100 {
        let mut cluster = another(&format!("tenant-{number}"));
        // As many as idle clusters need.
        cluster["spec"]["router"] = json!({"replicas": 1, "autoscaling": scaling()});
        world.api.put(cluster);
    }
    world.kubernetes_runs_everything().await;
    let shown = |w: &World| {
        let clusters = w.api.all("chat4allclusters");
        clusters.iter().filter(|c| condition(c, "RouterScaling").0 == "True").count()
    };
    world.until("all were looked at", |w| shown(w) == 100).await;
    world.is_quiet().await;
    let versions = |w: &World| -> Vec<Value> {
        let kinds = ["deployments", "services", "configmaps", "jobs", "chat4allclusters"];
        kinds.into_iter().flat_map(|kind| w.api.all(kind)).map(|o| o["metadata"]["resourceVersion"].clone()).collect()
    };
    let before = versions(&world);

    let world = World::around(world.stop().await);
    let started = Instant::now();
    world.until("all are known", |w| w.metrics().contains("chat4all_operator_clusters{ready=\"True\"} 100")).await;
    assert!(started.elapsed() < MINUTE, "{:?}", started.elapsed());
    tokio::time::sleep(MINUTE * 10).await;
    assert_eq!(versions(&world), before);
}
