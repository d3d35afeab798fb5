//! Whether a request keeps the contract. Pure and strict: what the real API might forgive (a field
//! that it does not know, a missing `recipient_type`) is refused here, so that no connector comes
//! to rely on it. Source: provider-contracts, "WhatsApp Business Cloud API".

use serde_json::{Map, Value};

use super::error::GraphError;
use super::template;

/// The longest text, in characters.
const LONGEST_TEXT: usize = 4096;
/// The longest caption, in characters.
const LONGEST_CAPTION: usize = 1024;
/// The longest `biz_opaque_callback_data`, in characters. Source: Cloud API reference, Messages.
const LONGEST_CALLBACK_DATA: usize = 512;

/// A message that keeps the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) to: Recipient,
    pub(crate) body: String,
    pub(crate) media: Option<Media>,
    pub(crate) correlation: Option<String>,
}

/// How the provider finds a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Media {
    Link(String),
    Id(String),
}

/// Who receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// A phone number's digits.
    Number(String),
    /// A business-scoped user id.
    User(String),
}

impl Recipient {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Recipient::Number(text) | Recipient::User(text) => text,
        }
    }
}

/// Reads a request's body.
pub(crate) fn check(body: &Value) -> Result<Message, GraphError> {
    let fields = body.as_object().ok_or_else(|| GraphError::parameter("The request body must be a JSON object."))?;
    let kind = match required(fields, "type")?.as_str() {
        Some(kind @ ("text" | "template" | "image" | "video" | "audio" | "document")) => kind,
        Some(other) => return Err(GraphError::message_type(other)),
        None => return Err(GraphError::value("type must be a string.")),
    };
    const ENVELOPE: [&str; 7] =
        ["messaging_product", "recipient_type", "to", "recipient", "biz_opaque_callback_data", "context", "type"];
    only(fields, &[&ENVELOPE[..], &[kind]].concat(), "the request")?;
    match required(fields, "messaging_product")?.as_str() {
        Some("whatsapp") => {}
        _ => return Err(GraphError::parameter("Param messaging_product must be one of {WHATSAPP}.")),
    }
    match required(fields, "recipient_type")?.as_str() {
        Some("individual") => {}
        _ => return Err(GraphError::value("recipient_type must be individual.")),
    }
    let to = recipient(fields)?;
    context(fields)?;
    let content = required(fields, kind)?;
    let (body, media) = match kind {
        "text" => (text(content)?, None),
        "template" => (template::check(content)?, None),
        _ => {
            let (caption, media) = file(kind, content)?;
            (caption, Some(media))
        }
    };
    Ok(Message { to, body, media, correlation: correlation(fields)? })
}

fn context(fields: &Map<String, Value>) -> Result<(), GraphError> {
    let Some(context) = fields.get("context") else { return Ok(()) };
    match context["message_id"].as_str() {
        Some(id) if id.starts_with("wamid.") => Ok(()),
        _ => Err(GraphError::value("context.message_id must be the id of a message.")),
    }
}

/// A file by link or by id; gives its caption.
fn file(kind: &str, file: &Value) -> Result<(String, Media), GraphError> {
    let fields =
        file.as_object().ok_or_else(|| GraphError::parameter(format!("Param {kind} must be a JSON object.")))?;
    let known: &[&str] = match kind {
        "audio" => &["link", "id"],
        "document" => &["link", "id", "caption", "filename"],
        _ => &["link", "id", "caption"],
    };
    only(fields, known, kind)?;
    let media = match (fields.get("link"), fields.get("id")) {
        (Some(link), None) => Media::Link(link.as_str().unwrap_or_default().to_owned()),
        (None, Some(id)) => Media::Id(id.as_str().unwrap_or_default().to_owned()),
        _ => return Err(GraphError::parameter(format!("Param {kind} must have either id or link."))),
    };
    if let Media::Link(link) = &media
        && !(link.starts_with("https://") || link.starts_with("http://"))
    {
        return Err(GraphError::value(format!("{kind}.link must be an http or https URL.")));
    }
    match fields.get("caption").map(Value::as_str) {
        None => Ok((String::new(), media)),
        Some(Some(caption)) if (1..=LONGEST_CAPTION).contains(&caption.chars().count()) => {
            Ok((caption.to_owned(), media))
        }
        Some(_) => Err(GraphError::parameter(format!("Param {kind}['caption'] must be 1 to 1024 characters long."))),
    }
}

fn recipient(fields: &Map<String, Value>) -> Result<Recipient, GraphError> {
    match (fields.get("to"), fields.get("recipient")) {
        (None, None) => Err(GraphError::missing("to")),
        (Some(_), Some(_)) => Err(GraphError::parameter("Only one of to and recipient may be given.")),
        (Some(to), None) => match to.as_str() {
            Some(digits) if is_number(digits) => Ok(Recipient::Number(digits.to_owned())),
            _ => Err(GraphError::value("to must be a phone number with its country code, 7 to 15 digits without +.")),
        },
        (None, Some(user)) => match user.as_str() {
            Some(id) if is_user(id) => Ok(Recipient::User(id.to_owned())),
            _ => Err(GraphError::value("recipient must be a business-scoped user id, such as US.1349.")),
        },
    }
}

fn is_number(text: &str) -> bool {
    (7..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_user(text: &str) -> bool {
    text.split_once('.').is_some_and(|(country, id)| {
        country.len() == 2
            && country.bytes().all(|b| b.is_ascii_uppercase())
            && (1..=128).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

fn text(text: &Value) -> Result<String, GraphError> {
    let fields = text.as_object().ok_or_else(|| GraphError::parameter("Param text must be a JSON object."))?;
    only(fields, &["body", "preview_url"], "text")?;
    if fields.get("preview_url").is_some_and(|preview| !preview.is_boolean()) {
        return Err(GraphError::parameter("Param text['preview_url'] must be a boolean."));
    }
    let body = required(fields, "body")?.as_str().ok_or_else(|| GraphError::value("text.body must be a string."))?;
    match body.chars().count() {
        0 => Err(GraphError::missing("text.body")),
        1..=LONGEST_TEXT => Ok(body.to_owned()),
        _ => Err(GraphError::parameter("Param text['body'] must be at most 4096 characters long.")),
    }
}

fn correlation(fields: &Map<String, Value>) -> Result<Option<String>, GraphError> {
    match fields.get("biz_opaque_callback_data") {
        None => Ok(None),
        Some(Value::String(data)) if data.chars().count() <= LONGEST_CALLBACK_DATA => Ok(Some(data.clone())),
        Some(_) => Err(GraphError::value("biz_opaque_callback_data must be a string of at most 512 characters.")),
    }
}

pub(super) fn required<'v>(fields: &'v Map<String, Value>, name: &str) -> Result<&'v Value, GraphError> {
    fields.get(name).filter(|value| !value.is_null()).ok_or_else(|| GraphError::missing(name))
}

pub(super) fn only(fields: &Map<String, Value>, known: &[&str], place: &str) -> Result<(), GraphError> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(GraphError::parameter(format!("Unexpected key {unknown:?} in {place}."))),
        None => Ok(()),
    }
}
