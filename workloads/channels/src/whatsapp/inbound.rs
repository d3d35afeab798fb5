//! What a customer wrote over WhatsApp: sender, words and files of one entry.
//! Source: provider-contracts, "Webhooks that come in".

use chat4all_message::inbound::{FileSource, InboundFile};
use chat4all_message::{Address, MediaKind};
use serde_json::Value;

/// Who wrote it: a number, or a business-scoped user where the number is not told.
pub(super) fn sender(message: &Value) -> Result<Address, String> {
    let address = match (message["from"].as_str(), message["from_user_id"].as_str()) {
        (Some(digits), _) if !digits.is_empty() => format!("whatsapp:+{digits}"),
        (_, Some(user)) if !user.is_empty() => format!("whatsapp:{user}"),
        _ => return Err("both from and from_user_id are missing".to_owned()),
    };
    address.parse().map_err(|error| format!("the sender is unknown: {error}"))
}

/// The business-scoped id of who wrote it, where they have one.
pub(super) fn user(message: &Value) -> Option<Address> {
    format!("whatsapp:{}", message["from_user_id"].as_str()?).parse().ok()
}

/// What the sender calls themselves; the profiles stand beside the messages.
pub(super) fn name(message: &Value, contacts: &Value) -> Option<String> {
    let of_sender = |contact: &&Value| {
        [("wa_id", "from"), ("user_id", "from_user_id")]
            .iter()
            .any(|(theirs, ours)| contact[theirs].is_string() && contact[theirs] == message[ours])
    };
    Some(contacts.as_array()?.iter().find(of_sender)?["profile"]["name"].as_str()?.to_owned())
}

/// The words and files; `None` for what has neither.
pub(super) fn content(message: &Value) -> Option<(String, Vec<InboundFile>)> {
    let words = |value: &Value| value.as_str().filter(|words| !words.is_empty()).map(str::to_owned);
    let kind = message["type"].as_str()?;
    let body = &message[kind];
    let interactive = &body[body["type"].as_str().unwrap_or_default()]["title"];
    let file = |kind| {
        let id = words(&body["id"])?;
        Some((words(&body["caption"]).unwrap_or_default(), vec![InboundFile { kind, source: FileSource::Id(id) }]))
    };
    match kind {
        "text" => Some((words(&body["body"])?, Vec::new())),
        "button" => Some((words(&body["text"])?, Vec::new())),
        "interactive" => Some((words(interactive)?, Vec::new())),
        "image" | "sticker" => file(MediaKind::Image),
        "video" => file(MediaKind::Video),
        "audio" | "voice" => file(MediaKind::Audio),
        "document" => file(MediaKind::Document),
        _ => None,
    }
}
