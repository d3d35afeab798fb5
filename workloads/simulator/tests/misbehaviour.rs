//! Faults, the log and health, as tests and people use them. Over real HTTP.

#![allow(clippy::unwrap_used)]

mod support;

use std::error::Error as _;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};
use support::*;

const TO: &str = "5562998765432";

#[tokio::test]
async fn a_fault_for_two_requests_refuses_two() {
    let simulator = silent().await;
    simulator.set_fault(json!({"status": 503, "times": 2})).await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(simulator.send(&text_to(TO, "hi")).await.0);
    }
    assert_eq!(answers, [503, 503, 200]);
    let taken: Vec<bool> = simulator.log().await.iter().map(|entry| entry["message_id"].is_string()).collect();
    assert_eq!(taken, [false, false, true]);
}

#[rstest]
#[case::status_and_code(json!({"status": 403, "code": 131056}), 403, Some(131056))]
#[case::code_with_its_usual_status(json!({"code": 190}), 401, Some(190))]
#[case::an_error_with_200(json!({"status": 200, "code": 131026}), 200, Some(131026))]
#[case::a_429(json!({"status": 429, "code": 613}), 429, Some(613))]
#[case::no_json(json!({"status": 502}), 502, None)]
#[tokio::test]
async fn a_fault_answers_with_the_providers_body(#[case] fault: Value, #[case] status: u16, #[case] code: Option<i64>) {
    let simulator = silent().await;
    simulator.set_fault(fault).await;
    let (answered, body) = simulator.send(&text_to(TO, "hi")).await;
    assert_eq!((answered, body["error"]["code"].as_i64()), (status, code), "{body}");
    assert_eq!(body.is_object(), code.is_some());
    assert_eq!(simulator.log().await[0]["answer"], json!({"status": status, "code": code, "dropped": false}));
}

#[tokio::test]
async fn a_message_can_be_accepted_although_the_answer_refuses_it() {
    let mut receiver = Receiver::start().await;
    let simulator = start(config(Some(receiver.url.clone()))).await;
    simulator.set_fault(json!({"status": 500, "accept": true, "times": 1})).await;
    assert_eq!(simulator.send(&text_to(TO, "hi")).await.0, 500);
    let told = receiver.next().await;
    assert_eq!(simulator.log().await[0]["message_id"], told["id"]);
}

#[rstest]
#[case::accepted(true)]
#[case::not_accepted(false)]
#[tokio::test]
async fn a_dropped_answer_is_a_broken_connection_and_the_log_says_whether_it_was_accepted(#[case] accept: bool) {
    let mut receiver = Receiver::start().await;
    let simulator = start(config(Some(receiver.url.clone()))).await;
    // On a fresh connection and on one that has been used, since clients treat these differently.
    for used in [false, true] {
        if used {
            assert_eq!(simulator.send(&text_to(TO, "before")).await.0, 200);
            receiver.next_names(3).await;
        }
        simulator.delete("/log").await;
        simulator.set_fault(json!({"dropAnswer": true, "accept": accept, "times": 1})).await;
        let error = simulator.try_send(&text_to(TO, "hi")).await.unwrap_err();
        assert!(error.is_request() && !error.is_connect() && !error.is_timeout(), "{error:?}");
        assert!(error.source().is_some());
        let log = simulator.log().await;
        assert_eq!(log.len(), 1, "no client sends it twice by itself: {log:?}");
        assert_eq!(log[0]["answer"]["dropped"], true);
        assert_eq!(log[0]["message_id"].is_string(), accept);
        if accept {
            assert_eq!(receiver.next_names(3).await, ["sent", "delivered", "read"]);
        }
    }
}

#[tokio::test]
async fn a_delayed_answer_comes_late_and_is_the_usual_one() {
    let simulator = silent().await;
    simulator.set_fault(json!({"delayMillis": 300, "times": 1})).await;
    let begun = Instant::now();
    assert_eq!(simulator.send(&text_to(TO, "hi")).await.0, 200);
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_caller_who_does_not_wait_for_a_delayed_answer_has_sent_its_message_all_the_same() {
    let simulator = silent().await;
    simulator.set_fault(json!({"delayMillis": 60_000, "times": 1})).await;
    let call = simulator.client.post(simulator.messages_url()).bearer_auth(TOKEN).json(&text_to(TO, "hi"));
    let error = call.timeout(Duration::from_millis(300)).send().await.unwrap_err();
    assert!(error.is_timeout());
    assert!(simulator.log().await[0]["message_id"].is_string());
}

#[tokio::test]
async fn a_fault_can_be_seen_and_ended() {
    let simulator = silent().await;
    assert_eq!(simulator.get("/fault").await, Value::Null);
    simulator.set_fault(json!({"status": 503, "forSeconds": 60})).await;
    let fault = simulator.get("/fault").await;
    assert_eq!((&fault["status"], &fault["times"]), (&json!(503), &Value::Null));
    assert!((59..=60).contains(&fault["forSeconds"].as_u64().unwrap()));
    simulator.delete("/fault").await;
    assert_eq!(simulator.get("/fault").await, Value::Null);
    assert_eq!(simulator.send(&text_to(TO, "hi")).await.0, 200);
}

#[rstest]
#[case::nonsense("soon", "not a fault")]
#[case::a_typo(r#"{"stauts":503}"#, "stauts")]
#[case::no_status(r#"{"status":42}"#, "200 to 599")]
#[case::nothing("{}", "changes nothing")]
#[tokio::test]
async fn a_senseless_fault_is_refused_with_the_reason(#[case] body: &'static str, #[case] says: &str) {
    let simulator = silent().await;
    let response = simulator.client.put(format!("{}/fault", simulator.url)).body(body).send().await.unwrap();
    let (status, answer) = parts(response).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains(says), "{answer}");
    assert_eq!(simulator.get("/fault").await, Value::Null);
}

#[tokio::test]
async fn the_log_is_in_order_of_arrival_and_read_by_cursor() {
    let simulator = silent().await;
    for i in 0..5 {
        simulator.send(&text_to(TO, &format!("message {i}"))).await;
    }
    let first = simulator.get("/log?limit=3").await;
    let rest = simulator.get(&format!("/log?after={}&limit=10", first["next"])).await;
    let of = |page: &Value, field: &str| -> Vec<Value> {
        page["entries"].as_array().unwrap().iter().map(|entry| entry[field].clone()).collect()
    };
    assert_eq!(of(&first, "seq"), [1, 2, 3]);
    assert_eq!(of(&first, "body"), ["message 0", "message 1", "message 2"]);
    assert_eq!(of(&rest, "body"), ["message 3", "message 4"]);
    assert_eq!(rest["next"], 5);
    assert_eq!(simulator.get("/log?after=5").await, json!({"entries": [], "next": 5}));

    let entry = &first["entries"][0];
    assert_eq!((&entry["kind"], &entry["to"]), (&json!("received"), &json!(TO)));
    assert_eq!(entry["correlation"], "correlation of message 0");
    assert!(entry["at"].as_str().unwrap().ends_with('Z') && entry["message_id"].is_string());

    simulator.delete("/log").await;
    assert!(simulator.log().await.is_empty());
}

#[tokio::test]
async fn a_wrong_cursor_is_refused() {
    let simulator = silent().await;
    let response = simulator.client.get(format!("{}/log?after=x", simulator.url)).send().await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn it_says_that_it_is_alive_and_ready() {
    let simulator = silent().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(simulator.client.get(format!("{}{path}", simulator.url)).send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn it_ends_soon_after_it_is_told_to_also_with_a_delayed_answer_open() {
    let simulator = chat4all_simulator::Simulator::bind(config(None)).await.unwrap();
    let url = format!("http://{}", simulator.address());
    let shutdown = tokio_util::sync::CancellationToken::new();
    let served = tokio::spawn(simulator.serve(shutdown.clone()));
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    client.put(format!("{url}/fault")).body(r#"{"delayMillis":60000}"#).send().await.unwrap();
    let call = client.post(format!("{url}/v25.0/{NUMBER_ID}/messages")).bearer_auth(TOKEN).json(&text_to(TO, "hi"));
    let open = tokio::spawn(call.send());
    while client.get(format!("{url}/log")).send().await.unwrap().json::<Value>().await.unwrap()["next"] == 0 {}
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), served).await.unwrap().unwrap().unwrap();
    open.abort();
}
