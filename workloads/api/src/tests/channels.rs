//! `GET /v1/channels`.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::testing::World;

#[tokio::test]
async fn what_each_channel_can_carry_is_told_with_the_connector_that_carries_it() {
    let world = World::new();
    let body = world.get_as("ana", "/v1/channels").await.json();
    let channels = body["channels"].as_array().unwrap();
    let of = |name: &str| channels.iter().find(|channel| channel["channel"] == name).unwrap();
    let whatsapp = of("whatsapp");
    assert_eq!(whatsapp["connector"], "main");
    assert_eq!(whatsapp["text"], json!({"max": 4096, "unit": "characters"}));
    assert_eq!(whatsapp["media"][0]["caption"], json!({"max": 1024, "unit": "characters"}));
    assert!(whatsapp["media"][2].get("caption").is_none(), "audio travels without text");
    let telegram = of("telegram");
    assert!(telegram.get("connector").is_none());
    assert_eq!((&telegram["text"]["unit"], &telegram["tells_read"]), (&json!("UTF-16 units"), &json!(false)));
}

#[tokio::test]
async fn nothing_is_told_without_a_token() {
    let answer = World::new().send(Request::get("/v1/channels").body(Body::empty()).unwrap()).await;
    answer.problem(401, "unauthorized");
}
