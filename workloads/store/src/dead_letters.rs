//! Records that were given up, with what became of them since and who did it. The topic of dead letters
//! holds the same records; these rows are for looking, filtering and deciding.

use std::fmt;

use async_trait::async_trait;
use chat4all_message::{Address, ConversationId, DeliveryId, DeliveryRef, LetterId, MessageId};
use jiff::Timestamp;

use crate::Result;

/// So many letters are looked at for one page at most, so that a rare filter costs one request no more than
/// that. A page may therefore have fewer letters than were asked for and still name a next one.
pub const SCAN: usize = 10_000;

/// Where given-up records are kept for people.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// When this record was given up first; `None` when it never was.
    async fn given_up_at(&self, letter: LetterId) -> Result<Option<Timestamp>>;

    /// Writes a letter. Repeating it changes nothing: the instant of the first time stands, and so does
    /// what became of the letter since.
    async fn put_letter(&self, letter: &DeadLetter, body: &LetterBody) -> Result<()>;

    /// One letter with its record.
    async fn letter(&self, letter: LetterId) -> Result<Option<(StoredLetter, LetterBody)>>;

    /// Letters that fit the filter, newest first.
    async fn letters(&self, filter: &LetterFilter, before: Option<LetterCursor>, limit: usize) -> Result<LetterPage>;

    /// Closes an open letter. Whether this did it: a letter is closed once.
    async fn close_letter(&self, letter: LetterCursor, closing: &Closing) -> Result<bool>;

    /// Writes down what somebody is about to do with a letter.
    async fn note_deed(&self, letter: LetterId, deed: &Deed) -> Result<()>;

    /// What was done with a letter, oldest first.
    async fn deeds(&self, letter: LetterId) -> Result<Vec<Deed>>;
}

/// A record that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its name.
    pub id: LetterId,
    /// When it was given up, in milliseconds.
    pub given_up_at: Timestamp,
    /// Why, as a stable code: the provider's, or `chat4all:<slug>`.
    pub reason: String,
    /// Why, in words.
    pub message: String,
    /// Provider calls that were begun.
    pub attempts: u32,
    /// How often the record had been replayed before.
    pub replays: u32,
    /// The consumer group that gave it up.
    pub group: String,
    /// Where the record stood.
    pub origin: Origin,
    /// What it is about, as far as it could be read.
    pub about: About,
}

impl DeadLetter {
    /// Its place among all letters.
    pub fn cursor(&self) -> LetterCursor {
        LetterCursor { given_up_at: self.given_up_at, id: self.id }
    }
}

/// Where a record stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The record's own instant, where the broker knew it.
    pub at: Option<Timestamp>,
}

/// What a record is about; what it does not tell is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The connector that it was for or from.
    pub connector: Option<String>,
    /// Who should have received it.
    pub recipient: Option<Address>,
    /// The conversation.
    pub conversation_id: Option<ConversationId>,
    /// The message.
    pub message_id: Option<MessageId>,
    /// The delivery.
    pub delivery_id: Option<DeliveryId>,
}

impl About {
    /// The delivery that it is about, if it is about one.
    pub fn delivery(&self) -> Option<DeliveryRef> {
        Some(DeliveryRef {
            conversation_id: self.conversation_id.clone()?,
            message_id: self.message_id?,
            delivery_id: self.delivery_id?,
        })
    }
}

/// A record's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterBody {
    /// The key; empty where it had none.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// A letter with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLetter {
    /// As it was given up.
    pub letter: DeadLetter,
    /// How it was closed; `None` while it is open.
    pub closed: Option<Closing>,
}

impl StoredLetter {
    /// Its state.
    pub fn state(&self) -> LetterState {
        self.closed.as_ref().map_or(LetterState::Open, |closing| closing.state)
    }
}

/// The state of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LetterState {
    /// Somebody should look at it.
    Open,
    /// Its record was put into its topic again; failing again, it is another letter.
    Replayed,
    /// Somebody decided to leave it.
    Discarded,
}

impl LetterState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Replayed, Self::Discarded];

    /// Its name in rows and for clients.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for LetterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a letter was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Replayed or discarded.
    pub state: LetterState,
    /// When, in milliseconds.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

/// What somebody did with a letter. Written before it is done, so that nothing is done unseen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// When, in milliseconds.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// `replay` or `discard`.
    pub what: String,
    /// With which changes, or why.
    pub detail: String,
}

/// A place among all letters, which lie newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterCursor {
    /// When the letter was given up.
    pub given_up_at: Timestamp,
    /// Which one it is.
    pub id: LetterId,
}

/// Which letters are wanted: those that fit all that is named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LetterFilter {
    /// With this reason code.
    pub reason: Option<String>,
    /// Of this connector.
    pub connector: Option<String>,
    /// For this recipient.
    pub recipient: Option<Address>,
    /// Given up at this instant or later.
    pub from: Option<Timestamp>,
    /// Given up before this instant.
    pub to: Option<Timestamp>,
    /// In this state.
    pub state: Option<LetterState>,
}

impl LetterFilter {
    /// Whether the letter fits.
    pub fn fits(&self, stored: &StoredLetter) -> bool {
        let letter = &stored.letter;
        wants(&self.reason, Some(&letter.reason))
            && wants(&self.connector, letter.about.connector.as_ref())
            && wants(&self.recipient, letter.about.recipient.as_ref())
            && self.from.is_none_or(|from| letter.given_up_at >= from)
            && self.to.is_none_or(|to| letter.given_up_at < to)
            && self.state.is_none_or(|state| state == stored.state())
    }
}

/// Whether nothing in particular is wanted, or just this.
fn wants<T: PartialEq>(wanted: &Option<T>, found: Option<&T>) -> bool {
    wanted.is_none() || wanted.as_ref() == found
}

/// Letters, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterPage {
    /// The letters.
    pub letters: Vec<StoredLetter>,
    /// Where to go on; `None` when there is nothing more.
    pub next: Option<LetterCursor>,
}
