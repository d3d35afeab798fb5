//! A delivery as a request. It never carries the tag HUMAN_AGENT: nobody here knows that a person wrote
//! the message, and the tag is for those alone.

use chat4all_message::{Channel as Kind, Correlation, Delivery, Media, MediaKind};
use serde::Serialize;

use super::Dialog;
use crate::channel::Unsendable;
use crate::outgoing::Outgoing;

#[derive(Serialize)]
struct Message<'a> {
    recipient: Recipient<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messaging_type: Option<&'static str>,
    message: Content<'a>,
}

#[derive(Serialize)]
struct Recipient<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<Attachment<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Correlation>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    r#type: &'static str,
    payload: Payload<'a>,
}

#[derive(Serialize)]
struct Payload<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_reusable: Option<bool>,
}

pub(super) fn of(dialog: &Dialog, delivery: &Delivery) -> Result<Outgoing, Unsendable> {
    let channel = dialog.capabilities.channel;
    let foreign = || Unsendable::ForeignRecipient { recipient: delivery.recipient.clone(), channel };
    let id = dialog.person(&delivery.recipient).ok_or_else(foreign)?;
    dialog.capabilities.check(delivery.into())?;
    // Instagram knows neither the type nor the metadata nor reuse.
    let messenger = channel == Kind::Messenger;
    let message = Message {
        recipient: Recipient { id },
        messaging_type: messenger.then_some("UPDATE"),
        message: Content {
            text: delivery.media.is_none().then_some(&delivery.content),
            attachment: delivery.media.as_ref().map(|media| attachment(media, messenger)),
            metadata: messenger.then(|| Correlation::from(&delivery.reference)),
        },
    };
    let outgoing = Outgoing::post_json(dialog.messages_url.clone(), &message);
    Ok(outgoing.with("authorization", dialog.authorization.clone()))
}

fn attachment(media: &Media, messenger: bool) -> Attachment<'_> {
    let r#type = match media.kind {
        MediaKind::Image => "image",
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
        MediaKind::Document => "file",
    };
    Attachment {
        r#type,
        payload: Payload { url: media.url().unwrap_or_default(), is_reusable: messenger.then_some(false) },
    }
}
