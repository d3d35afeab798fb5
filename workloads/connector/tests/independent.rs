//! The connector against stand-ins that others wrote, on a real Kafka. What they and we disagree on is in
//! docs/independent-checks.md. Run by `make independent`, which says where the stand-ins are.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use chat4all_channels::{Channel, ChannelConfig, WebhookEvent, open};
use chat4all_connector::RetryPolicy;
use chat4all_message::{Channel as Name, Delivery, DeliveryEvent, Media, MediaKind, WebhookRecord};
use reqwest::Client;
use serde_json::{Value, json};
use support::{NUMBER_ID, Policies, Script, TOKEN, delivery, with_place};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const MARIA: &str = "whatsapp:+5562998765432";

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run this with `make independent`"))
}

fn channel(kind: Name, base_url: Option<String>, account: &Value, secret: (&str, &str)) -> Arc<dyn Channel> {
    let credentials = TempDir::new().unwrap();
    std::fs::write(credentials.path().join(secret.0), secret.1).unwrap();
    let (connector, credentials_dir) = ("main".into(), credentials.path().into());
    open(kind, &ChannelConfig { connector, base_url, account: account.to_string(), credentials_dir }).unwrap()
}

fn whatsapp_at_mockpost() -> Arc<dyn Channel> {
    let url = format!("{}/whatsapp", setting("MOCKPOST_URL"));
    channel(Name::Whatsapp, Some(url), &json!({"phoneNumberId": NUMBER_ID}), ("access-token", TOKEN))
}

fn telegram_at(url: String, token: &str) -> Arc<dyn Channel> {
    channel(Name::Telegram, Some(url), &json!({}), ("bot-token", token))
}

fn to(recipient: &str, content: &str) -> Delivery {
    Delivery { recipient: recipient.parse().unwrap(), ..delivery(1, content) }
}

fn file(recipient: &str, kind: MediaKind) -> Delivery {
    Delivery { media: Some(Media::at(kind, "https://files.example/a.pdf").unwrap()), ..to(recipient, "see") }
}

/// Carries the deliveries; what was told of each.
async fn carried(channel: Arc<dyn Channel>, deliveries: &[Delivery]) -> Vec<DeliveryEvent> {
    let policies = Policies { retry: RetryPolicy { max_attempts: 1, ..RetryPolicy::default() }, ..Policies::default() };
    with_place(policies, async |place| {
        let connector = place.start_as(channel, place.ledger(Script::Play));
        for delivery in deliveries {
            place.order(delivery).await;
        }
        place.drained().await;
        connector.stop().await;
        let mut told = Vec::new();
        for delivery in deliveries {
            told.extend(place.told(delivery).await);
        }
        told
    })
    .await
}

fn provider_id(event: &DeliveryEvent) -> &str {
    match event {
        DeliveryEvent::Sent { provider_id: Some(id), .. } => id,
        other => panic!("not sent: {other:?}"),
    }
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// The requests with which mockpost took the messages to this recipient, oldest first.
async fn kept(kind: &str, recipient: &str) -> Vec<Value> {
    let url = format!("{}/api/messages?channel={kind}&limit=500", setting("MOCKPOST_URL"));
    let all: Vec<Value> = client().get(url).send().await.unwrap().json().await.unwrap();
    let of = all.into_iter().filter(|message| message["recipient"] == recipient);
    let request = |message: Value| match &message["raw_payload"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        payload => payload.clone(),
    };
    let mut requests: Vec<Value> = of.map(request).collect();
    requests.reverse();
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn mockpost_takes_whatsapp_texts_files_and_templates() {
    let mut template = to(MARIA, "");
    let components = json!([{"type": "body", "parameters": [{"type": "text", "text": "Maria"}]}]);
    let named = json!({"name": "order_shipped", "language": "pt_BR", "components": components});
    template.template = serde_json::from_value(named).unwrap();
    let text = to(MARIA, "Olá, seu pedido saiu @12h");
    let deliveries = [text, template, file(MARIA, MediaKind::Image), file(MARIA, MediaKind::Document)];
    let told = carried(whatsapp_at_mockpost(), &deliveries).await;
    assert_eq!(told.len(), 4);
    assert!(told.iter().all(|event| provider_id(event).starts_with("wamid.")), "{told:?}");

    let kept = kept("whatsapp", "5562998765432").await;
    assert_eq!(kept.len(), 4, "{kept:?}");
    assert_eq!(kept[0]["text"]["body"], "Olá, seu pedido saiu @12h");
    assert_eq!((&kept[1]["type"], &kept[1]["template"]["language"]["code"]), (&json!("template"), &json!("pt_BR")));
    assert_eq!(kept[2]["image"], json!({"link": "https://files.example/a.pdf", "caption": "see"}));
    assert_eq!(kept[3]["document"]["filename"], "a.pdf");
}

/// It knows phone numbers only: whom the contract calls `recipient` is nobody there.
#[tokio::test(flavor = "multi_thread")]
async fn mockpost_knows_no_business_scoped_users_and_the_delivery_fails_visibly() {
    let told = carried(whatsapp_at_mockpost(), &[to("whatsapp:US.1349", "hi")]).await;
    let [DeliveryEvent::Failed { code, dead_lettered_at: Some(_), .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(code, "chat4all:http-422");
}

#[tokio::test(flavor = "multi_thread")]
async fn mockpost_takes_telegram_texts_pictures_and_documents() {
    let token = setting("SIMULATOR_TELEGRAM_BOT_TOKEN");
    let channel = telegram_at(format!("{}/telegram", setting("MOCKPOST_URL")), &token);
    let chat = "telegram:-1001234";
    let deliveries = [to(chat, "Olá <b>"), file(chat, MediaKind::Image), file(chat, MediaKind::Document)];
    let told = carried(channel, &deliveries).await;
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|event| provider_id(event).starts_with("-1001234:")), "{told:?}");
    let kept = kept("telegram", "-1001234").await;
    assert_eq!((&kept[0]["text"], &kept[1]["photo"]), (&json!("Olá <b>"), &json!("https://files.example/a.pdf")));
    assert_eq!((&kept[2]["document"], &kept[2]["caption"]), (&json!("https://files.example/a.pdf"), &json!("see")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_telegram_test_api_takes_texts_and_answers() {
    let (url, token) = (setting("TELEGRAM_TEST_API_URL"), "110201543:secret");
    let answer = Delivery { reply_to: Some("133:1".into()), ..to("telegram:133", "yes") };
    let told = carried(telegram_at(url.clone(), token), &[to("telegram:133", "Olá"), answer]).await;
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|event| provider_id(event).starts_with("133:")), "{told:?}");
    let asked = client().post(format!("{url}/getUpdatesHistory")).json(&json!({"token": token}));
    let history: Value = asked.send().await.unwrap().json().await.unwrap();
    let took: Vec<&Value> = history["result"].as_array().unwrap().iter().map(|update| &update["message"]).collect();
    assert_eq!((&took[0]["text"], &took[1]["text"]), (&json!("Olá"), &json!("yes")));
    assert_eq!(took[1]["reply_parameters"]["message_id"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_of_standard_webhooks_accepts_our_signatures_and_no_others() {
    let endpoint = |secret: &str| {
        let endpoints = json!([{"name": "orders", "url": setting("ENDPOINT_URL")}]);
        let account = json!({"endpoints": endpoints, "allowedNetworks": ["127.0.0.0/8"]});
        channel(Name::Webhook, None, &account, ("orders", secret))
    };
    let deliver = async |secret: &str| carried(endpoint(secret), &[to("webhook:orders", "olá @12h")]).await;
    let secret = setting("SIMULATOR_WEBHOOK_SECRET");
    let told = deliver(&secret).await;
    assert!(!provider_id(&told[0]).is_empty());
    // The new secret before the old one: both sign, and the endpoint knows the old one only.
    let rotated = format!("whsec_bmV3IHNlY3JldCBvZiB0aGUgc2FtZSBlbmRwb2ludA== {secret}");
    assert!(!provider_id(&deliver(&rotated).await[0]).is_empty());
    let told = deliver("whsec_b3RoZXIgc2VjcmV0IG9mIHNvbWVib2R5IGVsc2U=").await;
    assert!(matches!(&told[..], [DeliveryEvent::Failed { code, .. }] if code == "chat4all:http-401"), "{told:?}");
}

/// Takes one request and answers 200; its body.
async fn one_webhook(listener: TcpListener) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let (mut taken, mut piece) = (Vec::new(), [0; 8192]);
    loop {
        let text = String::from_utf8_lossy(&taken).to_ascii_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if taken.len() >= end + 4 + length.trim().parse::<usize>().unwrap() {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                return taken.split_off(end + 4);
            }
        }
        let read = stream.read(&mut piece).await.unwrap();
        taken.extend_from_slice(&piece[..read]);
    }
}

/// What mockpost posts to our webhook when it is asked for this.
async fn told_by_mockpost(kind: &str, path: &str, asked: Value) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = format!("{kind}-{}", address.port());
    let post = async |path: &str, body: Value| {
        let request = client().post(format!("{}{path}", setting("MOCKPOST_URL"))).header("x-mockpost-app", &app);
        assert!(request.json(&body).send().await.unwrap().status().is_success(), "{path}");
    };
    post("/api/apps", json!({"name": app})).await;
    post("/api/webhooks", json!({"channel": kind, "target_url": format!("http://{address}/"), "app": app})).await;
    let (body, ()) = tokio::join!(one_webhook(listener), post(path, asked));
    body
}

fn events(channel: &dyn Channel, body: Vec<u8>) -> Vec<WebhookEvent> {
    let received_at = "2026-11-25T12:00:00Z".parse().unwrap();
    channel.parse_webhook(&WebhookRecord { received_at, headers: BTreeMap::new(), body: body.into() })
}

/// It writes instants after RFC 3339 where the provider writes seconds; this puts them right.
fn with_seconds(body: &[u8]) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(body).unwrap();
    for list in ["messages", "statuses"] {
        if let Some(entry) = body.pointer_mut(&format!("/entry/0/changes/0/value/{list}/0")) {
            entry["timestamp"] = json!("1764072000");
        }
    }
    body.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatsapp_webhooks_of_mockpost_are_read_but_for_their_instants() {
    let channel = whatsapp_at_mockpost();
    let asked = json!({"text": "chegou?", "from": "5562998765432", "phone_number_id": NUMBER_ID, "name": "Maria"});
    let body = told_by_mockpost("whatsapp", "/whatsapp/simulate/incoming", asked).await;
    let as_it_came = events(&*channel, body.clone());
    let [WebhookEvent::Rejected { why, .. }] = &as_it_came[..] else { panic!("{as_it_came:?}") };
    assert!(why.contains("timestamp"), "{why}");
    let read = events(&*channel, with_seconds(&body));
    let [WebhookEvent::Message(message)] = &read[..] else { panic!("{read:?}") };
    assert_eq!((message.text.as_str(), message.from.to_string().as_str()), ("chegou?", MARIA));

    let asked = json!({"status": "read", "message_id": "wamid.7", "recipient_id": "5562998765432", "phone_number_id": NUMBER_ID});
    let body = told_by_mockpost("whatsapp", "/whatsapp/simulate/status", asked).await;
    let read = events(&*channel, with_seconds(&body));
    assert!(matches!(&read[..], [WebhookEvent::Status(update)] if update.event == DeliveryEvent::Read), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn telegram_webhooks_of_mockpost_are_read() {
    let channel = telegram_at(setting("MOCKPOST_URL"), "110201543:secret");
    let asked = json!({"chat_id": 133, "text": "chegou?", "from_user": "maria"});
    let read = events(&*channel, told_by_mockpost("telegram", "/telegram/client/sendMessage", asked).await);
    let [WebhookEvent::Message(message)] = &read[..] else { panic!("{read:?}") };
    assert_eq!((message.text.as_str(), message.from.to_string().as_str()), ("chegou?", "telegram:133"));
}
