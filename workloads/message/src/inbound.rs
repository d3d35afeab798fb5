//! What a customer wrote, as a channel reads it out of a webhook, before it has a message id or a
//! conversation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::media::MediaKind;

/// A message that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundMessage {
    /// Names the event at the provider: whatever arrives under the same name is the same event.
    pub event_id: String,
    /// The provider's name for the message, as it can be answered.
    pub provider_id: String,
    /// Who wrote it, and where an answer goes.
    pub from: Address,
    /// Another address of theirs, where the provider told two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<Address>,
    /// What they call themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When they wrote it.
    pub at: Timestamp,
    /// The text; empty where there is none.
    pub text: String,
    /// The files that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<InboundFile>,
    /// The provider's name of the message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

/// What is known of a message that came in, beside sender and text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound {
    /// The connector that it came in by.
    pub connector: String,
    /// The provider's name for the message, as it can be answered and marked as read.
    pub provider_id: String,
    /// What the sender calls themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The files that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<InboundFile>,
}

/// A file that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundFile {
    /// What it is.
    pub kind: MediaKind,
    /// Where it is.
    pub source: FileSource,
}

/// Where a file that came in is to be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileSource {
    /// At the provider, under this id.
    Id(String),
    /// At this URL, which providers let expire.
    Url(String),
}
