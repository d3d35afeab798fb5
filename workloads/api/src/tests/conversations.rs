//! `GET /v1/conversations/{id}/messages`.

use chat4all_message::inbound::FileSource;
use chat4all_message::{
    AcceptedMessage, Address, Delivery, DeliveryEvent, Effort, Inbound, InboundFile, MediaKind, MessageId,
};
use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;

use crate::testing::{World, post};

/// What the router does with a message to a customer.
async fn stored(world: &World, content: &str) -> Delivery {
    let message = AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: "c1".parse().unwrap(),
        sender: "ana".parse().unwrap(),
        recipient: Some("whatsapp:+5562998765432".parse().unwrap()),
        content: content.into(),
        file_id: None,
        media: None,
        template: None,
        reply_to: None,
        inbound: None,
    };
    let recipient = message.recipient.clone().unwrap();
    world.store.add_members(&message.conversation_id, &[message.sender.clone(), recipient.clone()]).await.unwrap();
    let delivery = Delivery::of(&message, recipient, "main");
    world.store.put_message(&message, std::slice::from_ref(&delivery)).await.unwrap();
    delivery
}

#[tokio::test]
async fn what_came_in_is_shown_as_such_with_what_an_answer_needs() {
    let world = World::new();
    let sender: Address = "whatsapp:+5562998765432".parse().unwrap();
    let message = AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: "c1".parse().unwrap(),
        sender: sender.clone(),
        recipient: None,
        content: "oi".into(),
        file_id: None,
        media: None,
        template: None,
        reply_to: None,
        inbound: Some(Inbound {
            connector: "main".into(),
            provider_id: "wamid.in".into(),
            name: Some("Maria".into()),
            files: vec![InboundFile { kind: MediaKind::Image, source: FileSource::Id("77".into()) }],
        }),
    };
    world.store.add_members(&message.conversation_id, &["ana".parse().unwrap(), sender]).await.unwrap();
    world.store.put_message(&message, &[]).await.unwrap();
    let shown = world.get_as("ana", "/v1/conversations/c1/messages").await.json()["messages"][0].clone();
    assert_eq!((&shown["direction"], &shown["status"]), (&json!("inbound"), &json!("DELIVERED")));
    assert_eq!((&shown["connector"], &shown["provider_message_id"]), (&json!("main"), &json!("wamid.in")));
    assert_eq!(shown["sender_name"], "Maria");
    assert_eq!(shown["files"], json!([{"kind": "image", "provider_file_id": "77"}]));
}

#[tokio::test]
async fn a_page_shows_each_message_with_its_deliveries_and_their_instants() {
    let world = World::new();
    let delivery = stored(&world, "olá").await;
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let effort = Some(Effort { attempts: 2, unknown_outcomes: 1 });
    let sent = DeliveryEvent::Sent { provider_id: Some("wamid.1".into()), effort };
    world.store.apply(&delivery.reference, &sent, at("2026-11-25T10:00:01.5Z")).await.unwrap();
    world.store.apply(&delivery.reference, &DeliveryEvent::Delivered, at("2026-11-25T10:00:02Z")).await.unwrap();

    let answer = world.get_as("ana", "/v1/conversations/c1/messages").await;
    assert_eq!(answer.status, 200);
    let accepted_at = format!("{:.3}", delivery.reference.message_id.created_at());
    let expected = json!({
        "conversation_id": "c1",
        "messages": [{
            "direction": "outbound",
            "message_id": delivery.reference.message_id,
            "sender_id": "ana",
            "content": "olá",
            "created_at": accepted_at,
            "status": "DELIVERED",
            "deliveries": [{
                "delivery_id": delivery.reference.delivery_id,
                "recipient_id": "whatsapp:+5562998765432",
                "connector": "main",
                "status": "DELIVERED",
                "accepted_at": accepted_at,
                "sent_at": "2026-11-25T10:00:01.500Z",
                "delivered_at": "2026-11-25T10:00:02.000Z",
                "provider_message_id": "wamid.1",
                "attempts": 2,
                "unknown_outcomes": 1,
            }],
        }],
        "pagination": {"limit": 50, "offset": 0, "returned": 1},
    });
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn a_failure_shows_its_code_its_reason_and_its_dead_letter() {
    let world = World::new();
    let delivery = stored(&world, "olá").await;
    let at: Timestamp = "2026-11-25T10:00:01Z".parse().unwrap();
    let failed = DeliveryEvent::Failed {
        code: "131026".into(),
        reason: "undeliverable".into(),
        effort: Some(Effort { attempts: 1, unknown_outcomes: 0 }),
        dead_lettered_at: Some(at),
    };
    world.store.apply(&delivery.reference, &failed, at).await.unwrap();
    let answer = world.get_as("ana", "/v1/conversations/c1/messages").await;
    let shown = &answer.json()["messages"][0];
    assert_eq!(shown["status"], "FAILED");
    assert_eq!(shown["deliveries"][0]["code"], "131026");
    assert_eq!(shown["deliveries"][0]["reason"], "undeliverable");
    assert_eq!(shown["deliveries"][0]["dead_lettered_at"], "2026-11-25T10:00:01.000Z");
}

#[tokio::test]
async fn cursors_and_offsets_walk_the_same_messages() {
    let world = World::new();
    for n in 0..7 {
        stored(&world, &n.to_string()).await;
    }
    let (mut by_cursor, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get_as("ana", &format!("/v1/conversations/c1/messages?limit=3{cursor}")).await.json();
        by_cursor.extend(page["messages"].as_array().unwrap().iter().map(|m| m["content"].clone()));
        match page["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(by_cursor, ["6", "5", "4", "3", "2", "1", "0"]);
    let page = world.get_as("ana", "/v1/conversations/c1/messages?limit=3&offset=2").await.json();
    assert_eq!(page["messages"][0]["content"], "4");
    assert_eq!(page["pagination"]["offset"], 2);
    assert_eq!(page["pagination"]["returned"], 3);
}

#[tokio::test]
async fn only_members_and_services_read_a_conversation() {
    let world = World::new();
    stored(&world, "olá").await;
    world.get_as("bob", "/v1/conversations/c1/messages").await.problem(403, "not-a-member");
    assert_eq!(world.get_as("crm", "/v1/conversations/c1/messages").await.status, 200);
    world.get_as("ana", "/v1/conversations/c2/messages").await.problem(404, "conversation-not-found");
}

#[rstest]
#[case("/v1/conversations/c1/messages?limit=0", "limit")]
#[case("/v1/conversations/c1/messages?offset=10001", "offset")]
#[case("/v1/conversations/c1/messages?cursor=zzz", "cursor")]
#[case("/v1/conversations/a%20b/messages", "conversation_id")]
#[case("/v1/conversations/%FF/messages", "conversation_id")]
#[tokio::test]
async fn a_wrong_parameter_is_named(#[case] path: &str, #[case] field: &str) {
    let answer = World::new().get_as("ana", path).await;
    answer.problem(400, "invalid-request");
    assert_eq!(answer.json()["field"], field);
}

#[tokio::test]
async fn a_template_and_a_file_by_id_are_accepted_and_shown_as_they_were_given() {
    let world = World::new();
    let token = world.token("ana").await;
    let template = json!({"name": "order_shipped", "language": "pt_BR",
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Maria"}]}]});
    let media = json!({"kind": "document", "id": "1013859600285441", "filename": "invoice.pdf"});
    for (field, value) in [("template", &template), ("media", &media)] {
        let mut body = json!({"conversation_id": "c1", "recipient_id": "whatsapp:+5562998765432"});
        body[field] = value.clone();
        assert_eq!(world.send(post(&token, &body, None)).await.status, 202);
        let message = world.kafka.messages().pop().unwrap();
        world.store.add_members(&message.conversation_id, std::slice::from_ref(&message.sender)).await.unwrap();
        world.store.put_message(&message, &[]).await.unwrap();
        let page = world.get_as("ana", "/v1/conversations/c1/messages?limit=1").await.json();
        assert_eq!(&page["messages"][0][field], value, "{page}");
    }
}
