//! `POST /v1/messages` without an idempotency key.

use std::sync::Arc;
use std::time::Duration;

use chat4all_message::{Address, ConversationId};
use serde_json::json;
use tokio::time::timeout;

use crate::testing::{Mood, World, hello, post};

async fn members(world: &World, conversation: &str, members: &[&str]) {
    let conversation: ConversationId = conversation.parse().unwrap();
    let members: Vec<Address> = members.iter().map(|m| m.parse().unwrap()).collect();
    world.store.add_members(&conversation, &members).await.unwrap();
}

#[tokio::test]
async fn an_accepted_message_is_in_kafka_under_its_conversation() {
    let world = World::new();
    let answer = world.post_as("ana", &hello()).await;
    assert_eq!(answer.status, 202);
    let body = answer.json();
    assert_eq!((&body["status"], &body["conversation_id"]), (&json!("ACCEPTED"), &json!("c1")));
    let [message] = &world.kafka.messages()[..] else { panic!("one record expected") };
    assert_eq!(body["message_id"], message.message_id.to_string());
    assert_eq!((message.sender.to_string(), message.content.as_str()), ("ana".to_owned(), "olá"));
    assert_eq!(world.kafka.records.lock().unwrap()[0].key, "c1");
}

#[tokio::test]
async fn a_202_comes_only_after_the_acknowledgement() {
    let world = Arc::new(World::new());
    world.kafka.mood.send_replace(Mood::Waits);
    let token = world.token("ana").await;
    let sending = tokio::spawn({
        let world = world.clone();
        async move { world.send(post(&token, &hello(), None)).await }
    });
    let mut sending = sending;
    assert!(timeout(Duration::from_millis(200), &mut sending).await.is_err(), "no answer without an acknowledgement");
    world.kafka.permits.add_permits(1);
    assert_eq!(sending.await.unwrap().status, 202);
}

#[tokio::test]
async fn kafka_away_is_a_503_with_retry_after_and_never_a_202() {
    let world = World::new();
    for mood in [Mood::Refuses, Mood::Forgets] {
        world.kafka.mood.send_replace(mood);
        let answer = world.post_as("ana", &hello()).await;
        answer.problem(503, "unavailable");
        assert_eq!(answer.headers["retry-after"], "5");
    }
    let metrics = world.get("/metrics").await.text;
    assert!(metrics.contains("chat4all_api_produce_failures_total{topic=\"messages\"} 2"), "{metrics}");
}

#[tokio::test]
async fn a_body_beyond_64_kib_is_a_413() {
    let world = World::new();
    let answer = world.post_as("ana", &json!({"conversation_id": "c1", "content": "x".repeat(64 << 10)})).await;
    assert!(answer.problem(413, "body-too-large").contains("65536"));
}

#[tokio::test]
async fn a_content_beyond_its_limit_names_the_field() {
    let world = World::new();
    let body = json!({"conversation_id": "c1", "content": "x".repeat(10_241), "recipient_id": "bob"});
    let answer = world.post_as("ana", &body).await;
    answer.problem(400, "invalid-request");
    assert_eq!(answer.json()["field"], "content");
    assert!(world.kafka.messages().is_empty());
}

#[tokio::test]
async fn a_member_may_write_without_naming_a_recipient() {
    let world = World::new();
    members(&world, "c2", &["ana", "bob"]).await;
    let answer = world.post_as("ana", &json!({"conversation_id": "c2", "content": "hi"})).await;
    assert_eq!(answer.status, 202);
    assert_eq!(world.kafka.messages()[0].recipient, None);
}

#[tokio::test]
async fn a_first_message_without_a_recipient_names_recipient_id() {
    let answer = World::new().post_as("ana", &json!({"conversation_id": "new", "content": "hi"})).await;
    answer.problem(400, "invalid-request");
    assert_eq!(answer.json()["field"], "recipient_id");
}

#[tokio::test]
async fn a_stranger_is_refused_until_it_is_a_member() {
    let world = World::new();
    members(&world, "c2", &["bob", "carol"]).await;
    let body = json!({"conversation_id": "c2", "content": "hi", "recipient_id": "bob"});
    world.post_as("ana", &body).await.problem(403, "not-a-member");
    world.post_as("crm", &body).await.problem(403, "not-a-member");
    assert!(world.kafka.messages().is_empty());
    members(&world, "c2", &["ana"]).await;
    assert_eq!(world.post_as("ana", &body).await.status, 202, "a refusal is not remembered");
}

#[tokio::test]
async fn only_a_service_may_name_another_sender() {
    let world = World::new();
    let body = json!({"conversation_id": "c3", "content": "hi", "recipient_id": "bob", "sender_id": "carol"});
    world.post_as("ana", &body).await.problem(403, "not-the-sender");
    assert_eq!(world.post_as("crm", &body).await.status, 202);
    assert_eq!(world.kafka.messages()[0].sender.to_string(), "carol");
}

#[tokio::test]
async fn a_user_does_not_take_the_place_where_a_customer_would_write_first() {
    let world = World::new();
    let send = async |user: &str, conversation: &str, recipient: &str| {
        let body = json!({"conversation_id": conversation, "recipient_id": recipient, "content": "hi"});
        world.post_as(user, &body).await
    };
    for conversation in ["whatsapp:+556298765432", "whatsapp:+5562998765432", "person:7"] {
        let answer = send("ana", conversation, "bob").await;
        answer.problem(400, "invalid-request");
        assert_eq!(answer.json()["field"], "conversation_id");
    }
    assert_eq!(send("ana", "whatsapp:+556298765432", "whatsapp:+5562998765432").await.status, 202, "it is theirs");
    assert_eq!(send("crm", "whatsapp:+5562911112222", "bob").await.status, 202, "a service may speak for all");
}
