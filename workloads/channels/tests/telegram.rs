//! What goes to Telegram, what its answers mean, and what comes in.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat4all_channels::{Answer, Cause, Channel, Forged, Handshake, Kind, Retry, Scope, Unsendable, WebhookEvent};
use chat4all_channels::{capabilities, open_webhook_gate};
use chat4all_message::inbound::{FileSource, InboundFile};
use chat4all_message::{Channel as Name, Delivery, InboundMessage, Media, MediaKind};
use http::HeaderMap;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use support::*;

const BOT: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
const MARIA: &str = "telegram:133";

fn bot() -> Arc<dyn Channel> {
    let credentials = secrets(&[("bot-token", &format!("{BOT}\n"))]);
    open_kind(Name::Telegram, None, "{}", credentials.path()).unwrap()
}

fn told(status: u16, body: &str) -> Answer {
    answer_of(&*bot(), MARIA, status, &[], body)
}

fn refusal(status: u16, code: u16, description: &str) -> chat4all_channels::Refusal {
    refused(told(status, &json!({"ok": false, "error_code": code, "description": description}).to_string()))
}

#[test]
fn a_text_becomes_the_request_of_the_contract() {
    let request = bot().request(&delivery(MARIA, "Olá <b>*_"), received_at()).unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), format!("https://api.telegram.org/bot{BOT}/sendMessage").as_str());
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(body_of(&*bot(), &delivery(MARIA, "Olá <b>*_")), json!({"chat_id": 133, "text": "Olá <b>*_"}));
}

#[rstest]
#[case(MediaKind::Image, "sendPhoto", "photo")]
#[case(MediaKind::Video, "sendVideo", "video")]
#[case(MediaKind::Audio, "sendAudio", "audio")]
#[case(MediaKind::Document, "sendDocument", "document")]
fn a_file_has_a_method_of_its_own_and_goes_by_url_or_by_id(
    #[case] kind: MediaKind,
    #[case] method: &str,
    #[case] field: &str,
) {
    let url = "https://files.example/a";
    let delivery = with_media(delivery("telegram:-1001234", "see"), kind, url);
    assert!(bot().request(&delivery, received_at()).unwrap().uri().path().ends_with(&format!("/{method}")));
    assert_eq!(body_of(&*bot(), &delivery), json!({"chat_id": -1001234, field: url, "caption": "see"}));
    let id = "AgACAgQAAxkDAAIBY2X_uploaded";
    let delivery = Delivery { media: Some(Media::uploaded(kind, id, None).unwrap()), ..delivery };
    assert_eq!(body_of(&*bot(), &delivery)[field], id);
}

#[test]
fn an_answer_names_the_message_and_is_sent_also_when_that_is_gone() {
    let body = body_of(&*bot(), &answering(delivery(MARIA, "yes"), "133:42"));
    assert_eq!(body["reply_parameters"], json!({"message_id": 42, "allow_sending_without_reply": true}));
    for foreign in ["134:42", "wamid.7", "133:x"] {
        let refused = bot().request(&answering(delivery(MARIA, "yes"), foreign), received_at()).unwrap_err();
        assert_eq!(refused.field(), "reply_to", "{refused}");
    }
}

#[test]
fn limits_count_utf_16_units() {
    let with = |emoji: usize, letters: usize| format!("{}{}", "🙂".repeat(emoji), "a".repeat(letters));
    assert!(bot().request(&delivery(MARIA, &with(2000, 96)), received_at()).is_ok());
    let refused = bot().request(&delivery(MARIA, &with(2000, 97)), received_at()).unwrap_err();
    assert!(refused.to_string().contains("telegram carries at most 4096 UTF-16 units"), "{refused}");
    let caption = |text: &str| with_media(delivery(MARIA, text), MediaKind::Image, "https://files.example/a");
    assert!(bot().request(&caption(&with(512, 0)), received_at()).is_ok());
    assert!(matches!(
        bot().request(&caption(&with(512, 1)), received_at()),
        Err(Unsendable::CaptionTooLong { size: 1025, .. })
    ));
    assert!(matches!(bot().request(&delivery(MARIA, ""), received_at()), Err(Unsendable::EmptyText)));
    assert!(matches!(bot().request(&delivery("maria", "hi"), received_at()), Err(Unsendable::ForeignRecipient { .. })));
}

#[test]
fn the_token_shows_nowhere_although_it_is_in_the_url() {
    let channel = bot();
    let request = channel.request(&delivery(MARIA, "hi"), received_at()).unwrap();
    assert_eq!(format!("{request:?}"), "POST to api.telegram.org, 27 bytes");
    assert!(!format!("{channel:?}").contains("AAHdq"));
    let echoed = refusal(401, 401, &format!("Unauthorized: https://api.telegram.org/bot{BOT}/sendMessage"));
    assert!(!format!("{echoed:?} {echoed}").contains("AAHdq"), "{echoed:?}");
}

#[rstest]
#[case::no_colon("AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw")]
#[case::a_path("1:a/../b")]
#[case::a_space("1:a b")]
fn a_token_of_another_form_is_named_at_start_without_being_shown(#[case] token: &str) {
    let credentials = secrets(&[("bot-token", token)]);
    let error = open_kind(Name::Telegram, None, "{}", credentials.path()).unwrap_err().to_string();
    assert!(error.contains("bot-token") && !error.contains(token), "{error}");
}

#[test]
fn an_account_takes_no_fields_and_the_base_url_may_be_another() {
    let credentials = secrets(&[("bot-token", BOT)]);
    let open = |base, account| open_kind(Name::Telegram, base, account, credentials.path());
    let error = open(None, r#"{"phoneNumberId":"1"}"#).unwrap_err().to_string();
    assert!(error.contains("phoneNumberId"), "{error}");
    let channel = open(Some("http://simulator:8090/"), "{}").unwrap();
    let request = channel.request(&delivery(MARIA, "hi"), received_at()).unwrap();
    assert_eq!(request.uri(), format!("http://simulator:8090/bot{BOT}/sendMessage").as_str());
}

#[test]
fn case_18_the_id_of_a_message_is_that_of_its_chat_and_0_is_none() {
    let accepted = |id: &str| Answer::Accepted { provider_id: Some(id.into()), aliases: vec![] };
    assert_eq!(told(200, r#"{"ok":true,"result":{"message_id":133}}"#), accepted("133:133"));
    let elsewhere = r#"{"ok":true,"result":{"message_id":7,"chat":{"id":-1001234,"type":"supergroup"}}}"#;
    assert_eq!(told(200, elsewhere), accepted("-1001234:7"));
    let none = refused(told(200, r#"{"ok":true,"result":{"message_id":0}}"#));
    assert_eq!((none.kind(), none.code()), (Kind::Permanent(Cause::BadRequest), "chat4all:no-message"));
}

#[test]
fn an_answer_without_an_id_is_accepted_without_one() {
    assert_eq!(told(200, r#"{"ok":true,"result":null}"#), Answer::Accepted { provider_id: None, aliases: vec![] });
}

#[rstest]
#[case::in_the_body(&[], r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 30","parameters":{"retry_after":30}}"#, 30)]
#[case::in_the_header(&[("retry-after", "30")], r#"{"ok":false,"error_code":429,"description":"Too Many Requests"}"#, 30)]
#[case::without_a_body(&[("retry-after", "7")], "", 7)]
#[case::as_long_as_seen(&[], r#"{"ok":false,"error_code":429,"parameters":{"retry_after":10072}}"#, 10_072)]
#[case::absurd(&[], r#"{"ok":false,"error_code":429,"parameters":{"retry_after":18446744073709551615}}"#, 7 * 24 * 3600)]
#[case::for_days(&[], r#"{"ok":false,"error_code":429,"parameters":{"retry_after":200001}}"#, 200_001)]
#[case::untold(&[], r#"{"ok":false,"error_code":429}"#, 1)]
fn case_19_a_flood_pauses_the_bot_for_as_long_as_it_is_told(
    #[case] headers: &[(&str, &str)],
    #[case] body: &str,
    #[case] seconds: u64,
) {
    let refusal = refused(answer_of(&*bot(), MARIA, 429, headers, body));
    assert_eq!(refusal.scope(), Some(Scope::Account));
    let Retry::After(wait) = refusal.retry() else { panic!("{refusal:?}") };
    assert_eq!(wait.after(0), Duration::from_secs(seconds));
    assert!(!refusal.counts_for_breaker());
}

#[rstest]
#[case("Forbidden: bot was blocked by the user")]
#[case("Forbidden: user is deactivated")]
#[case("Forbidden: bot was kicked from the supergroup chat")]
#[case("Forbidden: bot is not a member of the channel chat")]
fn case_20_a_403_stops_the_contact(#[case] description: &str) {
    let refusal = refusal(403, 403, description);
    assert_eq!((refusal.kind(), refusal.retry()), (Kind::Permanent(Cause::ContactStopped), Retry::No));
    assert_eq!((refusal.category(), refusal.reason()), ("contact_stopped", description));
    assert!(!refusal.counts_for_breaker());
}

#[rstest]
#[case::token(401, "Unauthorized", Kind::AccountNeedsAttention)]
#[case::method(404, "Not Found", Kind::AccountNeedsAttention)]
#[case::polling(409, "Conflict: can't use getUpdates method while webhook is active", Kind::AccountNeedsAttention)]
#[case::server(421, "Misdirected Request", Kind::AccountNeedsAttention)]
#[case::unknown_chat(400, "Bad Request: chat not found", Kind::Permanent(Cause::RecipientUnreachable))]
#[case::empty(400, "Bad Request: message text is empty", Kind::Permanent(Cause::BadRequest))]
#[case::long(400, "Bad Request: message is too long", Kind::Permanent(Cause::BadRequest))]
#[case::markup(400, "Bad Request: can't parse entities", Kind::Permanent(Cause::BadRequest))]
#[case::rights(
    400,
    "Bad Request: not enough rights to send text messages to the chat",
    Kind::Permanent(Cause::RecipientNotAllowed)
)]
#[case::file(400, "Bad Request: failed to get HTTP URL content", Kind::MediaNotTaken)]
#[case::down(500, "Internal Server Error", Kind::Unavailable)]
#[case::gateway(502, "Bad Gateway", Kind::Unavailable)]
#[case::unlisted(418, "I'm a teapot", Kind::Permanent(Cause::Unlisted))]
fn each_refusal_means_what_the_table_says(#[case] code: u16, #[case] description: &str, #[case] kind: Kind) {
    let refusal = refusal(code, code, description);
    assert_eq!((refusal.kind(), refusal.code()), (kind, code.to_string().as_str()));
    assert_eq!(refusal.counts_for_breaker(), code >= 500);
}

#[test]
fn a_group_that_became_a_supergroup_is_answered_with_its_new_id() {
    let body = r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001234}}"#;
    assert_eq!(
        answer_of(&*bot(), "telegram:-99", 400, &[], body),
        Answer::Moved { to: "telegram:-1001234".parse().unwrap() }
    );
    let to_itself = refused(answer_of(&*bot(), "telegram:-1001234", 400, &[], body));
    assert_eq!(to_itself.retry(), Retry::No, "no circle");
}

#[rstest]
#[case(200, "<html>ok</html>", Kind::OutcomeUnknown)]
#[case(200, "{}", Kind::OutcomeUnknown)]
#[case(302, "", Kind::Unavailable)]
#[case(503, "<html>", Kind::Unavailable)]
#[case(404, "<html>", Kind::AccountNeedsAttention)]
#[case(403, "<html>", Kind::Permanent(Cause::Unlisted))]
fn what_is_not_an_answer_of_the_bot_api_is_judged_by_its_status(
    #[case] status: u16,
    #[case] body: &str,
    #[case] kind: Kind,
) {
    assert_eq!(refused(told(status, body)).kind(), kind);
}

#[test]
fn case_22_only_who_shows_the_secret_token_comes_in() {
    let secrets = secrets(&[("secret-token", "s3cret_-\n")]);
    let gate = open_webhook_gate(Name::Telegram, secrets.path()).unwrap();
    let name = "x-telegram-bot-api-secret-token";
    let shown = |value: &str| HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
    assert_eq!(gate.check(&shown("s3cret_-"), b"{}"), Ok(()));
    assert_eq!(gate.check(&shown("s3cret"), b"{}"), Err(Forged::Mismatch(name)));
    assert_eq!(gate.check(&HeaderMap::new(), b"{}"), Err(Forged::Missing(name)));
    assert!(matches!(gate.handshake("hub.mode=subscribe"), Handshake::Refused(_)));
    assert!(!format!("{gate:?}").contains("s3cret"));
}

fn update(message: Value) -> Vec<WebhookEvent> {
    parse_with(&*bot(), json!({"update_id": 10000, "message": message}).to_string())
}

fn from_maria(content: Value) -> Value {
    let mut message = json!({
        "message_id": 365, "date": 1764072000,
        "from": {"id": 133, "is_bot": false, "first_name": "Maria", "last_name": "da Silva"},
        "chat": {"id": 133, "type": "private"},
    });
    message.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
    message
}

#[rstest]
#[case::text(json!({"text": "Olá", "reply_to_message": {"message_id": 364}}), "Olá", None, Some("133:364"))]
#[case::photo(
    json!({"caption": "this", "photo": [{"file_id": "small"}, {"file_id": "large"}]}),
    "this",
    Some((MediaKind::Image, "large")),
    None
)]
#[case::voice(json!({"voice": {"file_id": "v"}}), "", Some((MediaKind::Audio, "v")), None)]
#[case::document(json!({"document": {"file_id": "d"}}), "", Some((MediaKind::Document, "d")), None)]
fn what_a_customer_wrote_is_read(
    #[case] content: Value,
    #[case] text: &str,
    #[case] file: Option<(MediaKind, &str)>,
    #[case] reply_to: Option<&str>,
) {
    let expected = InboundMessage {
        event_id: "update:10000".into(),
        provider_id: "133:365".into(),
        from: MARIA.parse().unwrap(),
        also: None,
        name: Some("Maria da Silva".into()),
        at: "2025-11-25T12:00:00Z".parse().unwrap(),
        text: text.into(),
        files: file.into_iter().map(|(kind, id)| InboundFile { kind, source: FileSource::Id(id.into()) }).collect(),
        reply_to: reply_to.map(str::to_owned),
    };
    assert_eq!(messages(&update(from_maria(content))), [&expected]);
}

#[test]
fn an_update_that_comes_again_has_the_same_name_also_when_its_time_differs() {
    let body =
        |date: i64| json!({"update_id": 7, "message": from_maria(json!({"text": "oi", "date": date}))}).to_string();
    let (first, again) = (parse_with(&*bot(), body(1764072000)), parse_with(&*bot(), body(1764072009)));
    assert_eq!(messages(&first)[0].event_id, messages(&again)[0].event_id);
}

#[rstest]
#[case::a_bot(json!({"message": {"message_id": 1, "chat": {"id": 1}, "from": {"is_bot": true}, "text": "hi"}, "update_id": 1}))]
#[case::an_edit(json!({"update_id": 1, "edited_message": {"message_id": 1}}))]
#[case::blocked(json!({"update_id": 1, "my_chat_member": {}}))]
fn what_is_no_new_message_of_a_person_is_ignored(#[case] update: Value) {
    let events = parse_with(&*bot(), update.to_string());
    assert!(matches!(&events[..], [WebhookEvent::Ignored { .. }]), "{events:?}");
}

#[rstest]
#[case::no_json("{", "not JSON")]
#[case::no_update("{}", "update_id")]
#[case::no_chat(r#"{"update_id":1,"message":{"message_id":1,"text":"hi"}}"#, "chat.id")]
#[case::no_id(r#"{"update_id":1,"message":{"chat":{"id":1},"text":"hi"}}"#, "message_id")]
#[case::no_time(r#"{"update_id":1,"message":{"message_id":1,"chat":{"id":1},"text":"hi","date":"noon"}}"#, "date")]
fn an_update_that_makes_no_sense_is_rejected_with_the_place(#[case] body: &'static str, #[case] says: &str) {
    let events = parse_with(&*bot(), body);
    let [WebhookEvent::Rejected { place, why }] = &events[..] else { panic!("{events:?}") };
    assert!(format!("{place}: {why}").contains(says), "{place}: {why}");
}

#[test]
fn nothing_is_told_after_sent() {
    let can = capabilities(Name::Telegram);
    assert!(!can.tells_delivered && !can.tells_read);
}

proptest! {
    #[test]
    fn no_answer_makes_classifying_panic(status in 100u16..600, body in "\\PC*") {
        told(status, &body);
    }

    #[test]
    fn no_bytes_make_parsing_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        parse_with(&*bot(), body);
    }
}
