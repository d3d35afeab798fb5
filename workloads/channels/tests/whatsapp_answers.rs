//! What WhatsApp's answers mean, row by row of the contract's table.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use chat4all_channels::{Answer, Cause, Kind, Retry, Scope, Transport, Wait};
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use rstest::rstest;
use support::*;

const SECOND: Duration = Duration::from_secs(1);

fn accepted(provider_id: Option<&str>) -> Answer {
    Answer::Accepted { provider_id: provider_id.map(str::to_owned), aliases: Vec::new() }
}

fn pause(retry: Retry, before: u32) -> Duration {
    match retry {
        Retry::After(wait) => wait.after(before),
        other => panic!("{other:?} is no pause"),
    }
}

#[rstest]
#[case(200)]
#[case(201)]
fn case_01_an_id_in_the_answer_is_kept(#[case] status: u16) {
    let body = r#"{"messaging_product":"whatsapp","contacts":[{"input":"5562998765432","wa_id":"5562998765432"}],"messages":[{"id":"wamid.HBgM","message_status":"accepted"}]}"#;
    assert_eq!(answer(status, body), accepted(Some("wamid.HBgM")));
}

#[rstest]
#[case::another_way_of_writing_it(r#"{"input":"5562998765432","wa_id":"556298765432"}"#, &["whatsapp:+556298765432"])]
#[case::a_username(r#"{"input":"5562998765432","wa_id":"5562998765432","user_id":"BR.1349"}"#, &["whatsapp:BR.1349"])]
#[case::nonsense(r#"{"input":"5562998765432","wa_id":7,"user_id":"no id"}"#, &[])]
fn case_03_other_addresses_of_the_recipient_are_learned_from_the_answer(#[case] contact: &str, #[case] known: &[&str]) {
    let body = format!(r#"{{"contacts":[{contact}],"messages":[{{"id":"wamid.1"}}]}}"#);
    let Answer::Accepted { aliases, .. } = answer(200, &body) else { panic!("{body}") };
    assert_eq!(aliases.iter().map(ToString::to_string).collect::<Vec<_>>(), known);
}

#[rstest]
#[case::null(r#"{"messages":[null]}"#)]
#[case::no_list("{}")]
#[case::an_empty_list(r#"{"messages":[]}"#)]
#[case::an_empty_object(r#"{"messages":[{}]}"#)]
#[case::a_null_id(r#"{"messages":[{"id":null}]}"#)]
#[case::a_null_error(r#"{"error":null}"#)]
fn case_04_a_200_without_an_id_is_accepted_without_one(#[case] body: &str) {
    assert_eq!(answer(200, body), accepted(None));
}

#[rstest]
#[case::json(r#"{"detail":"Forbidden"}"#)]
#[case::a_text(r#"{"error":"Forbidden"}"#)]
#[case::html("<html>Forbidden</html>")]
#[case::nothing("")]
fn case_05_a_403_without_an_error_object_is_permanent(#[case] body: &str) {
    let refusal = refusal(403, body);
    assert_eq!(refusal.kind(), Kind::Permanent(Cause::Unlisted));
    assert_eq!(refusal.retry(), Retry::No);
    assert_eq!(refusal.code(), "chat4all:http-403");
}

#[test]
fn case_06_a_pair_limit_holds_that_recipient_only_for_four_to_the_x_seconds() {
    let refusal = refusal(403, &error(131056));
    assert_eq!(refusal.scope(), Some(Scope::Recipient));
    let pauses: Vec<u64> = (0..5).map(|before| pause(refusal.retry(), before).as_secs()).collect();
    assert_eq!(pauses, [1, 4, 16, 64, 256]);
    assert!(!refusal.counts_for_breaker());
}

#[test]
fn case_07_a_throughput_limit_throttles_the_number_for_about_a_second() {
    let refusal = refusal(403, &error(130429));
    assert_eq!(refusal.kind(), Kind::Throttled { scope: Scope::Account, wait: Wait::of(SECOND) });
    assert!(!refusal.counts_for_breaker());
}

#[test]
fn case_08_a_429_is_a_throttle_also_with_a_code_that_nobody_lists() {
    let refusal = refusal(429, &error(999_999));
    assert!(matches!(refusal.kind(), Kind::Throttled { scope: Scope::Account, .. }));
    assert_eq!(refusal.code(), "999999");
}

#[rstest]
fn a_limit_of_the_graph_api_is_a_throttle_whatever_its_status(
    #[values(17, 32, 613)] code: i64,
    #[values(400, 403, 429)] status: u16,
) {
    let kind = refusal(status, &error(code)).kind();
    assert!(matches!(kind, Kind::Throttled { scope: Scope::Account, .. }), "{kind:?}");
}

#[test]
fn case_09_a_failed_media_upload_is_tried_twice_with_its_reason() {
    let body = r#"{"error":{"message":"(#131053) Media upload error","code":131053,"error_data":{"messaging_product":"whatsapp","details":"Downloading media failed with 404"}}}"#;
    let refusal = refusal(400, body);
    assert_eq!(refusal.retry(), Retry::AtMost(2));
    assert_eq!(refusal.reason(), "(#131053) Media upload error: Downloading media failed with 404");
    assert!(!refusal.counts_for_breaker());
}

#[test]
fn case_10_a_policy_block_is_permanent_with_its_reason_and_suspends_the_account() {
    let refusal = refusal(403, &error(368));
    assert_eq!(refusal.kind(), Kind::AccountSuspended);
    assert_eq!(refusal.retry(), Retry::No);
    assert_eq!(refusal.reason(), "(#368) What the provider says");
    assert!(refusal.pauses_the_account());
}

#[test]
fn case_11_error_code_0_is_not_tried_again_by_itself_and_keeps_its_reason() {
    let refusal = refusal(401, r#"{"error":{"message":"We were unable to authenticate the app user","code":0}}"#);
    assert_eq!(refusal.kind(), Kind::AccountDisconnected);
    assert_eq!(refusal.retry(), Retry::WhenMended);
    assert_eq!((refusal.code(), refusal.reason()), ("0", "We were unable to authenticate the app user"));
}

#[rstest]
#[case(500, "Internal Server Error")]
#[case(502, "<html>Bad Gateway</html>")]
#[case(503, "")]
#[case(503, r#"{"message":"no error object"}"#)]
#[case(500, r#"{"error":{"message":"a code that is not listed","code":999999}}"#)]
fn case_12_a_server_error_is_retried_and_counts_for_the_breaker(#[case] status: u16, #[case] body: &str) {
    let refusal = refusal(status, body);
    assert_eq!(refusal.kind(), Kind::Unavailable);
    assert_eq!(refusal.retry(), Retry::Backoff);
    assert!(refusal.counts_for_breaker());
}

#[rstest]
#[case::unavailable(&[2, 131016, 133004], "unavailable", Retry::Backoff, true)]
#[case::unexplained(&[1, 131000], "unexplained", Retry::AtMost(3), true)]
#[case::window(&[131047], "window_closed", Retry::No, false)]
#[case::undeliverable(&[131026], "recipient_unreachable", Retry::No, false)]
#[case::protected(&[131049, 131050, 130472], "recipient_protected", Retry::No, false)]
#[case::not_allowed(&[130403, 131021, 131030], "recipient_not_allowed", Retry::No, false)]
#[case::bad_request(&[100, 131008, 131009, 131051, 135000], "bad_request", Retry::No, false)]
#[case::attention(&[33, 131037, 131042, 131045, 133010], "account_needs_attention", Retry::WhenMended, false)]
#[case::media(&[131053], "media_not_taken", Retry::AtMost(2), false)]
#[case::template(&[132000, 132001, 132005, 132007, 132012, 132015, 132016, 132068, 132069], "template", Retry::No, false)]
#[case::disconnected(&[0, 3, 10, 190, 200, 250, 299, 131005], "account_disconnected", Retry::WhenMended, false)]
#[case::suspended(&[368, 131031, 130497], "account_suspended", Retry::No, false)]
#[case::unlisted(&[-1, 5, 199, 300, 130000, 999999], "unlisted", Retry::No, false)]
fn each_code_means_what_the_table_says(
    #[case] codes: &[i64],
    #[case] category: &str,
    #[case] retry: Retry,
    #[case] breaker: bool,
    #[values(200, 400, 403)] status: u16,
) {
    for &code in codes {
        let refusal = refusal(status, &error(code));
        assert_eq!(
            (refusal.category(), refusal.retry(), refusal.counts_for_breaker(), refusal.code()),
            (category, retry, breaker, code.to_string().as_str()),
            "{code} with {status}"
        );
    }
}

#[rstest]
#[case::app_calls(4, Scope::App, 60, 15 * 60)]
#[case::account_calls(80007, Scope::Account, 60, 15 * 60)]
#[case::throughput(130429, Scope::Account, 1, 1)]
#[case::pair(131056, Scope::Recipient, 1, 3600)]
#[case::spam(131048, Scope::Account, 15 * 60, 4 * 3600)]
#[case::spam_too(131064, Scope::Account, 15 * 60, 4 * 3600)]
#[case::maintenance(131057, Scope::Account, 60, 5 * 60)]
fn each_throttle_waits_as_long_as_the_table_says(
    #[case] code: i64,
    #[case] scope: Scope,
    #[case] first: u64,
    #[case] longest: u64,
    #[values(200, 400, 403, 429)] status: u16,
) {
    let refusal = refusal(status, &error(code));
    assert_eq!(refusal.scope(), Some(scope));
    assert_eq!(pause(refusal.retry(), 0).as_secs(), first);
    assert_eq!(pause(refusal.retry(), u32::MAX).as_secs(), longest);
    assert!(!refusal.counts_for_breaker() && !refusal.pauses_the_account());
}

#[test]
fn an_error_object_wins_over_a_200_and_over_an_id_beside_it() {
    let body = r#"{"messages":[{"id":"wamid.1"}],"error":{"message":"no","code":131026}}"#;
    assert_eq!(refusal(200, body).kind(), Kind::Permanent(Cause::RecipientUnreachable));
}

#[test]
fn a_missing_number_is_an_account_that_needs_attention_and_not_a_bad_request() {
    let body = r#"{"error":{"message":"Unsupported post request. Object with ID '1' does not exist","type":"GraphMethodException","code":100,"error_subcode":33}}"#;
    assert_eq!(refusal(400, body).kind(), Kind::AccountNeedsAttention);
}

#[rstest]
#[case::number("190")]
#[case::text("\"190\"")]
fn a_code_is_read_as_number_and_as_text(#[case] code: &str) {
    let body = format!(r#"{{"error":{{"message":"expired","code":{code}}}}}"#);
    assert_eq!(refusal(401, &body).kind(), Kind::AccountDisconnected);
}

#[test]
fn an_error_object_without_a_code_is_judged_by_its_status_and_keeps_its_text() {
    let body = r#"{"error":{"message":"odd"}}"#;
    assert_eq!(refusal(400, body).kind(), Kind::Permanent(Cause::Unlisted));
    assert_eq!(refusal(500, body).kind(), Kind::Unavailable);
    assert_eq!((refusal(400, body).code(), refusal(400, body).reason()), ("chat4all:http-400", "odd"));
}

#[rstest]
#[case::html("<html>ok</html>")]
#[case::nothing("")]
#[case::a_list("[]")]
#[case::null("null")]
fn a_success_that_is_no_json_object_is_an_unknown_outcome(#[case] body: &str) {
    let refusal = refusal(200, body);
    assert_eq!(refusal.kind(), Kind::OutcomeUnknown);
    assert_eq!(refusal.retry(), Retry::ByPolicy);
    assert!(refusal.counts_for_breaker());
}

#[test]
fn a_redirect_did_not_reach_the_provider() {
    assert_eq!(refusal(302, "").kind(), Kind::Unavailable);
}

const USAGE: &str = "X-Business-Use-Case-Usage";

#[rstest]
#[case::told(r#"{"104":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":7}]}"#, 80007, 7 * 60)]
#[case::the_longest_of_several(r#"{"1":[{"estimated_time_to_regain_access":3}],"2":[{"estimated_time_to_regain_access":9}]}"#, 4, 9 * 60)]
#[case::for_a_number(r#"{"1":[{"estimated_time_to_regain_access":2}]}"#, 130429, 2 * 60)]
#[case::zero_says_nothing(r#"{"1":[{"estimated_time_to_regain_access":0}]}"#, 80007, 60)]
#[case::absurd(r#"{"1":[{"estimated_time_to_regain_access":18446744073709551615}]}"#, 80007, 24 * 3600)]
#[case::nonsense("soon", 80007, 60)]
#[case::another_shape(r#"{"1":"x","2":[3,null]}"#, 80007, 60)]
#[case::not_for_a_pair(r#"{"1":[{"estimated_time_to_regain_access":7}]}"#, 131056, 1)]
fn the_providers_hint_says_how_long(#[case] header: &str, #[case] code: i64, #[case] seconds: u64) {
    let refusal = refusal_with(400, &[(USAGE, header)], &error(code));
    assert_eq!(pause(refusal.retry(), 0).as_secs(), seconds);
}

#[test]
fn the_hint_also_holds_for_a_429_without_a_body() {
    let refusal = refusal_with(429, &[(USAGE, r#"{"1":[{"estimated_time_to_regain_access":5}]}"#)], "");
    assert_eq!(pause(refusal.retry(), 0).as_secs(), 5 * 60);
    assert_eq!(pause(self::refusal(429, "").retry(), 0), SECOND);
}

#[test]
fn calls_without_an_answer_differ_by_how_far_they_got() {
    let unsent = Transport::NotSent.refusal("connection refused");
    assert_eq!((unsent.kind(), unsent.retry()), (Kind::Unavailable, Retry::Backoff));
    let unknown = Transport::OutcomeUnknown.refusal("timed out after 10 s");
    assert_eq!((unknown.kind(), unknown.retry()), (Kind::OutcomeUnknown, Retry::ByPolicy));
    assert!(unsent.counts_for_breaker() && unknown.counts_for_breaker());
    assert_eq!(unknown.to_string(), "timed out after 10 s (chat4all:unknown-outcome)");
}

#[test]
fn an_endless_reason_is_shortened_visibly() {
    let body = format!(r#"{{"error":{{"message":"{}","code":131026}}}}"#, "é".repeat(5000));
    let reason = refusal(400, &body).reason().to_owned();
    assert_eq!(reason.chars().count(), 1025);
    assert!(reason.ends_with('…'));
}

fn any_status() -> impl Strategy<Value = u16> {
    100u16..600
}

/// Bodies that look like the provider's, with anything in each place.
fn likely_body() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        "\"[a-z]{0,8}\"",
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("[null]".to_owned())
    ];
    let key = prop_oneof![
        Just("error"),
        Just("messages"),
        Just("code"),
        Just("message"),
        Just("id"),
        Just("error_data"),
        Just("details")
    ];
    leaf.prop_recursive(4, 16, 3, move |inner| {
        prop_oneof![
            proptest::collection::vec((key.clone(), inner.clone()), 0..4).prop_map(|fields| {
                let fields: Vec<String> = fields.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
            proptest::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_classification_panic(status in any_status(), body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = whatsapp().classify(&delivery("whatsapp:+5562998765432", "hi"), StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), &body);
    }

    #[test]
    fn no_likely_body_makes_classification_panic(status in any_status(), body in likely_body()) {
        let _ = answer(status, &body);
    }

    #[test]
    fn every_code_is_a_refusal_with_its_code_and_reason(status in any_status(), code in prop_oneof![any::<i64>(), -10i64..400, 80000i64..80010, 130000i64..136000]) {
        let refusal = refusal(status, &error(code));
        prop_assert_eq!(refusal.code(), code.to_string());
        let expected = format!("(#{code}) What the provider says");
        prop_assert_eq!(refusal.reason(), expected);
    }

    #[test]
    fn a_429_is_always_a_throttle_and_never_counts_for_the_breaker(body in prop_oneof![any::<i64>().prop_map(error), (-10i64..400).prop_map(error), (130000i64..136000).prop_map(error), likely_body(), ".*"]) {
        let refusal = refusal(429, &body);
        prop_assert!(matches!(refusal.retry(), Retry::After(_)), "{:?}", refusal);
        prop_assert!(!refusal.counts_for_breaker());
        prop_assert!(!refusal.pauses_the_account());
    }
}
