//! A delivery as a signed webhook. The id is the same for every attempt, the time is that of this one.

use chat4all_message::{Address, Delivery, Media};
use http::HeaderValue;
use jiff::Timestamp;
use serde::Serialize;

use super::account::Account;
use super::{CAPABILITIES, webhook_id};
use crate::channel::Unsendable;
use crate::outgoing::Outgoing;

/// The payload has the form that Standard Webhooks recommends: type, timestamp, data.
#[derive(Serialize)]
struct Event<'a> {
    r#type: &'static str,
    /// When the message was accepted, RFC 3339.
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    message_id: String,
    conversation_id: &'a str,
    recipient_id: String,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<&'a Media>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
}

pub(super) fn of(account: &Account, delivery: &Delivery, now: Timestamp) -> Result<Outgoing, Unsendable> {
    let recipient = || delivery.recipient.clone();
    let Address::Webhook(name) = &delivery.recipient else {
        return Err(Unsendable::ForeignRecipient { recipient: recipient(), channel: CAPABILITIES.channel });
    };
    let endpoint = account.endpoint(name).ok_or_else(|| Unsendable::UnknownEndpoint { recipient: recipient() })?;
    CAPABILITIES.check(delivery.into())?;
    let reference = &delivery.reference;
    let event = Event {
        r#type: "message.created",
        timestamp: reference.message_id.created_at(),
        data: Data {
            message_id: reference.message_id.to_string(),
            conversation_id: reference.conversation_id.as_str(),
            recipient_id: delivery.recipient.to_string(),
            content: &delivery.content,
            media: delivery.media.as_ref(),
            reply_to: delivery.reply_to.as_deref(),
        },
    };
    let outgoing = Outgoing::post_json(endpoint.url.clone(), &event);
    let (id, timestamp) = (webhook_id(delivery), now.as_second());
    let signature = endpoint.signer.sign(&id, timestamp, outgoing.body());
    let header = |text: &str| HeaderValue::from_str(text).expect("ids, numbers and base64 are visible ASCII");
    Ok(outgoing
        .with("webhook-id", header(&id))
        .with("webhook-timestamp", HeaderValue::from(timestamp))
        .with("webhook-signature", header(&signature)))
}
