use rstest::rstest;

use super::*;
use crate::api::LearnedStatus;
use crate::findings::Rollouts;
use crate::rollout::Rollout;
use crate::trouble::Trouble;

fn identity(generation: i64) -> Identity {
    Identity { namespace: "chat4all".into(), name: "demo".into(), uid: "u".into(), generation }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn rollout(name: &str, wanted: i32, updated: i32, available: i32) -> Option<Rollout> {
    Some(Rollout {
        name: name.into(),
        wanted,
        existing: wanted,
        updated,
        available,
        observed: true,
        stuck: None,
        trouble: None,
        ailing: None,
    })
}

fn running() -> Rollouts {
    Rollouts {
        api: rollout("demo-api", 2, 2, 2),
        router: rollout("demo-router", 3, 3, 3),
        connectors: vec![("whatsapp".into(), rollout("demo-connector-whatsapp", 1, 1, 1))],
    }
}

fn well() -> Findings {
    let mut findings = Findings::default();
    for aspect in [Aspect::SpecValid, Aspect::SecretsAvailable, Aspect::KafkaReachable, Aspect::SchemaReady] {
        findings.note(aspect, Verdict::good("Good", "as it should be"));
    }
    findings.note_rollouts(running());
    findings.note(Aspect::RouterScaling, Verdict::good("AsNeeded", "there are enough"));
    findings
}

fn first(findings: &Findings) -> Chat4AllClusterStatus {
    of(&identity(1), Some("0.1.0"), None, findings, at(100)).0
}

fn get<'a>(status: &'a Chat4AllClusterStatus, type_: &str) -> &'a Condition {
    status.conditions.iter().find(|c| c.type_ == type_).unwrap()
}

#[test]
fn a_cluster_is_ready_when_everything_runs() {
    let status = first(&well());
    let ready = get(&status, READY);
    assert_eq!((ready.status.as_str(), ready.message.as_str()), ("True", "everything runs at version 0.1.0"));
    assert_eq!(status.router.unwrap().replicas, 3);
    assert_eq!(status.connectors[0].available_replicas, 1);
}

#[test]
fn every_condition_is_there_from_the_start_and_about_a_generation() {
    let status = first(&Findings::default());
    assert_eq!(status.conditions.len(), 9);
    for condition in &status.conditions {
        assert_eq!(condition.observed_generation, Some(1));
    }
    assert_eq!(get(&status, "KafkaReachable").status, "Unknown");
    assert_eq!(get(&status, READY).status, "False");
}

#[rstest]
#[case(Aspect::SpecValid, "SpecValid")]
#[case(Aspect::KafkaReachable, "KafkaReachable")]
#[case(Aspect::SchemaReady, "SchemaReady")]
fn what_keeps_it_from_being_ready_is_said_by_the_condition_ready(#[case] aspect: Aspect, #[case] type_: &str) {
    let mut findings = well();
    findings.note(aspect, Verdict::bad("Broken", "spec.x: wrong; mend it"));
    let status = first(&findings);
    let ready = get(&status, READY);
    assert_eq!(ready.status, "False");
    assert_eq!(ready.reason, "Broken");
    assert_eq!(ready.message, format!("{type_}: spec.x: wrong; mend it"));
}

#[test]
fn the_first_cause_is_named_before_its_consequences() {
    let mut findings = well();
    findings.note(Aspect::KafkaReachable, Verdict::bad("BrokersUnreachable", "spec.kafka"));
    findings.note_rollouts(Rollouts::default());
    assert_eq!(get(&first(&findings), READY).reason, "BrokersUnreachable");
}

#[test]
fn a_rollout_keeps_the_workload_available_and_the_cluster_not_ready() {
    let mut findings = well();
    findings.note_rollouts(Rollouts { api: rollout("demo-api", 2, 1, 2), ..running() });
    let status = first(&findings);
    let api = get(&status, "APIAvailable");
    assert_eq!((api.status.as_str(), api.reason.as_str()), ("True", "RollingOut"));
    let ready = get(&status, READY);
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "RollingOut"));
}

#[test]
fn a_stuck_rollout_says_where_to_look() {
    let mut findings = well();
    let stuck = Rollout { stuck: Some("it timed out".into()), ..rollout("demo-router", 3, 1, 0).unwrap() };
    findings.note_rollouts(Rollouts { router: Some(stuck), ..running() });
    let status = first(&findings);
    let router = get(&status, "RouterAvailable");
    assert_eq!(router.reason, "Stuck");
    assert!(router.message.starts_with("spec.router: Deployment demo-router has 0 of 3"), "{}", router.message);
    assert!(router.message.contains("kubectl describe deployment demo-router"), "{}", router.message);
}

fn trouble() -> Option<Trouble> {
    Some(Trouble {
        reason: "ImageNotAvailable",
        message: "pod p cannot get image x:9".into(),
        remedy: "correct spec.version",
    })
}

#[test]
fn a_pod_that_cannot_run_is_told_with_the_field_and_the_remedy() {
    let mut findings = well();
    let failing = Rollout { trouble: trouble(), ..rollout("demo-router", 3, 3, 0).unwrap() };
    findings.note_rollouts(Rollouts { router: Some(failing), ..running() });
    let status = first(&findings);
    let router = get(&status, "RouterAvailable");
    assert_eq!((router.status.as_str(), router.reason.as_str()), ("False", "ImageNotAvailable"));
    assert_eq!(router.message, "spec.router: pod p cannot get image x:9; correct spec.version");
}

#[test]
fn a_new_version_that_cannot_run_leaves_the_former_one_available() {
    let mut findings = well();
    let failing = Rollout { trouble: trouble(), ..rollout("demo-router", 3, 1, 3).unwrap() };
    findings.note_rollouts(Rollouts { router: Some(failing), ..running() });
    let status = first(&findings);
    assert_eq!(get(&status, "RouterAvailable").status, "True");
    assert_eq!(
        (get(&status, READY).status.as_str(), get(&status, READY).reason.as_str()),
        ("False", "ImageNotAvailable")
    );
}

#[test]
fn an_unhealthy_connector_is_named() {
    let mut findings = well();
    let connectors = vec![
        ("whatsapp".into(), rollout("demo-connector-whatsapp", 1, 1, 1)),
        ("spare".into(), rollout("demo-connector-spare", 2, 2, 1)),
    ];
    findings.note_rollouts(Rollouts { connectors, ..running() });
    let status = first(&findings);
    assert_eq!(
        get(&status, "ConnectorsHealthy").message,
        "spare: Deployment demo-connector-spare has 1 of 2 pods available"
    );
}

#[test]
fn a_connector_whose_provider_fails_does_not_hide_one_that_does_not_run() {
    let mut findings = well();
    let ailing = Trouble { reason: "BreakerOpen", message: "the provider fails".into(), remedy: "wait" };
    let open = rollout("demo-connector-whatsapp", 1, 1, 1).map(|rollout| Rollout { ailing: Some(ailing), ..rollout });
    let connectors = vec![("whatsapp".into(), open), ("spare".into(), rollout("demo-connector-spare", 2, 2, 0))];
    findings.note_rollouts(Rollouts { connectors, ..running() });
    let status = first(&findings);
    assert_eq!(get(&status, READY).status, "False");
    assert!(get(&status, "ConnectorsHealthy").message.contains("demo-connector-spare has 0 of 2"));
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let former = first(&well());
    let (status, transitions) = of(&identity(1), Some("0.1.0"), Some(&former), &well(), at(999));
    assert_eq!(status, former);
    assert_eq!(transitions, []);
}

#[test]
fn a_transition_time_moves_only_with_the_status() {
    let mut findings = well();
    findings.note(Aspect::KafkaReachable, Verdict::bad("BrokersUnreachable", "no answer"));
    let former = first(&findings);
    findings.note(Aspect::KafkaReachable, Verdict::bad("TooFewBrokers", "one broker"));
    let (status, _) = of(&identity(2), None, Some(&former), &findings, at(200));
    let kafka = get(&status, "KafkaReachable");
    assert_eq!((kafka.last_transition_time.0, kafka.observed_generation), (at(100), Some(2)));
    let (status, _) = of(&identity(2), None, Some(&status), &well(), at(300));
    assert_eq!(get(&status, "KafkaReachable").last_transition_time.0, at(300));
}

#[test]
fn what_was_not_reached_keeps_what_was_known_of_it() {
    let former = first(&well());
    let mut findings = Findings::default();
    findings.note(Aspect::SpecValid, Verdict::bad("Invalid", "spec.kafka: wrong; mend it"));
    let (status, _) = of(&identity(2), None, Some(&former), &findings, at(200));
    assert_eq!(get(&status, "KafkaReachable"), get(&former, "KafkaReachable"));
    assert_eq!(status.connectors, former.connectors);
    assert_eq!(status.observed_generation, Some(2));
}

#[test]
fn a_failure_that_no_aspect_tells_is_told_by_ready() {
    let mut findings = well();
    findings.failure = Some(Verdict::bad("NameTaken", "Service chat4all/demo-api exists"));
    let status = first(&findings);
    assert_eq!(get(&status, READY).reason, "NameTaken");
}

#[test]
fn a_change_becomes_one_event_and_bad_news_a_warning() {
    let former = first(&well());
    let mut findings = well();
    findings.note(Aspect::KafkaReachable, Verdict::bad("BrokersUnreachable", "no answer"));
    let (_, transitions) = of(&identity(1), None, Some(&former), &findings, at(200));
    assert_eq!(transitions.len(), 1);
    assert!(transitions[0].warning);
    assert_eq!((transitions[0].condition, transitions[0].reason.as_str()), ("KafkaReachable", "BrokersUnreachable"));
}

#[test]
fn becoming_ready_is_an_event() {
    let mut findings = well();
    findings.note(Aspect::KafkaReachable, Verdict::bad("BrokersUnreachable", "no answer"));
    let former = first(&findings);
    let (_, transitions) = of(&identity(1), None, Some(&former), &well(), at(200));
    let told: Vec<_> = transitions.iter().map(|t| (t.condition, t.warning)).collect();
    assert_eq!(told, [(READY, false), ("KafkaReachable", false)]);
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let verdict = Verdict::bad("Invalid", "ä".repeat(1000));
    assert!(verdict.message.len() <= 904);
    assert!(verdict.message.ends_with("..."));
}

#[test]
fn the_selector_finds_the_routers() {
    assert_eq!(
        first(&well()).router.unwrap().selector,
        "app.kubernetes.io/component=router,app.kubernetes.io/instance=demo,app.kubernetes.io/name=chat4all"
    );
}

#[test]
fn what_keeps_the_number_of_routers_as_it_is_keeps_no_cluster_from_being_ready() {
    let former = first(&well());
    let mut findings = well();
    findings.note(Aspect::RouterScaling, Verdict::bad("NotAdvancing", "nothing moves"));
    let (status, transitions) = of(&identity(1), None, Some(&former), &findings, at(200));
    assert_eq!(get(&status, READY).status, "True");
    assert_eq!(get(&status, "RouterScaling").status, "False");
    assert_eq!(transitions.iter().map(|t| t.condition).collect::<Vec<_>>(), ["RouterScaling"]);
}

#[test]
fn what_scaling_waits_for_in_passing_is_no_event() {
    let former = first(&well());
    let mut findings = well();
    findings.note(Aspect::RouterScaling, Verdict::good("Draining", "fewer later"));
    let (status, transitions) = of(&identity(1), None, Some(&former), &findings, at(200));
    assert_eq!(get(&status, "RouterScaling").reason, "Draining");
    assert_eq!(transitions, []);
}

#[test]
fn what_was_shown_of_the_scaling_stays_until_the_next_look() {
    let mut findings = well();
    let learned = LearnedStatus { records_per_second: 900, statuses_per_hundred_messages: 300, pods: "p".into() };
    findings.scaling = Some(Shown { lag_seconds: Some(5), learned: Some(learned.clone()), ..Shown::default() });
    let former = first(&findings);
    let (status, _) = of(&identity(1), None, Some(&former), &well(), at(200));
    let router = status.router.unwrap();
    assert_eq!((router.lag_seconds, router.learned), (Some(5), Some(learned)));
}
