//! The people outside: which addresses are one person's, where they were last spoken with, and the
//! messages that came from them, each once.

use async_trait::async_trait;
use chat4all_message::{AcceptedMessage, Address, ConversationId, MessageId};
use jiff::Timestamp;

use crate::Result;

/// What is known of the people on the other side of connectors. Addresses that are ways of writing
/// the same one ([`Address::canonical`]) are the same here.
#[async_trait]
pub trait People: Send + Sync {
    /// The person at this address.
    async fn person(&self, address: &Address) -> Result<Person>;

    /// A provider said that both addresses are one person's. Repeating it changes nothing.
    async fn same_person(&self, alias: &Address, of: &Address) -> Result<()>;

    /// The person at this address was spoken with in this conversation; of several the one that
    /// happened last stands.
    async fn met(&self, address: &Address, conversation: &ConversationId, at: Timestamp) -> Result<()>;

    /// The person wrote from exactly this address, so answers go there; of several the last one stands.
    async fn wrote_from(&self, address: &Address, at: Timestamp) -> Result<()>;

    /// Gives an event its place, unless it has one: gives the place that stands. Linearizable, so
    /// that an event that is read twice at once becomes one message.
    async fn place(&self, connector: &str, event_id: &str, place: &Place) -> Result<Place>;
}

/// Somebody outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// One address for all of theirs: names the person, and need not be one that can be called.
    pub address: Address,
    /// Where they were last spoken with.
    pub conversation: Option<ConversationId>,
    /// The address from which they wrote last.
    pub answers_to: Option<Address>,
}

/// Where a message that came in stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Its id.
    pub message_id: MessageId,
}

/// How many addresses are looked up at most: more aliases after one another are a circle.
const LONGEST_TRAIL: usize = 4;

/// Who is met when a message is stored: somebody outside who wrote it. Its recipients are met when they get it.
pub(crate) fn writer(message: &AcceptedMessage) -> Option<&Address> {
    message.inbound.as_ref().map(|_| &message.sender).filter(|address| address.channel().is_some())
}

/// What one address knows by itself; of a value that has two, the later one stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) same_as: Option<Address>,
    /// With microseconds since the Unix epoch.
    pub(crate) conversation: Option<(i64, ConversationId)>,
    pub(crate) answers_to: Option<(i64, Address)>,
}

/// The way from an address over its aliases to the person, and what each step knew.
pub(crate) struct Trail {
    at: Address,
    ended: bool,
    steps: usize,
    conversation: Option<(i64, ConversationId)>,
    answers_to: Option<(i64, Address)>,
}

impl Trail {
    pub(crate) fn from(address: &Address) -> Self {
        Self { at: address.canonical(), ended: false, steps: 0, conversation: None, answers_to: None }
    }

    /// The address to look up next; `None` at the end.
    pub(crate) fn next(&self) -> Option<Address> {
        (!self.ended).then(|| self.at.clone())
    }

    /// What that address knows.
    pub(crate) fn learn(&mut self, known: Known) {
        self.conversation = self.conversation.take().max(known.conversation);
        self.answers_to = self.answers_to.take().max(known.answers_to);
        self.steps += 1;
        match known.same_as {
            Some(next) if self.steps < LONGEST_TRAIL => self.at = next,
            _ => self.ended = true,
        }
    }

    /// Who was found.
    pub(crate) fn person(self) -> Person {
        Person {
            address: self.at,
            conversation: self.conversation.map(|(_, conversation)| conversation),
            answers_to: self.answers_to.map(|(_, address)| address),
        }
    }
}
