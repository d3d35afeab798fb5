//! What an update of Telegram tells. One webhook is one update; `update_id` names it, and an update
//! that comes again has the same. Source: provider-contracts, "Webhooks that come in".

use chat4all_message::inbound::{FileSource, InboundFile};
use chat4all_message::{Address, InboundMessage, MediaKind, WebhookRecord};
use serde_json::Value;

use super::provider_id;
use crate::time::instant;
use crate::webhook::WebhookEvent;

pub(super) fn parse(record: &WebhookRecord) -> WebhookEvent {
    let read = match serde_json::from_slice(&record.body) {
        Ok(update) => update_of(&update, record),
        Err(error) => Err(Unread::Rejected(String::new(), format!("the body is not JSON: {error}"))),
    };
    match read {
        Ok(message) => WebhookEvent::Message(Box::new(message)),
        Err(Unread::Ignored(place, why)) => WebhookEvent::Ignored { place, why },
        Err(Unread::Unhandled(place, what)) => WebhookEvent::Unhandled { place, what },
        Err(Unread::Rejected(place, why)) => WebhookEvent::Rejected { place, why },
    }
}

enum Unread {
    Ignored(String, String),
    Unhandled(String, String),
    Rejected(String, String),
}

fn update_of(update: &Value, record: &WebhookRecord) -> Result<InboundMessage, Unread> {
    let reject = |place: &str, why: &str| Unread::Rejected(place.to_owned(), why.to_owned());
    let update_id = update["update_id"].as_i64().ok_or_else(|| reject("update_id", "it is missing or no number"))?;
    let Some(message) = update.get("message") else {
        let fields = update.as_object().into_iter().flatten();
        let kind = fields.map(|(name, _)| name.as_str()).find(|name| *name != "update_id").unwrap_or("nothing");
        return Err(Unread::Ignored(kind.to_owned(), format!("update {update_id} tells of no new message")));
    };
    let ignore = |why: &str| Err(Unread::Ignored("message".to_owned(), why.to_owned()));
    if message["from"]["is_bot"].as_bool() == Some(true) {
        return ignore("a bot wrote it");
    }
    let chat = message["chat"]["id"].as_i64().filter(|chat| *chat != 0);
    let chat = chat.ok_or_else(|| reject("message.chat.id", "it is missing or no number"))?;
    let id = message["message_id"].as_i64().filter(|id| *id > 0);
    let id = id.ok_or_else(|| reject("message.message_id", "it is missing or no number"))?;
    let at = instant(&message["date"], record.received_at).map_err(|why| reject("message.date", &why))?;
    let words = [&message["text"], &message["caption"]].into_iter().find_map(Value::as_str).unwrap_or_default();
    let files = files(message);
    if words.is_empty() && files.is_empty() {
        return Err(Unread::Unhandled(
            "message".to_owned(),
            format!("message {} is neither text nor file", provider_id(chat, id)),
        ));
    }
    let answered = message["reply_to_message"]["message_id"].as_i64();
    Ok(InboundMessage {
        event_id: format!("update:{update_id}"),
        provider_id: provider_id(chat, id),
        from: Address::Telegram(chat),
        also: None,
        name: name(&message["from"]),
        at,
        text: words.to_owned(),
        files,
        reply_to: answered.map(|answered| provider_id(chat, answered)),
    })
}

fn name(from: &Value) -> Option<String> {
    let parts: Vec<&str> = ["first_name", "last_name"].iter().filter_map(|part| from[part].as_str()).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Of a photo the largest size, which comes last.
fn files(message: &Value) -> Vec<InboundFile> {
    let photo = message["photo"].as_array().and_then(|sizes| sizes.last()).unwrap_or(&Value::Null);
    [
        (MediaKind::Image, photo),
        (MediaKind::Video, &message["video"]),
        (MediaKind::Audio, &message["audio"]),
        (MediaKind::Audio, &message["voice"]),
        (MediaKind::Document, &message["document"]),
    ]
    .into_iter()
    .filter_map(|(kind, file)| Some(InboundFile { kind, source: FileSource::Id(file["file_id"].as_str()?.to_owned()) }))
    .collect()
}
