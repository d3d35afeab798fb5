//! What the connector pods say stands in the resource, and only what changed is told.

use std::time::Duration;

use chat4all_operator::connectors::Ailment;
use chat4all_operator::connectors::pods::PodReading;
use rstest::rstest;
use serde_json::Value;

use crate::world::{World, secret};

const MINUTE: Duration = Duration::from_secs(60);
const POD: &str = "demo-connector-whatsapp-0";

fn ails(ailment: Ailment) -> PodReading {
    PodReading { ailment: Some(ailment), ..PodReading::default() }
}

fn gave_up(dead_letters: u64) -> PodReading {
    PodReading { dead_letters, ..PodReading::default() }
}

fn events(world: &World, reason: &str) -> Vec<Value> {
    world.api.all("events").into_iter().filter(|event| event["reason"] == reason).collect()
}

#[rstest]
#[case(Ailment::BreakerOpen, "BreakerOpen", "messages wait in Kafka and use up no attempts")]
#[case(Ailment::TokenExpired, "TokenExpired", "put a new one into the Secret of credentialsSecretRef")]
#[case(Ailment::AccountDisconnected, "AccountDisconnected", "put another one into the Secret")]
#[case(Ailment::AccountSuspended, "AccountSuspended", "settle it with the provider")]
#[tokio::test(start_paused = true)]
async fn what_ails_a_connector_is_shown_told_once_and_over_when_it_is_over(
    #[case] ailment: Ailment,
    #[case] reason: &str,
    #[case] says: &str,
) {
    let world = World::with_a_ready_cluster().await;
    world.connectors.say(POD, ails(ailment));
    world.until("it is shown", |w| w.condition("ConnectorsHealthy").1 == reason).await;
    let (status, _, message) = world.condition("ConnectorsHealthy");
    assert_eq!(status, "False");
    assert!(message.contains("spec.connectors[whatsapp]") && message.contains(says), "{message}");
    assert_eq!(world.cluster()["status"]["connectors"][0]["ailing"], reason);
    assert_eq!(world.condition("Ready").0, "True", "everything runs");

    world.is_quiet().await;
    let before = world.api.writes();
    world.pass(MINUTE * 10).await;
    assert_eq!(world.api.writes()[before.len()..], [""; 0], "what lasts is no news");
    let told = events(&world, reason);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["type"], "Warning");

    world.connectors.say(POD, PodReading::default());
    world.until("it is over", |w| w.condition("ConnectorsHealthy").0 == "True").await;
}

#[tokio::test(start_paused = true)]
async fn pods_that_give_no_answer_change_nothing() {
    let world = World::with_a_ready_cluster().await;
    world.connectors.say(POD, ails(Ailment::BreakerOpen));
    world.until("it is shown", |w| w.condition("ConnectorsHealthy").1 == "BreakerOpen").await;
    world.connectors.silent(true);
    let before = world.api.writes();
    world.pass(MINUTE * 5).await;
    assert_eq!(world.api.writes()[before.len()..], [""; 0]);
    assert_eq!(world.condition("ConnectorsHealthy").1, "BreakerOpen");
}

#[tokio::test(start_paused = true)]
async fn a_first_dead_letter_is_a_warning_and_more_of_them_are_growing() {
    let world = World::with_a_ready_cluster().await;
    world.pass(MINUTE).await;
    world.connectors.say(POD, gave_up(1));
    world.until("it is told", |w| !events(w, "FirstDeadLetter").is_empty()).await;
    let told = events(&world, "FirstDeadLetter");
    assert_eq!((told.len(), told[0]["type"].as_str()), (1, Some("Warning")));
    assert!(told[0]["note"].as_str().unwrap().contains("spec.connectors[whatsapp]"), "{told:#?}");
    world.pass(MINUTE).await;
    assert_eq!(world.condition("ConnectorsHealthy").0, "True", "one alone does not grow");

    world.connectors.say(POD, gave_up(5));
    world.until("they grow", |w| w.condition("ConnectorsHealthy").1 == "DeadLettersGrowing").await;
    assert!(world.condition("ConnectorsHealthy").2.contains("chat4all dlq list"));
    world.pass(MINUTE * 11).await;
    assert_eq!(world.condition("ConnectorsHealthy").0, "True");
    assert_eq!(events(&world, "FirstDeadLetter").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_cluster_is_asked_four_times_a_minute_for_each_pod_and_nothing_is_written() {
    let world = World::with_a_ready_cluster().await;
    world.pass(MINUTE).await;
    let (before, asked) = (world.api.writes(), world.connectors.asked());
    tokio::time::sleep(MINUTE * 10).await;
    assert!((39..=41).contains(&(world.connectors.asked() - asked)), "{}", world.connectors.asked() - asked);
    assert_eq!(world.api.writes()[before.len()..], [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_new_secret_replaces_the_pods_and_the_connector_is_healthy_again() {
    let world = World::with_a_ready_cluster().await;
    world.connectors.say(POD, ails(Ailment::TokenExpired));
    world.until("it is shown", |w| w.condition("ConnectorsHealthy").1 == "TokenExpired").await;
    let template = |w: &World| w.deployment("demo-connector-whatsapp").unwrap()["spec"]["template"]["metadata"].clone();
    let before = template(&world);

    let mut renewed = secret("demo-whatsapp", &["access-token", "app-secret", "verify-token"]);
    renewed["data"]["access-token"] = "YW5vdGhlci10b2tlbg==".into();
    world.api.put(renewed);
    world.until("the pods are other ones", |w| template(w) != before).await;
    // The new pod begins with nothing against it.
    world.connectors.say(POD, PodReading::default());
    world.kubernetes_runs_everything().await;
    world.until("it is healthy", |w| w.condition("ConnectorsHealthy").0 == "True").await;
}
