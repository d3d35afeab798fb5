//! The book of one check: which messages were accepted, and what was found out about each. Pure;
//! whoever fills it in must look in the order of a message's way, since what has left one place
//! before it was looked at is found at a later one.

use std::collections::{HashMap, HashSet};

use chat4all_message::delivery::LOCAL;
use chat4all_message::{ConversationId, DeliveryId, DeliveryRef, MessageId, Status};
use chat4all_store::{Attempt, LedgerEntry, StoredDelivery};
use jiff::{SignedDuration, Timestamp};

use crate::report::{Tally, Unaccounted, Waiting};

/// An outcome that nobody knows waits for a provider's status for a day at most (CONNECTOR_HOLD_SECONDS).
const LONGEST_HOLD: SignedDuration = SignedDuration::from_hours(24);
/// From the note of an outcome to its status in Kafka, with a broker that is away for a moment.
const TELLING: SignedDuration = SignedDuration::from_mins(2);

/// Where a record is in the topic of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// An accepted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) message_id: MessageId,
    pub(crate) conversation_id: ConversationId,
    pub(crate) place: Place,
    /// Whether the routers have committed it, so that it must be stored or dead-lettered.
    pub(crate) routed: bool,
}

/// More was accepted in the range than one check holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Accepted messages with what is known of them. Those that are wholly delivered are only counted.
#[derive(Debug)]
pub(crate) struct Book {
    limit: usize,
    known: HashSet<MessageId>,
    open: HashMap<MessageId, Entry>,
    /// Committed records that cannot be read, and so must be in the dead-letter queue.
    unreadable: HashMap<Place, Found>,
    delivered: Count,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    messages: u64,
    deliveries: u64,
}

#[derive(Debug)]
struct Entry {
    conversation_id: ConversationId,
    place: Place,
    routed: bool,
    dead_lettered: bool,
    /// `None` while it is not stored.
    deliveries: Option<Vec<Leg>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nowhere,
    Router,
    DeadLettered,
}

/// One delivery.
#[derive(Debug)]
struct Leg {
    id: DeliveryId,
    connector: String,
    standing: Standing,
}

/// What is known of a delivery so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Stored, and nothing more.
    Open,
    Delivered,
    Failed {
        at: Timestamp,
        dead_lettered: bool,
    },
    /// Its record is before its connector, or the connector is about to tell what became of it.
    AtConnector,
    /// Its status is before a router.
    AtStatus,
}

/// Where a message or a delivery is, the least settled first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Stand {
    Nowhere(Option<DeliveryId>, String),
    Router,
    Connector(String),
    Status,
    DeadLettered,
    Failed,
    Delivered,
}

impl Book {
    /// An empty book for at most so many messages.
    pub(crate) fn of_at_most(limit: usize) -> Self {
        Self {
            limit,
            known: HashSet::new(),
            open: HashMap::new(),
            unreadable: HashMap::new(),
            delivered: Count::default(),
        }
    }

    /// A message was accepted. A record that repeats an id is the same message.
    pub(crate) fn accept(&mut self, accepted: &Accepted) -> Result<(), Full> {
        if !self.known.insert(accepted.message_id) {
            if let Some(entry) = self.open.get_mut(&accepted.message_id) {
                entry.place = accepted.place;
                entry.routed &= accepted.routed;
            }
            return Ok(());
        }
        let Accepted { message_id, conversation_id, place, routed } = accepted.clone();
        self.open.insert(message_id, Entry { conversation_id, place, routed, dead_lettered: false, deliveries: None });
        self.check_room()
    }

    /// A record of the topic of messages holds no message.
    pub(crate) fn accept_unreadable(&mut self, place: Place, routed: bool) -> Result<(), Full> {
        self.unreadable.insert(place, if routed { Found::Nowhere } else { Found::Router });
        self.check_room()
    }

    fn check_room(&self) -> Result<(), Full> {
        if self.known.len() + self.unreadable.len() > self.limit { Err(Full) } else { Ok(()) }
    }

    /// What the store has of a message; `None` when it has nothing.
    pub(crate) fn stored(&mut self, message: MessageId, deliveries: Option<Vec<StoredDelivery>>) {
        let (Some(entry), Some(stored)) = (self.open.get_mut(&message), deliveries) else { return };
        let before = entry.deliveries.take().unwrap_or_default();
        let legs: Vec<Leg> = stored.into_iter().map(|delivery| Leg::of(delivery, &before)).collect();
        // A message is stored together with its deliveries, and while that is under way some may be missing.
        let whole = entry.routed || !legs.is_empty();
        if whole && legs.iter().all(|leg| leg.standing == Standing::Delivered) {
            self.delivered.messages += 1;
            self.delivered.deliveries += legs.len() as u64;
            self.open.remove(&message);
        } else {
            entry.deliveries = Some(legs);
        }
    }

    /// The records that were given up by the routers, or are lost: the dead-letter queue tells. Without
    /// an id where the record cannot be read.
    pub(crate) fn given_up_or_lost(&self) -> Vec<(Place, Option<MessageId>)> {
        let missing =
            self.open.iter().filter(|(_, entry)| entry.routed && entry.deliveries.is_none() && !entry.dead_lettered);
        let missing = missing.map(|(id, entry)| (entry.place, Some(*id)));
        let unreadable = self.unreadable.iter().filter(|(_, found)| **found == Found::Nowhere);
        missing.chain(unreadable.map(|(place, _)| (*place, None))).collect()
    }

    /// The dead-letter queue holds this message.
    pub(crate) fn dead_lettered(&mut self, message: MessageId) {
        if let Some(entry) = self.open.get_mut(&message) {
            entry.dead_lettered = true;
        }
    }

    /// The dead-letter queue holds the record from this place, which cannot be read.
    pub(crate) fn dead_lettered_unreadable(&mut self, place: Place) {
        if let Some(found) = self.unreadable.get_mut(&place) {
            *found = Found::DeadLettered;
        }
    }

    /// The record of a delivery, written at `at`, is before its connector.
    pub(crate) fn at_connector(&mut self, delivery: &DeliveryRef, at: Timestamp) {
        if let Some(leg) = self.leg(delivery) {
            let again = match leg.standing {
                Standing::Open => true,
                // Given up, and put before the connector again afterwards.
                Standing::Failed { at: failed, .. } => failed < at,
                Standing::Delivered | Standing::AtConnector | Standing::AtStatus => false,
            };
            if again {
                leg.standing = Standing::AtConnector;
            }
        }
    }

    /// A status of a delivery is before a router.
    pub(crate) fn at_status(&mut self, delivery: &DeliveryRef) {
        if let Some(leg) = self.leg(delivery)
            && leg.standing == Standing::Open
        {
            leg.standing = Standing::AtStatus;
        }
    }

    /// What its connector wrote down about a delivery, at most so long ago that it may still tell of it.
    pub(crate) fn noted(&mut self, delivery: &DeliveryRef, entry: &LedgerEntry, now: Timestamp) {
        let (since, patience) = match entry.attempt {
            Attempt::Attempting { since } => (since, LONGEST_HOLD + TELLING),
            Attempt::Ended { at, .. } => (at, TELLING),
        };
        if let Some(leg) = self.leg(delivery)
            && leg.standing == Standing::Open
            && now.duration_since(since) <= patience
        {
            leg.standing = Standing::AtConnector;
        }
    }

    fn leg(&mut self, delivery: &DeliveryRef) -> Option<&mut Leg> {
        let entry = self.open.get_mut(&delivery.message_id)?;
        entry.deliveries.as_mut()?.iter_mut().find(|leg| leg.id == delivery.delivery_id)
    }

    /// The connectors before which unsettled deliveries may be.
    pub(crate) fn connectors(&self) -> HashSet<String> {
        let legs = self.open.values().filter_map(|entry| entry.deliveries.as_ref()).flatten();
        let unsettled = legs.filter(|leg| leg.standing != Standing::Delivered && leg.connector != LOCAL);
        unsettled.map(|leg| leg.connector.clone()).collect()
    }

    /// The messages that are found nowhere so far: they may have been settled meanwhile.
    pub(crate) fn missing(&self) -> Vec<(ConversationId, MessageId)> {
        let missing = self.open.iter().filter(|(_, entry)| matches!(entry.stand(), Stand::Nowhere(..)));
        missing.map(|(id, entry)| (entry.conversation_id.clone(), *id)).collect()
    }

    /// The deliveries that are found nowhere so far.
    pub(crate) fn missing_deliveries(&self) -> Vec<DeliveryRef> {
        let entries = self.open.iter().filter(|(_, entry)| entry.routed);
        let legs = entries.flat_map(|(id, entry)| entry.deliveries.iter().flatten().map(move |leg| (id, entry, leg)));
        let open = legs.filter(|(_, _, leg)| leg.standing == Standing::Open && leg.connector != LOCAL);
        open.map(|(id, entry, leg)| DeliveryRef {
            conversation_id: entry.conversation_id.clone(),
            message_id: *id,
            delivery_id: leg.id,
        })
        .collect()
    }

    /// Closes the book: the counts, where messages wait, and at most `listed` of those found nowhere.
    pub(crate) fn close(self, listed: usize) -> (Tally, Tally, Waiting, Vec<Unaccounted>) {
        let mut messages = Tally::default();
        let mut deliveries = Tally::default();
        let mut waiting = Waiting::default();
        let mut unaccounted = Vec::new();
        let Count { messages: whole, deliveries: legs } = self.delivered;
        (messages.accepted, messages.delivered) = (whole, whole);
        (deliveries.accepted, deliveries.delivered) = (legs, legs);
        for (id, entry) in &self.open {
            let stand = entry.stand();
            messages.add(&stand);
            entry.stands().for_each(|stand| deliveries.add(&stand));
            waiting.add(&stand);
            if let Stand::Nowhere(delivery, why) = stand {
                unaccounted.push(Unaccounted {
                    message_id: Some(*id),
                    conversation_id: Some(entry.conversation_id.to_string()),
                    delivery_id: delivery.map(DeliveryId::as_uuid),
                    partition: entry.place.partition,
                    offset: entry.place.offset,
                    why,
                });
            }
        }
        for (place, found) in &self.unreadable {
            let stand = match found {
                Found::Nowhere => Stand::Nowhere(None, NOT_DEAD_LETTERED.to_owned()),
                Found::Router => Stand::Router,
                Found::DeadLettered => Stand::DeadLettered,
            };
            messages.add(&stand);
            waiting.add(&stand);
            if let Stand::Nowhere(_, why) = stand {
                let Place { partition, offset } = *place;
                let nothing = (None, None, None);
                let (message_id, conversation_id, delivery_id) = nothing;
                unaccounted.push(Unaccounted { message_id, conversation_id, delivery_id, partition, offset, why });
            }
        }
        unaccounted.sort_by_key(|lost| (lost.partition, lost.offset));
        unaccounted.truncate(listed);
        (messages, deliveries, waiting, unaccounted)
    }
}

const NOT_DEAD_LETTERED: &str =
    "the routers are past its record, which cannot be read and is not in the dead-letter queue";
const NOT_STORED: &str = "the routers are past its record, and it is neither stored nor in the dead-letter queue";
const NOT_NOTED: &str = "the routers are past its record, and its delivery to a user of this deployment is not noted";

impl Entry {
    /// Its place is that of its least settled delivery.
    fn stand(&self) -> Stand {
        match &self.deliveries {
            Some(legs) if !legs.is_empty() => self.stands().min().unwrap_or(Stand::Delivered),
            // What is stored for nobody else is delivered to those who read the conversation.
            Some(_) if self.routed => Stand::Delivered,
            Some(_) => Stand::Router,
            None if !self.routed => Stand::Router,
            None if self.dead_lettered => Stand::DeadLettered,
            None => Stand::Nowhere(None, NOT_STORED.to_owned()),
        }
    }

    fn stands(&self) -> impl Iterator<Item = Stand> {
        self.deliveries.iter().flatten().map(|leg| leg.stand(self.routed))
    }
}

impl Leg {
    /// What the store has of it, with what was found out about it before.
    fn of(stored: StoredDelivery, before: &[Leg]) -> Self {
        let standing = match (stored.times.status(), stored.times.failed_at) {
            (Status::Sent | Status::Delivered | Status::Read, _) => Standing::Delivered,
            (Status::Failed, Some(at)) => Standing::Failed { at, dead_lettered: stored.dead_lettered_at.is_some() },
            (Status::Failed | Status::Accepted, _) => Standing::Open,
        };
        let before = before.iter().find(|leg| leg.id == stored.delivery_id).map(|leg| leg.standing);
        let standing = if standing == Standing::Open { before.unwrap_or(standing) } else { standing };
        Self { id: stored.delivery_id, connector: stored.connector, standing }
    }

    fn stand(&self, routed: bool) -> Stand {
        match self.standing {
            Standing::Delivered => Stand::Delivered,
            Standing::Failed { dead_lettered: true, .. } => Stand::DeadLettered,
            Standing::Failed { dead_lettered: false, .. } => Stand::Failed,
            Standing::AtConnector => Stand::Connector(self.connector.clone()),
            Standing::AtStatus => Stand::Status,
            Standing::Open if !routed => Stand::Router,
            Standing::Open if self.connector == LOCAL => Stand::Nowhere(Some(self.id), NOT_NOTED.to_owned()),
            Standing::Open => {
                let connector = &self.connector;
                let why = format!(
                    "its record is not before connector {connector}, and no status of it is there or on the way"
                );
                Stand::Nowhere(Some(self.id), why)
            }
        }
    }
}

impl Tally {
    fn add(&mut self, stand: &Stand) {
        self.accepted += 1;
        *match stand {
            Stand::Nowhere(..) => &mut self.unaccounted,
            Stand::Router | Stand::Connector(_) | Stand::Status => &mut self.in_flight,
            Stand::DeadLettered => &mut self.dead_lettered,
            Stand::Failed => &mut self.failed,
            Stand::Delivered => &mut self.delivered,
        } += 1;
    }
}

impl Waiting {
    fn add(&mut self, stand: &Stand) {
        match stand {
            Stand::Router => self.router += 1,
            Stand::Status => self.status += 1,
            Stand::Connector(name) => *self.connectors.entry(name.clone()).or_default() += 1,
            Stand::Nowhere(..) | Stand::DeadLettered | Stand::Failed | Stand::Delivered => {}
        }
    }
}

#[cfg(test)]
mod tests;
