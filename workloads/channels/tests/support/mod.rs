//! Channels as a connector opens them, and short ways to ask them things; without a name it is WhatsApp.

#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chat4all_channels::{Answer, Channel, ChannelConfig, Error, Refusal, WebhookEvent};
use chat4all_message::{
    AcceptedMessage, Channel as Kind, Delivery, InboundMessage, Media, MediaKind, MessageId, StatusUpdate,
    WebhookRecord,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

pub const TOKEN: &str = "EAAG-secret-token-of-the-test";
pub const ACCOUNT: &str = r#"{"phoneNumberId":"106540352242922"}"#;

/// A folder as a mounted Secret looks.
pub fn secrets(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}

pub fn open(base_url: &str, account: &str, credentials: &Path) -> Result<Arc<dyn Channel>, Error> {
    open_kind(Kind::Whatsapp, Some(base_url), account, credentials)
}

/// A channel as the connector `wa` opens it.
pub fn open_kind(
    kind: Kind,
    base_url: Option<&str>,
    account: &str,
    credentials: &Path,
) -> Result<Arc<dyn Channel>, Error> {
    let config = ChannelConfig {
        connector: "wa".into(),
        base_url: base_url.map(str::to_owned),
        account: account.into(),
        credentials_dir: credentials.into(),
    };
    chat4all_channels::open(kind, &config)
}

pub fn whatsapp() -> Arc<dyn Channel> {
    let credentials = secrets(&[("access-token", &format!("{TOKEN}\n"))]);
    open("https://graph.facebook.com", ACCOUNT, credentials.path()).unwrap()
}

pub fn delivery(recipient: &str, content: &str) -> Delivery {
    let recipient: chat4all_message::Address = recipient.parse().unwrap();
    let message = AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: "order-1042".parse().unwrap(),
        sender: "shop".parse().unwrap(),
        recipient: Some(recipient.clone()),
        content: content.into(),
        file_id: None,
        media: None,
        template: None,
        reply_to: None,
        inbound: None,
    };
    Delivery::of(&message, recipient, "wa")
}

/// The same with a file.
pub fn with_media(mut delivery: Delivery, kind: MediaKind, url: &str) -> Delivery {
    delivery.media = Some(Media::at(kind, url).unwrap());
    delivery
}

/// The same as an answer to this message.
pub fn answering(mut delivery: Delivery, reply_to: &str) -> Delivery {
    delivery.reply_to = Some(reply_to.into());
    delivery
}

/// The body of the request that carries a delivery.
pub fn body_of(channel: &dyn Channel, delivery: &Delivery) -> Value {
    serde_json::from_slice(channel.request(delivery, received_at()).unwrap().body()).unwrap()
}

pub fn answer(status: u16, body: &str) -> Answer {
    answer_with(status, &[], body)
}

pub fn answer_with(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    answer_of(&*whatsapp(), "whatsapp:+5562998765432", status, headers, body)
}

/// What a channel makes of an answer to a message for this recipient.
pub fn answer_of(channel: &dyn Channel, recipient: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap()))
        .collect();
    channel.classify(&delivery(recipient, "hi"), StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
}

pub fn refusal(status: u16, body: &str) -> Refusal {
    refusal_with(status, &[], body)
}

pub fn refusal_with(status: u16, headers: &[(&str, &str)], body: &str) -> Refusal {
    refused(answer_with(status, headers, body))
}

pub fn refused(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

pub fn error(code: i64) -> String {
    format!(
        r#"{{"error":{{"message":"(#{code}) What the provider says","type":"OAuthException","code":{code},"fbtrace_id":"A1"}}}}"#
    )
}

pub fn received_at() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

pub fn parse(body: impl Into<Bytes>) -> Vec<WebhookEvent> {
    parse_with(&*whatsapp(), body)
}

/// What a channel reads out of a webhook.
pub fn parse_with(channel: &dyn Channel, body: impl Into<Bytes>) -> Vec<WebhookEvent> {
    channel.parse_webhook(&WebhookRecord { received_at: received_at(), headers: BTreeMap::new(), body: body.into() })
}

/// The messages among the events.
pub fn messages(events: &[WebhookEvent]) -> Vec<&InboundMessage> {
    events
        .iter()
        .filter_map(|event| match event {
            WebhookEvent::Message(message) => Some(&**message),
            _ => None,
        })
        .collect()
}

/// A webhook of our number whose value has these fields.
pub fn webhook(fields: &str) -> String {
    webhook_for("106540352242922", fields)
}

pub fn webhook_for(phone_number_id: &str, fields: &str) -> String {
    format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"104","changes":[{{"field":"messages","value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"556230000000","phone_number_id":"{phone_number_id}"}},{fields}}}}}]}}]}}"#
    )
}

pub fn statuses(list: &str) -> Vec<WebhookEvent> {
    parse(webhook(&format!(r#""statuses":[{list}]"#)))
}

/// The statuses among the events.
pub fn updates(events: &[WebhookEvent]) -> Vec<&StatusUpdate> {
    events
        .iter()
        .filter_map(|event| match event {
            WebhookEvent::Status(update) => Some(update),
            _ => None,
        })
        .collect()
}
