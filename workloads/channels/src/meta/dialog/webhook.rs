//! What a webhook of Messenger or Instagram tells. Entries are read one by one, so that a bad one costs
//! only itself; what belongs to another page is not for this connector.
//! Source: provider-contracts, "Webhooks that come in".

use std::collections::HashSet;

use chat4all_message::inbound::{FileSource, InboundFile};
use chat4all_message::{
    Address, Channel as Kind, DeliveryEvent, InboundMessage, MediaKind, ProviderRef, StatusUpdate, Subject,
    WebhookRecord,
};
use jiff::Timestamp;
use serde_json::Value;

use super::Dialog;
use crate::time::instant;
use crate::webhook::WebhookEvent;

pub(super) fn parse(dialog: &Dialog, record: &WebhookRecord) -> Vec<WebhookEvent> {
    let mut reader = Reader { dialog, received_at: record.received_at, events: Vec::new(), seen: HashSet::new() };
    match serde_json::from_slice(&record.body) {
        Ok(body) => reader.body(&body),
        Err(error) => reader.reject(String::new(), format!("the body is not JSON: {error}")),
    }
    reader.events
}

struct Reader<'a> {
    dialog: &'a Dialog,
    received_at: Timestamp,
    events: Vec<WebhookEvent>,
    /// What this body told already: the provider repeats itself, also within a batch.
    seen: HashSet<(String, &'static str)>,
}

impl Reader<'_> {
    fn body(&mut self, body: &Value) {
        match body["object"].as_str() {
            Some(object) if object == self.dialog.object => {}
            Some(other) => return self.ignore(String::new(), format!("object {other:?} is not this channel's")),
            None => return self.reject(String::new(), "object is missing".to_owned()),
        }
        for (place, entry) in self.list(body, "entry", "") {
            match entry["id"].as_str() {
                Some(id) if id == self.dialog.entry_id => {}
                Some(other) => {
                    self.ignore(place, format!("it is of {other}, not of this connector's account"));
                    continue;
                }
                None => {
                    self.reject(place, "id is missing".to_owned());
                    continue;
                }
            }
            for (place, event) in self.list(entry, "messaging", &place) {
                if let Err(why) = self.event(&place, event) {
                    self.reject(place, why);
                }
            }
        }
    }

    /// The elements of a list with their places. One that is missing is empty; anything else that is no
    /// list is rejected.
    fn list<'v>(&mut self, parent: &'v Value, name: &str, place: &str) -> Vec<(String, &'v Value)> {
        let place = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
        match &parent[name] {
            Value::Array(elements) => {
                elements.iter().enumerate().map(|(i, element)| (format!("{place}[{i}]"), element)).collect()
            }
            Value::Null => Vec::new(),
            _ => {
                self.reject(place, "it is not a list".to_owned());
                Vec::new()
            }
        }
    }

    /// One event; it is known by the field that it has. An error says what is wrong with it.
    fn event(&mut self, place: &str, event: &Value) -> Result<(), String> {
        let at = instant(&event["timestamp"], self.received_at)?;
        if event["message"].is_object() {
            self.message(place, event, at)
        } else if event["delivery"].is_object() {
            self.delivered(place, &event["delivery"])
        } else if event["read"].is_object() {
            self.read(place, event, at)
        } else if let Some(kind) = ["postback", "reaction", "referral", "optin"].iter().find(|k| event[k].is_object()) {
            self.unhandled(place, format!("a {kind}"));
            Ok(())
        } else {
            self.ignore(place.to_owned(), "it tells nothing about messages".to_owned());
            Ok(())
        }
    }

    fn message(&mut self, place: &str, event: &Value, at: Timestamp) -> Result<(), String> {
        let message = &event["message"];
        let is = |flag: &str| message[flag].as_bool() == Some(true);
        // An echo has sender and recipient the other way round.
        if is("is_echo") || event["sender"]["id"] == *self.dialog.entry_id {
            self.ignore(place.to_owned(), "it is the echo of a message that was sent".to_owned());
            return Ok(());
        }
        let mid = text(&message["mid"]).ok_or("message.mid is missing")?;
        let from = self.person(&event["sender"]["id"]).ok_or("sender.id is missing or no id")?;
        if is("is_deleted") {
            self.ignore(place.to_owned(), format!("message {mid} was deleted by its sender"));
            return Ok(());
        }
        if self.repeats(place, mid, "message") {
            return Ok(());
        }
        let words = text(&message["text"]).unwrap_or_default();
        let files: Vec<InboundFile> =
            message["attachments"].as_array().into_iter().flatten().filter_map(file).collect();
        if words.is_empty() && files.is_empty() {
            self.unhandled(place, format!("message {mid} is neither text nor file"));
            return Ok(());
        }
        self.events.push(WebhookEvent::Message(Box::new(InboundMessage {
            event_id: mid.to_owned(),
            provider_id: mid.to_owned(),
            from,
            name: None,
            at,
            text: words.to_owned(),
            files,
            reply_to: text(&message["reply_to"]["mid"]).map(str::to_owned),
        })));
        Ok(())
    }

    /// The messages that arrived; the watermark is when the last of them did.
    fn delivered(&mut self, place: &str, delivery: &Value) -> Result<(), String> {
        let at = instant(&delivery["watermark"], self.received_at)?;
        let mids: Vec<&str> = delivery["mids"].as_array().into_iter().flatten().filter_map(text).collect();
        if mids.is_empty() {
            self.unhandled(place, format!("everything up to {at} was delivered; it names no message"));
        }
        for mid in mids {
            if !self.repeats(place, mid, "delivered") {
                self.status(mid, at, DeliveryEvent::Delivered);
            }
        }
        Ok(())
    }

    /// Instagram names the message; Messenger tells up to when everything was read.
    fn read(&mut self, place: &str, event: &Value, at: Timestamp) -> Result<(), String> {
        let read = &event["read"];
        if let Some(mid) = text(&read["mid"]) {
            if !self.repeats(place, mid, "read") {
                self.status(mid, at, DeliveryEvent::Read);
            }
            return Ok(());
        }
        if read["watermark"].is_null() {
            return Err("read has neither mid nor watermark".to_owned());
        }
        let until = instant(&read["watermark"], self.received_at)?;
        let by = self.person(&event["sender"]["id"]).ok_or("sender.id is missing or no id")?;
        self.events.push(WebhookEvent::ReadUntil { by, until });
        Ok(())
    }

    fn status(&mut self, mid: &str, at: Timestamp, event: DeliveryEvent) {
        let subject =
            Subject::Provider(ProviderRef { connector: self.dialog.connector.clone(), provider_id: mid.to_owned() });
        self.events.push(WebhookEvent::Status(StatusUpdate { subject, at, event, correlation: None }));
    }

    fn person(&self, id: &Value) -> Option<Address> {
        let id = id.as_str()?;
        let channel = if self.dialog.capabilities.channel == Kind::Messenger { "messenger" } else { "instagram" };
        format!("{channel}:{id}").parse().ok()
    }

    /// Whether this body told it already; says so then.
    fn repeats(&mut self, place: &str, mid: &str, what: &'static str) -> bool {
        let repeats = !self.seen.insert((mid.to_owned(), what));
        if repeats {
            self.ignore(place.to_owned(), "it repeats an earlier entry of this webhook".to_owned());
        }
        repeats
    }

    fn unhandled(&mut self, place: &str, what: String) {
        self.events.push(WebhookEvent::Unhandled { place: place.to_owned(), what });
    }

    fn ignore(&mut self, place: String, why: String) {
        self.events.push(WebhookEvent::Ignored { place, why });
    }

    fn reject(&mut self, place: String, why: String) {
        self.events.push(WebhookEvent::Rejected { place, why });
    }
}

/// A text that is there and not empty.
fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

fn file(attachment: &Value) -> Option<InboundFile> {
    let kind = match attachment["type"].as_str()? {
        "image" => MediaKind::Image,
        "video" => MediaKind::Video,
        "audio" => MediaKind::Audio,
        "file" => MediaKind::Document,
        _ => return None,
    };
    Some(InboundFile { kind, source: FileSource::Url(text(&attachment["payload"]["url"])?.to_owned()) })
}
