//! Files that are handed to the provider apart from the message: what to ask, and what its answer
//! means. Pure: who has the bytes puts them between the two ends of the request's body.

use bytes::Bytes;
use chat4all_message::Media;
use http::{HeaderMap, StatusCode};

use crate::guard::Guard;
use crate::outgoing::Outgoing;
use crate::refusal::{Kind, Refusal};

/// A channel that takes files apart from messages.
pub trait Uploads: Send + Sync {
    /// Whether a refusal with this code says that the provider could not use the file by its URL.
    fn wanted_after(&self, code: &str) -> bool;

    /// The request that hands over this file, whose server calls it `content_type`.
    fn request(&self, media: &Media, content_type: Option<&str>) -> Result<Upload, Refusal>;

    /// The provider's id of the file, or why it was not taken. No message is at stake: an outcome
    /// that is not known is one that can be tried again.
    fn answer(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<String, Refusal>;

    /// Which addresses the file may be fetched from.
    fn guard(&self) -> &Guard;
}

/// A request whose body goes around the bytes of a file.
#[derive(Debug)]
pub struct Upload {
    /// The request; its body is what comes before the file.
    pub head: Outgoing,
    /// What comes after it.
    pub tail: Bytes,
    /// The largest file that the provider takes, in bytes.
    pub most_bytes: u64,
}

/// A file that could not be had, as a refusal: tried again as one that the provider could not take.
pub fn not_fetched(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(Kind::MediaNotTaken, NOT_FETCHED, format!("the file could not be fetched for an upload: {why}"))
}

/// The code of a file that could not be had.
pub(crate) const NOT_FETCHED: &str = "chat4all:media-not-fetched";
