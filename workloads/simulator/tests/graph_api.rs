//! The simulator keeps the provider's contract: right requests are taken, wrong ones get the
//! provider's error, and statuses follow in signed webhooks. Over real HTTP.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::time::Duration;

use chat4all_simulator::{Config, Error, Secret, Simulator};
use rstest::rstest;
use serde_json::{Value, json};
use support::*;

#[tokio::test]
async fn a_right_request_is_accepted_and_sent_delivered_and_read_follow_in_order() {
    let mut receiver = Receiver::start().await;
    let simulator = start(config(Some(receiver.url.clone()))).await;
    let (status, answer) = simulator.send(&text_to("5562998765432", "olá")).await;
    assert_eq!(status, 200);
    assert_eq!(answer["messaging_product"], "whatsapp");
    assert_eq!(answer["contacts"], json!([{"input": "5562998765432", "wa_id": "5562998765432"}]));
    let wamid = answer["messages"][0]["id"].as_str().unwrap();
    assert!(wamid.starts_with("wamid.HBg"));
    for name in ["sent", "delivered", "read"] {
        let told = receiver.next().await;
        assert_eq!((told["id"].as_str(), told["status"].as_str()), (Some(wamid), Some(name)));
        assert_eq!(told["recipient_id"], "5562998765432");
        assert_eq!(told["biz_opaque_callback_data"], "correlation of olá");
        assert!(told["timestamp"].as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000);
    }
}

#[tokio::test]
async fn a_business_scoped_user_is_taken_by_recipient() {
    let simulator = silent().await;
    let mut body = text_to("", "hi");
    body.as_object_mut().unwrap().remove("to");
    body["recipient"] = json!("US.1349");
    let (status, answer) = simulator.send(&body).await;
    assert_eq!((status, &answer["contacts"][0]["user_id"]), (200, &json!("US.1349")));
    assert_eq!(simulator.log().await[0]["to"], "US.1349");
}

/// The right request with one field set (or, with `null` under the name `-field`, taken away).
fn with(change: Value) -> Value {
    let mut body = text_to("5562998765432", "hi");
    for (name, value) in change.as_object().unwrap() {
        match name.strip_prefix('-') {
            Some(gone) => drop(body.as_object_mut().unwrap().remove(gone)),
            None => body[name] = value.clone(),
        }
    }
    body
}

#[rstest]
#[case::no_object(json!([]), 100, "JSON object")]
#[case::no_product(with(json!({"-messaging_product": null})), 131008, "messaging_product")]
#[case::another_product(with(json!({"messaging_product": "sms"})), 100, "WHATSAPP")]
#[case::no_recipient_type(with(json!({"-recipient_type": null})), 131008, "recipient_type")]
#[case::another_recipient_type(with(json!({"recipient_type": "everybody"})), 131009, "individual")]
#[case::no_recipient(with(json!({"-to": null})), 131008, "to")]
#[case::both_recipients(with(json!({"recipient": "US.1349"})), 100, "Only one")]
#[case::a_plus(with(json!({"to": "+5562998765432"})), 131009, "without +")]
#[case::letters(with(json!({"to": "maria"})), 131009, "digits")]
#[case::a_number_as_number(with(json!({"to": 5562998765432u64})), 131009, "digits")]
#[case::a_wrong_user(with(json!({"-to": null, "recipient": "1349"})), 131009, "US.1349")]
#[case::no_type(with(json!({"-type": null})), 131008, "type")]
#[case::another_type(with(json!({"type": "hologram"})), 131051, "hologram")]
#[case::no_text(with(json!({"-text": null})), 131008, "text")]
#[case::text_as_text(with(json!({"text": "hi"})), 100, "JSON object")]
#[case::no_body(with(json!({"text": {"preview_url": false}})), 131008, "body")]
#[case::an_empty_body(with(json!({"text": {"body": ""}})), 131008, "body")]
#[case::a_number_as_body(with(json!({"text": {"body": 7}})), 131009, "body")]
#[case::too_long(with(json!({"text": {"body": "é".repeat(4097)}})), 100, "4096")]
#[case::preview_as_text(with(json!({"text": {"body": "hi", "preview_url": "no"}})), 100, "preview_url")]
#[case::an_unknown_field(with(json!({"priority": "high"})), 100, "priority")]
#[case::an_unknown_field_of_text(with(json!({"text": {"body": "hi", "font": "x"}})), 100, "font")]
#[case::long_callback_data(with(json!({"biz_opaque_callback_data": "x".repeat(513)})), 131009, "512")]
#[tokio::test]
async fn a_wrong_body_gets_the_providers_error_and_no_webhooks(
    #[case] body: Value,
    #[case] code: i64,
    #[case] says: &str,
) {
    let simulator = silent().await;
    let (status, answer) = simulator.send(&body).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(code)), "{answer}");
    assert!(answer["error"]["error_data"]["details"].as_str().unwrap().contains(says), "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().starts_with(&format!("(#{code}) ")));
    assert!(answer["error"]["fbtrace_id"].is_string() && answer["error"]["type"] == "OAuthException");
    let log = simulator.log().await;
    assert_eq!(log[0]["message_id"], Value::Null);
    assert_eq!(log[0]["answer"], json!({"status": 400, "code": code, "dropped": false}));
}

#[tokio::test]
async fn a_text_of_4096_characters_is_taken() {
    let body = with(json!({"text": {"body": "é".repeat(4096)}}));
    assert_eq!(silent().await.send(&body).await.0, 200);
}

#[rstest]
#[case::no_token(None, NUMBER_ID, "v25.0", "POST", 401, 190, None)]
#[case::another_token(Some("token-2"), NUMBER_ID, "v25.0", "POST", 401, 190, None)]
#[case::another_number(Some(TOKEN), "999", "v25.0", "POST", 400, 100, Some(33))]
#[case::a_get(Some(TOKEN), NUMBER_ID, "v25.0", "GET", 400, 100, Some(33))]
#[case::no_version(Some(TOKEN), NUMBER_ID, "latest", "POST", 400, 2500, None)]
#[tokio::test]
async fn a_wrong_call_gets_the_providers_error(
    #[case] token: Option<&str>,
    #[case] number: &str,
    #[case] version: &str,
    #[case] method: &str,
    #[case] status: u16,
    #[case] code: i64,
    #[case] subcode: Option<i64>,
) {
    let simulator = silent().await;
    let url = format!("{}/{version}/{number}/messages", simulator.url);
    let mut request = simulator.client.request(method.parse().unwrap(), url).json(&text_to("5562998765432", "hi"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let (answered, answer) = parts(request.send().await.unwrap()).await;
    assert_eq!((answered, answer["error"]["code"].as_i64()), (status, Some(code)), "{answer}");
    assert_eq!(answer["error"]["error_subcode"].as_i64(), subcode);
    assert!(!answer.to_string().contains(TOKEN));
}

#[tokio::test]
async fn a_path_that_the_api_does_not_have_gets_its_error() {
    let simulator = silent().await;
    assert_eq!(simulator.get("/v25.0/somewhere").await["error"]["code"], 2500);
}

#[tokio::test]
async fn webhooks_are_sent_again_until_they_are_acknowledged() {
    let mut receiver = Receiver::start().await;
    receiver.answer_first_with(&[503, 500, 301]);
    let simulator = start(config(Some(receiver.url.clone()))).await;
    simulator.send(&text_to("5562998765432", "hi")).await;
    assert_eq!(receiver.next_names(3).await, ["sent", "delivered", "read"]);
}

#[tokio::test]
async fn webhooks_that_nobody_takes_are_given_up_and_the_next_status_is_told() {
    let mut receiver = Receiver::start().await;
    receiver.answer_first_with(&[503]);
    let impatient = Config { webhook_patience: Duration::ZERO, ..config(Some(receiver.url.clone())) };
    let simulator = start(impatient).await;
    simulator.send(&text_to("5562998765432", "hi")).await;
    assert_eq!(receiver.next_names(2).await, ["delivered", "read"]);
}

#[tokio::test]
async fn a_message_whose_webhooks_have_no_room_is_refused_and_taken_later() {
    let mut receiver = Receiver::start().await;
    receiver.answer_first_with(&[503]);
    let small = Config { webhook_capacity: 1, ..config(Some(receiver.url.clone())) };
    let simulator = start(small).await;
    assert_eq!(simulator.send(&text_to("5562998765432", "first")).await.0, 200);
    let (status, answer) = simulator.send(&text_to("5562998765432", "second")).await;
    assert_eq!((status, &answer["error"]["code"]), (503, &json!(131016)));
    receiver.next_names(3).await;
    let taken = async { while simulator.send(&text_to("5562998765432", "third")).await.0 != 200 {} };
    tokio::time::timeout(Duration::from_secs(20), taken).await.unwrap();
}

#[tokio::test]
async fn under_load_every_message_is_told_thrice_and_in_order() {
    const MESSAGES: usize = 1000;
    let mut receiver = Receiver::start().await;
    let simulator = std::sync::Arc::new(start(config(Some(receiver.url.clone()))).await);
    let senders: Vec<_> = (0..20)
        .map(|sender| {
            let simulator = simulator.clone();
            tokio::spawn(async move {
                for i in 0..MESSAGES / 20 {
                    let body = text_to("5562998765432", &format!("{sender}-{i}"));
                    assert_eq!(simulator.send(&body).await.0, 200);
                }
            })
        })
        .collect();
    let mut told: HashMap<String, Vec<String>> = HashMap::new();
    for _ in 0..3 * MESSAGES {
        let status = receiver.next().await;
        let name = status["status"].as_str().unwrap().to_owned();
        told.entry(status["id"].as_str().unwrap().to_owned()).or_default().push(name);
    }
    for sender in senders {
        sender.await.unwrap();
    }
    assert_eq!(told.len(), MESSAGES);
    assert!(told.values().all(|names| names == &["sent", "delivered", "read"]));
    assert_eq!(simulator.log().await.len(), MESSAGES);
}

#[rstest]
#[case::no_token(Config { access_token: Secret::new(""), ..config(None) }, "SIMULATOR_ACCESS_TOKEN is empty")]
#[case::no_url(config(Some("webhooks".into())), "SIMULATOR_WEBHOOK_URL")]
#[case::no_http(config(Some("ftp://host/x".into())), "http://")]
#[tokio::test]
async fn a_wrong_setting_is_named_at_start(#[case] config: Config, #[case] says: &str) {
    let error = Simulator::bind(config).await.err().unwrap().to_string();
    assert!(error.contains(says), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_named_at_start() {
    let simulator = silent().await;
    let listen = simulator.url.strip_prefix("http://").unwrap().parse().unwrap();
    let error = Simulator::bind(Config { listen, ..config(None) }).await.err().unwrap();
    assert!(matches!(error, Error::Listen { .. }) && error.to_string().contains("port"), "{error}");
}
