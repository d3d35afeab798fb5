//! The builders, on resources as users write them.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};
use rstest::rstest;
use serde_json::Value;

use super::*;
use crate::api::Chat4AllCluster;
use crate::dereference::{Referenced, secret_names};
use crate::validate::validate;

/// The sample, with `overlay` laid over its spec.
pub fn cluster(overlay: &str) -> Chat4AllCluster {
    let mut sample: Value = serde_yaml::from_str(include_str!("../../tests/fixtures/cluster.yaml")).unwrap();
    merge(&mut sample["spec"], serde_yaml::from_str(overlay).unwrap());
    serde_json::from_value(sample).unwrap()
}

fn merge(base: &mut Value, overlay: Value) {
    match (base, overlay) {
        (Value::Object(base), Value::Object(overlay)) => {
            for (key, value) in overlay {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (base, overlay) => *base = overlay,
    }
}

/// Secrets with every key that any workload reads.
pub fn secrets(cluster: &Chat4AllCluster) -> Referenced {
    let keys =
        ["jwt-key", "users.yaml", "access-token", "app-secret", "verify-token", "bot-token", "secret-token", "orders"];
    let data: BTreeMap<_, _> = keys.map(|key| (key.to_owned(), format!("{key:=<40}").into_bytes())).into();
    Referenced { secrets: secret_names(&cluster.spec).into_iter().map(|name| (name, data.clone())).collect() }
}

/// The model of the sample with `overlay`.
pub fn model(overlay: &str) -> Model {
    let cluster = cluster(overlay);
    validate(&cluster, &secrets(&cluster), &[]).unwrap()
}

fn built(overlay: &str) -> Objects {
    build(&model(overlay))
}

impl Objects {
    fn deployment(&self, name: &str) -> &Deployment {
        self.deployments.iter().find(|d| d.metadata.name.as_deref() == Some(name)).unwrap()
    }

    fn pod(&self, name: &str) -> &PodSpec {
        self.deployment(name).spec.as_ref().unwrap().template.spec.as_ref().unwrap()
    }

    fn container(&self, name: &str) -> &Container {
        &self.pod(name).containers[0]
    }

    fn volume(&self, deployment: &str, name: &str) -> &Volume {
        self.pod(deployment).volumes.as_ref().unwrap().iter().find(|v| v.name == name).unwrap()
    }

    fn replicas(&self, name: &str) -> Option<i32> {
        self.deployment(name).spec.as_ref().unwrap().replicas
    }

    fn config(&self, key: &str) -> &str {
        &self.config_map.data.as_ref().unwrap()[key]
    }

    /// The plain values of a container's environment.
    fn env(&self, name: &str) -> BTreeMap<&str, &str> {
        let env = self.container(name).env.as_ref().unwrap();
        env.iter().filter_map(|e| Some((e.name.as_str(), e.value.as_deref()?))).collect()
    }

    /// The settings that a container takes from the ConfigMap.
    fn settings(&self, name: &str) -> Vec<&str> {
        let env = self.container(name).env.as_ref().unwrap();
        env.iter().filter(|e| e.value_from.is_some()).map(|e| e.name.as_str()).collect()
    }

    fn config_hash(&self, name: &str) -> String {
        let template = &self.deployment(name).spec.as_ref().unwrap().template;
        template.metadata.as_ref().unwrap().annotations.as_ref().unwrap()[CONFIG_HASH].clone()
    }

    fn migration_name(&self) -> &str {
        self.migration.metadata.name.as_deref().unwrap()
    }

    fn every(&self) -> Vec<Value> {
        let mut all = vec![
            serde_json::to_value(&self.migration).unwrap(),
            serde_json::to_value(&self.config_map).unwrap(),
            serde_json::to_value(&self.service).unwrap(),
        ];
        all.extend(self.service_accounts.iter().map(|o| serde_json::to_value(o).unwrap()));
        all.extend(self.disruption_budgets.iter().map(|o| serde_json::to_value(o).unwrap()));
        all.extend(self.deployments.iter().map(|o| serde_json::to_value(o).unwrap()));
        all
    }
}

const WORKLOADS: [&str; 3] = ["demo-api", "demo-router", "demo-connector-whatsapp"];

#[test]
fn the_sample_becomes_an_api_a_router_and_a_connector() {
    let objects = built("{}");
    let names: Vec<_> = objects.deployments.iter().filter_map(|d| d.metadata.name.as_deref()).collect();
    assert_eq!(names, WORKLOADS);
    assert_eq!(WORKLOADS.map(|name| objects.replicas(name)), [Some(2), Some(3), Some(1)]);
}

#[test]
fn the_deployments_of_the_sample_are_as_committed() {
    insta::assert_yaml_snapshot!(built("{}").deployments);
}

#[test]
fn the_migration_of_the_sample_is_as_committed() {
    insta::assert_yaml_snapshot!(built("{}").migration);
}

#[test]
fn every_object_is_owned_labelled_and_in_the_namespace_of_the_cluster() {
    for object in built("{}").every() {
        let meta = &object["metadata"];
        assert_eq!(meta["namespace"], "chat4all", "{object}");
        assert_eq!(meta["labels"]["app.kubernetes.io/managed-by"], "chat4all-operator", "{object}");
        assert_eq!(meta["labels"]["app.kubernetes.io/instance"], "demo", "{object}");
        assert_eq!(meta["ownerReferences"][0]["uid"], "11111111-1111-1111-1111-111111111111", "{object}");
        assert_eq!(meta["ownerReferences"][0]["controller"], true, "{object}");
    }
}

#[test]
fn no_object_carries_the_content_of_a_secret() {
    for object in built("{}").every() {
        for content in ["jwt-key==", "users.yaml==", "access-token==", "app-secret==", "verify-token=="] {
            assert!(!object.to_string().contains(content), "{object}");
        }
    }
}

#[test]
fn the_config_map_tells_the_workloads_where_everything_is() {
    let objects = built("{kafka: {topicPrefix: acme., sessionTimeoutSeconds: 6}}");
    assert_eq!(objects.config("KAFKA_BOOTSTRAP_SERVERS"), "kafka:9092");
    assert_eq!(objects.config("KAFKA_TOPIC_PREFIX"), "acme.");
    assert_eq!(objects.config("KAFKA_SESSION_TIMEOUT_MS"), "6000");
    assert_eq!(objects.config("STORE_CONTACT_POINTS"), "cassandra:9042");
    assert_eq!(objects.config("STORE_KEYSPACE"), "demo");
    assert_eq!(objects.config("CONNECTORS"), "whatsapp=whatsapp");
    assert_eq!(objects.config("AUTH_DIR"), "/etc/chat4all/auth");
    assert_eq!(objects.config("WEBHOOKS_DIR"), "/etc/chat4all/webhooks");
}

#[test]
fn every_setting_that_a_workload_takes_from_the_config_map_is_in_it() {
    let objects = built("{}");
    for name in WORKLOADS {
        for key in objects.settings(name) {
            objects.config(key);
        }
    }
}

#[test]
fn a_connector_is_told_what_the_resource_says_about_it() {
    let objects = built("{}");
    let env = objects.env("demo-connector-whatsapp");
    assert_eq!(env["CONNECTOR_NAME"], "whatsapp");
    assert_eq!(env["CONNECTOR_CHANNEL"], "whatsapp");
    assert_eq!(env["CONNECTOR_BASE_URL"], "http://simulator:8090");
    assert_eq!(env["CONNECTOR_ACCOUNT"], r#"{"phoneNumberId":"106540352242922"}"#);
    assert_eq!(
        env["CONNECTOR_CIRCUIT_BREAKER"],
        r#"{"failureRatePercent":50,"minimumCalls":10,"windowSeconds":10,"openSeconds":30,"halfOpenCalls":3}"#
    );
    assert_eq!(env["CONNECTOR_RETRY"], r#"{"maxAttempts":6,"initialBackoffMillis":1000,"maxBackoffMillis":16000}"#);
    assert_eq!(env["CONNECTOR_REQUEST_TIMEOUT_MS"], "10000");
    assert_eq!(env["CONNECTOR_ON_UNKNOWN_OUTCOME"], "Resend");
    assert_eq!(env["CONNECTOR_HOLD_SECONDS"], "900");
    assert!(!env.contains_key("CONNECTOR_BUDGET"), "the connector knows what its provider usually takes");
}

#[test]
fn a_connector_is_told_how_fast_its_account_may_be_called() {
    let objects = with_connector(
        "{name: wa, channel: whatsapp, credentialsSecretRef: {name: demo-wa}, account: {phoneNumberId: '1'}, budget: {messagesPerSecond: 1000}}",
    );
    assert_eq!(objects.env("demo-connector-wa")["CONNECTOR_BUDGET"], r#"{"messagesPerSecond":1000}"#);
}

#[test]
fn the_api_sees_of_a_connectors_secret_only_what_checks_webhooks() {
    let objects = built("{}");
    let webhooks = serde_json::to_value(objects.volume("demo-api", "webhooks")).unwrap();
    let items = &webhooks["projected"]["sources"][0]["secret"]["items"];
    let paths: Vec<_> = items.as_array().unwrap().iter().map(|i| i["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["whatsapp/app-secret", "whatsapp/verify-token"]);
    let credentials = objects.volume("demo-connector-whatsapp", "credentials").secret.clone().unwrap();
    let keys: Vec<_> = credentials.items.unwrap().into_iter().map(|item| item.key).collect();
    assert_eq!(keys, ["access-token"]);
}

/// The sample with this connector as its only one.
fn with_connector(yaml: &str) -> Objects {
    let mut cluster = cluster("{}");
    cluster.spec.connectors = vec![serde_yaml::from_str(yaml).unwrap()];
    build(&validate(&cluster, &secrets(&cluster), &[]).unwrap())
}

#[test]
fn a_connector_of_another_channel_has_the_keys_of_that_channel_and_its_usual_base_url() {
    let objects = with_connector("{name: tg, channel: telegram, credentialsSecretRef: {name: demo-telegram}}");
    let env = objects.env("demo-connector-tg");
    assert_eq!((env["CONNECTOR_CHANNEL"], env["CONNECTOR_ACCOUNT"]), ("telegram", "{}"));
    assert!(!env.contains_key("CONNECTOR_BASE_URL"), "the connector knows the usual one");
    let credentials = objects.volume("demo-connector-tg", "credentials").secret.clone().unwrap();
    let keys: Vec<_> = credentials.items.unwrap().into_iter().map(|item| item.key).collect();
    assert_eq!(keys, ["bot-token"]);
    let webhooks = serde_json::to_value(objects.volume("demo-api", "webhooks")).unwrap();
    assert_eq!(webhooks["projected"]["sources"][0]["secret"]["items"][0]["path"], "tg/secret-token");
    assert_eq!(objects.config("CONNECTORS"), "tg=telegram");
}

#[test]
fn a_webhook_connector_mounts_a_key_for_each_endpoint_and_nothing_in_the_api() {
    let objects = with_connector(
        "{name: hooks, channel: webhook, credentialsSecretRef: {name: demo-hooks}, account: {endpoints: [{name: orders, url: 'https://shop.example/hooks'}], allowedNetworks: [10.1.0.0/16]}}",
    );
    assert_eq!(
        objects.env("demo-connector-hooks")["CONNECTOR_ACCOUNT"],
        r#"{"endpoints":[{"name":"orders","url":"https://shop.example/hooks"}],"allowedNetworks":["10.1.0.0/16"]}"#
    );
    let credentials = objects.volume("demo-connector-hooks", "credentials").secret.clone().unwrap();
    let keys: Vec<_> = credentials.items.unwrap().into_iter().map(|item| item.key).collect();
    assert_eq!(keys, ["orders"]);
    assert!(objects.volume("demo-api", "webhooks").empty_dir.is_some(), "a projection without items takes every key");
}

#[test]
fn a_cluster_without_connectors_still_has_a_folder_for_webhooks() {
    let objects = built("{connectors: []}");
    assert!(objects.volume("demo-api", "webhooks").empty_dir.is_some());
    assert_eq!(objects.config("CONNECTORS"), "");
}

#[test]
fn the_service_leads_to_the_api_on_port_80() {
    let service = built("{}").service.spec.unwrap();
    let port = &service.ports.unwrap()[0];
    assert_eq!((port.port, port.node_port, service.type_.as_deref()), (80, Some(30080), Some("NodePort")));
    assert_eq!(service.selector.unwrap()["app.kubernetes.io/component"], "api");
}

#[test]
fn a_service_of_type_cluster_ip_asks_for_no_node_port() {
    let mut cluster = cluster("{}");
    cluster.spec.api.service = Default::default();
    let service = build(&validate(&cluster, &secrets(&cluster), &[]).unwrap()).service.spec.unwrap();
    assert_eq!((service.type_.as_deref(), service.ports.unwrap()[0].node_port), (Some("ClusterIP"), None));
}

#[test]
fn one_pod_of_each_workload_may_be_drained_at_a_time() {
    let budgets = built("{}").disruption_budgets;
    assert_eq!(budgets.len(), 3);
    for budget in budgets {
        let spec = budget.spec.unwrap();
        assert_eq!(spec.max_unavailable, Some(IntOrString::Int(1)));
        assert_eq!(spec.unhealthy_pod_eviction_policy.as_deref(), Some("AlwaysAllow"));
    }
}

#[rstest]
#[case("demo-api")]
#[case("demo-router")]
#[case("demo-connector-whatsapp")]
fn a_workload_passes_the_restricted_pod_security_standard(#[case] name: &str) {
    let objects = built("{}");
    let pod = objects.pod(name);
    let security = pod.security_context.as_ref().unwrap();
    assert_eq!((security.run_as_non_root, security.run_as_user), (Some(true), Some(65532)));
    assert_eq!(security.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
    let container = objects.container(name).security_context.as_ref().unwrap();
    assert_eq!(container.allow_privilege_escalation, Some(false));
    assert_eq!(container.read_only_root_filesystem, Some(true));
    assert_eq!(container.capabilities.as_ref().unwrap().drop, Some(vec!["ALL".to_owned()]));
    assert_eq!(pod.automount_service_account_token, Some(false));
}

#[rstest]
#[case("demo-api")]
#[case("demo-router")]
#[case("demo-connector-whatsapp")]
fn liveness_and_readiness_are_asked_apart(#[case] name: &str) {
    let objects = built("{}");
    let container = objects.container(name);
    let path = |probe: &Option<k8s_openapi::api::core::v1::Probe>| {
        probe.as_ref().and_then(|p| p.http_get.as_ref()?.path.clone()).unwrap()
    };
    assert_eq!(path(&container.startup_probe), "/livez");
    assert_eq!(path(&container.liveness_probe), "/livez");
    assert_eq!(path(&container.readiness_probe), "/readyz");
}

#[test]
fn a_pod_may_take_longer_to_end_than_the_workload_is_given() {
    let objects = built("{}");
    let grace: i64 = objects.config("SHUTDOWN_GRACE_SECONDS").parse().unwrap();
    assert!(objects.pod("demo-router").termination_grace_period_seconds.unwrap() > grace);
}

#[test]
fn a_connector_that_waits_long_for_its_provider_may_take_longer_to_end_and_nobody_else() {
    let mut cluster = cluster("{}");
    cluster.spec.connectors[0].request_timeout_seconds = 60;
    let objects = build(&validate(&cluster, &secrets(&cluster), &[]).unwrap());
    let grace = |name| objects.pod(name).termination_grace_period_seconds;
    assert_eq!((grace("demo-connector-whatsapp"), grace("demo-router")), (Some(80), Some(30)));
    assert_eq!(objects.env("demo-connector-whatsapp")["SHUTDOWN_GRACE_SECONDS"], "75");
    assert!(!objects.settings("demo-connector-whatsapp").contains(&"SHUTDOWN_GRACE_SECONDS"), "it is set once");
}

#[test]
fn a_rollout_takes_no_pod_away_before_its_successor_is_ready() {
    let objects = built("{}");
    for name in WORKLOADS {
        let strategy = objects.deployment(name).spec.as_ref().unwrap().strategy.clone().unwrap();
        let rolling = strategy.rolling_update.unwrap();
        assert_eq!(rolling.max_unavailable, Some(IntOrString::Int(0)));
        assert_eq!(rolling.max_surge, Some(IntOrString::Int(1)));
    }
}

/// Which workloads a change of the resource or of a Secret rolls.
fn rolled(before: &Objects, after: &Objects) -> Vec<&'static str> {
    let template = |objects: &Objects, name: &str| objects.deployment(name).spec.as_ref().unwrap().template.clone();
    WORKLOADS.into_iter().filter(|name| template(before, name) != template(after, name)).collect()
}

#[rstest]
#[case::another_store("{store: {contactPoints: ['other:9042']}}", &WORKLOADS)]
#[case::another_image("{version: 0.2.0}", &WORKLOADS)]
#[case::another_session_time_out("{kafka: {sessionTimeoutSeconds: 20}}", &["demo-router", "demo-connector-whatsapp"])]
#[case::more_routers("{router: {replicas: 5}}", &[])]
#[case::more_partitions("{kafka: {partitions: 24}}", &[])]
fn a_change_rolls_the_pods_that_read_it_and_no_others(#[case] overlay: &str, #[case] expected: &[&str]) {
    assert_eq!(rolled(&built("{}"), &built(overlay)), expected);
}

#[test]
fn another_connector_leaves_the_pods_of_the_first_alone() {
    let mut cluster = cluster("{}");
    let mut second = cluster.spec.connectors[0].clone();
    second.name = "spare".into();
    cluster.spec.connectors.push(second);
    let after = build(&validate(&cluster, &secrets(&cluster), &[]).unwrap());
    assert_eq!(rolled(&built("{}"), &after), ["demo-api", "demo-router"]);
    assert_eq!(after.config("CONNECTORS"), "whatsapp=whatsapp,spare=whatsapp");
    assert_eq!(after.deployments.len(), 4);
}

#[rstest]
#[case("demo-auth", "users.yaml", &["demo-api"])]
#[case("demo-whatsapp", "access-token", &["demo-connector-whatsapp"])]
#[case("demo-whatsapp", "app-secret", &["demo-api"])]
#[case("demo-whatsapp", "a-key-that-nobody-reads", &[])]
fn a_changed_secret_rolls_the_pods_that_read_the_key(
    #[case] secret: &str,
    #[case] key: &str,
    #[case] expected: &[&str],
) {
    let cluster = cluster("{}");
    let mut referenced = secrets(&cluster);
    referenced.secrets.get_mut(secret).unwrap().insert(key.into(), b"changed".to_vec());
    let after = build(&validate(&cluster, &referenced, &[]).unwrap());
    assert_eq!(rolled(&built("{}"), &after), expected);
}

#[test]
fn the_same_resource_is_always_built_the_same() {
    assert_eq!(built("{}").every(), built("{}").every());
    assert_eq!(built("{}").config_hash("demo-api"), built("{}").config_hash("demo-api"));
}

#[rstest]
#[case::another_version("{version: 0.2.0}", true)]
#[case::another_store("{store: {contactPoints: ['other:9042']}}", true)]
#[case::another_kafka("{kafka: {bootstrapServers: ['other:9092']}}", false)]
#[case::more_routers("{router: {replicas: 5}}", false)]
fn the_migration_is_run_again_when_what_it_does_would_differ(#[case] overlay: &str, #[case] again: bool) {
    assert_eq!(built("{}").migration_name() != built(overlay).migration_name(), again);
}

#[test]
fn the_migration_is_told_the_keyspace_and_its_replication() {
    let objects = built("{}");
    let container = &objects.migration.spec.as_ref().unwrap().template.spec.as_ref().unwrap().containers[0];
    let env: BTreeMap<_, _> =
        container.env.as_ref().unwrap().iter().map(|e| (e.name.as_str(), e.value.as_deref().unwrap())).collect();
    assert_eq!(container.args, Some(vec!["migrate".to_owned()]));
    assert_eq!(env["STORE_KEYSPACE"], "demo");
    assert_eq!(env["STORE_REPLICATION"], r#"{"class":"NetworkTopologyStrategy","replication_factor":"1"}"#);
}

#[test]
fn every_name_fits_its_limit_with_the_longest_cluster_and_connector() {
    let mut cluster = cluster("{}");
    cluster.metadata.name = Some("c".repeat(crate::api::MAX_CLUSTER_NAME));
    cluster.spec.connectors[0].name = "n".repeat(crate::api::MAX_CONNECTOR_NAME);
    for object in build(&validate(&cluster, &secrets(&cluster), &[]).unwrap()).every() {
        assert!(object["metadata"]["name"].as_str().unwrap().len() <= 63, "{object}");
    }
}

#[test]
fn the_topics_carry_the_prefix_and_the_partitions_of_the_resource() {
    let topics = model("{kafka: {topicPrefix: acme., partitions: 6}}").topics();
    let said: Vec<_> = topics.iter().map(|t| (t.name.as_str(), t.partitions)).collect();
    assert_eq!(
        said,
        [
            ("acme.messages", 6),
            ("acme.status-updates", 6),
            ("acme.failed-messages-dlq", 3),
            ("acme.whatsapp-outbound", 6),
            ("acme.whatsapp-inbound", 6),
        ]
    );
}
