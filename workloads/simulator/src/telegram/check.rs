//! Whether a request keeps the contract. Strict: fields that the real API would pass over are refused
//! here, so that no connector comes to rely on that.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

/// In UTF-16 units. Source: provider-contracts, "Telegram Bot API".
const LONGEST_TEXT: usize = 4096;
const LONGEST_CAPTION: usize = 1024;

/// A refusal in the provider's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: u16,
    pub(crate) description: String,
}

impl Refused {
    pub(crate) fn new(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into() }
    }

    fn bad_request(what: impl std::fmt::Display) -> Self {
        Self::new(400, format!("Bad Request: {what}"))
    }
}

/// The number of the last message in each chat: ids are unique within a chat only.
#[derive(Debug, Default)]
pub(crate) struct Chats(Mutex<HashMap<i64, i64>>);

impl Chats {
    fn next(&self, chat: i64) -> i64 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = last.entry(chat).or_default();
        *id += 1;
        *id
    }

    fn holds(&self, chat: i64, message: i64) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        message > 0 && last.get(&chat).is_some_and(|last| message <= *last)
    }
}

/// Reads a request; the chat and the new message's id.
pub(crate) fn check(method: &str, body: &Value, chats: &Chats) -> Result<(i64, i64), Refused> {
    let content = match method {
        "sendMessage" => "text",
        "sendPhoto" => "photo",
        "sendVideo" => "video",
        "sendAudio" => "audio",
        "sendDocument" => "document",
        _ => return Err(Refused::new(404, "Not Found")),
    };
    let fields = body.as_object().ok_or_else(|| Refused::bad_request("object expected as request body"))?;
    let known = ["chat_id", content, "reply_parameters", if content == "text" { "parse_mode" } else { "caption" }];
    if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Refused::bad_request(format!("unexpected field {unknown:?}")));
    }
    let chat = fields.get("chat_id").and_then(Value::as_i64).filter(|chat| *chat != 0);
    let chat = chat.ok_or_else(|| Refused::bad_request("chat_id is empty"))?;
    if content == "text" {
        length(fields, "text", 1, LONGEST_TEXT, "message")?;
    } else {
        let url = fields.get(content).and_then(Value::as_str).unwrap_or_default();
        if !(url.starts_with("http://") || url.starts_with("https://") || is_file_id(url)) {
            return Err(Refused::bad_request("wrong file identifier/HTTP URL specified"));
        }
        length(fields, "caption", 0, LONGEST_CAPTION, "message caption")?;
    }
    reply(fields, chat, chats)?;
    Ok((chat, chats.next(chat)))
}

/// As the Bot API's ids of files look; what lies behind one, only it knows.
fn is_file_id(text: &str) -> bool {
    text.len() >= 20 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn length(fields: &Map<String, Value>, name: &str, least: usize, most: usize, what: &str) -> Result<(), Refused> {
    let text = match fields.get(name) {
        None => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(Refused::bad_request(format!("field {name:?} must be of type String"))),
    };
    match text.encode_utf16().count() {
        size if size < least => Err(Refused::bad_request(format!("{what} text is empty"))),
        size if size > most => Err(Refused::bad_request(format!("{what} is too long"))),
        _ => Ok(()),
    }
}

fn reply(fields: &Map<String, Value>, chat: i64, chats: &Chats) -> Result<(), Refused> {
    let Some(parameters) = fields.get("reply_parameters") else { return Ok(()) };
    let message = parameters["message_id"].as_i64();
    let message = message.ok_or_else(|| Refused::bad_request("can't parse reply parameters JSON object"))?;
    let lenient = parameters["allow_sending_without_reply"].as_bool() == Some(true);
    if lenient || chats.holds(chat, message) {
        Ok(())
    } else {
        Err(Refused::bad_request("message to be replied not found"))
    }
}
