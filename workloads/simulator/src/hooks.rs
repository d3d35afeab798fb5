//! Endpoints of signed webhooks, as somebody else runs them: `POST /hooks/<name>`. Checks signature, time
//! and form after Standard Webhooks 1.0.0, and answers 204.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::Value;
use sha2::Sha256;

use crate::config::Secret;
use crate::connection::Scissors;
use crate::exchange::{self, Reply, Right};
use crate::fault::Fault;
use crate::log::Received;
use crate::server::Shared;

/// Seconds. Source: the library of Standard Webhooks.
const TOLERANCE: i64 = 5 * 60;

pub(crate) async fn handle(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let secret = shared.config.stand_ins.webhook_secret.as_ref();
    let id = if method == Method::POST { check(secret, &headers, &body, &json) } else { Err(405) };
    let verdict = id.map(|message_id| Right { message_id, reply: Reply::bare(204) }).map_err(Reply::bare);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let data = &json["data"];
    let heard = Received {
        to: Some(name),
        body: text(&data["content"]),
        media: text(&data["media"]["url"]),
        correlation: text(&data["message_id"]),
        ..Received::over("webhook")
    };
    exchange::answer(&shared, &scissors, heard, verdict, refusal).await
}

/// The webhook's id, or the status of the refusal.
fn check(secret: Option<&Secret>, headers: &HeaderMap, body: &[u8], json: &Value) -> Result<String, u16> {
    let secret = secret.ok_or(404_u16)?;
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let id = header("webhook-id").filter(|id| !id.is_empty() && !id.contains('.')).ok_or(400_u16)?;
    let timestamp: i64 = header("webhook-timestamp").and_then(|text| text.parse().ok()).ok_or(400_u16)?;
    let signatures = header("webhook-signature").ok_or(401_u16)?;
    if (Timestamp::now().as_second() - timestamp).abs() > TOLERANCE {
        return Err(400);
    }
    let key = secret.0.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok()).ok_or(500_u16)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    let signed = |text: &str| {
        let signature = text.strip_prefix("v1,").and_then(|signature| STANDARD.decode(signature).ok());
        signature.is_some_and(|signature| mac.clone().verify_slice(&signature).is_ok())
    };
    if !signatures.split(' ').any(signed) {
        return Err(401);
    }
    let complete =
        ["message_id", "conversation_id", "recipient_id", "content"].iter().all(|f| json["data"][f].is_string());
    if json["type"] != "message.created" || !json["timestamp"].is_string() || !complete {
        return Err(422);
    }
    Ok(id.to_owned())
}

/// A fault as a bare status; endpoints have no codes of their own.
fn refusal(fault: &Fault) -> Reply {
    let code = fault.code.and_then(|code| u16::try_from(code).ok());
    Reply::bare(fault.status.or(code).unwrap_or(500)).retry_after(fault.retry_after)
}
