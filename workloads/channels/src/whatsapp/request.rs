//! A delivery as a request. Source: provider-contracts, "WhatsApp Business Cloud API".

use chat4all_message::media::{self, Media};
use chat4all_message::template::{Component, Template};
use chat4all_message::{Address, Correlation, Delivery, MediaKind};
use jiff::Timestamp;
use serde::Serialize;

use super::CAPABILITIES;
use super::account::Account;
use crate::channel::Unsendable;
use crate::outgoing::Outgoing;

/// A mark on a message that came in.
#[derive(Serialize)]
struct Mark<'a> {
    messaging_product: &'static str,
    status: &'static str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    typing_indicator: Option<Typing>,
}

#[derive(Serialize)]
struct Typing {
    r#type: &'static str,
}

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
    Template { template: Named<'a> },
}

/// A template by its name, in exactly the language that is asked for.
#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    language: Language<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    components: &'a [Component],
}

#[derive(Serialize)]
struct Language<'a> {
    code: &'a str,
    policy: &'static str,
}

#[derive(Serialize)]
struct Text<'a> {
    body: &'a str,
    preview_url: bool,
}

#[derive(Serialize)]
struct File<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    caption: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Place<'a> {
    Link(&'a str),
    Id(&'a str),
}

pub(super) fn of(account: &Account, delivery: &Delivery, now: Timestamp) -> Result<Outgoing, Unsendable> {
    if let Some(mark) = &delivery.read_mark {
        let mark = mark.at(now);
        let typing_indicator = mark.typing.then_some(Typing { r#type: "text" });
        let message_id = &mark.provider_id;
        return Ok(post(
            account,
            &Mark { messaging_product: "whatsapp", status: "read", message_id, typing_indicator },
        ));
    }
    let recipient = recipient(delivery)?;
    CAPABILITIES.check(delivery.into())?;
    let message = Message {
        messaging_product: "whatsapp",
        recipient_type: "individual",
        recipient,
        biz_opaque_callback_data: Correlation::from(&delivery.reference),
        context: delivery.reply_to.as_deref().map(|message_id| Context { message_id }),
        content: match (&delivery.template, &delivery.media) {
            (Some(template), _) => Content::Template { template: named(template) },
            (None, Some(media)) => file(media, &delivery.content),
            (None, None) => Content::Text { text: Text { body: &delivery.content, preview_url: false } },
        },
    };
    Ok(post(account, &message))
}

fn post(account: &Account, body: &impl Serialize) -> Outgoing {
    Outgoing::post_json(account.messages_url.clone(), body).with("authorization", account.authorization.clone())
}

fn recipient(delivery: &Delivery) -> Result<Recipient<'_>, Unsendable> {
    match &delivery.recipient {
        Address::WhatsappNumber(digits) => Ok(Recipient::To(digits)),
        Address::WhatsappUser(id) => Ok(Recipient::Recipient(id)),
        other => Err(Unsendable::ForeignRecipient { recipient: other.clone(), channel: CAPABILITIES.channel }),
    }
}

fn named(template: &Template) -> Named<'_> {
    let language = Language { code: &template.language, policy: "deterministic" };
    Named { name: &template.name, language, components: &template.components }
}

/// The provider shows documents under their name and takes one for them alone.
fn file<'a>(media: &'a Media, caption: &'a str) -> Content<'a> {
    let place = || match &media.place {
        media::Place::Url(url) => Place::Link(url),
        media::Place::Uploaded { id, .. } => Place::Id(id),
    };
    let file = |filename| File { place: place(), caption, filename };
    match media.kind {
        MediaKind::Image => Content::Image { image: file(None) },
        MediaKind::Video => Content::Video { video: file(None) },
        MediaKind::Audio => Content::Audio { audio: file(None) },
        MediaKind::Document => Content::Document { document: file(media.filename()) },
    }
}
