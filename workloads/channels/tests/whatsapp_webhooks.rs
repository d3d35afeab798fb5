//! What comes in from WhatsApp: handshake, signature, statuses.

#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use chat4all_channels::whatsapp::{handshake, verify_signature};
use chat4all_channels::{Forged, Handshake, Secret, WebhookEvent, open_webhook_gate};
use chat4all_message::inbound::{FileSource, InboundFile};
use chat4all_message::{Channel, Correlation, DeliveryEvent, InboundMessage, MediaKind, ProviderRef, Subject};
use http::HeaderMap;
use proptest::prelude::*;
use rstest::rstest;
use support::*;

const SIGNATURE: &str = "x-hub-signature-256";
/// Meta escapes what is not ASCII; the signature is of these very bytes.
const BODY: &[u8] = br#"{"object":"whatsapp_business_account","entry":[{"id":"Jos\u00e9 @ caf\u00e9"}]}"#;
/// Computed with OpenSSL: openssl dgst -sha256 -hmac app-secret-1.
const SIGNED: &str = "sha256=9facc488143ea5ae4e44dfeb5fe8742bb3e1dd060a3ced016b6859fa26f6471e";

fn headers(signature: &str) -> HeaderMap {
    HeaderMap::from_iter([(SIGNATURE.parse().unwrap(), signature.parse().unwrap())])
}

#[test]
fn case_32_accents_and_at_signs_leave_the_signature_matching() {
    assert_eq!(verify_signature(&Secret::new("app-secret-1"), SIGNED.as_bytes(), BODY), Ok(()));
    let unescaped = "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"José @ café\"}]}";
    let again = verify_signature(&Secret::new("app-secret-1"), SIGNED.as_bytes(), unescaped.as_bytes());
    assert_eq!(again, Err(Forged::Mismatch(SIGNATURE)));
}

#[rstest]
#[case::upper_case_digits(&SIGNED.to_uppercase().replace("SHA256", "sha256"), Ok(()))]
#[case::another_digit(&SIGNED.replace("sha256=", "sha256=0")[..71], Err(Forged::Mismatch(SIGNATURE)))]
#[case::too_short(&SIGNED[..70], Err(Forged::Malformed(SIGNATURE)))]
#[case::no_prefix(&SIGNED[7..], Err(Forged::Malformed(SIGNATURE)))]
#[case::sha1("sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709", Err(Forged::Malformed(SIGNATURE)))]
#[case::no_hex(&format!("sha256={}", "g".repeat(64)), Err(Forged::Malformed(SIGNATURE)))]
#[case::empty("", Err(Forged::Malformed(SIGNATURE)))]
fn case_22_only_the_right_signature_passes_the_gate(#[case] header: &str, #[case] expected: Result<(), Forged>) {
    let secrets = secrets(&[("app-secret", "app-secret-1\n"), ("verify-token", "v")]);
    let gate = open_webhook_gate(Channel::Whatsapp, secrets.path()).unwrap();
    assert_eq!(gate.check(&headers(header), BODY), expected);
}

#[test]
fn case_22_no_signature_and_another_secret_do_not_pass_the_gate() {
    let secrets = secrets(&[("app-secret", "app-secret-2"), ("verify-token", "v")]);
    let gate = open_webhook_gate(Channel::Whatsapp, secrets.path()).unwrap();
    assert_eq!(gate.check(&HeaderMap::new(), BODY), Err(Forged::Missing(SIGNATURE)));
    assert_eq!(gate.check(&headers(SIGNED), BODY), Err(Forged::Mismatch(SIGNATURE)));
    assert!(!format!("{gate:?}").contains("app-secret-2"));
}

#[test]
fn a_gate_without_its_files_names_the_missing_one() {
    let secrets = secrets(&[("app-secret", "s")]);
    let error = open_webhook_gate(Channel::Whatsapp, secrets.path()).unwrap_err().to_string();
    assert!(error.contains("verify-token"), "{error}");
}

#[rstest]
#[case::right("hub.mode=subscribe&hub.verify_token=a%20b%26c&hub.challenge=1158201444", Handshake::Challenge("1158201444".into()))]
#[case::in_another_order("hub.challenge=7&hub.verify_token=a+b%26c&hub.mode=subscribe", Handshake::Challenge("7".into()))]
#[case::wrong_token(
    "hub.mode=subscribe&hub.verify_token=x&hub.challenge=1",
    Handshake::Refused("hub.verify_token is not this connector's verify-token")
)]
#[case::no_token(
    "hub.mode=subscribe&hub.challenge=1",
    Handshake::Refused("hub.verify_token is not this connector's verify-token")
)]
#[case::another_mode(
    "hub.mode=unsubscribe&hub.verify_token=a%20b%26c&hub.challenge=1",
    Handshake::Refused("hub.mode is not subscribe")
)]
#[case::no_challenge("hub.mode=subscribe&hub.verify_token=a%20b%26c", Handshake::Refused("hub.challenge is missing"))]
#[case::nothing("", Handshake::Refused("hub.mode is not subscribe"))]
fn a_handshake_is_answered_with_the_raw_challenge_or_refused(#[case] query: &str, #[case] expected: Handshake) {
    assert_eq!(handshake(&Secret::new("a b&c"), query), expected);
}

const CORRELATION: &str = "01936157-5c00-7000-8000-000000000001:6ba7b810-9dad-51d1-80b4-00c04fd430c8";

#[test]
fn each_status_becomes_an_update_with_our_reference() {
    let events = statuses(&format!(
        r#"{{"id":"wamid.1","status":"sent","timestamp":"1764072000","recipient_id":"5562998765432","biz_opaque_callback_data":"{CORRELATION}"}},
           {{"id":"wamid.1","status":"delivered","timestamp":"1764072001","recipient_id":"5562998765432"}},
           {{"id":"wamid.1","status":"read","timestamp":"1764072002","biz_opaque_callback_data":"somebody else's"}}"#
    ));
    let told: Vec<_> =
        updates(&events).into_iter().map(|u| (u.event.clone(), u.at.as_second(), u.correlation)).collect();
    let correlation: Correlation = CORRELATION.parse().unwrap();
    assert_eq!(
        told,
        [
            (DeliveryEvent::Sent { provider_id: Some("wamid.1".into()), effort: None }, 1764072000, Some(correlation)),
            (DeliveryEvent::Delivered, 1764072001, None),
            (DeliveryEvent::Read, 1764072002, None),
        ]
    );
    let subject = Subject::Provider(ProviderRef { connector: "wa".into(), provider_id: "wamid.1".into() });
    assert!(updates(&events).iter().all(|u| u.subject == subject));
}

#[test]
fn case_21_what_a_batch_repeats_is_told_once() {
    let delivered = r#"{"id":"wamid.1","status":"delivered","timestamp":"1764072001"}"#;
    let events = statuses(&format!("{delivered},{delivered}"));
    assert_eq!(updates(&events).len(), 1);
    assert!(
        matches!(&events[1], WebhookEvent::Ignored { place, why } if place.ends_with("statuses[1]") && why.contains("repeats"))
    );

    let message =
        r#"{"id":"wamid.2","from":"5562998765432","timestamp":"1764072001","type":"text","text":{"body":"oi"}}"#;
    let events = parse(webhook(&format!(r#""messages":[{message},{message}]"#)));
    assert!(matches!(events[..], [WebhookEvent::Message(_), WebhookEvent::Ignored { .. }]), "{events:?}");
}

#[test]
fn case_23_a_failed_status_carries_the_providers_code_and_text() {
    let events = statuses(
        r#"{"id":"wamid.1","status":"failed","timestamp":"1764072000","errors":[{"code":131014,"title":"Request for url failed","message":"Request for url failed","error_data":{"details":"The url gave 404"}}]}"#,
    );
    let expected = DeliveryEvent::Failed {
        code: "131014".into(),
        reason: "Request for url failed: The url gave 404".into(),
        effort: None,
        dead_lettered_at: None,
    };
    assert_eq!(updates(&events)[0].event, expected);
}

#[rstest]
#[case::no_errors("")]
#[case::an_empty_list(r#","errors":[]"#)]
#[case::null(r#","errors":[null]"#)]
fn a_failed_status_without_errors_has_failed_all_the_same(#[case] errors: &str) {
    let events = statuses(&format!(r#"{{"id":"wamid.1","status":"failed","timestamp":"1764072000"{errors}}}"#));
    assert!(
        matches!(&updates(&events)[0].event, DeliveryEvent::Failed { code, .. } if code == "chat4all:no-code-given")
    );
}

#[test]
fn case_24_a_deleted_status_is_ignored_with_the_reason() {
    let events = statuses(r#"{"id":"wamid.1","status":"deleted","timestamp":"1764072000"}"#);
    assert!(matches!(&events[..], [WebhookEvent::Ignored { why, .. }] if why.contains("deleted")), "{events:?}");
}

#[test]
fn case_24_an_unknown_status_is_told_so_that_it_is_logged() {
    let events = statuses(r#"{"id":"wamid.1","status":"teleported","timestamp":"1764072000"}"#);
    assert!(matches!(&events[..], [WebhookEvent::Unhandled { what, .. }] if what.contains("teleported")), "{events:?}");
}

#[test]
fn case_25_a_sender_by_user_id_is_read_and_one_without_any_is_rejected_alone() {
    let events = parse(webhook(
        r#""messages":[{"id":"wamid.1","from_user_id":"US.1349","timestamp":"1764072000","type":"text","text":{"body":"oi"}},{"id":"wamid.2","timestamp":"1764072000","type":"text"}],"statuses":[{"id":"wamid.3","status":"read","timestamp":"1764072000"}]"#,
    ));
    assert_eq!(updates(&events).len(), 1);
    let [message] = messages(&events)[..] else { panic!("one message expected: {events:?}") };
    assert_eq!((message.event_id.as_str(), message.from.to_string().as_str()), ("wamid.1", "whatsapp:US.1349"));
    assert!(events.iter().any(|e| matches!(e, WebhookEvent::Rejected { why, .. } if why.contains("from_user_id"))));
    assert_eq!(events.len(), 3);
}

#[test]
fn case_03_a_sender_who_shows_a_number_and_a_user_id_has_both_addresses() {
    let events = parse(webhook(
        r#""messages":[{"id":"wamid.1","from":"5562998765432","from_user_id":"BR.1349","timestamp":"1764072000","type":"text","text":{"body":"oi"}}]"#,
    ));
    let [message] = messages(&events)[..] else { panic!("one message expected: {events:?}") };
    assert_eq!(message.from.to_string(), "whatsapp:+5562998765432");
    assert_eq!(message.also.as_ref().map(ToString::to_string).as_deref(), Some("whatsapp:BR.1349"));
}

#[rstest]
#[case::text(r#""type":"text","text":{"body":"Olá"}"#, "Olá", None)]
#[case::picture(
    r#""type":"image","image":{"id":"77","caption":"this one","mime_type":"image/jpeg"}"#,
    "this one",
    Some((MediaKind::Image, "77"))
)]
#[case::voice(r#""type":"audio","audio":{"id":"78","voice":true}"#, "", Some((MediaKind::Audio, "78")))]
#[case::button(r#""type":"button","button":{"text":"Yes","payload":"y"}"#, "Yes", None)]
#[case::list(
    r#""type":"interactive","interactive":{"type":"list_reply","list_reply":{"id":"1","title":"Monday"}}"#,
    "Monday",
    None
)]
fn what_a_customer_wrote_is_read(#[case] content: &str, #[case] text: &str, #[case] file: Option<(MediaKind, &str)>) {
    let events = parse(webhook(&format!(
        r#""contacts":[{{"profile":{{"name":"Maria"}},"wa_id":"5562998765432"}}],"messages":[{{"id":"wamid.1","from":"5562998765432","timestamp":"1764072000","context":{{"id":"wamid.0"}},{content}}}]"#
    )));
    let expected = InboundMessage {
        event_id: "wamid.1".into(),
        provider_id: "wamid.1".into(),
        from: "whatsapp:+5562998765432".parse().unwrap(),
        also: None,
        name: Some("Maria".into()),
        at: "2025-11-25T12:00:00Z".parse().unwrap(),
        text: text.into(),
        files: file.into_iter().map(|(kind, id)| InboundFile { kind, source: FileSource::Id(id.into()) }).collect(),
        reply_to: Some("wamid.0".into()),
    };
    assert_eq!(messages(&events), [&expected]);
}

#[rstest]
#[case::a_place(r#""type":"location","location":{"latitude":1}"#)]
#[case::to_a_group(r#""type":"text","text":{"body":"oi"},"group_id":"g""#)]
fn what_this_version_cannot_show_stays_in_the_journal(#[case] content: &str) {
    let events = parse(webhook(&format!(
        r#""messages":[{{"id":"wamid.1","from":"5562998765432","timestamp":"1764072000",{content}}}]"#
    )));
    assert!(matches!(&events[..], [WebhookEvent::Unhandled { .. }]), "{events:?}");
}

#[rstest]
#[case::seconds_as_text(r#""1764072000""#)]
#[case::seconds("1764072000")]
#[case::millis_as_text(r#""1764072000000""#)]
#[case::millis("1764072000000")]
fn case_27_seconds_and_milliseconds_are_the_same_instant(#[case] timestamp: &str) {
    let events = statuses(&format!(r#"{{"id":"wamid.1","status":"read","timestamp":{timestamp}}}"#));
    assert_eq!(updates(&events)[0].at.as_second(), 1764072000);
}

#[test]
fn a_status_without_a_time_has_the_time_it_came() {
    let events = statuses(r#"{"id":"wamid.1","status":"read"}"#);
    assert_eq!(updates(&events)[0].at, received_at());
}

#[rstest]
#[case::null("null", "id")]
#[case::no_id(r#"{"status":"read","timestamp":"1764072000"}"#, "id is missing")]
#[case::no_status(r#"{"id":"wamid.0","timestamp":"1764072000"}"#, "status is missing")]
#[case::a_number_for_a_status(r#"{"id":"wamid.0","status":7,"timestamp":"1764072000"}"#, "status is missing")]
#[case::no_time(r#"{"id":"wamid.0","status":"read","timestamp":"noon"}"#, "timestamp \"noon\"")]
#[case::before_time(r#"{"id":"wamid.0","status":"read","timestamp":-1}"#, "timestamp -1")]
#[case::beyond_time(r#"{"id":"wamid.0","status":"read","timestamp":9223372036854775807}"#, "timestamp 9")]
fn case_30_one_bad_status_is_rejected_and_the_others_are_applied(#[case] bad: &str, #[case] reason: &str) {
    let good = |id: &str| format!(r#"{{"id":"{id}","status":"read","timestamp":"1764072000"}}"#);
    let events = statuses(&format!("{},{bad},{}", good("wamid.1"), good("wamid.2")));
    assert_eq!(updates(&events).len(), 2);
    let rejected = |e: &WebhookEvent| matches!(e, WebhookEvent::Rejected { place, why } if place == "entry[0].changes[0].value.statuses[1]" && why.contains(reason));
    assert!(events.iter().any(rejected), "{events:?}");
}

#[test]
fn what_is_for_another_number_is_ignored_with_the_reason() {
    let events = parse(webhook_for("999", r#""statuses":[{"id":"wamid.1","status":"read","timestamp":"1764072000"}]"#));
    assert!(
        matches!(&events[..], [WebhookEvent::Ignored { why, .. }] if why.contains("phone number id 999")),
        "{events:?}"
    );
}

#[rstest]
#[case::no_json("{", "not JSON")]
#[case::no_object("{}", "object is missing")]
#[case::a_list("[]", "object is missing")]
#[case::entry_is_no_list(r#"{"object":"whatsapp_business_account","entry":{}}"#, "not a list")]
#[case::no_field(r#"{"object":"whatsapp_business_account","entry":[{"changes":[{}]}]}"#, "field is missing")]
#[case::no_number(
    r#"{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{}}]}]}"#,
    "phone_number_id is missing"
)]
fn a_body_that_makes_no_sense_is_rejected_with_the_reason(#[case] body: &'static str, #[case] reason: &str) {
    let events = parse(body);
    assert!(matches!(&events[..], [WebhookEvent::Rejected { why, .. }] if why.contains(reason)), "{events:?}");
}

#[rstest]
#[case::another_object(r#"{"object":"page","entry":[]}"#, "page")]
#[case::another_field(
    r#"{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"account_update","value":{}}]}]}"#,
    "account_update"
)]
fn what_tells_nothing_about_messages_is_ignored_with_the_reason(#[case] body: &'static str, #[case] reason: &str) {
    let events = parse(body);
    assert!(matches!(&events[..], [WebhookEvent::Ignored { why, .. }] if why.contains(reason)), "{events:?}");
}

#[test]
fn an_error_of_the_account_is_reported() {
    let events = parse(webhook(r#""errors":[{"code":130429,"title":"Rate limit hit"}]"#));
    assert!(matches!(&events[..], [WebhookEvent::Ignored { why, .. }] if why.contains("Rate limit hit")), "{events:?}");
}

#[test]
fn a_thousand_statuses_of_one_batch_are_all_told() {
    let list: Vec<String> =
        (0..1000).map(|i| format!(r#"{{"id":"wamid.{i}","status":"delivered","timestamp":"1764072000"}}"#)).collect();
    assert_eq!(updates(&statuses(&list.join(","))).len(), 1000);
}

fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        Just("true".to_owned()),
        "\"[a-z0-9]{0,9}\"",
        Just(r#""whatsapp_business_account""#.to_owned()),
        Just(r#""messages""#.to_owned()),
        Just(r#""failed""#.to_owned())
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        let key = prop_oneof![
            Just("object"),
            Just("entry"),
            Just("changes"),
            Just("field"),
            Just("value"),
            Just("metadata"),
            Just("statuses"),
            Just("messages"),
            Just("errors"),
            Just("id"),
            Just("status"),
            Just("timestamp")
        ];
        prop_oneof![
            proptest::collection::vec((key, inner.clone()), 0..5).prop_map(|fields| {
                let fields: Vec<String> = fields.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
            proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_parsing_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        parse(body);
    }

    #[test]
    fn no_json_makes_parsing_panic(body in any_json()) {
        parse(body.clone());
        parse(webhook(&format!(r#""statuses":[{body}],"messages":[{body}]"#)));
        parse(webhook(&format!(r#""statuses":{body},"errors":{body}"#)));
    }

    #[test]
    fn a_record_read_again_tells_the_same(body in any_json()) {
        let body = Bytes::from(webhook(&format!(r#""statuses":[{body}]"#)));
        prop_assert_eq!(parse(body.clone()), parse(body));
    }

    #[test]
    fn no_query_makes_the_handshake_panic(query in "\\PC*") {
        let _ = handshake(&Secret::new("t"), &query);
    }
}
