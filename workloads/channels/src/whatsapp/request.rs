//! A delivery as a request. Source: provider-contracts, "WhatsApp Business Cloud API".

use chat4all_message::{Address, Correlation, Delivery, Media, MediaKind};
use serde::Serialize;

use super::CAPABILITIES;
use super::account::Account;
use crate::channel::Unsendable;
use crate::outgoing::Outgoing;

#[derive(Serialize)]
struct Message<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    #[serde(flatten)]
    recipient: Recipient<'a>,
    biz_opaque_callback_data: Correlation,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context<'a>>,
    #[serde(flatten)]
    content: Content<'a>,
}

/// The field names who receives it: a number, or a business-scoped user.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Recipient<'a> {
    To(&'a str),
    Recipient(&'a str),
}

/// The message that is answered.
#[derive(Serialize)]
struct Context<'a> {
    message_id: &'a str,
}

/// The field with the content has the name of its type.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
enum Content<'a> {
    Text { text: Text<'a> },
    Image { image: File<'a> },
    Video { video: File<'a> },
    Audio { audio: File<'a> },
    Document { document: File<'a> },
}

#[derive(Serialize)]
struct Text<'a> {
    body: &'a str,
    preview_url: bool,
}

#[derive(Serialize)]
struct File<'a> {
    link: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    caption: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
}

pub(super) fn of(account: &Account, delivery: &Delivery) -> Result<Outgoing, Unsendable> {
    let recipient = recipient(delivery)?;
    CAPABILITIES.check(delivery.into())?;
    let message = Message {
        messaging_product: "whatsapp",
        recipient_type: "individual",
        recipient,
        biz_opaque_callback_data: Correlation::from(&delivery.reference),
        context: delivery.reply_to.as_deref().map(|message_id| Context { message_id }),
        content: match &delivery.media {
            None => Content::Text { text: Text { body: &delivery.content, preview_url: false } },
            Some(media) => file(media, &delivery.content),
        },
    };
    Ok(Outgoing::post_json(account.messages_url.clone(), &message).with("authorization", account.authorization.clone()))
}

fn recipient(delivery: &Delivery) -> Result<Recipient<'_>, Unsendable> {
    match &delivery.recipient {
        Address::WhatsappNumber(digits) => Ok(Recipient::To(digits)),
        Address::WhatsappUser(id) => Ok(Recipient::Recipient(id)),
        other => Err(Unsendable::ForeignRecipient { recipient: other.clone(), channel: CAPABILITIES.channel }),
    }
}

/// The provider shows documents under their name and takes one for them alone.
fn file<'a>(media: &'a Media, caption: &'a str) -> Content<'a> {
    let file = |filename| File { link: &media.url, caption, filename };
    match media.kind {
        MediaKind::Image => Content::Image { image: file(None) },
        MediaKind::Video => Content::Video { video: file(None) },
        MediaKind::Audio => Content::Audio { audio: file(None) },
        MediaKind::Document => Content::Document { document: file(media.filename()) },
    }
}
