//! What a webhook of WhatsApp tells. Entries are read one by one, so that a bad one costs only
//! itself. Knows one number; what belongs to another is not for this connector.
//! Source: provider-contracts, "Webhooks that come in".

use chat4all_message::{DeliveryEvent, InboundMessage, ProviderRef, StatusUpdate, Subject, WebhookRecord};
use jiff::Timestamp;
use serde_json::Value;

use super::account::Account;
use super::inbound;
use crate::meta::error::ErrorObject;
use crate::meta::reading::{Reading, text};
use crate::time::instant;
use crate::webhook::WebhookEvent;

pub(super) fn parse(account: &Account, record: &WebhookRecord) -> Vec<WebhookEvent> {
    let mut reader = Reader { account, received_at: record.received_at, reading: Reading::default() };
    if let Some(body) = reader.reading.body(record) {
        reader.body(&body);
    }
    reader.reading.events
}

struct Reader<'a> {
    account: &'a Account,
    received_at: Timestamp,
    reading: Reading,
}

impl Reader<'_> {
    fn body(&mut self, body: &Value) {
        match text(&body["object"]) {
            Some("whatsapp_business_account") => {
                for (place, entry) in self.reading.list(body, "entry", "") {
                    for (place, change) in self.reading.list(entry, "changes", &place) {
                        self.change(place, change);
                    }
                }
            }
            Some(other) => self.reading.ignore(String::new(), format!("object {other:?} is not a WhatsApp account's")),
            None => self.reading.reject(String::new(), "object is missing".to_owned()),
        }
    }

    fn change(&mut self, place: String, change: &Value) {
        match text(&change["field"]) {
            Some("messages") => {}
            Some(other) => return self.reading.ignore(place, format!("field {other:?} tells nothing about messages")),
            None => return self.reading.reject(place, "field is missing".to_owned()),
        }
        let place = format!("{place}.value");
        let value = &change["value"];
        match text(&value["metadata"]["phone_number_id"]) {
            Some(id) if id == self.account.phone_number_id => {}
            Some(other) => {
                return self.reading.ignore(place, format!("it is for phone number id {other}, not this connector's"));
            }
            None => return self.reading.reject(place, "metadata.phone_number_id is missing".to_owned()),
        }
        for (place, status) in self.reading.list(value, "statuses", &place) {
            let event = self.status(status);
            self.take(place, event);
        }
        for (place, message) in self.reading.list(value, "messages", &place) {
            let event = self.message(message, &value["contacts"]);
            self.take(place, event);
        }
        for (place, error) in self.reading.list(value, "errors", &place) {
            let error = ErrorObject::read(error).redacted(&self.account.token);
            self.reading.ignore(place, format!("an error of the account, not of a message: {}", error.text));
        }
    }

    fn status(&mut self, status: &Value) -> Result<Read, Unread> {
        let id = text(&status["id"]).ok_or_else(|| Unread::reject("id is missing"))?;
        let name = text(&status["status"]).ok_or_else(|| Unread::reject("status is missing"))?;
        let event = match name {
            "sent" => DeliveryEvent::Sent { provider_id: Some(id.to_owned()), effort: None },
            "delivered" => DeliveryEvent::Delivered,
            "read" => DeliveryEvent::Read,
            "failed" => self.failed(status),
            "deleted" => {
                return Err(Unread::ignore("the recipient deleted the message; its delivery stays what it was"));
            }
            other => return Ok(Read::Other(format!("status {other:?} of message {id}, which is unknown"))),
        };
        let at = instant(&status["timestamp"], self.received_at).map_err(Unread::Rejected)?;
        self.reading.first_time(id, name).map_err(Unread::Ignored)?;
        Ok(Read::Status(StatusUpdate {
            subject: Subject::Provider(ProviderRef {
                connector: self.account.connector.clone(),
                provider_id: id.to_owned(),
            }),
            at,
            event,
            correlation: text(&status["biz_opaque_callback_data"]).and_then(|data| data.parse().ok()),
        }))
    }

    fn failed(&self, status: &Value) -> DeliveryEvent {
        let error = ErrorObject::read(&status["errors"][0]).redacted(&self.account.token);
        let code = error.code.map_or_else(|| "chat4all:no-code-given".to_owned(), |code| code.to_string());
        DeliveryEvent::Failed { code, reason: error.text, effort: None, dead_lettered_at: None }
    }

    fn message(&mut self, message: &Value, contacts: &Value) -> Result<Read, Unread> {
        let id = text(&message["id"]).ok_or_else(|| Unread::reject("id is missing"))?;
        let from = inbound::sender(message).map_err(Unread::Rejected)?;
        let at = instant(&message["timestamp"], self.received_at).map_err(Unread::Rejected)?;
        self.reading.first_time(id, "message").map_err(Unread::Ignored)?;
        if message.get("group_id").is_some() {
            return Ok(Read::Other(format!("message {id} was written to a group")));
        }
        Ok(match inbound::content(message) {
            Some((words, files)) => Read::Message(Box::new(InboundMessage {
                event_id: id.to_owned(),
                provider_id: id.to_owned(),
                also: inbound::user(message).filter(|user| *user != from),
                from,
                name: inbound::name(message, contacts),
                at,
                text: words,
                files,
                reply_to: text(&message["context"]["id"]).map(str::to_owned),
            })),
            None => Read::Other(format!("message {id} of type {}", message["type"])),
        })
    }

    fn take(&mut self, place: String, read: Result<Read, Unread>) {
        match read {
            Ok(Read::Status(update)) => self.reading.events.push(WebhookEvent::Status(update)),
            Ok(Read::Message(message)) => self.reading.events.push(WebhookEvent::Message(message)),
            Ok(Read::Other(what)) => self.reading.events.push(WebhookEvent::Unhandled { place, what }),
            Err(Unread::Ignored(why)) => self.reading.ignore(place, why),
            Err(Unread::Rejected(why)) => self.reading.reject(place, why),
        }
    }
}

enum Read {
    Status(StatusUpdate),
    Message(Box<InboundMessage>),
    Other(String),
}

enum Unread {
    Ignored(String),
    Rejected(String),
}

impl Unread {
    fn ignore(why: impl Into<String>) -> Self {
        Unread::Ignored(why.into())
    }

    fn reject(why: impl Into<String>) -> Self {
        Unread::Rejected(why.into())
    }
}
