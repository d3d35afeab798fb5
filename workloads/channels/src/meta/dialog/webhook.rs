//! What a webhook of Messenger or Instagram tells. Entries are read one by one, so that a bad one costs
//! only itself; what belongs to another page is not for this connector.
//! Source: provider-contracts, "Webhooks that come in".

use chat4all_message::inbound::{FileSource, InboundFile};
use chat4all_message::{
    Address, Channel as Kind, DeliveryEvent, InboundMessage, MediaKind, ProviderRef, StatusUpdate, Subject,
    WebhookRecord,
};
use jiff::Timestamp;
use serde_json::Value;

use super::Dialog;
use crate::meta::reading::{Reading, text};
use crate::time::instant;
use crate::webhook::WebhookEvent;

pub(super) fn parse(dialog: &Dialog, record: &WebhookRecord) -> Vec<WebhookEvent> {
    let mut reader = Reader { dialog, received_at: record.received_at, reading: Reading::default() };
    if let Some(body) = reader.reading.body(record) {
        reader.body(&body);
    }
    reader.reading.events
}

struct Reader<'a> {
    dialog: &'a Dialog,
    received_at: Timestamp,
    reading: Reading,
}

impl Reader<'_> {
    fn body(&mut self, body: &Value) {
        match body["object"].as_str() {
            Some(object) if object == self.dialog.object => {}
            Some(other) => {
                return self.reading.ignore(String::new(), format!("object {other:?} is not this channel's"));
            }
            None => return self.reading.reject(String::new(), "object is missing".to_owned()),
        }
        for (place, entry) in self.reading.list(body, "entry", "") {
            match entry["id"].as_str() {
                Some(id) if id == self.dialog.entry_id => {}
                Some(other) => {
                    self.reading.ignore(place, format!("it is of {other}, not of this connector's account"));
                    continue;
                }
                None => {
                    self.reading.reject(place, "id is missing".to_owned());
                    continue;
                }
            }
            for (place, event) in self.reading.list(entry, "messaging", &place) {
                if let Err(why) = self.event(&place, event) {
                    self.reading.reject(place, why);
                }
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
            self.reading.ignore(place.to_owned(), "it tells nothing about messages".to_owned());
            Ok(())
        }
    }

    fn message(&mut self, place: &str, event: &Value, at: Timestamp) -> Result<(), String> {
        let message = &event["message"];
        let is = |flag: &str| message[flag].as_bool() == Some(true);
        // An echo has sender and recipient the other way round.
        if is("is_echo") || event["sender"]["id"] == *self.dialog.entry_id {
            self.reading.ignore(place.to_owned(), "it is the echo of a message that was sent".to_owned());
            return Ok(());
        }
        let mid = text(&message["mid"]).ok_or("message.mid is missing")?;
        let from = self.person(&event["sender"]["id"]).ok_or("sender.id is missing or no id")?;
        if is("is_deleted") {
            self.reading.ignore(place.to_owned(), format!("message {mid} was deleted by its sender"));
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
        self.reading.events.push(WebhookEvent::Message(Box::new(InboundMessage {
            event_id: mid.to_owned(),
            provider_id: mid.to_owned(),
            from,
            also: None,
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
        self.reading.events.push(WebhookEvent::ReadUntil { by, until });
        Ok(())
    }

    fn status(&mut self, mid: &str, at: Timestamp, event: DeliveryEvent) {
        let subject =
            Subject::Provider(ProviderRef { connector: self.dialog.connector.clone(), provider_id: mid.to_owned() });
        self.reading.events.push(WebhookEvent::Status(StatusUpdate { subject, at, event, correlation: None }));
    }

    fn person(&self, id: &Value) -> Option<Address> {
        let id = id.as_str()?;
        let channel = if self.dialog.capabilities.channel == Kind::Messenger { "messenger" } else { "instagram" };
        format!("{channel}:{id}").parse().ok()
    }

    /// Whether this body told it already; says so then.
    fn repeats(&mut self, place: &str, mid: &str, what: &str) -> bool {
        let told = self.reading.first_time(mid, what);
        told.map_err(|why| self.reading.ignore(place.to_owned(), why)).is_err()
    }

    fn unhandled(&mut self, place: &str, what: String) {
        self.reading.events.push(WebhookEvent::Unhandled { place: place.to_owned(), what });
    }
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
