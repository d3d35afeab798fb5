//! The operator in its world: the real controller against an API server in memory. Time is that of
//! tokio and runs only while everything waits, so minutes pass in no time.

#![allow(clippy::unwrap_used, reason = "tests")]

mod api_server;
mod connectors;
mod election;
mod flow;
mod handover;
mod recovery;
mod scaling;
mod world;

use std::time::Duration;

use chat4all_operator::kafka::Error;
use http::StatusCode;
use serde_json::{Value, json};

use crate::world::{NAMESPACE, World, another, condition, sample, secret};

const WORKLOADS: [&str; 3] = ["demo-api", "demo-connector-whatsapp", "demo-router"];

#[tokio::test(start_paused = true)]
async fn a_cluster_becomes_ready_with_everything_it_needs() {
    let world = World::with_a_ready_cluster().await;
    assert_eq!(world.api.names("deployments"), WORKLOADS);
    assert_eq!(world.api.names("services"), ["demo-api"]);
    assert_eq!(world.api.names("configmaps"), ["demo-config"]);
    assert_eq!(world.api.names("poddisruptionbudgets"), WORKLOADS);
    assert_eq!(world.api.names("serviceaccounts").len(), 4);
    assert_eq!(world.kafka.topics().len(), 5);
    let status = world.cluster()["status"].clone();
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!(status["router"]["replicas"], 3);
    assert!(world.metrics().contains("chat4all_operator_clusters{ready=\"True\"} 1"), "{}", world.metrics());
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_is_named_and_the_cluster_heals_when_it_appears() {
    let world = World::new();
    world.api.put(secret("demo-auth", &["jwt-key", "users.yaml"]));
    world.api.put(sample());
    world.until("the Secret is named", |w| w.condition("SecretsAvailable").0 == "False").await;
    let (_, reason, message) = world.condition("SecretsAvailable");
    assert_eq!(reason, "SecretMissing");
    assert!(message.starts_with("spec.connectors[whatsapp].credentialsSecretRef: Secret demo-whatsapp"), "{message}");
    assert_eq!(world.api.names("deployments"), [""; 0]);

    world.api.put(secret("demo-whatsapp", &["access-token", "app-secret", "verify-token"]));
    world.kubernetes_runs_everything().await;
    world.until("the cluster is ready", |w| w.condition("Ready").0 == "True").await;
}

#[tokio::test(start_paused = true)]
async fn a_malformed_resource_is_reported_on_itself_and_the_others_go_on() {
    let world = World::new();
    world.create_secrets();
    let mut malformed = another("broken");
    malformed["spec"]["router"]["replicas"] = "many".into();
    world.api.put(malformed);
    world.api.put(sample());
    world.kubernetes_runs_everything().await;
    world.until("the other is ready", |w| w.condition("Ready").0 == "True").await;

    let broken = world.api.get("chat4allclusters", NAMESPACE, "broken").unwrap();
    let (status, reason, message) = condition(&broken, "SpecValid");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Malformed"));
    assert!(message.starts_with("spec.router.replicas: invalid type: string \"many\""), "{message}");
    assert_eq!(condition(&broken, "Ready").0, "False");

    world.api.edit("chat4allclusters", NAMESPACE, "broken", |c| c["spec"]["router"]["replicas"] = 2.into());
    world
        .until("it heals", |w| {
            condition(&w.api.get("chat4allclusters", NAMESPACE, "broken").unwrap(), "SpecValid").0 == "True"
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_migration_ends_before_any_workload_is_there() {
    let world = World::new();
    world.create_secrets();
    world.api.put(sample());
    world.until("the migration runs", |w| w.condition("SchemaReady").1 == "Migrating").await;
    world.is_quiet().await;
    assert_eq!(world.api.names("jobs").len(), 1);
    assert_eq!(world.api.names("deployments"), [""; 0]);
    world.kubernetes_runs_everything().await;
    world.until("the workloads are there", |w| w.api.names("deployments") == WORKLOADS).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_version_is_migrated_before_it_is_rolled_out() {
    let world = World::with_a_ready_cluster().await;
    world.api.edit("chat4allclusters", NAMESPACE, "demo", |c| c["spec"]["version"] = "0.2.0".into());
    world.until("the migration runs", |w| w.condition("SchemaReady").1 == "Migrating").await;
    world.is_quiet().await;
    let image =
        |w: &World| w.deployment("demo-router").unwrap()["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    assert_eq!(image(&world), "chat4all/chat4all:0.1.0");
    world.kubernetes_runs_everything().await;
    world.until("the new version is there", |w| image(w) == "chat4all/chat4all:0.2.0").await;
    world.until("the former migration is gone", |w| w.api.names("jobs").len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_migration_says_so_and_heals_when_the_store_is_back() {
    let world = World::new();
    world.create_secrets();
    world.api.put(sample());
    world.until("the migration runs", |w| w.condition("SchemaReady").1 == "Migrating").await;
    let first = world.api.all("jobs")[0]["metadata"]["uid"].clone();
    world.the_migration_fails();
    world.until("the failure is told", |w| w.condition("SchemaReady").1 == "MigrationFailed").await;
    let (_, _, message) = world.condition("SchemaReady");
    assert!(message.starts_with("spec.store: Job demo-migrate-"), "{message}");
    assert!(message.contains("no host available"), "{message}");
    world
        .until("there is another attempt", |w| {
            w.api.all("jobs").iter().any(|job| {
                job["metadata"]["uid"] != first && job["metadata"]["annotations"]["chat4all.io/attempt"] == "1"
            })
        })
        .await;
    world.kubernetes_runs_everything().await;
    world.until("the cluster is ready", |w| w.condition("Ready").0 == "True").await;
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_kafka_names_the_field_and_heals_when_it_is_back() {
    let world = World::new();
    world.create_secrets();
    world.kafka.fails(Some(Error::Unreachable { brokers: "kafka:9092".into(), reason: "refused".into() }));
    world.api.put(sample());
    world.until("the field is named", |w| w.condition("KafkaReachable").0 == "False").await;
    let (_, reason, message) = world.condition("KafkaReachable");
    assert_eq!(reason, "BrokersUnreachable");
    assert!(
        message.starts_with("spec.kafka.bootstrapServers: no broker at kafka:9092 answered (refused)"),
        "{message}"
    );
    assert_eq!(world.api.names("jobs"), [""; 0]);

    world.kafka.fails(None);
    world.until("it heals", |w| w.condition("KafkaReachable").0 == "True").await;
}

#[tokio::test(start_paused = true)]
async fn topics_that_vanished_are_made_anew_and_told_since_what_they_held_is_lost() {
    let told =
        |w: &World| w.api.all("events").iter().any(|e| e["reason"] == "TopicsMadeAnew" && e["type"] == "Warning");
    let world = World::with_a_ready_cluster().await;
    world.edit_spec(|spec| {
        let mut another = spec["connectors"][0].clone();
        another["name"] = "another".into();
        spec["connectors"].as_array_mut().unwrap().push(another);
    });
    world.until("a connector is added", |w| w.kafka.topics().len() == 7).await;
    world.is_quiet().await;
    assert!(!told(&world), "what is new did not vanish");

    world.kafka.forgets();
    world.edit_spec(|spec| spec["api"]["replicas"] = 3.into());
    world.until("it is told", told).await;
    assert_eq!(world.kafka.topics().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_exist_is_told_and_heals_when_it_is_corrected() {
    let world = World::new();
    world.create_secrets();
    world.api.put(sample());
    world.until("the migration runs", |w| w.condition("SchemaReady").1 == "Migrating").await;
    world.api.put(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "demo-migrate-x", "namespace": NAMESPACE, "labels": {
            "app.kubernetes.io/name": "chat4all", "app.kubernetes.io/instance": "demo", "app.kubernetes.io/component": "migrate",
            "batch.kubernetes.io/job-name": world.api.names("jobs")[0],
        }},
        "status": {"containerStatuses": [{
            "name": "migrate", "image": "chat4all/chat4all:0.1.0", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff"}},
        }]},
    }));
    world.until("it is told", |w| w.condition("SchemaReady").1 == "ImageNotAvailable").await;
    let (_, _, message) = world.condition("SchemaReady");
    assert!(
        message.starts_with("pod demo-migrate-x cannot get image chat4all/chat4all:0.1.0; correct spec.version"),
        "{message}"
    );

    world.api.delete("pods", NAMESPACE, "demo-migrate-x");
    world.api.edit("chat4allclusters", NAMESPACE, "demo", |c| c["spec"]["version"] = "0.2.0".into());
    world.kubernetes_runs_everything().await;
    world.until("the cluster is ready", |w| w.condition("Ready").0 == "True").await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_connector_goes_with_everything_of_its_own_but_its_topics() {
    let world = World::with_a_ready_cluster().await;
    world.api.edit("chat4allclusters", NAMESPACE, "demo", |c| c["spec"]["connectors"] = json!([]));
    world.until("the connector is gone", |w| w.api.names("deployments") == ["demo-api", "demo-router"]).await;
    world.is_quiet().await;
    assert_eq!(world.api.names("poddisruptionbudgets"), ["demo-api", "demo-router"]);
    assert_eq!(world.api.names("serviceaccounts"), ["demo-api", "demo-migrate", "demo-router"]);
    assert!(world.kafka.topics().contains_key("whatsapp-outbound"));
    assert_eq!(world.cluster()["status"]["connectors"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_renamed_connector_goes_under_its_former_name_and_comes_under_the_other() {
    let world = World::with_a_ready_cluster().await;
    world.edit_spec(|spec| spec["connectors"][0]["name"] = "business".into());
    world.kubernetes_runs_everything().await;
    let renamed = ["demo-api", "demo-connector-business", "demo-router"];
    world.until("the connector is renamed", |w| w.api.names("deployments") == renamed).await;
    world.until("it is ready", |w| w.condition("Ready").0 == "True").await;
    assert_eq!(world.api.names("poddisruptionbudgets"), renamed);
    assert_eq!(
        world.api.names("serviceaccounts"),
        ["demo-api", "demo-connector-business", "demo-migrate", "demo-router"]
    );
    let topics = world.kafka.topics();
    assert!(topics.contains_key("whatsapp-outbound") && topics.contains_key("business-outbound"), "{topics:?}");
    assert_eq!(world.cluster()["status"]["connectors"][0]["name"], "business");
}

#[tokio::test(start_paused = true)]
async fn an_idle_cluster_causes_no_writes() {
    let world = World::with_a_ready_cluster().await;
    let before = world.api.writes();
    let reconciles = world.api.reads("secrets/demo-auth");
    tokio::time::sleep(Duration::from_secs(30 * 60)).await;
    assert!(world.api.reads("secrets/demo-auth") > reconciles, "it was looked at");
    assert_eq!(world.api.writes()[before.len()..], [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_changes_nothing_causes_no_writes() {
    let world = World::with_a_ready_cluster().await;
    let before = world.api.writes();
    let reconciles = world.api.reads("secrets/demo-auth");
    world.api.edit("secrets", NAMESPACE, "demo-auth", |s| s["metadata"]["annotations"] = json!({"seen": "yes"}));
    world.until("it was looked at", |w| w.api.reads("secrets/demo-auth") > reconciles).await;
    world.is_quiet().await;
    assert_eq!(world.api.writes()[before.len()..], [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_what_the_operator_owns_is_undone() {
    let world = World::with_a_ready_cluster().await;
    world.api.edit("deployments", NAMESPACE, "demo-router", |d| d["spec"]["replicas"] = 7.into());
    world.until("the replicas are back", |w| w.deployment("demo-router").unwrap()["spec"]["replicas"] == 3).await;
    world.api.edit("configmaps", NAMESPACE, "demo-config", |c| c["data"]["STORE_KEYSPACE"] = "other".into());
    world
        .until("the setting is back", |w| {
            w.api.get("configmaps", NAMESPACE, "demo-config").unwrap()["data"]["STORE_KEYSPACE"] == "demo"
        })
        .await;
    world.api.delete("services", NAMESPACE, "demo-api");
    world.until("the Service is back", |w| w.api.names("services") == ["demo-api"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_excludes_what_the_operator_owns_is_undone_too() {
    let world = World::with_a_ready_cluster().await;
    let setting = |d: &Value| {
        let env = d["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        env.into_iter().find(|e| e["name"] == "STORE_KEYSPACE").unwrap()
    };
    let before = setting(&world.deployment("demo-router").unwrap());
    // As `kubectl set env deployment/demo-router STORE_KEYSPACE=other` does.
    world.api.edit("deployments", NAMESPACE, "demo-router", |d| {
        for e in d["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap() {
            if e["name"] == "STORE_KEYSPACE" {
                *e = json!({"name": "STORE_KEYSPACE", "value": "other"});
            }
        }
    });
    world.until("the setting is back", |w| setting(&w.deployment("demo-router").unwrap()) == before).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_restart_is_not_undone() {
    let world = World::with_a_ready_cluster().await;
    let restarted =
        |d: &Value| d["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].clone();
    world.api.edit("deployments", NAMESPACE, "demo-router", |d| {
        d["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
            "2026-01-01T00:00:00Z".into();
    });
    world.kubernetes_runs_everything().await;
    world.is_quiet().await;
    assert_eq!(restarted(&world.deployment("demo-router").unwrap()), "2026-01-01T00:00:00Z");
    assert_eq!(world.condition("Ready").0, "True");
}

#[tokio::test(start_paused = true)]
async fn a_changed_secret_rolls_the_pods_that_read_it() {
    let world = World::with_a_ready_cluster().await;
    let hash = |w: &World, name: &str| {
        w.deployment(name).unwrap()["spec"]["template"]["metadata"]["annotations"]["chat4all.io/config-hash"].clone()
    };
    let before = WORKLOADS.map(|name| hash(&world, name));
    world.api.edit("secrets", NAMESPACE, "demo-whatsapp", |s| s["data"]["access-token"] = "bmV3".into());
    world.until("the connector rolls", |w| hash(w, "demo-connector-whatsapp") != before[1]).await;
    assert_eq!((hash(&world, "demo-api"), hash(&world, "demo-router")), (before[0].clone(), before[2].clone()));
}

#[tokio::test(start_paused = true)]
async fn an_object_of_somebody_else_is_not_taken_over() {
    let world = World::new();
    world.create_secrets();
    world.api.put(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "demo-api", "namespace": NAMESPACE}, "spec": {"type": "ClusterIP"},
    }));
    world.api.put(sample());
    world.kubernetes_runs_everything().await;
    world.until("it is told", |w| w.condition("Ready").1 == "NameTaken").await;
    let (_, _, message) = world.condition("Ready");
    assert!(message.contains("Service chat4all/demo-api exists and does not belong"), "{message}");
    let service = world.api.get("services", NAMESPACE, "demo-api").unwrap();
    assert_eq!(service["metadata"].get("ownerReferences"), None);

    world.api.delete("services", NAMESPACE, "demo-api");
    world.kubernetes_runs_everything().await;
    world.until("it heals", |w| w.condition("Ready").0 == "True").await;
}

#[tokio::test(start_paused = true)]
async fn what_the_api_server_refuses_is_told_and_tried_again() {
    let world = World::new();
    world.create_secrets();
    world.api.refuse(Some(("configmaps", StatusCode::FORBIDDEN)));
    world.api.put(sample());
    world.kubernetes_runs_everything().await;
    world.until("it is told", |w| w.condition("Ready").1 == "ApplyFailed").await;
    let (_, _, message) = world.condition("Ready");
    assert!(message.contains("ConfigMap chat4all/demo-config"), "{message}");
    world.api.refuse(None);
    world.until("it heals", |w| w.api.names("deployments") == WORKLOADS).await;
}

#[tokio::test(start_paused = true)]
async fn a_later_cluster_may_not_take_an_earlier_ones_topics_and_heals_when_they_are_free() {
    let world = World::with_a_ready_cluster().await;
    let mut second = another("second");
    second["spec"]["kafka"]["topicPrefix"] = "".into();
    world.api.put(second);
    let spec_valid = |w: &World| condition(&w.api.get("chat4allclusters", NAMESPACE, "second").unwrap(), "SpecValid");
    world.until("it is refused", |w| spec_valid(w).0 == "False").await;
    assert!(spec_valid(&world).2.contains("in use on this Kafka by Chat4AllCluster chat4all/demo"));
    assert_eq!(world.condition("Ready").0, "True");
    world.api.delete("chat4allclusters", NAMESPACE, "demo");
    world.until("it heals", |w| spec_valid(w).0 == "True").await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_cluster_takes_along_what_it_owned_and_nothing_is_made_again() {
    let world = World::with_a_ready_cluster().await;
    world.api.delete("chat4allclusters", NAMESPACE, "demo");
    world.until("it is forgotten", |w| w.metrics().contains("chat4all_operator_clusters{ready=\"True\"} 0")).await;
    world.is_quiet().await;
    for kind in ["deployments", "jobs", "services", "configmaps", "serviceaccounts", "poddisruptionbudgets"] {
        assert_eq!(world.api.names(kind), [""; 0], "{kind}");
    }
    assert_eq!(world.kafka.topics().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_being_deleted_is_left_alone() {
    let world = World::with_a_ready_cluster().await;
    world.api.edit("chat4allclusters", NAMESPACE, "demo", |c| {
        c["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    });
    world.api.delete("deployments", NAMESPACE, "demo-api");
    world.is_quiet().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.api.names("deployments"), ["demo-connector-whatsapp", "demo-router"]);
}

#[tokio::test(start_paused = true)]
async fn changes_become_events_once() {
    let world = World::with_a_ready_cluster().await;
    let events = world.api.all("events");
    let ready: Vec<_> = events.iter().filter(|e| e["action"] == "Ready" && e["reason"] == "Running").collect();
    assert_eq!(ready.len(), 1, "{events:#?}");
    assert_eq!(ready[0]["type"], "Normal");
    assert_eq!(ready[0]["regarding"]["name"], "demo");
    tokio::time::sleep(Duration::from_secs(30 * 60)).await;
    assert_eq!(world.api.all("events").len(), events.len());
}

#[tokio::test(start_paused = true)]
async fn a_restarted_operator_changes_nothing() {
    let (api, kafka) = World::with_a_ready_cluster().await.stop().await;
    let versions = |api: &api_server::ApiServer| {
        ["deployments", "services", "configmaps", "jobs", "chat4allclusters"]
            .map(|kind| api.all(kind).iter().map(|o| o["metadata"]["resourceVersion"].clone()).collect::<Vec<_>>())
    };
    let before = versions(&api);
    let world = World::around((api, kafka));
    world.is_quiet().await;
    assert_eq!(versions(&world.api), before);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_clusters_become_ready_within_a_minute() {
    let world = World::new();
    world.create_secrets();
    let started = tokio::time::Instant::now();
    for number in 0..100 {
        world.api.put(another(&format!("tenant-{number}")));
    }
    world.kubernetes_runs_everything().await;
    world.until("all are ready", |w| w.metrics().contains("chat4all_operator_clusters{ready=\"True\"} 100")).await;
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
