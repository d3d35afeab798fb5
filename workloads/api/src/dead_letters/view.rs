//! How letters are shown. Instants are RFC 3339 in UTC with milliseconds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chat4all_store::{Deed, LetterBody, StoredLetter};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::conversation::shown;

/// A record that was given up.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct Letter {
    id: Uuid,
    #[schema(example = "2026-11-25T10:00:00.123Z")]
    given_up_at: String,
    /// open, replayed or discarded.
    #[schema(example = "open")]
    state: &'static str,
    /// The provider's code, or `chat4all:<slug>`.
    #[schema(example = "131026")]
    reason: String,
    /// The reason in words.
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    connector: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_id: Option<Uuid>,
    /// Provider calls that were begun.
    attempts: u32,
    /// How often the record had been replayed before.
    replays: u32,
    /// Where the record stood in Kafka.
    topic: String,
    partition: i32,
    offset: i64,
    /// The record's own instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    record_at: Option<String>,
    /// The consumer group that gave it up.
    group: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<String>,
}

impl Letter {
    pub(super) fn of(stored: StoredLetter) -> Self {
        let (state, letter) = (stored.state().name(), stored.letter);
        let (closed_at, closed_by) = stored.closed.map(|closing| (shown(closing.at), closing.by)).unzip();
        Self {
            id: letter.id.as_uuid(),
            given_up_at: shown(letter.given_up_at),
            state,
            reason: letter.reason,
            message: letter.message,
            connector: letter.about.connector,
            recipient_id: letter.about.recipient.map(String::from),
            conversation_id: letter.about.conversation_id.map(String::from),
            message_id: letter.about.message_id.map(Uuid::from),
            delivery_id: letter.about.delivery_id.map(|id| id.as_uuid()),
            attempts: letter.attempts,
            replays: letter.replays,
            topic: letter.origin.topic,
            partition: letter.origin.partition,
            offset: letter.origin.offset,
            record_at: letter.origin.at.map(shown),
            group: letter.group,
            closed_at,
            closed_by,
        }
    }
}

/// A letter with its record and what was done with it.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterWithRecord)]
pub(crate) struct Whole {
    #[serde(flatten)]
    letter: Letter,
    /// The record's key.
    key: String,
    /// The record's value; missing where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// The record's value in base64 where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    /// What was done with the letter, oldest first.
    history: Vec<Done>,
}

/// What somebody did, or was about to do.
#[derive(Serialize, ToSchema)]
struct Done {
    at: String,
    by: String,
    /// replay or discard.
    what: String,
    /// What was changed, or why.
    detail: String,
}

impl Whole {
    pub(super) fn of(stored: StoredLetter, body: LetterBody, deeds: Vec<Deed>) -> Self {
        let (value, value_base64) = match String::from_utf8(body.value) {
            Ok(text) => (Some(text), None),
            Err(bytes) => (None, Some(STANDARD.encode(bytes.as_bytes()))),
        };
        let done = |deed: Deed| Done { at: shown(deed.at), by: deed.by, what: deed.what, detail: deed.detail };
        Self {
            letter: Letter::of(stored),
            key: String::from_utf8_lossy(&body.key).into_owned(),
            value,
            value_base64,
            history: deeds.into_iter().map(done).collect(),
        }
    }
}
