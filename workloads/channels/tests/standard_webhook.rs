//! Signed webhooks: what goes to an endpoint and what its answers mean. The signatures are checked by
//! the library of Standard Webhooks, which shares no code with ours.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat4all_channels::{
    Answer, Cause, Channel, Forged, Handshake, Kind, Outgoing, Retry, Scope, Unsendable, open_webhook_gate,
};
use chat4all_message::{Channel as Name, Delivery, MediaKind};
use http::HeaderMap;
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use support::*;

/// Keys of 24 bytes.
const OLD: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
const NEW: &str = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4";
const ORDERS: &str = "webhook:orders";

fn account(fields: &str) -> String {
    format!(r#"{{"endpoints":[{{"name":"orders","url":"https://shop.example/hooks?x=1"}}]{fields}}}"#)
}

fn endpoints(secret: &str) -> Arc<dyn Channel> {
    let credentials = secrets(&[("orders", secret)]);
    open_kind(Name::Webhook, None, &account(""), credentials.path()).unwrap()
}

fn sent(channel: &dyn Channel, delivery: &Delivery, now: Timestamp) -> Outgoing {
    channel.request(delivery, now).unwrap()
}

fn header<'r>(request: &'r Outgoing, name: &str) -> &'r str {
    request.headers()[name].to_str().unwrap()
}

#[test]
fn a_message_becomes_an_event_that_the_library_of_the_standard_accepts() {
    let delivery = delivery(ORDERS, "Olá 🙂");
    let request = sent(&*endpoints(OLD), &delivery, Timestamp::now());
    assert_eq!(
        (request.method().as_str(), request.uri().to_string()),
        ("POST", "https://shop.example/hooks?x=1".into())
    );
    Webhook::new(OLD).unwrap().verify(request.body(), request.headers()).unwrap();
    let message_id = delivery.reference.message_id;
    assert_eq!(
        serde_json::from_slice::<Value>(request.body()).unwrap(),
        json!({
            "type": "message.created",
            "timestamp": message_id.created_at().to_string(),
            "data": {
                "message_id": message_id.to_string(),
                "conversation_id": "order-1042",
                "recipient_id": ORDERS,
                "content": "Olá 🙂",
            },
        })
    );
}

#[test]
fn the_signature_is_that_of_the_standards_library() {
    let delivery = delivery(ORDERS, "hi");
    let now = received_at();
    let request = sent(&*endpoints(OLD), &delivery, now);
    let library = Webhook::new(OLD).unwrap();
    let expected = library.sign(header(&request, "webhook-id"), now.as_second(), request.body()).unwrap();
    assert_eq!(header(&request, "webhook-signature"), expected);
}

#[test]
fn every_attempt_has_the_same_id_and_a_time_of_its_own() {
    let (channel, delivery) = (endpoints(OLD), delivery(ORDERS, "hi"));
    let first = sent(&*channel, &delivery, received_at());
    let second = sent(&*channel, &delivery, received_at() + Duration::from_secs(7));
    assert_eq!(header(&first, "webhook-id"), header(&second, "webhook-id"));
    assert!(!header(&first, "webhook-id").contains('.'));
    let time = |request: &Outgoing| header(request, "webhook-timestamp").parse::<i64>().unwrap();
    assert_eq!((time(&first), time(&second)), (received_at().as_second(), received_at().as_second() + 7));
    assert_ne!(header(&first, "webhook-signature"), header(&second, "webhook-signature"));
    assert_eq!(first.body(), second.body());
}

#[test]
fn while_a_secret_is_exchanged_both_sign() {
    let request = sent(&*endpoints(&format!("{NEW}\n{OLD}\n")), &delivery(ORDERS, "hi"), Timestamp::now());
    for secret in [OLD, NEW] {
        Webhook::new(secret).unwrap().verify(request.body(), request.headers()).unwrap();
    }
    assert_eq!(header(&request, "webhook-signature").split(' ').count(), 2);
}

#[test]
fn files_travel_as_their_url_and_answers_name_their_message() {
    let delivery = with_media(delivery(ORDERS, "see"), MediaKind::Image, "https://files.example/a.png");
    let body = body_of(&*endpoints(OLD), &answering(delivery, "msg_1"));
    assert_eq!(body["data"]["media"], json!({"kind": "image", "url": "https://files.example/a.png"}));
    assert_eq!(body["data"]["reply_to"], "msg_1");
}

#[test]
fn an_endpoint_that_is_not_configured_is_named() {
    let refused = endpoints(OLD).request(&delivery("webhook:stock", "hi"), received_at()).unwrap_err();
    assert!(matches!(refused, Unsendable::UnknownEndpoint { .. }));
    assert!(refused.to_string().contains("webhook:stock"), "{refused}");
}

#[test]
fn the_secret_shows_nowhere() {
    let channel = endpoints(OLD);
    let request = channel.request(&delivery(ORDERS, "hi"), received_at()).unwrap();
    assert!(!format!("{channel:?} {request:?}").contains("MDEyMzQ1"));
}

#[rstest]
#[case::no_prefix("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3")]
#[case::no_base64("whsec_%%%")]
#[case::too_short("whsec_MDEyMzQ1Njc4OQ==")]
#[case::one_of_two("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3 secret")]
fn a_secret_of_another_form_is_named_at_start_without_being_shown(#[case] secret: &str) {
    let credentials = secrets(&[("orders", secret)]);
    let error = open_kind(Name::Webhook, None, &account(""), credentials.path()).unwrap_err().to_string();
    assert!(error.contains("key orders") && !error.contains(secret), "{error}");
}

#[rstest]
#[case::none(r#"{"endpoints":[]}"#, "account.endpoints are missing")]
#[case::an_odd_name(r#"{"endpoints":[{"name":"../x","url":"https://a.example"}]}"#, "lower-case letters")]
#[case::twice(
    r#"{"endpoints":[{"name":"orders","url":"https://a.example"},{"name":"orders","url":"https://b.example"}]}"#,
    "twice"
)]
#[case::no_url(r#"{"endpoints":[{"name":"orders","url":"shop"}]}"#, "https://")]
#[case::a_password(r#"{"endpoints":[{"name":"orders","url":"https://u:p@a.example"}]}"#, "password")]
#[case::this_machine(r#"{"endpoints":[{"name":"orders","url":"http://127.0.0.1:8080/"}]}"#, "allowedNetworks")]
#[case::this_machine_too(r#"{"endpoints":[{"name":"orders","url":"http://[::1]/"}]}"#, "allowedNetworks")]
#[case::metadata(r#"{"endpoints":[{"name":"orders","url":"http://169.254.169.254/"}]}"#, "metadata")]
#[case::no_network(r#"{"endpoints":[],"allowedNetworks":["10.0.0.0"]}"#, "CONNECTOR_ACCOUNT")]
fn a_wrong_account_is_named_at_start(#[case] account: &str, #[case] says: &str) {
    let credentials = secrets(&[("orders", OLD)]);
    let error = open_kind(Name::Webhook, None, account, credentials.path()).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

#[test]
fn the_guard_lets_into_the_networks_of_the_account() {
    let credentials = secrets(&[("orders", OLD)]);
    let account = account(r#","allowedNetworks":["10.1.0.0/16"]"#);
    let channel = open_kind(Name::Webhook, None, &account, credentials.path()).unwrap();
    let guard = channel.guard().unwrap();
    assert!(guard.check("10.1.2.3".parse().unwrap()).is_ok());
    assert!(guard.check("10.2.2.3".parse().unwrap()).is_err());
    assert!(channel.each_recipient_is_a_server());
}

fn answered(status: u16, headers: &[(&str, &str)]) -> Answer {
    answer_of(&*endpoints(OLD), ORDERS, status, headers, "<html>whatever</html>")
}

#[rstest]
fn every_2xx_is_a_success(#[values(200, 201, 202, 204)] status: u16) {
    assert!(matches!(answered(status, &[]), Answer::Accepted { provider_id: Some(id), .. } if id.starts_with("msg_")));
}

#[test]
fn a_410_disables_the_endpoint() {
    let refusal = refused(answered(410, &[("retry-after", "5")]));
    assert_eq!((refusal.kind(), refusal.retry()), (Kind::Permanent(Cause::EndpointGone), Retry::No));
}

#[rstest]
#[case::redirect(302)]
#[case::bad_request(400)]
#[case::forbidden(403)]
#[case::missing(404)]
#[case::fault(500)]
#[case::unavailable(503)]
fn any_other_failure_is_tried_again_and_then_given_up(#[case] status: u16) {
    let refusal = refused(answered(status, &[]));
    assert_eq!(refusal.retry(), Retry::Backoff);
    assert!(refusal.code().ends_with(&status.to_string()), "{refusal:?}");
}

#[rstest]
#[case::seconds(429, &[("retry-after", "30")], 30)]
#[case::an_instant(
    503,
    &[("date", "Wed, 25 Nov 2026 12:00:00 GMT"), ("retry-after", "Wed, 25 Nov 2026 12:02:00 GMT")],
    120
)]
#[case::an_instant_without_a_date(429, &[("retry-after", "Wed, 25 Nov 2026 12:02:00 GMT")], 1)]
#[case::in_the_past(
    429,
    &[("date", "Wed, 25 Nov 2026 12:00:00 GMT"), ("retry-after", "Wed, 25 Nov 2026 11:00:00 GMT")],
    1
)]
#[case::absurd(429, &[("retry-after", "999999999999")], 24 * 3600)]
#[case::nonsense(502, &[("retry-after", "soon")], 1)]
#[case::untold(504, &[], 1)]
#[case::on_any_failure(500, &[("retry-after", "7")], 7)]
fn an_overloaded_endpoint_waits_for_as_long_as_it_says(
    #[case] status: u16,
    #[case] headers: &[(&str, &str)],
    #[case] seconds: u64,
) {
    let refusal = refused(answered(status, headers));
    assert_eq!(refusal.scope(), Some(Scope::Recipient), "the others go on");
    let Retry::Later(wait) = refusal.retry() else { panic!("{refusal:?}") };
    assert_eq!(wait.after(0), Duration::from_secs(seconds));
    assert_eq!(wait.after(5), Duration::from_secs(seconds.max(300)), "each refusal in a row lengthens the pause");
}

#[test]
fn nothing_comes_in() {
    let gate = open_webhook_gate(Name::Webhook, std::path::Path::new("/nowhere")).unwrap();
    assert_eq!(gate.check(&HeaderMap::new(), b"{}"), Err(Forged::Shut));
    assert!(matches!(gate.handshake(""), Handshake::Refused(_)));
}
