//! Messenger's and Instagram's Send API, for one page and one account: texts and files by URL. It tells
//! nothing back. Strict, as the stand-in for WhatsApp. Source: provider-contracts, "Messenger" and "Instagram".

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::connection::Scissors;
use crate::exchange::{self, Reply, Right};
use crate::fault::Fault;
use crate::log::Received;
use crate::server::Shared;
use crate::whatsapp::GraphError;

/// In what the two differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    channel: &'static str,
    /// How long a text is, and how long it may be.
    measure: fn(&str) -> usize,
    longest: usize,
    /// Whether it takes `messaging_type`, `metadata` and `is_reusable`.
    messenger: bool,
}

impl Rules {
    pub(crate) const MESSENGER: Self =
        Self { channel: "messenger", measure: |text| text.chars().count(), longest: 2000, messenger: true };
    pub(crate) const INSTAGRAM: Self =
        Self { channel: "instagram", measure: str::len, longest: 1000, messenger: false };
}

pub(crate) async fn handle(
    shared: &Shared,
    rules: Rules,
    scissors: &Scissors,
    method: &Method,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let expected = format!("Bearer {}", shared.config.access_token.0);
    let verdict = if headers.get(AUTHORIZATION).is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
        Err(GraphError::token())
    } else if method != Method::POST {
        Err(GraphError::no_such_object(method.as_str(), "messages"))
    } else {
        check(rules, &json).and_then(|recipient| {
            let recording = matches!(json["message"]["attachment"]["type"].as_str(), Some("audio" | "video"));
            let within = shared.limits.dialog(rules.messenger, recording);
            within.map(|()| recipient).map_err(|_| GraphError::of_code(613))
        })
    };
    let verdict = verdict.map_err(GraphError::into_reply).map(|recipient| {
        let message_id = format!("m_{}", Uuid::new_v4().simple());
        let reply = Reply::taken(json!({"recipient_id": recipient, "message_id": message_id}));
        Right { message_id, reply }
    });
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let message = &json["message"];
    let heard = Received {
        to: text(&json["recipient"]["id"]),
        body: text(&message["text"]),
        media: text(&message["attachment"]["payload"]["url"]),
        correlation: text(&message["metadata"]),
        ..Received::over(rules.channel)
    };
    exchange::answer(shared, scissors, heard, verdict, refusal).await
}

/// A fault in the provider's words.
fn refusal(fault: &Fault) -> Reply {
    match (fault.code, fault.status) {
        (Some(code), status) => {
            let error = GraphError::of_code(code).with_subcode(fault.subcode);
            status.map_or(error.clone(), |status| error.with_status(status)).into_reply()
        }
        (None, status) => Reply::page(status.unwrap_or(503)),
    }
}

/// The recipient of a request that keeps the contract.
fn check(rules: Rules, body: &Value) -> Result<String, GraphError> {
    let fields = object(body, "the request")?;
    only(
        fields,
        if rules.messenger { &["recipient", "messaging_type", "message"] } else { &["recipient", "message"] },
    )?;
    if rules.messenger && !matches!(body["messaging_type"].as_str(), Some("RESPONSE" | "UPDATE")) {
        return Err(GraphError::parameter("messaging_type must be RESPONSE or UPDATE."));
    }
    let recipient = body["recipient"]["id"].as_str().filter(|id| id.bytes().all(|b| b.is_ascii_digit()));
    let recipient = recipient.ok_or_else(|| GraphError::parameter("recipient.id must be digits."))?;
    let message = object(&body["message"], "message")?;
    only(message, if rules.messenger { &["text", "attachment", "metadata"] } else { &["text", "attachment"] })?;
    match (message.get("text"), message.get("attachment")) {
        (Some(Value::String(text)), None) => match (rules.measure)(text) {
            0 => return Err(GraphError::parameter("message.text is empty.")),
            length if length > rules.longest => return Err(GraphError::parameter("message.text is too long.")),
            _ => {}
        },
        (None, Some(attachment)) => check_attachment(rules, attachment)?,
        _ => return Err(GraphError::parameter("message must have either text or attachment.")),
    }
    Ok(recipient.to_owned())
}

fn check_attachment(rules: Rules, attachment: &Value) -> Result<(), GraphError> {
    only(object(attachment, "attachment")?, &["type", "payload"])?;
    if !matches!(attachment["type"].as_str(), Some("image" | "video" | "audio" | "file")) {
        return Err(GraphError::parameter("attachment.type must be image, video, audio or file."));
    }
    let payload = object(&attachment["payload"], "payload")?;
    only(payload, if rules.messenger { &["url", "is_reusable"] } else { &["url"] })?;
    match payload.get("url").and_then(Value::as_str) {
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => Ok(()),
        _ => Err(GraphError::parameter("payload.url must be an http or https URL.")),
    }
}

fn object<'v>(value: &'v Value, place: &str) -> Result<&'v Map<String, Value>, GraphError> {
    value.as_object().ok_or_else(|| GraphError::parameter(format!("{place} must be a JSON object.")))
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), GraphError> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(GraphError::parameter(format!("Unexpected key {unknown:?}."))),
        None => Ok(()),
    }
}
