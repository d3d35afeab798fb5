//! What is wrong with a history, in a form that can be counted and read.

use std::fmt;

use uuid::Uuid;

use super::{Accepted, Duplicate, Overtaking};

/// What is wrong with a history. Empty lists: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Accepted messages that were not delivered and read, with where they are.
    pub lost: Vec<Loss>,
    /// Messages that the store holds more than once, or that are there under an id that no answer named.
    pub stored_twice: Vec<Twice>,
    /// Deliveries that the provider took more than once.
    pub duplicates: Vec<Duplicate>,
    /// Messages that reached the provider before one that was acknowledged before they were sent.
    pub overtakings: Vec<Overtaking>,
}

impl Findings {
    /// Times that the provider took a message which it had already.
    pub fn duplicated(&self) -> u64 {
        self.duplicates.iter().map(|d| d.again).sum()
    }

    /// Those among them that the ledger names as unknown outcomes.
    pub fn named(&self) -> u64 {
        self.duplicates.iter().map(|d| d.again - d.unnamed()).sum()
    }

    /// The sentences that make a test fail. Named duplicates are none when `named_duplicates_allowed`.
    pub fn violations(&self, named_duplicates_allowed: bool) -> Vec<String> {
        let duplicates = self.duplicates.iter().filter(|d| !named_duplicates_allowed || d.unnamed() > 0);
        let mut said: Vec<String> = self.lost.iter().map(Loss::to_string).collect();
        said.extend(self.stored_twice.iter().map(Twice::to_string));
        said.extend(duplicates.map(Duplicate::to_string));
        said.extend(self.overtakings.iter().map(Overtaking::to_string));
        said
    }
}

/// An accepted message that did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The message.
    pub accepted: Accepted,
    /// How far it came.
    pub place: Place,
}

/// How far a message came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The store does not show it.
    NotStored {
        /// How often the provider took it all the same.
        received: u64,
    },
    /// It is stored without a delivery.
    NoDelivery,
    /// It is stored; the provider never took it.
    NotReceived {
        /// The status shown.
        status: String,
    },
    /// The provider took it; its status stopped short of `READ`.
    NotRead {
        /// The status shown.
        status: String,
    },
    /// It was given up.
    Failed {
        /// Why, if that is shown.
        reason: Option<String>,
    },
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Accepted { message_id, conversation, sequence, acked, .. } = &self.accepted;
        write!(f, "lost: {message_id} (number {sequence} of {conversation}, accepted {acked}) is ")?;
        match &self.place {
            Place::NotStored { received: 0 } => f.write_str("neither in the store nor at the provider"),
            Place::NotStored { received } => write!(f, "not in the store; the provider took it {received} times"),
            Place::NoDelivery => f.write_str("in the store without a delivery"),
            Place::NotReceived { status } => write!(f, "in the store as {status}; the provider never took it"),
            Place::NotRead { status } => write!(f, "at the provider, but still {status} in the store"),
            Place::Failed { reason } => write!(f, "given up: {}", reason.as_deref().unwrap_or("no reason shown")),
        }
    }
}

/// A message that is in the store once too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Twice {
    /// The same id again.
    SameId {
        /// The message.
        message_id: Uuid,
        /// Its conversation.
        conversation: String,
        /// How often it is there.
        times: usize,
    },
    /// An id that no answer named: a request that was repeated made a second message.
    UnknownId {
        /// The message.
        message_id: Uuid,
        /// Its conversation.
        conversation: String,
    },
}

impl fmt::Display for Twice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Twice::SameId { message_id, conversation, times } => {
                write!(f, "stored twice: {conversation} shows {message_id} {times} times")
            }
            Twice::UnknownId { message_id, conversation } => {
                write!(f, "stored twice: {conversation} shows {message_id}, which no answer of the API named")
            }
        }
    }
}
