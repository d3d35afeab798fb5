//! The dialogs of Messenger and Instagram: what goes there, what answers mean, what comes in.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat4all_channels::{Answer, Cause, Channel, Kind, Refusal, Retry, Scope, Unsendable, WebhookEvent, capabilities};
use chat4all_message::inbound::{FileSource, InboundFile};
use chat4all_message::{Channel as Name, Correlation, DeliveryEvent, InboundMessage, MediaKind};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use support::*;

const PAGE: &str = "106540352242922";
const INSTAGRAM: &str = "17841400000000000";
const URL: &str = "https://files.example/a.png";

fn channel(name: Name, account: &str) -> Arc<dyn Channel> {
    let credentials = secrets(&[("access-token", TOKEN)]);
    open_kind(name, None, account, credentials.path()).unwrap()
}

fn messenger() -> Arc<dyn Channel> {
    channel(Name::Messenger, &json!({"pageId": PAGE}).to_string())
}

fn instagram() -> Arc<dyn Channel> {
    channel(Name::Instagram, &json!({"instagramId": INSTAGRAM}).to_string())
}

/// One of the two, with a person of its own.
fn of(name: Name) -> (Arc<dyn Channel>, &'static str) {
    if name == Name::Messenger { (messenger(), "messenger:7001") } else { (instagram(), "instagram:7001") }
}

#[test]
fn a_text_for_messenger_becomes_the_request_of_the_contract() {
    let delivery = delivery("messenger:7001", "Olá");
    let request = messenger().request(&delivery, received_at()).unwrap();
    assert_eq!(request.uri(), format!("https://graph.facebook.com/v25.0/{PAGE}/messages").as_str());
    assert_eq!(request.headers()["authorization"], format!("Bearer {TOKEN}").as_str());
    assert_eq!(
        body_of(&*messenger(), &delivery),
        json!({
            "recipient": {"id": "7001"},
            "messaging_type": "UPDATE",
            "message": {"text": "Olá", "metadata": Correlation::from(&delivery.reference).to_string()},
        })
    );
}

#[rstest]
#[case::instagram_login(json!({"instagramId": INSTAGRAM}), format!("https://graph.instagram.com/v25.0/{INSTAGRAM}/messages"))]
#[case::linked_to_a_page(
    json!({"instagramId": INSTAGRAM, "pageId": PAGE, "apiVersion": "v26.0"}),
    format!("https://graph.facebook.com/v26.0/{PAGE}/messages")
)]
fn a_text_for_instagram_goes_where_its_login_says(#[case] account: Value, #[case] url: String) {
    let channel = channel(Name::Instagram, &account.to_string());
    let delivery = delivery("instagram:7001", "Olá");
    assert_eq!(channel.request(&delivery, received_at()).unwrap().uri(), url.as_str());
    assert_eq!(body_of(&*channel, &delivery), json!({"recipient": {"id": "7001"}, "message": {"text": "Olá"}}));
}

#[rstest]
#[case(MediaKind::Image, "image")]
#[case(MediaKind::Video, "video")]
#[case(MediaKind::Audio, "audio")]
#[case(MediaKind::Document, "file")]
fn a_file_is_an_attachment_by_url(#[case] kind: MediaKind, #[case] name: &str) {
    let body = body_of(&*messenger(), &with_media(delivery("messenger:7001", ""), kind, URL));
    assert_eq!(body["message"]["attachment"], json!({"type": name, "payload": {"url": URL, "is_reusable": false}}));
    assert!(body["message"].get("text").is_none());
    let body = body_of(&*instagram(), &with_media(delivery("instagram:7001", ""), kind, URL));
    assert_eq!(body["message"], json!({"attachment": {"type": name, "payload": {"url": URL}}}));
}

#[rstest]
fn no_message_is_tagged_as_written_by_a_person(#[values(Name::Messenger, Name::Instagram)] name: Name) {
    let (channel, person) = of(name);
    let messages = [delivery(person, "hi"), with_media(delivery(person, ""), MediaKind::Image, URL)];
    for body in messages.map(|delivery| body_of(&*channel, &delivery)) {
        assert!(!body.to_string().contains("HUMAN_AGENT") && body.get("tag").is_none(), "{body}");
    }
}

#[test]
fn messenger_counts_characters_and_instagram_counts_bytes() {
    let refused = |channel: Arc<dyn Channel>, to: &str, text: String| {
        channel.request(&delivery(to, &text), received_at()).err().map(|why| why.to_string()).unwrap_or_default()
    };
    assert_eq!(refused(messenger(), "messenger:7001", "é".repeat(2000)), "");
    assert!(refused(messenger(), "messenger:7001", "é".repeat(2001)).contains("at most 2000 characters"));
    assert_eq!(refused(instagram(), "instagram:7001", "é".repeat(500)), "");
    let too_long = refused(instagram(), "instagram:7001", "é".repeat(501));
    assert!(too_long.contains("at most 1000 bytes of UTF-8 in one message and the text has 1002"), "{too_long}");
}

#[rstest]
fn what_cannot_be_carried_is_refused(#[values(Name::Messenger, Name::Instagram)] name: Name) {
    let (channel, person) = of(name);
    let request = |delivery| channel.request(&delivery, received_at()).unwrap_err();
    let captioned = with_media(delivery(person, "see"), MediaKind::Image, URL);
    assert!(matches!(request(captioned), Unsendable::Caption { .. }));
    assert!(matches!(request(answering(delivery(person, "yes"), "mid.1")), Unsendable::Reply { .. }));
    assert!(matches!(request(delivery("telegram:133", "hi")), Unsendable::ForeignRecipient { .. }));
    assert!(matches!(request(delivery(person, "")), Unsendable::EmptyText));
}

#[rstest]
fn a_text_follows_its_file_as_a_message_of_its_own(#[values(Name::Messenger, Name::Instagram)] name: Name) {
    let (channel, person) = of(name);
    let parts = capabilities(name).parts(with_media(delivery(person, "see"), MediaKind::Image, URL));
    let bodies: Vec<Value> = parts.iter().map(|part| body_of(&*channel, part)).collect();
    assert_eq!(
        (&bodies[0]["message"]["attachment"]["type"], &bodies[1]["message"]["text"]),
        (&json!("image"), &json!("see"))
    );
}

#[rstest]
#[case::no_page(Name::Messenger, "{}", "account.pageId is missing")]
#[case::a_name(Name::Messenger, r#"{"pageId":"shop"}"#, "a page's id")]
#[case::no_instagram(Name::Instagram, r#"{"pageId":"1"}"#, "account.instagramId is missing")]
#[case::a_version(Name::Instagram, r#"{"instagramId":"1","apiVersion":"25"}"#, "account.apiVersion")]
#[case::a_typo(Name::Messenger, r#"{"pageID":"1"}"#, "pageID")]
fn a_wrong_account_is_named_at_start(#[case] name: Name, #[case] account: &str, #[case] says: &str) {
    let credentials = secrets(&[("access-token", TOKEN)]);
    let error = open_kind(name, None, account, credentials.path()).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

fn answered(name: Name, status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let (channel, person) = of(name);
    answer_of(&*channel, person, status, headers, body)
}

fn refusal(name: Name, status: u16, body: &str) -> Refusal {
    refused(answered(name, status, &[], body))
}

fn error(code: i64, subcode: Option<i64>) -> String {
    let mut error = json!({"message": "What the provider says", "type": "OAuthException", "code": code});
    if let Some(subcode) = subcode {
        error["error_subcode"] = json!(subcode);
    }
    json!({"error": error}).to_string()
}

#[rstest]
fn an_id_in_the_answer_is_kept(#[values(Name::Messenger, Name::Instagram)] name: Name) {
    let answer = answered(name, 200, &[], r#"{"recipient_id":"7001","message_id":"m_AG5H"}"#);
    assert_eq!(answer, Answer::Accepted { provider_id: Some("m_AG5H".into()), aliases: vec![] });
}

#[rstest]
#[case::nothing("{}")]
#[case::null(r#"{"recipient_id":"7001","message_id":null}"#)]
#[case::empty(r#"{"recipient_id":"7001","message_id":""}"#)]
fn case_15_a_200_without_a_message_id_is_permanent_and_unexpected(#[case] body: &str) {
    let refusal = refusal(Name::Messenger, 200, body);
    assert_eq!((refusal.kind(), refusal.code()), (Kind::Permanent(Cause::Unlisted), "chat4all:unexpected-response"));
}

#[rstest]
#[case::html("<html>Forbidden</html>")]
#[case::json(r#"{"detail":"Forbidden"}"#)]
fn case_16_a_403_without_an_error_object_is_permanent_and_a_429_is_a_throttle(#[case] body: &str) {
    assert_eq!(refusal(Name::Messenger, 403, body).kind(), Kind::Permanent(Cause::Unlisted));
    assert_eq!(refusal(Name::Messenger, 429, body).scope(), Some(Scope::Account));
    assert_eq!(refusal(Name::Messenger, 429, &error(190, None)).category(), "throttled", "429 wins over the code");
}

#[test]
fn case_17_an_error_with_a_200_is_permanent_with_its_reason() {
    let refusal = refusal(Name::Messenger, 200, &error(36000, None));
    assert_eq!((refusal.kind(), refusal.retry()), (Kind::Permanent(Cause::TooLarge), Retry::No));
    assert_eq!((refusal.code(), refusal.reason()), ("36000", "What the provider says"));
}

#[rstest]
#[case::temporary(&[(1200, None), (2, None)], "unexplained", Retry::AtMost(3), true)]
#[case::window(&[(10, Some(2018278)), (10, Some(2534022))], "window_closed", Retry::No, false)]
#[case::person(&[(10, Some(2018108)), (200, Some(1545041)), (551, None)], "contact_stopped", Retry::No, false)]
#[case::restricted(&[(10, Some(1893063))], "account_suspended", Retry::No, false)]
#[case::nobody(&[(100, Some(2018001))], "recipient_unreachable", Retry::No, false)]
#[case::large(&[(100, Some(2018109)), (36000, None)], "too_large", Retry::No, false)]
#[case::bad_request(&[(100, None)], "bad_request", Retry::No, false)]
#[case::no_such_page(&[(100, Some(33))], "account_needs_attention", Retry::WhenMended, false)]
#[case::token(&[(190, None), (190, Some(463)), (200, Some(2018028)), (10, None), (230, None)], "account_disconnected", Retry::WhenMended, false)]
#[case::of_the_message_or_of_the_account(&[(10, Some(2018300)), (200, Some(1)), (3, Some(7)), (230, Some(5))], "unexplained", Retry::AtMost(3), true)]
#[case::policy(&[(368, None)], "account_suspended", Retry::No, false)]
#[case::unlisted(&[(999999, None)], "unlisted", Retry::No, false)]
fn each_code_means_what_the_table_says(
    #[case] codes: &[(i64, Option<i64>)],
    #[case] category: &str,
    #[case] retry: Retry,
    #[case] breaker: bool,
    #[values(200, 400, 403)] status: u16,
    #[values(Name::Messenger, Name::Instagram)] name: Name,
) {
    for &(code, subcode) in codes {
        let refusal = refusal(name, status, &error(code, subcode));
        let told = subcode.map_or_else(|| code.to_string(), |subcode| format!("{code}/{subcode}"));
        assert_eq!(
            (refusal.category(), refusal.retry(), refusal.counts_for_breaker(), refusal.code()),
            (category, retry, breaker, told.as_str()),
        );
    }
}

#[rstest]
fn a_throttle_pauses_the_page_for_as_long_as_it_is_told(
    #[values(4, 17, 32, 613, 80001, 80002, 80006)] code: i64,
    #[values(400, 403, 429)] status: u16,
) {
    let hint = [("x-business-use-case-usage", r#"{"1":[{"estimated_time_to_regain_access":7}]}"#)];
    let pause = |headers: &[(&str, &str)]| {
        let refusal = refused(answered(Name::Messenger, status, headers, &error(code, Some(2018022))));
        assert_eq!(refusal.scope(), Some(Scope::Account));
        let Retry::After(wait) = refusal.retry() else { panic!("{refusal:?}") };
        wait.after(0)
    };
    assert_eq!(pause(&hint), Duration::from_secs(7 * 60));
    assert_eq!(pause(&[]), Duration::from_secs(1));
}

#[test]
fn a_server_error_is_unavailable_and_an_answer_that_is_none_is_unknown() {
    assert_eq!(refusal(Name::Messenger, 502, "<html>").kind(), Kind::Unavailable);
    assert_eq!(refusal(Name::Messenger, 500, &error(999999, None)).kind(), Kind::Unavailable);
    assert_eq!(refusal(Name::Messenger, 200, "<html>").kind(), Kind::OutcomeUnknown);
}

#[test]
fn the_token_shows_nowhere() {
    let echoed =
        refusal(Name::Messenger, 400, &json!({"error": {"message": format!("bad {TOKEN}"), "code": 190}}).to_string());
    assert!(!format!("{:?} {echoed:?}", messenger()).contains(TOKEN));
}

fn told(name: Name, id: &str, messaging: Value) -> Vec<WebhookEvent> {
    let object = if name == Name::Messenger { "page" } else { "instagram" };
    let body = json!({"object": object, "entry": [{"id": id, "time": 1764072000000_i64, "messaging": messaging}]});
    parse_with(&*of(name).0, body.to_string())
}

fn to_page(messaging: Value) -> Vec<WebhookEvent> {
    told(Name::Messenger, PAGE, messaging)
}

fn from_person(message: Value) -> Value {
    json!({"sender": {"id": "7001"}, "recipient": {"id": PAGE}, "timestamp": 1764072000000_i64, "message": message})
}

#[rstest]
#[case::text(json!({"mid": "m_1", "text": "Olá", "reply_to": {"mid": "m_0"}}), "Olá", None, Some("m_0"))]
#[case::picture(
    json!({"mid": "m_1", "attachments": [{"type": "image", "payload": {"url": URL}}, {"type": "fallback"}]}),
    "",
    Some(MediaKind::Image),
    None
)]
fn what_a_customer_wrote_is_read(
    #[case] message: Value,
    #[case] text: &str,
    #[case] file: Option<MediaKind>,
    #[case] reply_to: Option<&str>,
    #[values((Name::Messenger, PAGE), (Name::Instagram, INSTAGRAM))] account: (Name, &str),
) {
    let (name, id) = account;
    let expected = InboundMessage {
        event_id: "m_1".into(),
        provider_id: "m_1".into(),
        from: of(name).1.parse().unwrap(),
        also: None,
        name: None,
        at: "2025-11-25T12:00:00Z".parse().unwrap(),
        text: text.into(),
        files: file.into_iter().map(|kind| InboundFile { kind, source: FileSource::Url(URL.into()) }).collect(),
        reply_to: reply_to.map(str::to_owned),
    };
    assert_eq!(messages(&told(name, id, json!([from_person(message)]))), [&expected]);
}

#[test]
fn case_21_the_same_mid_twice_in_a_batch_is_one_message() {
    let message = from_person(json!({"mid": "m_1", "text": "oi"}));
    let events = to_page(json!([message, message]));
    assert_eq!(messages(&events).len(), 1);
    assert!(matches!(&events[1], WebhookEvent::Ignored { why, .. } if why.contains("repeats")), "{events:?}");
}

#[test]
fn case_26_an_echo_and_a_foreign_pages_entry_are_ignored() {
    let echo = json!({"sender": {"id": PAGE}, "recipient": {"id": "7001"}, "timestamp": 1764072000000_i64, "message": {"mid": "m_1", "is_echo": true, "text": "hi"}});
    let events = to_page(json!([echo]));
    assert!(matches!(&events[..], [WebhookEvent::Ignored { why, .. }] if why.contains("echo")), "{events:?}");
    let events = told(Name::Messenger, "999", json!([from_person(json!({"mid": "m_1", "text": "oi"}))]));
    assert!(matches!(&events[..], [WebhookEvent::Ignored { why, .. }] if why.contains("999")), "{events:?}");
}

#[rstest]
#[case::seconds(json!(1764072000))]
#[case::millis(json!(1764072000000_i64))]
#[case::millis_as_text(json!("1764072000000"))]
fn case_27_seconds_and_milliseconds_are_the_same_instant(#[case] timestamp: Value) {
    let mut event = from_person(json!({"mid": "m_1", "text": "oi"}));
    event["timestamp"] = timestamp;
    assert_eq!(messages(&to_page(json!([event])))[0].at.as_second(), 1764072000);
}

#[test]
fn a_delivery_names_its_messages_and_the_watermark_is_when_they_arrived() {
    let delivery = json!({"sender": {"id": "7001"}, "recipient": {"id": PAGE}, "delivery": {"mids": ["m_1", "m_2"], "watermark": 1764072000000_i64}});
    let events = to_page(json!([delivery]));
    let told: Vec<_> = updates(&events).into_iter().map(|u| (u.key(), u.event.clone(), u.at.as_second())).collect();
    let delivered = |mid: &str| (mid.to_owned(), DeliveryEvent::Delivered, 1764072000);
    assert_eq!(told, [delivered("m_1"), delivered("m_2")]);
    let nameless = json!({"sender": {"id": "7001"}, "delivery": {"watermark": 1764072000000_i64}});
    assert!(matches!(&to_page(json!([nameless]))[..], [WebhookEvent::Unhandled { .. }]));
}

#[test]
fn messenger_reads_up_to_a_watermark_and_instagram_reads_one_message() {
    let read = |read: Value| json!([{"sender": {"id": "7001"}, "timestamp": 1764072001000_i64, "read": read}]);
    let until = "2025-11-25T12:00:00Z".parse().unwrap();
    assert_eq!(
        to_page(read(json!({"watermark": 1764072000000_i64}))),
        [WebhookEvent::ReadUntil { by: "messenger:7001".parse().unwrap(), until }]
    );
    let events = told(Name::Instagram, INSTAGRAM, read(json!({"mid": "m_1"})));
    let [update] = updates(&events)[..] else { panic!("{events:?}") };
    assert_eq!(
        (update.key().as_str(), &update.event, update.at.as_second()),
        ("m_1", &DeliveryEvent::Read, 1764072001)
    );
    assert!(matches!(&to_page(read(json!({})))[..], [WebhookEvent::Rejected { .. }]));
}

#[rstest]
#[case::deleted(json!({"mid": "m_1", "is_deleted": true}))]
#[case::its_own_side(json!({"mid": "m_1", "is_echo": true}))]
fn what_is_no_new_message_is_ignored(#[case] message: Value) {
    let events = to_page(json!([from_person(message)]));
    assert!(matches!(&events[..], [WebhookEvent::Ignored { .. }]), "{events:?}");
}

#[test]
fn case_30_one_bad_event_is_rejected_and_the_others_are_kept() {
    let good = |mid: &str| from_person(json!({"mid": mid, "text": "oi"}));
    let no_sender = json!({"timestamp": 1764072000000_i64, "message": {"mid": "m_2", "text": "oi"}});
    let no_time = json!({"sender": {"id": "7001"}, "timestamp": "noon", "message": {"mid": "m_3", "text": "oi"}});
    let events =
        to_page(json!([good("m_1"), no_sender, no_time, null, from_person(json!({"text": "no mid"})), good("m_4")]));
    assert_eq!(messages(&events).iter().map(|m| m.event_id.as_str()).collect::<Vec<_>>(), ["m_1", "m_4"]);
    let rejected = events.iter().filter(|event| matches!(event, WebhookEvent::Rejected { .. })).count();
    assert_eq!(rejected, 3, "{events:?}");
}

#[rstest]
#[case::no_json("{", "not JSON")]
#[case::no_object("{}", "object is missing")]
#[case::entry_is_no_list(r#"{"object":"page","entry":{}}"#, "not a list")]
#[case::no_id(r#"{"object":"page","entry":[{}]}"#, "id is missing")]
fn a_body_that_makes_no_sense_is_rejected_with_the_reason(#[case] body: &'static str, #[case] reason: &str) {
    let events = parse_with(&*messenger(), body);
    assert!(matches!(&events[..], [WebhookEvent::Rejected { why, .. }] if why.contains(reason)), "{events:?}");
}

#[test]
fn an_instagram_webhook_is_not_for_a_page() {
    let body = json!({"object": "instagram", "entry": []}).to_string();
    assert!(matches!(&parse_with(&*messenger(), body)[..], [WebhookEvent::Ignored { .. }]));
}

proptest! {
    #[test]
    fn no_answer_makes_classifying_panic(status in 100u16..600, body in "\\PC*") {
        answered(Name::Messenger, status, &[], &body);
    }

    #[test]
    fn no_bytes_make_parsing_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        parse_with(&*instagram(), body);
    }
}
