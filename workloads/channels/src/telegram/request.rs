//! A delivery as a request. Text goes as it is, without markup, so nothing in it can be misread.
//! Source: provider-contracts, "Telegram Bot API".

use chat4all_message::{Address, Delivery, Media, MediaKind, Place};
use serde::Serialize;

use super::CAPABILITIES;
use super::account::Account;
use crate::channel::Unsendable;
use crate::outgoing::Outgoing;

#[derive(Serialize)]
struct Message<'a> {
    chat_id: i64,
    #[serde(flatten)]
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_parameters: Option<Reply>,
}

/// The fields with the content have the names of their kind.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text {
        text: &'a str,
    },
    Photo {
        photo: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        caption: &'a str,
    },
    Video {
        video: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        caption: &'a str,
    },
    Audio {
        audio: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        caption: &'a str,
    },
    Document {
        document: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        caption: &'a str,
    },
}

#[derive(Serialize)]
struct Reply {
    message_id: i64,
    /// The answered message may have been deleted; the answer is wanted all the same.
    allow_sending_without_reply: bool,
}

pub(super) fn of(account: &Account, delivery: &Delivery) -> Result<Outgoing, Unsendable> {
    let Address::Telegram(chat_id) = delivery.recipient else {
        return Err(Unsendable::ForeignRecipient {
            recipient: delivery.recipient.clone(),
            channel: CAPABILITIES.channel,
        });
    };
    CAPABILITIES.check(delivery.into())?;
    let caption = delivery.content.as_str();
    let content = match &delivery.media {
        None => Content::Text { text: &delivery.content },
        Some(media) => match (media.kind, place(media)) {
            (MediaKind::Image, photo) => Content::Photo { photo, caption },
            (MediaKind::Video, video) => Content::Video { video, caption },
            (MediaKind::Audio, audio) => Content::Audio { audio, caption },
            (MediaKind::Document, document) => Content::Document { document, caption },
        },
    };
    let message = Message { chat_id, content, reply_parameters: reply(chat_id, delivery)? };
    Ok(Outgoing::post_json(account.url(delivery.media.as_ref().map(|media| media.kind)), &message))
}

/// Our ids of messages hold the chat, so one of another chat is not sent as if it were of this one.
fn reply(chat: i64, delivery: &Delivery) -> Result<Option<Reply>, Unsendable> {
    let Some(reply_to) = &delivery.reply_to else { return Ok(None) };
    let message = reply_to.split_once(':').and_then(|(of, message)| {
        let of: i64 = of.parse().ok()?;
        (of == chat).then(|| message.parse().ok()).flatten()
    });
    let foreign = || Unsendable::ForeignReply { reply_to: reply_to.clone(), recipient: delivery.recipient.clone() };
    let message_id = message.ok_or_else(foreign)?;
    Ok(Some(Reply { message_id, allow_sending_without_reply: true }))
}

/// A URL or a file's id: the API takes either in the same field.
fn place(media: &Media) -> &str {
    match &media.place {
        Place::Url(url) => url,
        Place::Uploaded { id, .. } => id,
    }
}
