//! What a connector needs of a channel. Knows deliveries and bytes, not how they travel.

use std::fmt;

use chat4all_message::{Address, Delivery, MediaKind, WebhookRecord};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::answer::Answer;
use crate::guard::Guard;
use crate::limit::Limit;
use crate::outgoing::Outgoing;
use crate::upload::Uploads;
use crate::webhook::WebhookEvent;

/// One provider account, ready to use.
pub trait Channel: fmt::Debug + Send + Sync {
    /// The request that carries this delivery when it is sent at `now`. Must not be sent on to another host when redirected.
    fn request(&self, delivery: &Delivery, now: Timestamp) -> Result<Outgoing, Unsendable>;

    /// What the provider's answer to the delivery's request means. Total: every answer means
    /// something. The token does not stand in the result, even where the provider echoes it.
    fn classify(&self, delivery: &Delivery, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer;

    /// What a webhook tells, in its order. A bad entry is reported and the rest kept. Parsing a
    /// record again gives the same events.
    fn parse_webhook(&self, record: &WebhookRecord) -> Vec<WebhookEvent>;

    /// Whether each recipient is a server of its own, so that what one does says nothing about the
    /// account.
    fn each_recipient_is_a_server(&self) -> bool {
        false
    }

    /// How files are handed over apart from messages, where the channel knows a way.
    fn uploads(&self) -> Option<&dyn Uploads> {
        None
    }

    /// Which addresses may be called, where others choose the URLs; `None` where the URL is the
    /// provider's.
    fn guard(&self) -> Option<&Guard> {
        None
    }
}

/// This channel cannot carry the delivery, now or ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The provider takes no empty text.
    #[error("the text is empty; send at least one character")]
    EmptyText,
    /// The text is too long, and texts are never cut.
    #[error("{channel} carries at most {limit} in one message and the text has {size}; send it as several messages")]
    TextTooLong {
        /// The channel.
        channel: chat4all_message::Channel,
        /// Its size in the limit's unit.
        size: usize,
        /// What is allowed.
        limit: Limit,
    },
    /// The text beside a file is too long, and texts are never cut.
    #[error(
        "{channel} carries at most {limit} of text with {kind} and the text has {size}; send the text as a message of its own"
    )]
    CaptionTooLong {
        /// The channel.
        channel: chat4all_message::Channel,
        /// Its size in the limit's unit.
        size: usize,
        /// What is allowed.
        limit: Limit,
        /// The kind of file.
        kind: MediaKind,
    },
    /// A file of this kind travels without text.
    #[error("{channel} carries no text with {kind}; send the text as a message of its own")]
    Caption {
        /// The channel.
        channel: chat4all_message::Channel,
        /// The kind of file.
        kind: MediaKind,
    },
    /// The channel takes no files of this kind.
    #[error("{channel} carries no {kind}; send a link to it as text")]
    Media {
        /// The channel.
        channel: chat4all_message::Channel,
        /// The kind of file.
        kind: MediaKind,
    },
    /// The channel fetches files by URL only.
    #[error("{channel} takes no ids of files; give media.url")]
    MediaById {
        /// The channel.
        channel: chat4all_message::Channel,
    },
    /// The channel has no templates.
    #[error("{channel} has no templates; send the text as content")]
    Template {
        /// The channel.
        channel: chat4all_message::Channel,
    },
    /// Files are sent by URL.
    #[error("{channel} knows no files of this deployment; give media instead of file_id")]
    File {
        /// The channel.
        channel: chat4all_message::Channel,
    },
    /// The channel cannot show which message is answered.
    #[error("{channel} cannot show which message is answered; leave reply_to out")]
    Reply {
        /// The channel.
        channel: chat4all_message::Channel,
    },
    /// The message to be answered cannot be one of this recipient's.
    #[error(
        "{reply_to:?} names no message in the chat with {recipient}; give a provider_message_id of that chat or leave reply_to out"
    )]
    ForeignReply {
        /// What was given.
        reply_to: String,
        /// Who should receive the answer.
        recipient: Address,
    },
    /// No such endpoint is configured.
    #[error(
        "no endpoint of the connector's account has the name of {recipient}; add it there or correct the recipient"
    )]
    UnknownEndpoint {
        /// Who should receive it.
        recipient: Address,
    },
    /// The recipient is not of this channel.
    #[error("{recipient} is not reached by {channel}")]
    ForeignRecipient {
        /// Who should receive it.
        recipient: Address,
        /// The channel that was asked.
        channel: chat4all_message::Channel,
    },
}

impl Unsendable {
    /// The code shown with the failed delivery.
    pub fn code(&self) -> &'static str {
        match self {
            Unsendable::EmptyText => "chat4all:empty-text",
            Unsendable::TextTooLong { .. } | Unsendable::CaptionTooLong { .. } => "chat4all:text-too-long",
            Unsendable::Caption { .. } => "chat4all:text-with-media",
            Unsendable::Media { .. } | Unsendable::MediaById { .. } => "chat4all:media-not-supported",
            Unsendable::Template { .. } => "chat4all:template-not-supported",
            Unsendable::File { .. } => "chat4all:file-not-supported",
            Unsendable::Reply { .. } | Unsendable::ForeignReply { .. } => "chat4all:reply-not-possible",
            Unsendable::UnknownEndpoint { .. } => "chat4all:unknown-endpoint",
            Unsendable::ForeignRecipient { .. } => "chat4all:foreign-recipient",
        }
    }

    /// The field of a client's request that it is about.
    pub fn field(&self) -> &'static str {
        match self {
            Unsendable::EmptyText | Unsendable::TextTooLong { .. } | Unsendable::CaptionTooLong { .. } => "content",
            Unsendable::Caption { .. } | Unsendable::Media { .. } | Unsendable::MediaById { .. } => "media",
            Unsendable::Template { .. } => "template",
            Unsendable::File { .. } => "file_id",
            Unsendable::Reply { .. } | Unsendable::ForeignReply { .. } => "reply_to",
            Unsendable::UnknownEndpoint { .. } | Unsendable::ForeignRecipient { .. } => "recipient_id",
        }
    }
}
