//! The rules that the API server checks, evaluated as it would. Patterns, enums and bounds are not
//! CEL; those are tried on a real API server by the e2e tests.

use kube::core::cel::Validator;
use kube::{CustomResourceExt, Resource};
use rstest::rstest;
use serde_json::Value;

use super::*;

/// The resource of the documentation, with every default filled in.
fn sample() -> Value {
    let cluster: Chat4AllCluster = serde_yaml::from_str(include_str!("../../tests/fixtures/cluster.yaml")).unwrap();
    serde_json::to_value(cluster).unwrap()
}

fn set(object: &mut Value, pointer: &str, yaml: &str) {
    *object.pointer_mut(pointer).unwrap() = serde_yaml::from_str(yaml).unwrap();
}

/// What the API server says to a new or changed resource.
fn refusal(object: &Value, former: Option<&Value>) -> String {
    let crd = serde_json::to_value(Chat4AllCluster::crd()).unwrap();
    let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap();
    Validator::new().validate(schema, object, former).err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn the_sample_is_accepted() {
    assert_eq!(refusal(&sample(), None), "");
}

#[rstest]
#[case::two_connectors_with_one_name(
    "/spec/connectors",
    "[{name: a, channel: telegram, replicas: 1, retry: {initialBackoffMillis: 1, maxBackoffMillis: 1}}, {name: a, channel: telegram, replicas: 1, retry: {initialBackoffMillis: 1, maxBackoffMillis: 1}}]",
    "spec.connectors[].name must be unique"
)]
#[case::whatsapp_without_its_number("/spec/connectors/0/account", "{}", "phoneNumberId is needed for channel whatsapp")]
#[case::a_number_for_telegram("/spec/connectors/0/channel", "telegram", "only for channel whatsapp; remove")]
#[case::a_page_for_whatsapp(
    "/spec/connectors/0/account",
    "{phoneNumberId: '1', pageId: '2'}",
    "only for channels instagram and messenger; remove"
)]
#[case::messenger_without_its_page(
    "/spec/connectors/0",
    "{name: a, channel: messenger, replicas: 1, retry: {initialBackoffMillis: 1, maxBackoffMillis: 1}}",
    "pageId is needed for channel messenger"
)]
#[case::instagram_without_its_account(
    "/spec/connectors/0",
    "{name: a, channel: instagram, account: {pageId: '1'}, replicas: 1, retry: {initialBackoffMillis: 1, maxBackoffMillis: 1}}",
    "instagramId is needed for channel instagram"
)]
#[case::webhooks_without_endpoints(
    "/spec/connectors",
    "[{name: a, channel: webhook, replicas: 1, retry: {initialBackoffMillis: 1, maxBackoffMillis: 1}}]",
    "account.endpoints is needed for channel webhook"
)]
#[case::two_endpoints_with_one_name(
    "/spec/connectors",
    "[{name: a, channel: webhook, account: {endpoints: [{name: x}, {name: x}]}, replicas: 1, retry: {initialBackoffMillis: 1, maxBackoffMillis: 1}}]",
    "account.endpoints[].name must be unique"
)]
#[case::endpoints_for_whatsapp(
    "/spec/connectors/0/account",
    "{phoneNumberId: '1', endpoints: [{name: x}]}",
    "endpoints is only for channel webhook"
)]
#[case::networks_for_telegram(
    "/spec/connectors",
    "[{name: a, channel: telegram, account: {allowedNetworks: ['10.0.0.0/8']}, replicas: 1, retry: {initialBackoffMillis: 1, maxBackoffMillis: 1}}]",
    "allowedNetworks is only for channels webhook and whatsapp"
)]
#[case::a_base_url_for_webhooks(
    "/spec/connectors",
    "[{name: a, channel: webhook, baseUrl: 'https://a.example', account: {endpoints: [{name: x}]}, replicas: 1, retry: {initialBackoffMillis: 1, maxBackoffMillis: 1}}]",
    "baseUrl is not for channel webhook"
)]
#[case::minimum_above_maximum(
    "/spec/connectors/0/retry",
    "{maxAttempts: 5, initialBackoffMillis: 20000, maxBackoffMillis: 16000}",
    "initialBackoffMillis must not be above maxBackoffMillis"
)]
#[case::more_routers_than_partitions("/spec/router/replicas", "13", "spec.router.replicas must not be above")]
#[case::more_connector_pods_than_partitions(
    "/spec/connectors/0/replicas",
    "13",
    "spec.connectors[].replicas must not be above"
)]
#[case::a_node_port_without_its_type(
    "/spec/api/service",
    "{type: ClusterIP, nodePort: 30080}",
    "nodePort is only for type NodePort"
)]
#[case::a_replication_without_class("/spec/store/replication", "{replication_factor: '3'}", "must name a class")]
#[case::a_name_that_is_too_long("/metadata/name", "a-name-that-is-longer-than-thirty-two-characters", "at most 32")]
#[case::a_name_that_no_service_may_have("/metadata/name", "1st", "beginning with a letter")]
fn what_cannot_work_is_refused_with_field_and_remedy(
    #[case] pointer: &str,
    #[case] yaml: &str,
    #[case] expected: &str,
) {
    let mut object = sample();
    set(&mut object, pointer, yaml);
    let refusal = refusal(&object, None);
    assert!(refusal.contains(expected), "{refusal:?} does not say {expected:?}");
}

#[rstest]
#[case::another_prefix("/spec/kafka/topicPrefix", "other.", "topicPrefix cannot be changed")]
#[case::another_keyspace("/spec/store/keyspace", "other", "keyspace cannot be changed")]
#[case::fewer_partitions("/spec/kafka/partitions", "6", "partitions can only be raised")]
fn what_would_leave_messages_behind_cannot_be_changed(
    #[case] pointer: &str,
    #[case] yaml: &str,
    #[case] expected: &str,
) {
    let former = sample();
    let mut object = sample();
    set(&mut object, pointer, yaml);
    let refusal = refusal(&object, Some(&former));
    assert!(refusal.contains(expected), "{refusal:?} does not say {expected:?}");
}

#[test]
fn partitions_may_be_raised() {
    let former = sample();
    let mut object = sample();
    set(&mut object, "/spec/kafka/partitions", "24");
    assert_eq!(refusal(&object, Some(&former)), "");
}

#[test]
fn routers_may_be_scaled() {
    let former = sample();
    let mut object = sample();
    set(&mut object, "/spec/router/replicas", "12");
    assert_eq!(refusal(&object, Some(&former)), "");
}

#[test]
fn every_integer_is_signed_because_the_api_server_warns_of_others() {
    let crd = serde_yaml::to_string(&Chat4AllCluster::crd()).unwrap();
    assert!(!crd.contains("format: uint"), "{crd}");
}

#[test]
fn kubectl_scale_and_autoscalers_find_the_routers() {
    let crd = Chat4AllCluster::crd();
    let scale = crd.spec.versions[0].subresources.clone().unwrap().scale.unwrap();
    assert_eq!(scale.spec_replicas_path, ".spec.router.replicas");
    assert_eq!(scale.status_replicas_path, ".status.router.replicas");
    assert_eq!(scale.label_selector_path.as_deref(), Some(".status.router.selector"));
}

#[test]
fn it_is_known_by_its_short_name() {
    assert_eq!(Chat4AllCluster::kind(&()), "Chat4AllCluster");
    assert_eq!(Chat4AllCluster::crd().spec.names.short_names, Some(vec!["c4a".to_owned()]));
}
