//! What goes to WhatsApp, and what an account needs before anything can go.

#![allow(clippy::unwrap_used)]

mod support;

use std::error::Error as _;

use chat4all_channels::{Unsendable, capabilities};
use chat4all_message::{Correlation, Delivery, Media, MediaKind, MessageId, ReadMark};
use rstest::rstest;
use serde_json::{Value, json};
use support::*;

#[test]
fn a_text_becomes_the_request_of_the_contract() {
    let delivery = delivery("whatsapp:+5562998765432", "Olá, seu pedido saiu @12h");
    let request = whatsapp().request(&delivery, received_at()).unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://graph.facebook.com/v25.0/106540352242922/messages");
    assert_eq!(request.headers()["authorization"], format!("Bearer {TOKEN}").as_str());
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(
        serde_json::from_slice::<Value>(request.body()).unwrap(),
        json!({
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "5562998765432",
            "biz_opaque_callback_data": Correlation::from(&delivery.reference).to_string(),
            "type": "text",
            "text": {"body": "Olá, seu pedido saiu @12h", "preview_url": false},
        })
    );
}

#[test]
fn case_02_a_business_scoped_user_is_a_recipient_and_no_to() {
    let request = whatsapp().request(&delivery("whatsapp:US.1349", "hi"), received_at()).unwrap();
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body["recipient"], "US.1349");
    assert!(body.get("to").is_none());
}

#[test]
fn a_text_of_the_longest_length_is_sent_and_one_more_character_is_refused_not_cut() {
    let longest = "ã".repeat(4096);
    assert!(whatsapp().request(&delivery("whatsapp:+5562998765432", &longest), received_at()).is_ok());
    let refused =
        whatsapp().request(&delivery("whatsapp:+5562998765432", &format!("{longest}!")), received_at()).unwrap_err();
    assert_eq!(refused.code(), "chat4all:text-too-long");
    assert_eq!(
        refused.to_string(),
        "whatsapp carries at most 4096 characters in one message and the text has 4097; send it as several messages"
    );
    assert!(capabilities(chat4all_message::Channel::Whatsapp).text.allows(&longest));
}

#[test]
fn what_the_channel_cannot_carry_is_refused_with_the_reason() {
    let number = "whatsapp:+5562998765432";
    let mut with_file = delivery(number, "see this");
    with_file.file_id = Some("f1".into());
    assert!(matches!(whatsapp().request(&with_file, received_at()), Err(Unsendable::File { .. })));
    assert!(matches!(whatsapp().request(&delivery(number, ""), received_at()), Err(Unsendable::EmptyText)));
    assert!(matches!(
        whatsapp().request(&delivery("maria", "hi"), received_at()),
        Err(Unsendable::ForeignRecipient { .. })
    ));
}

#[rstest]
#[case(MediaKind::Image, "image", json!({"link": "https://files.example/a/item.pdf", "caption": "see"}))]
#[case(MediaKind::Video, "video", json!({"link": "https://files.example/a/item.pdf", "caption": "see"}))]
fn a_file_by_link_has_the_text_as_its_caption(#[case] kind: MediaKind, #[case] name: &str, #[case] file: Value) {
    let delivery = with_media(delivery("whatsapp:+5562998765432", "see"), kind, "https://files.example/a/item.pdf");
    let body = body_of(&*whatsapp(), &delivery);
    assert_eq!((&body["type"], &body[name]), (&json!(name), &file));
    assert!(body.get("text").is_none());
}

#[test]
fn case_14_a_document_by_link_has_the_filename_of_its_url() {
    let url = "https://files.example/a/item.pdf?sig=1/2";
    let with_name = with_media(delivery("whatsapp:+5562998765432", ""), MediaKind::Document, url);
    assert_eq!(body_of(&*whatsapp(), &with_name)["document"], json!({"link": url, "filename": "item.pdf"}));
    let url = "https://files.example/a/";
    let without = with_media(delivery("whatsapp:+5562998765432", ""), MediaKind::Document, url);
    assert_eq!(body_of(&*whatsapp(), &without)["document"], json!({"link": url}));
}

#[test]
fn a_file_by_id_is_named_by_it() {
    let mut delivery = delivery("whatsapp:+5562998765432", "see");
    let by_id =
        |kind, name: Option<&str>| Some(Media::uploaded(kind, "1013859600285441", name.map(str::to_owned)).unwrap());
    delivery.media = by_id(MediaKind::Document, Some("invoice.pdf"));
    let document = json!({"id": "1013859600285441", "caption": "see", "filename": "invoice.pdf"});
    assert_eq!(body_of(&*whatsapp(), &delivery)["document"], document);
    delivery.media = by_id(MediaKind::Image, None);
    assert_eq!(body_of(&*whatsapp(), &delivery)["image"], json!({"id": "1013859600285441", "caption": "see"}));
    for channel in [chat4all_message::Channel::Messenger, chat4all_message::Channel::Webhook] {
        assert!(matches!(capabilities(channel).check((&delivery).into()), Err(Unsendable::MediaById { .. })));
    }
}

#[test]
fn an_answer_names_the_message_that_it_answers() {
    let delivery = answering(delivery("whatsapp:+5562998765432", "yes"), "wamid.7");
    assert_eq!(body_of(&*whatsapp(), &delivery)["context"], json!({"message_id": "wamid.7"}));
}

#[test]
fn a_template_is_named_with_its_language_and_what_goes_into_its_blanks() {
    let mut delivery = answering(delivery("whatsapp:+5562998765432", ""), "wamid.7");
    let components = json!([{"type": "body", "parameters": [{"type": "text", "text": "Maria"}]}]);
    delivery.template =
        serde_json::from_value(json!({"name": "order_shipped", "language": "pt_BR", "components": components}))
            .unwrap();
    let body = body_of(&*whatsapp(), &delivery);
    assert_eq!((&body["type"], &body["context"]["message_id"]), (&json!("template"), &json!("wamid.7")));
    assert_eq!(
        body["template"],
        json!({"name": "order_shipped", "language": {"code": "pt_BR", "policy": "deterministic"}, "components": components})
    );
    delivery.template.as_mut().unwrap().components.clear();
    assert!(body_of(&*whatsapp(), &delivery)["template"].get("components").is_none());
}

#[test]
fn a_mark_names_the_message_that_was_read_and_shows_typing_while_it_is_fresh() {
    let mark = |typing, asked_at: &str| {
        let mark = ReadMark { provider_id: "wamid.7".into(), typing, asked_at: asked_at.parse().unwrap() };
        let sender = "whatsapp:+5562998765432".parse().unwrap();
        let conversation = "order-1042".parse().unwrap();
        body_of(&*whatsapp(), &Delivery::marking(MessageId::now(), conversation, sender, "wa".into(), mark))
    };
    let read = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.7"});
    assert_eq!(mark(false, "2026-11-25T12:00:00Z"), read);
    assert_eq!(mark(true, "2026-11-25T11:59:00Z"), read, "nobody types for a minute without a new mark");
    assert_eq!(mark(true, "2026-11-25T11:59:50Z")["typing_indicator"], json!({"type": "text"}));
    assert_eq!(
        answer(200, r#"{"success":true}"#),
        chat4all_channels::Answer::Accepted { provider_id: None, aliases: Vec::new() }
    );
}

#[test]
fn a_channel_without_templates_says_so() {
    let mut delivery = delivery("telegram:133", "");
    delivery.template = serde_json::from_value(json!({"name": "hello", "language": "en"})).unwrap();
    let why = capabilities(chat4all_message::Channel::Telegram).check((&delivery).into()).unwrap_err();
    assert_eq!((why.code(), why.field()), ("chat4all:template-not-supported", "template"));
}

#[test]
fn case_13_audio_with_text_is_two_requests_and_no_caption() {
    let audio = with_media(delivery("whatsapp:+5562998765432", "listen"), MediaKind::Audio, "https://files.example/a");
    let parts = capabilities(chat4all_message::Channel::Whatsapp).parts(answering(audio, "wamid.7"));
    let bodies: Vec<Value> = parts.iter().map(|part| body_of(&*whatsapp(), part)).collect();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0]["audio"], json!({"link": "https://files.example/a"}));
    assert_eq!(bodies[1]["text"]["body"], "listen");
    assert!(bodies[1].get("audio").is_none());
    assert_eq!((bodies[0].get("context").is_some(), bodies[1].get("context").is_some()), (true, false));
}

#[test]
fn a_caption_is_shorter_than_a_text_and_audio_has_none() {
    let url = "https://files.example/a";
    let caption = |n| with_media(delivery("whatsapp:+5562998765432", &"ã".repeat(n)), MediaKind::Image, url);
    assert!(whatsapp().request(&caption(1024), received_at()).is_ok());
    assert!(matches!(
        whatsapp().request(&caption(1025), received_at()),
        Err(Unsendable::CaptionTooLong { size: 1025, .. })
    ));
    let sound = with_media(delivery("whatsapp:+5562998765432", "listen"), MediaKind::Audio, url);
    assert!(matches!(whatsapp().request(&sound, received_at()), Err(Unsendable::Caption { .. })));
}

#[rstest]
#[case::with_a_port_and_a_slash(
    "http://simulator:8090/",
    "v25.0",
    "http://simulator:8090/v25.0/106540352242922/messages"
)]
#[case::with_a_path(
    "https://proxy.example/graph",
    "v26.0",
    "https://proxy.example/graph/v26.0/106540352242922/messages"
)]
fn the_url_follows_base_and_version(#[case] base: &str, #[case] version: &str, #[case] url: &str) {
    let credentials = secrets(&[("access-token", TOKEN)]);
    let account = format!(r#"{{"phoneNumberId":"106540352242922","apiVersion":"{version}"}}"#);
    let channel = open(base, &account, credentials.path()).unwrap();
    assert_eq!(channel.request(&delivery("whatsapp:+5562998765432", "hi"), received_at()).unwrap().uri(), url);
}

#[rstest]
#[case::no_number("https://graph.facebook.com", "{}", "account.phoneNumberId is missing")]
#[case::null("https://graph.facebook.com", r#"{"phoneNumberId":null}"#, "account.phoneNumberId is missing")]
#[case::the_number_itself("https://graph.facebook.com", r#"{"phoneNumberId":"+55629"}"#, "account.phoneNumberId")]
#[case::no_version("https://graph.facebook.com", r#"{"phoneNumberId":"1","apiVersion":"25"}"#, "account.apiVersion")]
#[case::a_typo("https://graph.facebook.com", r#"{"phoneNumberID":"1"}"#, "phoneNumberID")]
#[case::no_json("https://graph.facebook.com", "phoneNumberId=1", "CONNECTOR_ACCOUNT")]
#[case::no_scheme("graph.facebook.com", ACCOUNT, "baseUrl")]
#[case::ftp("ftp://graph.facebook.com", ACCOUNT, "baseUrl")]
#[case::a_query("https://graph.facebook.com?x=1", ACCOUNT, "baseUrl")]
#[case::a_password("https://me:pw@graph.facebook.com", ACCOUNT, "baseUrl")]
fn a_wrong_account_is_named_at_start(#[case] base: &str, #[case] account: &str, #[case] names: &str) {
    let credentials = secrets(&[("access-token", TOKEN)]);
    let error = open(base, account, credentials.path()).unwrap_err().to_string();
    assert!(error.contains(names), "{error}");
}

#[rstest]
#[case::missing(&[], "add key access-token")]
#[case::empty(&[("access-token", " \n")], "is empty")]
#[case::two_lines(&[("access-token", "EAAG\nEAAH")], "access-token")]
fn a_wrong_token_file_is_named_at_start(#[case] files: &[(&str, &str)], #[case] says: &str) {
    let credentials = secrets(files);
    let error = open("https://graph.facebook.com", ACCOUNT, credentials.path()).unwrap_err();
    let text = format!("{error} {:?}", error.source());
    assert!(text.contains(says) && text.contains(credentials.path().to_str().unwrap()), "{text}");
    assert!(!text.contains("EAAG"), "{text}");
}

#[test]
fn the_token_shows_nowhere() {
    let channel = whatsapp();
    let request = channel.request(&delivery("whatsapp:+5562998765432", "hi"), received_at()).unwrap();
    assert!(!format!("{channel:?}").contains(TOKEN));
    assert!(!format!("{request:?}").contains(TOKEN));
    let malformed = format!(r#"{{"error":{{"message":"Malformed access token {TOKEN}","code":190}}}}"#);
    assert!(!format!("{:?}", refusal(401, &malformed)).contains(TOKEN));
}
