//! The simulator and the channel, written apart from one reading of the contract, understand each
//! other: requests are taken, refusals are classified, webhooks pass the gate and are read.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat4all_channels::{
    Answer, Cause, Channel, ChannelConfig, Kind, Refusal, Scope, Wait, WebhookEvent, open, open_webhook_gate,
};
use chat4all_message::{
    AcceptedMessage, Correlation, Delivery, DeliveryEvent, Media, MediaKind, MessageId, WebhookRecord,
};
use chat4all_simulator::{Config, Secret, StandIns};
use rstest::rstest;
use serde_json::{Value, json};
use support::*;

fn channel(simulator: &Running, token: &str, number_id: &str) -> Arc<dyn Channel> {
    let credentials = tempfile::TempDir::new().unwrap();
    std::fs::write(credentials.path().join("access-token"), token).unwrap();
    let config = ChannelConfig {
        connector: "wa".into(),
        base_url: Some(simulator.url.clone()),
        account: json!({"phoneNumberId": number_id}).to_string(),
        credentials_dir: credentials.path().into(),
    };
    open(chat4all_message::Channel::Whatsapp, &config).unwrap()
}

const BOT: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";

async fn telegram() -> (Running, Arc<dyn Channel>) {
    let stand_ins = StandIns { telegram_bot_token: Some(Secret::new(BOT)), ..StandIns::default() };
    let simulator = start(Config { stand_ins, ..config(None) }).await;
    let credentials = tempfile::TempDir::new().unwrap();
    std::fs::write(credentials.path().join("bot-token"), BOT).unwrap();
    let config = ChannelConfig {
        connector: "tg".into(),
        base_url: Some(simulator.url.clone()),
        account: "{}".into(),
        credentials_dir: credentials.path().into(),
    };
    let channel = open(chat4all_message::Channel::Telegram, &config).unwrap();
    (simulator, channel)
}

fn delivery(recipient: &str) -> Delivery {
    let recipient: chat4all_message::Address = recipient.parse().unwrap();
    let message = AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: "order-1042".parse().unwrap(),
        sender: "shop".parse().unwrap(),
        recipient: Some(recipient.clone()),
        content: "Olá, seu pedido saiu".into(),
        file_id: None,
        media: None,
        template: None,
        reply_to: None,
        inbound: None,
    };
    Delivery::of(&message, recipient, "wa")
}

async fn call(simulator: &Running, channel: &dyn Channel, delivery: &Delivery) -> Answer {
    let request = channel.request(delivery, jiff::Timestamp::now()).unwrap();
    let response = simulator.client.execute(request.into_http().try_into().unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    channel.classify(delivery, status, &headers, &response.bytes().await.unwrap())
}

fn refusal(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        accepted => panic!("{accepted:?}"),
    }
}

#[rstest]
#[case::number("whatsapp:+5562998765432")]
#[case::user("whatsapp:US.1349")]
#[tokio::test]
async fn a_delivery_is_taken_and_its_statuses_are_read(#[case] recipient: &str) {
    let mut receiver = Receiver::start().await;
    let simulator = start(config(Some(receiver.url.clone()))).await;
    let channel = channel(&simulator, TOKEN, NUMBER_ID);
    let delivery = delivery(recipient);
    let Answer::Accepted { provider_id: Some(wamid), .. } = call(&simulator, &*channel, &delivery).await else {
        panic!("not accepted with an id")
    };
    let expected =
        [DeliveryEvent::Sent { provider_id: Some(wamid), effort: None }, DeliveryEvent::Delivered, DeliveryEvent::Read];
    for event in expected {
        let told = read(&*channel, receiver.next_request().await);
        let [WebhookEvent::Status(update)] = &told[..] else { panic!("{told:?}") };
        assert_eq!(update.event, event);
        assert_eq!(update.correlation, Some(Correlation::from(&delivery.reference)));
    }
}

/// Takes a webhook through the gate and reads it.
fn read(channel: &dyn Channel, request: Request) -> Vec<WebhookEvent> {
    let secrets = tempfile::TempDir::new().unwrap();
    std::fs::write(secrets.path().join("app-secret"), APP_SECRET).unwrap();
    std::fs::write(secrets.path().join("verify-token"), "v").unwrap();
    let gate = open_webhook_gate(chat4all_message::Channel::Whatsapp, secrets.path()).unwrap();
    gate.check(&request.headers, &request.body).unwrap();
    let received_at = "2026-11-25T12:00:00Z".parse().unwrap();
    channel.parse_webhook(&WebhookRecord { received_at, headers: BTreeMap::new(), body: request.body })
}

#[rstest]
#[case::down(json!({"status": 503}), Kind::Unavailable)]
#[case::unavailable(json!({"code": 131016}), Kind::Unavailable)]
#[case::token(json!({"code": 190}), Kind::AccountDisconnected)]
#[case::policy(json!({"code": 368}), Kind::AccountSuspended)]
#[tokio::test]
async fn a_fault_is_classified(#[case] fault: Value, #[case] kind: Kind) {
    let simulator = silent().await;
    simulator.set_fault(fault).await;
    let channel = channel(&simulator, TOKEN, NUMBER_ID);
    assert_eq!(refusal(call(&simulator, &*channel, &delivery("whatsapp:+5562998765432")).await).kind(), kind);
}

#[rstest]
#[case::another_token("token-2", NUMBER_ID, Kind::AccountDisconnected)]
#[case::another_number(TOKEN, "999", Kind::AccountNeedsAttention)]
#[tokio::test]
async fn a_wrong_account_is_classified_as_such(#[case] token: &str, #[case] number_id: &str, #[case] kind: Kind) {
    let simulator = silent().await;
    let channel = channel(&simulator, token, number_id);
    assert_eq!(refusal(call(&simulator, &*channel, &delivery("whatsapp:+5562998765432")).await).kind(), kind);
}

fn accepted(answer: Answer) -> String {
    match answer {
        Answer::Accepted { provider_id: Some(id), .. } => id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn telegram_takes_texts_answers_and_files_and_numbers_them_in_their_chat() {
    let (simulator, channel) = telegram().await;
    let first = accepted(call(&simulator, &*channel, &delivery("telegram:133")).await);
    assert_eq!(first, "133:1");
    assert_eq!(accepted(call(&simulator, &*channel, &delivery("telegram:-1001234")).await), "-1001234:1");
    for kind in MediaKind::ALL {
        let media = Some(Media::at(kind, "https://files.example/a").unwrap());
        let delivery = Delivery { media, reply_to: Some(first.clone()), ..delivery("telegram:133") };
        accepted(call(&simulator, &*channel, &delivery).await);
    }
    let log = simulator.log().await;
    assert_eq!((&log[5]["channel"], &log[5]["message_id"]), (&json!("telegram"), &json!("133:5")));
    assert_eq!(log[5]["media"], "https://files.example/a");
}

#[tokio::test]
async fn whatsapp_takes_files_by_link_and_answers() {
    let simulator = silent().await;
    let channel = channel(&simulator, TOKEN, NUMBER_ID);
    let to = || delivery("whatsapp:+5562998765432");
    let first = accepted(call(&simulator, &*channel, &to()).await);
    for kind in MediaKind::ALL {
        let media = Some(Media::at(kind, "https://files.example/a.pdf").unwrap());
        let content = if kind == MediaKind::Audio { String::new() } else { "see".to_owned() };
        let delivery = Delivery { media, content, reply_to: Some(first.clone()), ..to() };
        accepted(call(&simulator, &*channel, &delivery).await);
    }
}

#[tokio::test]
async fn files_by_an_id_that_nobody_was_given_are_refused() {
    let simulator = silent().await;
    let media = Some(Media::uploaded(MediaKind::Image, "1013859600285441", None).unwrap());
    let delivery = Delivery { media, ..delivery("whatsapp:+5562998765432") };
    let refused = refusal(call(&simulator, &*channel(&simulator, TOKEN, NUMBER_ID), &delivery).await);
    assert_eq!((refused.kind(), refused.code()), (Kind::Permanent(Cause::BadRequest), "131009"));
    let (simulator, channel) = telegram().await;
    let media = Some(Media::uploaded(MediaKind::Image, "AgACAgQAAxkDAAIBY2X_uploaded", None).unwrap());
    accepted(
        call(&simulator, &*channel, &Delivery { recipient: "telegram:133".parse().unwrap(), media, ..delivery }).await,
    );
}

#[tokio::test]
async fn whatsapp_takes_templates_and_names_one_that_is_not_there() {
    let simulator = silent().await;
    let channel = channel(&simulator, TOKEN, NUMBER_ID);
    let named = |name: &str| {
        let template = json!({"name": name, "language": "pt_BR", "components": [
            {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://files.example/a.png"}}]},
            {"type": "body", "parameters": [{"type": "text", "text": "Maria", "parameter_name": "who"}]},
            {"type": "button", "sub_type": "quick_reply", "index": 0, "parameters": [{"type": "payload", "payload": "yes"}]},
        ]});
        let template = serde_json::from_value(template).unwrap();
        Delivery { template, content: String::new(), ..delivery("whatsapp:+5562998765432") }
    };
    accepted(call(&simulator, &*channel, &named("order_shipped")).await);
    let refused = refusal(call(&simulator, &*channel, &named("no_such_template")).await);
    assert_eq!((refused.kind(), refused.code()), (Kind::Permanent(Cause::Template), "132001"));
    assert!(refused.reason().starts_with("template no_such_template (pt_BR): "), "{refused}");
}

#[rstest]
#[case::down(json!({"status": 503}), Kind::Unavailable)]
#[case::token(json!({"code": 401}), Kind::AccountNeedsAttention)]
#[case::blocked(json!({"code": 403}), Kind::Permanent(Cause::ContactStopped))]
#[case::nowhere(json!({"code": 400}), Kind::Permanent(Cause::RecipientUnreachable))]
#[case::flood(
    json!({"code": 429, "retryAfter": 30}),
    Kind::Throttled { scope: Scope::Account, wait: Wait::of(Duration::from_secs(30)) }
)]
#[tokio::test]
async fn telegrams_faults_are_classified(#[case] fault: Value, #[case] kind: Kind) {
    let (simulator, channel) = telegram().await;
    simulator.set_fault(fault).await;
    assert_eq!(refusal(call(&simulator, &*channel, &delivery("telegram:133")).await).kind(), kind);
}

#[tokio::test]
async fn telegrams_groups_move() {
    let (simulator, channel) = telegram().await;
    simulator.set_fault(json!({"code": 400, "migrateToChatId": -1001234})).await;
    let answer = call(&simulator, &*channel, &delivery("telegram:-99")).await;
    assert_eq!(answer, Answer::Moved { to: "telegram:-1001234".parse().unwrap() });
}

const HOOK: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

/// An endpoint, and the channel that calls it signing with this secret.
async fn endpoint(secret: &str) -> (Running, Arc<dyn Channel>) {
    let stand_ins = StandIns { webhook_secret: Some(Secret::new(HOOK)), ..StandIns::default() };
    let simulator = start(Config { stand_ins, ..config(None) }).await;
    let credentials = tempfile::TempDir::new().unwrap();
    std::fs::write(credentials.path().join("orders"), secret).unwrap();
    let url = format!("{}/hooks/orders", simulator.url);
    let config = ChannelConfig {
        connector: "hooks".into(),
        base_url: None,
        account: json!({"endpoints": [{"name": "orders", "url": url}], "allowedNetworks": ["127.0.0.0/8"]}).to_string(),
        credentials_dir: credentials.path().into(),
    };
    let channel = open(chat4all_message::Channel::Webhook, &config).unwrap();
    (simulator, channel)
}

#[tokio::test]
async fn an_endpoint_takes_signed_webhooks_and_refuses_others() {
    let (simulator, channel) = endpoint(HOOK).await;
    let delivery = delivery("webhook:orders");
    let id = accepted(call(&simulator, &*channel, &delivery).await);
    assert_eq!(accepted(call(&simulator, &*channel, &delivery).await), id, "the same webhook for the receiver");
    let log = simulator.log().await;
    assert_eq!(
        (&log[0]["channel"], &log[0]["message_id"], &log[0]["to"]),
        (&json!("webhook"), &json!(id), &json!("orders"))
    );
    let (simulator, stranger) = endpoint("whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4").await;
    assert_eq!(refusal(call(&simulator, &*stranger, &delivery).await).code(), "chat4all:http-401");
}

#[rstest]
#[case::gone(json!({"status": 410}), Kind::Permanent(Cause::EndpointGone))]
#[case::elsewhere(json!({"status": 302}), Kind::Unavailable)]
#[case::down(json!({"status": 500}), Kind::Unavailable)]
#[case::busy(
    json!({"status": 429, "retryAfter": 7}),
    Kind::Busy { wait: Wait::growing(Duration::from_secs(7), 4, Duration::from_secs(300)) }
)]
#[tokio::test]
async fn an_endpoints_faults_are_classified(#[case] fault: Value, #[case] kind: Kind) {
    let (simulator, channel) = endpoint(HOOK).await;
    simulator.set_fault(fault).await;
    assert_eq!(refusal(call(&simulator, &*channel, &delivery("webhook:orders")).await).kind(), kind);
}

const PAGE: &str = "206540352242922";
const INSTAGRAM: &str = "17841400000000000";

/// A page or an Instagram account, and the channel that speaks to it.
async fn dialog(name: chat4all_message::Channel) -> (Running, Arc<dyn Channel>, &'static str) {
    let stand_ins =
        StandIns { page_id: Some(PAGE.into()), instagram_id: Some(INSTAGRAM.into()), ..StandIns::default() };
    let simulator = start(Config { stand_ins, ..config(None) }).await;
    let credentials = tempfile::TempDir::new().unwrap();
    std::fs::write(credentials.path().join("access-token"), TOKEN).unwrap();
    let (account, person) = match name {
        chat4all_message::Channel::Messenger => (json!({"pageId": PAGE}), "messenger:7001"),
        _ => (json!({"instagramId": INSTAGRAM}), "instagram:7001"),
    };
    let config = ChannelConfig {
        connector: "dialog".into(),
        base_url: Some(simulator.url.clone()),
        account: account.to_string(),
        credentials_dir: credentials.path().into(),
    };
    let channel = open(name, &config).unwrap();
    (simulator, channel, person)
}

#[rstest]
#[case(chat4all_message::Channel::Messenger)]
#[case(chat4all_message::Channel::Instagram)]
#[tokio::test]
async fn a_dialog_takes_texts_and_files_and_classifies_faults(#[case] name: chat4all_message::Channel) {
    let (simulator, channel, person) = dialog(name).await;
    let id = accepted(call(&simulator, &*channel, &delivery(person)).await);
    for kind in MediaKind::ALL {
        let media = Some(Media::at(kind, "https://files.example/a").unwrap());
        accepted(call(&simulator, &*channel, &Delivery { media, content: String::new(), ..delivery(person) }).await);
    }
    let log = simulator.log().await;
    assert_eq!((&log[0]["channel"], &log[0]["message_id"]), (&json!(name.name()), &json!(id)));
    for (fault, kind) in [
        (json!({"code": 10, "subcode": 2018278}), Kind::Permanent(Cause::WindowClosed)),
        (json!({"code": 551}), Kind::Permanent(Cause::ContactStopped)),
        (json!({"code": 190}), Kind::AccountDisconnected),
        (json!({"status": 503}), Kind::Unavailable),
    ] {
        simulator.set_fault(fault).await;
        assert_eq!(refusal(call(&simulator, &*channel, &delivery(person)).await).kind(), kind);
    }
}
