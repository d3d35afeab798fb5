//! `POST /v1/messages/{id}/read`.

use axum::body::Body;
use axum::http::Request;
use chat4all_message::{AcceptedMessage, Delivery, Inbound, MessageId};
use serde_json::json;

use crate::testing::{Answer, Mood, World};

/// A message that came in from this address, in a conversation of Ana's.
async fn came_in(world: &World, sender: &str) -> MessageId {
    let (id, conversation_id) = (MessageId::now(), "order-1042".parse().unwrap());
    let members = ["ana".parse().unwrap(), sender.parse().unwrap()];
    world.store.add_members(&conversation_id, &members).await.unwrap();
    let message = AcceptedMessage {
        message_id: id,
        conversation_id,
        sender: sender.parse().unwrap(),
        recipient: None,
        content: "chegou?".into(),
        file_id: None,
        media: None,
        template: None,
        reply_to: None,
        inbound: Some(Inbound { connector: "main".into(), provider_id: "wamid.7".into(), name: None, files: vec![] }),
    };
    world.store.put_message(&message, &[]).await.unwrap();
    id
}

async fn mark(world: &World, user: &str, id: &str, body: &str) -> Answer {
    let request = Request::post(format!("/v1/messages/{id}/read"))
        .header("authorization", format!("Bearer {}", world.token(user).await));
    world.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

const MARIA: &str = "whatsapp:+5562998765432";

#[tokio::test]
async fn a_mark_goes_to_the_connector_behind_the_messages_to_the_same_person() {
    let world = World::new();
    let id = came_in(&world, MARIA).await;
    for (body, typing) in [("", false), (r#"{"typing":true}"#, true)] {
        assert_eq!(mark(&world, "ana", &id.to_string(), body).await.json()["status"], "ACCEPTED");
        let records = world.kafka.records.lock().unwrap();
        let record = records.last().unwrap();
        assert_eq!((record.topic.as_str(), record.key.as_str()), ("main-outbound", MARIA));
        let delivery: Delivery = serde_json::from_slice(&record.value).unwrap();
        let mark = delivery.read_mark.unwrap();
        assert_eq!((mark.provider_id.as_str(), mark.typing), ("wamid.7", typing));
    }
}

#[tokio::test]
async fn what_cannot_be_marked_is_refused_with_the_reason() {
    let world = World::new();
    let id = came_in(&world, MARIA).await.to_string();
    let nothing = MessageId::now().to_string();
    mark(&world, "ana", &nothing, "").await.problem(404, "message-not-found");
    mark(&world, "ana", "7", "").await.problem(400, "invalid-request");
    mark(&world, "ana", &id, r#"{"typing":"yes"}"#).await.problem(400, "invalid-request");
    mark(&world, "bob", &id, "").await.problem(403, "not-a-member");
    let id = came_in(&world, "telegram:133").await.to_string();
    let answer = mark(&world, "ana", &id, "").await;
    assert!(answer.json()["detail"].as_str().unwrap().contains("takes no read marks"));
}

#[tokio::test]
async fn a_mark_is_not_accepted_while_kafka_is_away() {
    let world = World::new();
    let id = came_in(&world, MARIA).await.to_string();
    world.kafka.mood.send_replace(Mood::Refuses);
    mark(&world, "ana", &id, &json!({"typing": true}).to_string()).await.problem(503, "unavailable");
}
