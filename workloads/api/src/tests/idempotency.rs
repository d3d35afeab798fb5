//! `POST /v1/messages` with an `Idempotency-Key`.

use std::sync::atomic::Ordering;

use chat4all_message::MessageId;
use chat4all_store::{Claim, ClaimState, RequestKey};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::idempotency::{AT_ONCE, DEAD_AFTER};
use crate::testing::{Answer, Mood, World, hello, post, send};

fn key(name: &str) -> RequestKey {
    RequestKey { user: "ana".into(), key: name.into() }
}

fn claim(body: &Value, seconds_ago: i64) -> Claim {
    Claim {
        fingerprint: Sha256::digest(body.to_string()).into(),
        message_id: MessageId::now(),
        since: Timestamp::now() - SignedDuration::from_secs(seconds_ago),
        state: ClaimState::InFlight,
    }
}

fn id(answer: &Answer) -> String {
    answer.json()["message_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_is_sent_once() {
    let world = World::new();
    let first = world.post_with_key("ana", &hello(), "k1").await;
    let again = world.post_with_key("ana", &hello(), "k1").await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (202, 202));
    assert_eq!(first.text, again.text);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(world.kafka.messages().len(), 1);
}

#[tokio::test]
async fn keys_of_different_users_do_not_meet() {
    let world = World::new();
    let theirs = json!({"conversation_id": "c9", "content": "hi", "recipient_id": "bob"});
    assert_eq!(world.post_with_key("ana", &hello(), "k1").await.status, 202);
    assert_eq!(world.post_with_key("crm", &theirs, "k1").await.status, 202);
    assert_eq!(world.kafka.messages().len(), 2);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_a_422() {
    let world = World::new();
    world.post_with_key("ana", &hello(), "k1").await;
    let mut other = hello();
    other["content"] = json!("something else");
    world.post_with_key("ana", &other, "k1").await.problem(422, "idempotency-key-reused");
    assert_eq!(world.kafka.messages().len(), 1);
}

#[tokio::test]
async fn a_request_still_at_work_is_a_409() {
    let world = World::new();
    world.store.claim(&key("k1"), &claim(&hello(), 3)).await.unwrap();
    let answer = world.post_with_key("ana", &hello(), "k1").await;
    answer.problem(409, "idempotency-key-in-flight");
    let wait: i64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=DEAD_AFTER).contains(&wait), "{wait}");
    assert!(world.kafka.messages().is_empty());
}

#[tokio::test]
async fn a_claim_whose_maker_died_is_taken_over_with_the_same_message_id() {
    let world = World::new();
    let dead = claim(&hello(), DEAD_AFTER + 1);
    world.store.claim(&key("k1"), &dead).await.unwrap();
    let answer = world.post_with_key("ana", &hello(), "k1").await;
    assert_eq!((answer.status.as_u16(), id(&answer)), (202, dead.message_id.to_string()));
    assert_eq!(world.kafka.messages()[0].message_id, dead.message_id);
    let again = world.post_with_key("ana", &hello(), "k1").await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let world = World::new();
    let wrong = json!({"conversation_id": "c1", "content": ""});
    world.post_with_key("ana", &wrong, "k1").await.problem(400, "invalid-request");
    world.kafka.mood.send_replace(Mood::Refuses);
    world.post_with_key("ana", &hello(), "k1").await.problem(503, "unavailable");
    world.kafka.mood.send_replace(Mood::Acknowledges);
    assert_eq!(world.post_with_key("ana", &hello(), "k1").await.status, 202);
    assert_eq!(world.kafka.messages().len(), 1);
}

#[tokio::test]
async fn after_a_lost_acknowledgement_the_retry_uses_the_same_message_id() {
    let world = World::new();
    world.kafka.mood.send_replace(Mood::Forgets);
    let answer = world.post_with_key("ana", &hello(), "k1").await;
    answer.problem(503, "unavailable");
    assert_eq!(answer.headers["retry-after"], "5", "the claim can be taken over at once");
    let stored = world.kafka.messages()[0].message_id;

    world.kafka.mood.send_replace(Mood::Acknowledges);
    let answer = world.post_with_key("ana", &hello(), "k1").await;
    assert_eq!((answer.status.as_u16(), id(&answer)), (202, stored.to_string()));
    assert!(world.kafka.messages().iter().all(|message| message.message_id == stored), "one message, however often");
}

#[tokio::test]
async fn when_as_many_as_a_slow_store_bears_are_being_claimed_the_next_is_told_to_come_again() {
    let world = World::new();
    let mut turns: Vec<_> = (0..AT_ONCE).map(|_| world.api.keyed.take().unwrap()).collect();
    let refused = world.post_with_key("ana", &hello(), "k1").await;
    refused.problem(503, "unavailable");
    assert_eq!(refused.headers["retry-after"], "2");
    assert!(world.kafka.messages().is_empty());
    assert_eq!(world.post_as("ana", &hello()).await.status, 202, "without a key nothing is claimed");
    turns.pop();
    for key in ["k1", "k2"] {
        assert_eq!(world.post_with_key("ana", &hello(), key).await.status, 202, "a turn comes back");
    }
}

#[tokio::test]
async fn requests_that_wait_for_kafka_keep_no_other_from_being_claimed() {
    let world = World::new();
    let token = world.token("ana").await;
    world.kafka.mood.send_replace(Mood::Waits);
    let request = |n| send(world.app(), post(&token, &hello(), Some(&format!("k{n}"))));
    let waiting: Vec<_> = (0..=AT_ONCE).map(|n| tokio::spawn(request(n))).collect();
    while world.kafka.waiting.load(Ordering::Relaxed) <= AT_ONCE {
        tokio::task::yield_now().await;
    }
    world.kafka.permits.add_permits(AT_ONCE + 1);
    for answer in waiting {
        assert_eq!(answer.await.unwrap().status, 202);
    }
}

#[tokio::test]
async fn a_key_of_forbidden_characters_names_the_header() {
    let answer = World::new().post_with_key("ana", &hello(), "two words").await;
    answer.problem(400, "invalid-request");
    assert_eq!(answer.json()["field"], "Idempotency-Key");
}
