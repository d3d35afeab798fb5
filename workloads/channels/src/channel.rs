//! What a connector needs of a channel. Knows deliveries and bytes, not how they travel.

use std::fmt;

use bytes::Bytes;
use chat4all_message::{Address, Delivery, WebhookRecord};
use http::{HeaderMap, Request, StatusCode};

use crate::answer::Answer;
use crate::limit::Limit;
use crate::webhook::WebhookEvent;

/// One provider account, ready to use.
pub trait Channel: fmt::Debug + Send + Sync {
    /// The longest text in one message.
    fn text_limit(&self) -> Limit;

    /// The request that carries this delivery: absolute URL, headers, body. The header with the
    /// token is marked sensitive. Must not be sent on to another host when redirected.
    fn request(&self, delivery: &Delivery) -> Result<Request<Bytes>, Unsendable>;

    /// What the provider's answer means. Total: every answer means something. The token does not
    /// stand in the result, even where the provider echoes it.
    fn classify(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer;

    /// What a webhook tells, in its order. A bad entry is reported and the rest kept. Parsing a
    /// record again gives the same events.
    fn parse_webhook(&self, record: &WebhookRecord) -> Vec<WebhookEvent>;
}

/// This channel cannot carry the delivery, now or ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The provider takes no empty text.
    #[error("the text is empty; send at least one character")]
    EmptyText,
    /// The text is too long, and texts are never cut.
    #[error("the text has {size} of at most {limit}; send it as several messages")]
    TextTooLong {
        /// Its size in the limit's unit.
        size: usize,
        /// What is allowed.
        limit: Limit,
    },
    /// The channel cannot carry files yet.
    #[error("this version sends no files over {channel}; send text without file_id")]
    File {
        /// The channel.
        channel: chat4all_message::Channel,
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
            Unsendable::TextTooLong { .. } => "chat4all:text-too-long",
            Unsendable::File { .. } => "chat4all:file-not-supported",
            Unsendable::ForeignRecipient { .. } => "chat4all:foreign-recipient",
        }
    }
}
