//! `/v1/dead-letters`.

use axum::body::Body;
use axum::http::Request;
use chat4all_message::{AcceptedMessage, Delivery, DeliveryEvent, LetterId, MessageId};
use chat4all_store::{About, DeadLetter, LetterBody, Origin};
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};

use crate::testing::{Answer, Mood, World};

const TO: &str = "whatsapp:+5562998765432";

async fn post(world: &World, user: &str, path: &str, body: &Value) -> Answer {
    let request = Request::post(path).header("authorization", format!("Bearer {}", world.token(user).await));
    world.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn at(second: u32) -> Timestamp {
    format!("2026-11-25T10:00:{second:02}Z").parse().unwrap()
}

/// A delivery that the connector gave up in this second.
async fn given_up(world: &World, recipient: &str, offset: i64, second: u32) -> (LetterId, Delivery) {
    let message = AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: "c1".parse().unwrap(),
        sender: "ana".parse().unwrap(),
        recipient: Some(recipient.parse().unwrap()),
        content: format!("number {offset}"),
        file_id: None,
        media: None,
        reply_to: None,
    };
    let delivery = Delivery::of(&message, recipient.parse().unwrap(), "main");
    world.store.add_members(&message.conversation_id, std::slice::from_ref(&message.sender)).await.unwrap();
    world.store.put_message(&message, std::slice::from_ref(&delivery)).await.unwrap();
    let (code, reason) = ("131026".to_owned(), "undeliverable".to_owned());
    let failed = DeliveryEvent::Failed { code: code.clone(), reason, effort: None, dead_lettered_at: Some(at(second)) };
    world.store.apply(&delivery.reference, &failed, at(second)).await.unwrap();
    let letter = DeadLetter {
        id: LetterId::of("main-outbound", 0, offset),
        given_up_at: at(second),
        reason: code,
        message: "undeliverable".into(),
        attempts: 1,
        replays: 0,
        group: "main-connector-group".into(),
        origin: Origin { topic: "main-outbound".into(), partition: 0, offset, at: None },
        about: About {
            connector: Some("main".into()),
            recipient: Some(delivery.recipient.clone()),
            conversation_id: Some(message.conversation_id),
            message_id: Some(message.message_id),
            delivery_id: Some(delivery.reference.delivery_id),
        },
    };
    let value = serde_json::to_vec(&delivery).unwrap();
    let body = LetterBody { key: recipient.to_owned().into_bytes(), value };
    world.store.put_letter(&letter, &body).await.unwrap();
    (letter.id, delivery)
}

/// What stands in Kafka: topic, key, the delivery, and how often it was replayed.
fn produced(world: &World) -> Vec<(String, String, Delivery, String)> {
    let records = world.kafka.records.lock().unwrap();
    let of = |r: &crate::testing::Record| {
        let (name, replays) = r.headers[0].clone();
        assert_eq!(name, "chat4all-replays");
        (r.topic.clone(), r.key.clone(), serde_json::from_slice(&r.value).unwrap(), replays)
    };
    records.iter().map(of).collect()
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn shown_delivery(world: &World) -> Value {
    let page = world.get_as("crm", "/v1/conversations/c1/messages").await.json();
    page["messages"][0]["deliveries"][0].clone()
}

#[tokio::test]
async fn only_operators_work_with_dead_letters() {
    let world = World::new();
    let (id, _) = given_up(&world, TO, 1, 0).await;
    for user in ["ana", "crm"] {
        world.get_as(user, "/v1/dead-letters").await.problem(403, "not-an-operator");
        world.get_as(user, &format!("/v1/dead-letters/{id}")).await.problem(403, "not-an-operator");
        for path in [format!("/v1/dead-letters/{id}/replay"), format!("/v1/dead-letters/{id}/discard")] {
            let answer = post(&world, user, &path, &json!({})).await;
            assert!(answer.problem(403, "not-an-operator").contains("users.yaml"));
        }
        post(&world, user, "/v1/dead-letters/replay", &json!({})).await.problem(403, "not-an-operator");
    }
    assert!(produced(&world).is_empty());
}

#[tokio::test]
async fn letters_are_listed_newest_first_page_by_page_and_by_filter() {
    let world = World::new();
    for n in 0..5 {
        given_up(&world, TO, n, n as u32).await;
    }
    given_up(&world, "whatsapp:+5562900000002", 9, 9).await;
    let (mut offsets, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/dead-letters?limit=2&recipient_id=whatsapp:%2B5562998765432{cursor}");
        let page = world.get_as("ops", &path).await.json();
        offsets.extend(page["letters"].as_array().unwrap().iter().map(|letter| letter["offset"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(offsets, [4, 3, 2, 1, 0]);
    let page = world.get_as("ops", "/v1/dead-letters?from=2026-11-25T10:00:09Z&state=open").await.json();
    let [letter] = &page["letters"].as_array().unwrap()[..] else { panic!("{page}") };
    assert_eq!(
        (&letter["reason"], &letter["connector"], &letter["state"]),
        (&json!("131026"), &json!("main"), &json!("open"))
    );
    assert!(letter.get("value").is_none(), "the list is light");
}

#[rstest]
#[case("limit=0", "limit")]
#[case("cursor=x", "cursor")]
#[case("from=yesterday", "from")]
#[case("state=lost", "state")]
#[case("recipient_id=pigeon:7", "recipient_id")]
#[tokio::test]
async fn a_wrong_parameter_is_named(#[case] query: &str, #[case] field: &str) {
    let answer = World::new().get_as("ops", &format!("/v1/dead-letters?{query}")).await;
    answer.problem(400, "invalid-request");
    assert_eq!(answer.json()["field"], field);
}

#[tokio::test]
async fn a_replayed_delivery_goes_back_to_its_topic_and_is_in_flight_again() {
    let world = World::new();
    let (id, delivery) = given_up(&world, TO, 1, 5).await;
    assert_eq!(shown_delivery(&world).await["status"], "FAILED");
    let path = format!("/v1/dead-letters/{id}/replay");
    let answer = post(&world, "ops", &path, &json!({})).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["state"]), (200, &json!("replayed")));
    assert_eq!(produced(&world), [("main-outbound".into(), TO.into(), delivery.clone(), "1".into())]);
    let shown = shown_delivery(&world).await;
    assert_eq!((&shown["status"], shown.get("code")), (&json!("ACCEPTED"), None));
    let sent = DeliveryEvent::Sent { provider_id: None, effort: None };
    world.store.apply(&delivery.reference, &sent, at(30)).await.unwrap();
    assert_eq!(shown_delivery(&world).await["status"], "SENT");

    let again = post(&world, "ops", &path, &json!({})).await;
    assert!(again.problem(409, "letter-closed").contains("replayed by ops"), "{again:?}");
    let whole = world.get_as("ops", &format!("/v1/dead-letters/{id}")).await.json();
    assert_eq!(whole["closed_by"], "ops");
    let history = &whole["history"][0];
    assert_eq!(
        (&history["what"], &history["by"], &history["detail"]),
        (&json!("replay"), &json!("ops"), &json!("as it was"))
    );
}

#[tokio::test]
async fn a_letter_can_be_mended_and_what_was_changed_is_written_down() {
    let world = World::new();
    let (id, delivery) = given_up(&world, TO, 1, 5).await;
    let path = format!("/v1/dead-letters/{id}/replay");
    for (body, field) in [
        (json!({"content": "x".repeat(4097)}), "content"),
        (json!({"recipient_id": "telegram:7"}), "recipient_id"),
        (json!({"recipient": "bob"}), "content"),
    ] {
        let answer = post(&world, "ops", &path, &body).await;
        answer.problem(400, "invalid-request");
        assert_eq!(answer.json()["field"], field);
    }
    let body = json!({"content": "olá de novo", "recipient_id": "whatsapp:+5562900000002"});
    assert_eq!(post(&world, "ops", &path, &body).await.status, 200);
    let (_, key, mended, _) = produced(&world).remove(0);
    assert_eq!((key.as_str(), mended.content.as_str()), ("whatsapp:+5562900000002", "olá de novo"));
    assert_eq!(mended.reference, delivery.reference);
    let whole = world.get_as("ops", &format!("/v1/dead-letters/{id}")).await.json();
    assert_eq!(whole["history"][0]["detail"], "recipient_id: whatsapp:+5562900000002; content: olá de novo");
}

#[tokio::test]
async fn kafka_away_leaves_the_letter_open_and_the_failure_standing() {
    let world = World::new();
    let (id, _) = given_up(&world, TO, 1, 5).await;
    world.kafka.mood.send_replace(Mood::Refuses);
    let path = format!("/v1/dead-letters/{id}/replay");
    post(&world, "ops", &path, &json!({})).await.problem(503, "unavailable");
    assert_eq!(shown_delivery(&world).await["status"], "FAILED");
    world.kafka.mood.send_replace(Mood::Acknowledges);
    assert_eq!(post(&world, "ops", &path, &json!({})).await.status, 200);
}

#[tokio::test]
async fn a_discarded_letter_says_by_whom_and_why_and_is_not_replayed() {
    let world = World::new();
    let (id, _) = given_up(&world, TO, 1, 5).await;
    let path = format!("/v1/dead-letters/{id}/discard");
    post(&world, "ops", &path, &json!({})).await.problem(400, "invalid-request");
    assert_eq!(post(&world, "ops", &path, &json!({"reason": "called instead"})).await.json()["state"], "discarded");
    let whole = world.get_as("ops", &format!("/v1/dead-letters/{id}")).await.json();
    assert_eq!(whole["history"][0]["detail"], "called instead");
    post(&world, "ops", &format!("/v1/dead-letters/{id}/replay"), &json!({})).await.problem(409, "letter-closed");
    let all = lines(&post(&world, "ops", "/v1/dead-letters/replay", &json!({"filter": {"connector": "main"}})).await);
    assert_eq!(all, [json!({"matched": 0, "replayed": 0, "skipped": 0, "done": true})]);
    assert!(produced(&world).is_empty());
    world
        .get_as("ops", &format!("/v1/dead-letters/{}", LetterId::of("t", 0, 0)))
        .await
        .problem(404, "letter-not-found");
}

#[tokio::test]
async fn a_dry_run_counts_and_does_nothing() {
    let world = World::new();
    for n in 0..3 {
        given_up(&world, TO, n, n as u32).await;
    }
    let body = json!({"filter": {"reason": "131026"}, "dry_run": true});
    let counted = lines(&post(&world, "ops", "/v1/dead-letters/replay", &body).await);
    assert_eq!(counted, [json!({"matched": 3, "replayed": 0, "skipped": 0, "done": true})]);
    assert!(produced(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn letters_go_back_in_their_original_order_at_the_rate_that_was_asked_for() {
    let world = World::new();
    // Given up in another order than accepted: the first one had been replayed before.
    for (offset, second) in [(7, 9), (1, 1), (2, 2), (3, 0), (4, 5)] {
        given_up(&world, TO, offset, second).await;
    }
    let begun = tokio::time::Instant::now();
    let body = json!({"filter": {"connector": "main"}, "rate_per_second": 2});
    let told = lines(&post(&world, "ops", "/v1/dead-letters/replay", &body).await);
    assert_eq!(told.last().unwrap(), &json!({"matched": 5, "replayed": 5, "skipped": 0, "done": true}));
    assert!(begun.elapsed().as_millis() >= 2000, "{:?}", begun.elapsed());
    assert!(told.len() >= 2, "progress is told: {told:?}");
    let contents: Vec<String> = produced(&world).into_iter().map(|(_, _, delivery, _)| delivery.content).collect();
    assert_eq!(contents, ["number 7", "number 1", "number 2", "number 3", "number 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_cannot_be_replayed_is_told_and_the_others_go_on() {
    let world = World::new();
    let (id, _) = given_up(&world, TO, 1, 1).await;
    let (stored, body) = world.store.letter(id).await.unwrap().unwrap();
    let gone = DeadLetter {
        id: LetterId::of("old-outbound", 0, 1),
        origin: Origin { topic: "old-outbound".into(), ..stored.letter.origin.clone() },
        ..stored.letter
    };
    world.store.put_letter(&gone, &body).await.unwrap();
    let told = lines(&post(&world, "ops", "/v1/dead-letters/replay", &json!({"filter": {"reason": "131026"}})).await);
    assert!(
        told.iter().any(|line| line["problem"].as_str().is_some_and(|why| why.contains("connector old"))),
        "{told:?}"
    );
    assert_eq!(told.last().unwrap(), &json!({"matched": 2, "replayed": 1, "skipped": 1, "done": true}));
}

#[tokio::test]
async fn kafka_away_stops_a_replay_by_filter_and_says_so() {
    let world = World::new();
    for n in 0..3 {
        given_up(&world, TO, n, n as u32).await;
    }
    world.kafka.mood.send_replace(Mood::Refuses);
    let told = lines(&post(&world, "ops", "/v1/dead-letters/replay", &json!({"filter": {"connector": "main"}})).await);
    let [line] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&line["done"], &line["replayed"]), (&json!(false), &json!(0)));
    assert!(line["problem"].as_str().unwrap().contains("replay it again"), "{line}");
}

#[rstest]
#[case(json!({}), "filter")]
#[case(json!({"filter": {}}), "filter")]
#[case(json!({"filter": {"recipient": "bob"}}), "filter")]
#[case(json!({"filter": {"connector": "main"}, "dryRun": true}), "filter")]
#[case(json!({"filter": {"connector": "main"}, "rate_per_second": 0}), "rate_per_second")]
#[case(json!({"filter": {"connector": "main"}, "dry_run": "yes"}), "dry_run")]
#[tokio::test]
async fn a_replay_by_filter_must_be_spelled_right(#[case] body: Value, #[case] field: &str) {
    let world = World::new();
    given_up(&world, TO, 1, 1).await;
    let answer = post(&world, "ops", "/v1/dead-letters/replay", &body).await;
    answer.problem(400, "invalid-request");
    assert_eq!(answer.json()["field"], field);
    assert!(produced(&world).is_empty());
}
