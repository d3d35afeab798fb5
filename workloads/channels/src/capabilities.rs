//! What each channel can carry, as data: the API refuses by it, the channels check by it, and clients
//! and the documentation are shown it. What a channel cannot carry is refused, never cut.

use chat4all_message::{Channel as Kind, Delivery, Media, MediaKind, Template};

use crate::channel::Unsendable;
use crate::limit::Limit;

/// What one channel can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The channel.
    pub channel: Kind,
    /// The longest text of one message.
    pub text: Limit,
    /// The files it takes by URL.
    pub media: &'static [MediaRule],
    /// Whether it takes the provider's id of a file in place of its URL.
    pub media_by_id: bool,
    /// Whether it takes templates.
    pub template: bool,
    /// Whether a message can answer another one visibly.
    pub reply: bool,
    /// Whether a message that came in can be marked as read, and typing shown.
    pub read_mark: bool,
    /// Whether the provider tells that a message arrived.
    pub tells_delivered: bool,
    /// Whether the provider tells that a message was read.
    pub tells_read: bool,
}

/// What a channel takes of one kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaRule {
    /// The kind.
    pub kind: MediaKind,
    /// The largest file, in megabytes, which the provider checks when it fetches the file; `None`
    /// where nobody fetches it.
    pub max_megabytes: Option<u32>,
    /// The longest text in the same message; `None` where there can be none.
    pub caption: Option<Limit>,
}

/// What somebody wants to have carried.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// The text; may be empty where there is media or a template.
    pub content: &'a str,
    /// A file, by URL or by the provider's id.
    pub media: Option<&'a Media>,
    /// A text that the provider approved.
    pub template: Option<&'a Template>,
    /// A file by an id of ours.
    pub file_id: Option<&'a str>,
    /// The provider's id of the message that is answered.
    pub reply_to: Option<&'a str>,
}

impl<'a> From<&'a Delivery> for Load<'a> {
    fn from(delivery: &'a Delivery) -> Self {
        Self {
            content: &delivery.content,
            media: delivery.media.as_ref(),
            template: delivery.template.as_ref(),
            file_id: delivery.file_id.as_deref(),
            reply_to: delivery.reply_to.as_deref(),
        }
    }
}

impl Capabilities {
    /// Whether one message of the channel can carry this.
    pub fn check(&self, load: Load<'_>) -> Result<(), Unsendable> {
        let channel = self.channel;
        if load.file_id.is_some() {
            return Err(Unsendable::File { channel });
        }
        if load.reply_to.is_some() && !self.reply {
            return Err(Unsendable::Reply { channel });
        }
        if load.template.is_some() {
            return if self.template { Ok(()) } else { Err(Unsendable::Template { channel }) };
        }
        let Some(media) = load.media else {
            return if load.content.is_empty() { Err(Unsendable::EmptyText) } else { self.text(load.content) };
        };
        let rule = self.rule(media.kind).ok_or(Unsendable::Media { channel, kind: media.kind })?;
        if !self.media_by_id && media.url().is_none() {
            return Err(Unsendable::MediaById { channel });
        }
        match rule.caption {
            _ if load.content.is_empty() => Ok(()),
            None => Err(Unsendable::Caption { channel, kind: media.kind }),
            Some(limit) if limit.allows(load.content) => Ok(()),
            Some(limit) => {
                Err(Unsendable::CaptionTooLong { channel, size: limit.measure(load.content), limit, kind: media.kind })
            }
        }
    }

    /// Whether the channel can carry this in as many messages as it takes.
    pub fn admits(&self, load: Load<'_>) -> Result<(), Unsendable> {
        match self.check(load) {
            Err(Unsendable::Caption { .. }) => self.text(load.content),
            checked => checked,
        }
    }

    /// The deliveries that carry a message to one recipient: a text that cannot stand beside its file
    /// follows it.
    pub fn parts(&self, delivery: Delivery) -> Vec<Delivery> {
        match self.check((&delivery).into()) {
            Err(Unsendable::Caption { .. }) => delivery.file_then_text().into(),
            _ => vec![delivery],
        }
    }

    fn text(&self, content: &str) -> Result<(), Unsendable> {
        if self.text.allows(content) {
            return Ok(());
        }
        Err(Unsendable::TextTooLong { channel: self.channel, size: self.text.measure(content), limit: self.text })
    }

    fn rule(&self, kind: MediaKind) -> Option<&MediaRule> {
        self.media.iter().find(|rule| rule.kind == kind)
    }
}
