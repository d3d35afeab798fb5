//! `POST /bot<token>/<method>`. Source: provider-contracts, "Telegram Bot API".

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::check::{Refused, check};
use crate::connection::Scissors;
use crate::exchange::{self, Reply, Right};
use crate::fault::Fault;
use crate::limits::TooMuch;
use crate::log::Received;
use crate::server::Shared;
use crate::whatsapp::GraphError;

pub(crate) async fn handle(
    State(shared): State<Arc<Shared>>,
    Path((bot, method)): Path<(String, String)>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    verb: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(token) = bot.strip_prefix("bot") else {
        return GraphError::unknown_path(&format!("/{bot}/{method}")).into_response();
    };
    let json = parameters(&headers, &body);
    let verdict = permitted(&shared, token, &verb)
        .and_then(|()| check(&method, &json, &shared.chats))
        .map_err(|refused| reply(&refused))
        .and_then(|message| shared.limits.telegram(message.0).map(|()| message).map_err(flood))
        .map(|(chat, message_id)| Right {
            message_id: format!("{chat}:{message_id}"),
            reply: Reply::taken(json!({
                "ok": true,
                "result": {"message_id": message_id, "date": Timestamp::now().as_second(), "chat": {"id": chat, "type": if chat < 0 { "supergroup" } else { "private" }}},
            })),
        });
    exchange::answer(&shared, &scissors, heard(&json), verdict, refusal).await
}

/// The API takes JSON and forms alike. A form's values are texts: what is a number or an object in JSON
/// is written as such there.
fn parameters(headers: &HeaderMap, body: &[u8]) -> Value {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    let value = |name: &str, text: &str| match name {
        "chat_id" | "reply_parameters" => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        _ => Value::from(text),
    };
    form_urlencoded::parse(body).map(|(name, text)| (name.to_string(), value(&name, &text))).collect()
}

fn permitted(shared: &Shared, token: &str, verb: &Method) -> Result<(), Refused> {
    match &shared.config.stand_ins.telegram_bot_token {
        Some(expected) if expected.0 == token && verb == Method::POST => Ok(()),
        Some(expected) if expected.0 == token => Err(Refused::new(404, "Not Found")),
        _ => Err(Refused::new(401, "Unauthorized")),
    }
}

fn reply(refused: &Refused) -> Reply {
    let body = json!({"ok": false, "error_code": refused.code, "description": refused.description});
    Reply::error(refused.code, refused.code.into(), body)
}

/// Too much at once; the provider says in whole seconds when there is room again.
fn flood(too_much: TooMuch) -> Reply {
    let seconds = too_much.wait.as_secs() + 1;
    let body = json!({
        "ok": false,
        "error_code": 429,
        "description": format!("Too Many Requests: retry after {seconds}"),
        "parameters": {"retry_after": seconds},
    });
    Reply::error(429, 429, body).retry_after(Some(seconds))
}

/// A fault in the provider's words.
fn refusal(fault: &Fault) -> Reply {
    let code = fault.code.and_then(|code| u16::try_from(code).ok());
    let Some(code) = code else { return Reply::page(fault.status.unwrap_or(502)) };
    let mut parameters = json!({});
    let description = match code {
        400 if fault.migrate_to_chat_id.is_some() => "Bad Request: group chat was upgraded to a supergroup chat",
        400 => "Bad Request: chat not found",
        401 => "Unauthorized",
        403 => "Forbidden: bot was blocked by the user",
        404 => "Not Found",
        409 => "Conflict: can't use getUpdates method while webhook is active",
        429 => "Too Many Requests",
        _ => "Internal Server Error",
    };
    if let Some(seconds) = fault.retry_after {
        parameters["retry_after"] = json!(seconds);
    }
    if let Some(chat) = fault.migrate_to_chat_id {
        parameters["migrate_to_chat_id"] = json!(chat);
    }
    let body = json!({"ok": false, "error_code": code, "description": description, "parameters": parameters});
    Reply::error(fault.status.unwrap_or(code), code.into(), body).retry_after(fault.retry_after)
}

/// What the log says of a request, as far as it can be read.
fn heard(json: &Value) -> Received {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Received {
        to: json["chat_id"].as_i64().map(|chat| chat.to_string()),
        body: text(&json["text"]).or_else(|| text(&json["caption"])),
        media: ["photo", "video", "audio", "document"].iter().find_map(|kind| text(&json[kind])),
        ..Received::over("telegram")
    }
}
