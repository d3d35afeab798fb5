//! `GET|POST /webhooks/{connector}`.

use axum::body::Body;
use axum::http::Request;
use rstest::rstest;

use crate::testing::{APP_SECRET, Mood, VERIFY_TOKEN, World, signature, webhook};

const STATUS: &[u8] = br#"{"object":"whatsapp_business_account","entry":[]}"#;

fn forged() -> String {
    signature("another secret", STATUS)
}

#[rstest]
#[case(Some(forged()))]
#[case(Some("sha256=00".to_owned()))]
#[case(Some(signature(APP_SECRET, STATUS).replace("sha256=", "sha1=")))]
#[case(None)]
#[tokio::test]
async fn case_22_a_bad_signature_stores_nothing_and_is_a_401(#[case] signature: Option<String>) {
    let world = World::new();
    let answer = world.send(webhook("main", signature.as_deref(), STATUS)).await;
    answer.problem(401, "forged-webhook");
    assert!(world.kafka.records.lock().unwrap().is_empty());
    let metrics = world.get("/metrics").await.text;
    assert!(metrics.contains("chat4all_api_webhook_signature_failures_total{connector=\"main\"} 1"), "{metrics}");
}

#[rstest]
#[case(r#"{"text":"caf\u00e9 \u0040 ana"}"#.as_bytes())]
#[case("{\"text\":\"café @ ana\"}".as_bytes())]
#[case(b"{\"text\":\"caf\xe9 @ ana\"}")]
#[tokio::test]
async fn case_32_accents_and_at_signs_in_the_body_still_match(#[case] body: &[u8]) {
    let world = World::new();
    let answer = world.send(webhook("main", Some(&signature(APP_SECRET, body)), body)).await;
    assert_eq!(answer.status, 200);
    let [record] = &world.kafka.webhooks()[..] else { panic!("one record expected") };
    assert_eq!(record.body, body, "byte for byte");
}

#[tokio::test]
async fn a_repeated_webhook_has_the_same_key() {
    let world = World::new();
    for _ in 0..2 {
        assert_eq!(world.send(webhook("main", Some(&signature(APP_SECRET, STATUS)), STATUS)).await.status, 200);
    }
    let records = world.kafka.records.lock().unwrap();
    assert_eq!(records[0].topic, "main-inbound");
    assert_eq!(records[0].key, records[1].key);
}

#[tokio::test]
async fn only_headers_that_are_needed_are_kept() {
    let world = World::new();
    let mut request = webhook("main", Some(&signature(APP_SECRET, STATUS)), STATUS);
    request.headers_mut().insert("traceparent", "00-1-2-01".parse().unwrap());
    request.headers_mut().insert("cookie", "secret".parse().unwrap());
    world.send(request).await;
    let headers = &world.kafka.webhooks()[0].headers;
    assert_eq!(headers.iter().collect::<Vec<_>>(), [(&"traceparent".to_owned(), &"00-1-2-01".to_owned())]);
}

#[tokio::test]
async fn a_webhook_that_kafka_does_not_have_is_not_acknowledged() {
    let world = World::new();
    for mood in [Mood::Refuses, Mood::Forgets] {
        world.kafka.mood.send_replace(mood);
        let answer = world.send(webhook("main", Some(&signature(APP_SECRET, STATUS)), STATUS)).await;
        answer.problem(503, "unavailable");
        assert!(answer.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn a_webhook_may_have_3_mib_and_no_more() {
    let world = World::new();
    let largest = vec![b'x'; 3 << 20];
    let answer = world.send(webhook("main", Some(&signature(APP_SECRET, &largest)), &largest)).await;
    assert_eq!(answer.status, 200);
    let larger = vec![b'x'; (3 << 20) + 1];
    world.send(webhook("main", Some(&signature(APP_SECRET, &larger)), &larger)).await.problem(413, "body-too-large");
}

#[tokio::test]
async fn an_unknown_connector_is_a_404() {
    let world = World::new();
    world
        .send(webhook("spare", Some(&signature(APP_SECRET, STATUS)), STATUS))
        .await
        .problem(404, "connector-not-found");
    world.get("/webhooks/spare?hub.mode=subscribe").await.problem(404, "connector-not-found");
}

#[tokio::test]
async fn the_handshake_answers_the_raw_challenge_to_the_right_token_only() {
    let world = World::new();
    let query =
        |token: &str| format!("/webhooks/main?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=11%2B58");
    let answer = world.get(&query(VERIFY_TOKEN)).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "11+58"));
    world.get(&query("wrong")).await.problem(403, "handshake-refused");
    world.get("/webhooks/main").await.problem(403, "handshake-refused");
}

#[tokio::test]
async fn a_body_without_an_announced_length_is_bounded_too() {
    let world = World::new();
    let parts = (0..4).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1 << 20]));
    let request = Request::post("/webhooks/main").body(Body::from_stream(futures::stream::iter(parts))).unwrap();
    world.send(request).await.problem(413, "body-too-large");
}
