use kube::api::DynamicObject;
use rstest::rstest;
use serde_json::Value;

use super::*;
use crate::build::tests::{cluster, secrets};

fn refusal(overlay: &str) -> Refusal {
    let cluster = cluster(overlay);
    validate(&cluster, &secrets(&cluster), &[]).err().unwrap_or_default()
}

fn texts(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_is_valid() {
    assert_eq!(refusal("{}"), Refusal::default());
}

#[rstest]
#[case("{kafka: {bootstrapServers: []}}", "spec.kafka.bootstrapServers: is empty")]
#[case(
    "{kafka: {bootstrapServers: ['kafka:99999']}}",
    "spec.kafka.bootstrapServers[0]: \"kafka:99999\" is not host:port"
)]
#[case("{store: {contactPoints: [cassandra]}}", "spec.store.contactPoints[0]")]
#[case("{store: {keyspace: Demo}}", "spec.store.keyspace")]
#[case("{store: {replication: {class: \"X'}; DROP KEYSPACE demo\"}}}", "spec.store.replication.class")]
#[case("{kafka: {partitions: 2}}", "spec.router.replicas: 3 is not possible here; set it to 0 to 2")]
#[case("{kafka: {replicationFactor: 0}}", "spec.kafka.replicationFactor: 0 is not possible here; set it to 1 to 15")]
#[case("{router: {replicas: -1}}", "spec.router.replicas: -1 is not possible here")]
fn what_a_schema_might_have_let_through_is_named_with_its_remedy(#[case] overlay: &str, #[case] expected: &str) {
    let problems = texts(&refusal(overlay).spec);
    assert!(problems.contains(expected), "{problems:?} does not say {expected:?}");
}

#[test]
fn two_connectors_with_one_name_are_refused() {
    let mut cluster = cluster("{}");
    cluster.spec.connectors.push(cluster.spec.connectors[0].clone());
    let refusal = validate(&cluster, &secrets(&cluster), &[]).unwrap_err();
    assert_eq!(
        texts(&refusal.spec),
        "spec.connectors[1].name: another connector is named \"whatsapp\" too; give each connector a name of its own"
    );
}

#[rstest]
#[case(
    "{name: a, channel: whatsapp, credentialsSecretRef: {name: demo-a}}",
    "spec.connectors[0].account.phoneNumberId: is missing, and channel whatsapp needs it; set it"
)]
#[case(
    "{name: a, channel: whatsapp, credentialsSecretRef: {name: demo-a}, account: {phoneNumberId: '1'}, budget: {messagesPerSecond: 0}}",
    "spec.connectors[0].budget.messagesPerSecond: 0 is not possible here; set it to 1 to 100000"
)]
#[case(
    "{name: a, channel: telegram, credentialsSecretRef: {name: demo-a}, account: {apiVersion: v25.0}}",
    "spec.connectors[0].account.apiVersion: is not for channel telegram; remove it"
)]
#[case(
    "{name: a, channel: messenger, credentialsSecretRef: {name: demo-a}}",
    "spec.connectors[0].account.pageId: is missing, and channel messenger needs it; set it"
)]
#[case(
    "{name: a, channel: instagram, credentialsSecretRef: {name: demo-a}, account: {pageId: '1'}}",
    "spec.connectors[0].account.instagramId: is missing, and channel instagram needs it; set it"
)]
#[case(
    "{name: a, channel: webhook, credentialsSecretRef: {name: demo-a}}",
    "spec.connectors[0].account.endpoints: is missing, and channel webhook needs it; set it"
)]
#[case(
    "{name: a, channel: webhook, credentialsSecretRef: {name: demo-a}, account: {endpoints: [{name: orders, url: 'https://a.example'}], allowedNetworks: [10.0.0.0/33]}}",
    "spec.connectors[0].account.allowedNetworks[0]: \"10.0.0.0/33\" is not a network; write it as 10.1.0.0/16"
)]
fn an_account_has_the_fields_of_its_channel_and_no_others(#[case] connector: &str, #[case] expected: &str) {
    let mut cluster = cluster("{}");
    cluster.spec.connectors = vec![serde_yaml::from_str(connector).unwrap()];
    let refusal = validate(&cluster, &secrets(&cluster), &[]).unwrap_err();
    assert_eq!(texts(&refusal.spec), expected);
}

#[test]
fn a_name_that_is_too_long_is_refused() {
    let mut cluster = cluster("{}");
    cluster.metadata.name = Some("c".repeat(33));
    let refusal = validate(&cluster, &secrets(&cluster), &[]).unwrap_err();
    assert!(texts(&refusal.spec).starts_with("metadata.name: "));
}

#[test]
fn a_missing_secret_is_named_once_with_every_key_that_it_needs() {
    let cluster = cluster("{}");
    let mut referenced = secrets(&cluster);
    referenced.secrets.remove("demo-whatsapp");
    let refusal = validate(&cluster, &referenced, &[]).unwrap_err();
    assert_eq!(refusal.spec, []);
    assert_eq!(
        texts(&refusal.secrets),
        "spec.connectors[whatsapp].credentialsSecretRef: Secret demo-whatsapp does not exist in namespace chat4all; create it with the keys access-token, app-secret, verify-token, or name another Secret"
    );
}

#[test]
fn a_missing_key_is_named_with_its_secret() {
    let cluster = cluster("{}");
    let mut referenced = secrets(&cluster);
    referenced.secrets.get_mut("demo-whatsapp").unwrap().remove("verify-token");
    let refusal = validate(&cluster, &referenced, &[]).unwrap_err();
    assert_eq!(
        texts(&refusal.secrets),
        "spec.connectors[whatsapp].credentialsSecretRef: Secret demo-whatsapp has no key verify-token, or an empty one; add the key to the Secret, or name another Secret"
    );
}

#[test]
fn a_short_signing_key_is_refused() {
    let cluster = cluster("{}");
    let mut referenced = secrets(&cluster);
    referenced.secrets.get_mut("demo-auth").unwrap().insert("jwt-key".into(), b"secret".to_vec());
    let refusal = validate(&cluster, &referenced, &[]).unwrap_err();
    assert!(texts(&refusal.secrets).contains("has 6 bytes, fewer than 32"));
}

#[test]
fn everything_wrong_is_said_at_once() {
    let mut cluster = cluster("{store: {keyspace: Demo}, kafka: {replicationFactor: 0}}");
    cluster.spec.api.auth_secret_ref.name = "absent".into();
    let mut referenced = secrets(&cluster);
    referenced.secrets.remove("absent");
    let refusal = validate(&cluster, &referenced, &[]).unwrap_err();
    assert_eq!((refusal.spec.len(), refusal.secrets.len()), (2, 1));
}

#[test]
fn the_operator_asks_a_bare_service_in_the_namespace_of_the_cluster() {
    let cluster = cluster("{}");
    let model = validate(&cluster, &secrets(&cluster), &[]).unwrap();
    assert_eq!(model.kafka.bootstrap_servers, "kafka:9092");
    assert_eq!(model.kafka.bootstrap_servers_from_afar, "kafka.chat4all.svc:9092");
}

#[rstest]
#[case::same_prefix("{}", "{store: {keyspace: other}}", Some("spec.kafka.topicPrefix"))]
#[case::same_keyspace("{}", "{kafka: {topicPrefix: other.}}", Some("spec.store.keyspace"))]
#[case::both_differ("{}", "{kafka: {topicPrefix: other.}, store: {keyspace: other}}", None)]
#[case::other_engines("{kafka: {bootstrapServers: ['k2:9092']}, store: {contactPoints: ['c2:9042']}}", "{}", None)]
fn a_cluster_may_not_take_the_topics_or_tables_of_an_earlier_one(
    #[case] earlier: &str,
    #[case] later: &str,
    #[case] expected: Option<&str>,
) {
    let neighbour = Neighbour::new("chat4all", "first", &cluster(earlier).spec);
    let problem = neighbour.conflict_with("chat4all", &cluster(later).spec).map(|p| p.to_string());
    match expected {
        Some(field) => assert!(problem.as_ref().is_some_and(|text| text.starts_with(field)), "{problem:?}"),
        None => assert_eq!(problem, None),
    }
}

#[test]
fn services_of_one_name_in_two_namespaces_are_two() {
    let neighbour = Neighbour::new("one", "first", &cluster("{}").spec);
    assert_eq!(neighbour.conflict_with("two", &cluster("{}").spec), None);
}

fn object(pointer: &str, value: Value) -> DynamicObject {
    let mut object = serde_json::to_value(cluster("{}")).unwrap();
    *object.pointer_mut(pointer).unwrap() = value;
    serde_json::from_value(object).unwrap()
}

#[rstest]
#[case("/spec/router/replicas", "many".into(), "spec.router.replicas: invalid type: string \"many\"")]
#[case("/spec/connectors/0/channel", "pigeon".into(), "spec.connectors[0].channel: unknown variant `pigeon`")]
#[case("/spec/kafka", Value::Null, "spec.kafka: invalid type: null")]
#[case("/spec", Value::Null, "spec: invalid type: null")]
fn a_malformed_resource_is_told_by_field(#[case] pointer: &str, #[case] value: Value, #[case] expected: &str) {
    let problem = read(&object(pointer, value)).unwrap_err().to_string();
    assert!(problem.starts_with(expected), "{problem}");
}

#[test]
fn a_malformed_status_does_not_make_the_resource_malformed() {
    let mut object = object("/spec/version", "0.1.0".into());
    object.data["status"] = serde_json::json!({"conditions": "none"});
    assert!(read(&object).is_ok());
    assert_eq!(read_status(&object), None);
}
