//! The store of `chat4all dev` and of fast tests: the same semantics as Cassandra, in this
//! process, gone with it. Knows no disk and no network.

mod dead_letters;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chat4all_message::{
    AcceptedMessage, Address, ConversationId, Delivery, DeliveryEvent, DeliveryId, DeliveryRef, DeliveryTimes, Effort,
    MessageId, ProviderRef,
};
use jiff::Timestamp;

use crate::people::{Known, Trail, writer};
use crate::waiting::TAKEN_SECONDS;
use crate::{
    Claim, ClaimState, Conversations, Cursor, HELD, HeldStatus, IdempotencyKeys, InboundPlace, Inbox, Ledger,
    LedgerEntry, Page, PageRequest, People, Person, Place, REMEMBERED, RequestKey, Result, Statuses, Store,
    StoredDelivery, StoredMessage, Unread, Waiting, WaitingDelivery,
};

/// A store that forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    members: HashMap<ConversationId, BTreeSet<Address>>,
    messages: HashMap<ConversationId, BTreeMap<MessageId, AcceptedMessage>>,
    deliveries: HashMap<MessageId, BTreeMap<DeliveryId, Row>>,
    links: HashMap<ProviderRef, DeliveryRef>,
    held: HashMap<ProviderRef, Vec<Aging<HeldStatus>>>,
    ledger: HashMap<DeliveryId, (DeliveryRef, LedgerEntry)>,
    taken: HashMap<DeliveryId, Column<String>>,
    people: HashMap<Address, Known>,
    places: HashMap<(String, String), Place>,
    unread: HashMap<(String, Address), Unheard>,
    waiting: BTreeMap<(String, Timestamp, DeliveryId), (String, Option<Instant>)>,
    inbound: HashMap<MessageId, InboundPlace>,
    claims: HashMap<RequestKey, Aging<Claim>>,
    letters: dead_letters::Letters,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many deliveries wait for a status.
    pub fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// Lets waiting deliveries be taken again at once, as if a minute had passed.
    pub fn release_waiting(&self) {
        self.state().waiting.values_mut().for_each(|(_, taken)| *taken = None);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete before a lock is let go, so a panic elsewhere spoils nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value with the moment it was written, for what is forgotten after a while.
#[derive(Debug)]
struct Aging<T> {
    value: T,
    written: Instant,
}

impl<T> Aging<T> {
    fn new(value: T) -> Self {
        Self { value, written: Instant::now() }
    }

    fn is_younger_than(&self, age: Duration) -> bool {
        self.written.elapsed() < age
    }
}

/// One column: of two values the one that happened later stands, of two at once the greater.
#[derive(Debug)]
struct Column<T>(Option<(Timestamp, T)>);

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Ord + Clone> Column<T> {
    fn write(&mut self, at: Timestamp, value: Option<T>) {
        if let Some(value) = value {
            let candidate = Some((at, value));
            if candidate > self.0 {
                self.0 = candidate;
            }
        }
    }

    fn get(&self) -> Option<T> {
        self.0.as_ref().map(|(_, value)| value.clone())
    }
}

#[derive(Debug, Default)]
struct Row {
    carried: Option<(Address, String)>,
    sent_at: Column<Timestamp>,
    delivered_at: Column<Timestamp>,
    read_at: Column<Timestamp>,
    failed_at: Column<Timestamp>,
    reopened_at: Column<Timestamp>,
    code: Column<String>,
    reason: Column<String>,
    dead_lettered_at: Column<Timestamp>,
    provider_id: Column<String>,
    attempts: Column<u32>,
    unknown_outcomes: Column<u32>,
}

impl Row {
    fn apply(&mut self, event: &DeliveryEvent, at: Timestamp) {
        match event {
            DeliveryEvent::Sent { provider_id, effort } => {
                self.sent_at.write(at, Some(at));
                self.provider_id.write(at, provider_id.clone());
                self.write_effort(at, *effort);
            }
            DeliveryEvent::Delivered => self.delivered_at.write(at, Some(at)),
            DeliveryEvent::Read => self.read_at.write(at, Some(at)),
            DeliveryEvent::Failed { code, reason, effort, dead_lettered_at } => {
                self.failed_at.write(at, Some(at));
                self.code.write(at, Some(code.clone()));
                self.reason.write(at, Some(reason.clone()));
                self.dead_lettered_at.write(at, dead_lettered_at.map(to_millis));
                self.write_effort(at, *effort);
            }
        }
    }

    fn write_effort(&mut self, at: Timestamp, effort: Option<Effort>) {
        self.attempts.write(at, effort.map(|e| e.attempts));
        self.unknown_outcomes.write(at, effort.map(|e| e.unknown_outcomes));
    }

    fn stored(&self, delivery_id: DeliveryId) -> Option<StoredDelivery> {
        let (recipient, connector) = self.carried.clone()?;
        Some(StoredDelivery {
            delivery_id,
            recipient,
            connector,
            times: DeliveryTimes {
                sent_at: self.sent_at.get(),
                delivered_at: self.delivered_at.get(),
                read_at: self.read_at.get(),
                failed_at: self.failed_at.get(),
                reopened_at: self.reopened_at.get(),
            },
            code: self.code.get(),
            reason: self.reason.get(),
            dead_lettered_at: self.dead_lettered_at.get(),
            provider_id: self.provider_id.get(),
            effort: Effort {
                attempts: self.attempts.get().unwrap_or_default(),
                unknown_outcomes: self.unknown_outcomes.get().unwrap_or_default(),
            },
        })
    }
}

/// The resolution that a real store keeps.
fn to_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

#[async_trait]
impl Conversations for Memory {
    async fn members(&self, conversation: &ConversationId) -> Result<BTreeSet<Address>> {
        Ok(self.state().members.get(conversation).cloned().unwrap_or_default())
    }

    async fn add_members(&self, conversation: &ConversationId, members: &[Address]) -> Result<()> {
        self.state().members.entry(conversation.clone()).or_default().extend(members.iter().cloned());
        Ok(())
    }

    async fn put_message(&self, message: &AcceptedMessage, deliveries: &[Delivery]) -> Result<()> {
        let mut state = self.state();
        state.messages.entry(message.conversation_id.clone()).or_default().insert(message.message_id, message.clone());
        if let Some(place) = InboundPlace::of(message) {
            state.inbound.insert(message.message_id, place);
        }
        let rows = state.deliveries.entry(message.message_id).or_default();
        for delivery in deliveries {
            rows.entry(delivery.reference.delivery_id).or_default().carried =
                Some((delivery.recipient.clone(), delivery.connector.clone()));
        }
        if let Some(address) = writer(message) {
            state.met(address, &message.conversation_id, message.accepted_at());
        }
        Ok(())
    }

    async fn deliveries(
        &self,
        conversation: &ConversationId,
        message: MessageId,
    ) -> Result<Option<Vec<StoredDelivery>>> {
        let state = self.state();
        if !state.messages.get(conversation).is_some_and(|messages| messages.contains_key(&message)) {
            return Ok(None);
        }
        let rows = state.deliveries.get(&message).into_iter().flatten();
        Ok(Some(rows.filter_map(|(id, row)| row.stored(*id)).collect()))
    }

    async fn page(&self, conversation: &ConversationId, request: &PageRequest) -> Result<Page> {
        let state = self.state();
        let limit = request.limit as usize;
        let end = request.before.map_or(Bound::Unbounded, |cursor| Bound::Excluded(cursor.message_id));
        let mut messages: Vec<StoredMessage> = state
            .messages
            .get(conversation)
            .into_iter()
            .flat_map(|messages| messages.range((Bound::Unbounded, end)).rev())
            .skip(request.offset as usize)
            .take(limit.saturating_add(1))
            .map(|(id, message)| StoredMessage { message: message.clone(), deliveries: state.deliveries_of(*id) })
            .collect();
        let more = messages.len() > limit;
        messages.truncate(limit);
        let next = messages.last().filter(|_| more).map(|last| Cursor { message_id: last.message.message_id });
        Ok(Page { messages, next })
    }
}

impl State {
    fn met(&mut self, address: &Address, conversation: &ConversationId, at: Timestamp) {
        let known = self.people.entry(address.canonical()).or_default();
        let candidate = Some((at.as_microsecond(), conversation.clone()));
        known.conversation = known.conversation.take().max(candidate);
    }

    fn deliveries_of(&self, message: MessageId) -> Vec<StoredDelivery> {
        let rows = self.deliveries.get(&message).into_iter().flatten();
        rows.filter_map(|(id, row)| row.stored(*id)).collect()
    }
}

#[async_trait]
impl Statuses for Memory {
    async fn apply(&self, delivery: &DeliveryRef, event: &DeliveryEvent, at: Timestamp) -> Result<()> {
        let mut state = self.state();
        let rows = state.deliveries.entry(delivery.message_id).or_default();
        rows.entry(delivery.delivery_id).or_default().apply(event, to_millis(at));
        Ok(())
    }

    async fn reopen(&self, delivery: &DeliveryRef, failure: Timestamp) -> Result<()> {
        let failure = to_millis(failure);
        let mut state = self.state();
        let rows = state.deliveries.entry(delivery.message_id).or_default();
        rows.entry(delivery.delivery_id).or_default().reopened_at.write(failure, Some(failure));
        Ok(())
    }

    async fn link(&self, provider: &ProviderRef, delivery: &DeliveryRef) -> Result<()> {
        self.state().links.insert(provider.clone(), delivery.clone());
        Ok(())
    }

    async fn linked(&self, provider: &ProviderRef) -> Result<Option<DeliveryRef>> {
        Ok(self.state().links.get(provider).cloned())
    }

    async fn hold(&self, provider: &ProviderRef, status: &HeldStatus) -> Result<()> {
        let status = HeldStatus { at: to_millis(status.at), event: status.event.clone() };
        let mut state = self.state();
        let held = state.held.entry(provider.clone()).or_default();
        held.retain(|other| other.value != status);
        held.push(Aging::new(status));
        Ok(())
    }

    async fn held(&self, provider: &ProviderRef) -> Result<Vec<HeldStatus>> {
        let state = self.state();
        let held = state.held.get(provider).into_iter().flatten();
        Ok(held.filter(|status| status.is_younger_than(HELD)).map(|status| status.value.clone()).collect())
    }

    async fn release(&self, provider: &ProviderRef) -> Result<()> {
        self.state().held.remove(provider);
        Ok(())
    }
}

#[async_trait]
impl Inbox for Memory {
    async fn inbound(&self, id: MessageId) -> Result<Option<InboundPlace>> {
        Ok(self.state().inbound.get(&id).cloned())
    }
}

#[async_trait]
impl Ledger for Memory {
    async fn entry(&self, delivery: DeliveryId) -> Result<Option<LedgerEntry>> {
        let state = self.state();
        let proof = state.taken.get(&delivery).and_then(|column| column.0.clone());
        Ok(state.ledger.get(&delivery).map(|(_, entry)| entry.clone().with_proof(proof)))
    }

    async fn record(&self, delivery: &DeliveryRef, entry: &LedgerEntry) -> Result<()> {
        self.state().ledger.insert(delivery.delivery_id, (delivery.clone(), entry.clone()));
        Ok(())
    }

    async fn delivery(&self, delivery: DeliveryId) -> Result<Option<DeliveryRef>> {
        Ok(self.state().ledger.get(&delivery).map(|(reference, _)| reference.clone()))
    }

    async fn taken(&self, delivery: DeliveryId, provider_id: &str, at: Timestamp) -> Result<()> {
        self.state().taken.entry(delivery).or_default().write(to_millis(at), Some(provider_id.to_owned()));
        Ok(())
    }
}

#[async_trait]
impl People for Memory {
    async fn person(&self, address: &Address) -> Result<Person> {
        let mut trail = Trail::from(address);
        while let Some(at) = trail.next() {
            trail.learn(self.state().people.get(&at).cloned().unwrap_or_default());
        }
        Ok(trail.person())
    }

    async fn same_person(&self, alias: &Address, of: &Address) -> Result<()> {
        let (alias, person) = (alias.canonical(), self.person(of).await?.address);
        if alias != person {
            self.state().people.entry(alias).or_default().same_as = Some(person);
        }
        Ok(())
    }

    async fn met(&self, address: &Address, conversation: &ConversationId, at: Timestamp) -> Result<()> {
        self.state().met(address, conversation, at);
        Ok(())
    }

    async fn wrote_from(&self, address: &Address, at: Timestamp) -> Result<()> {
        let person = self.person(address).await?.address;
        let mut state = self.state();
        let known = state.people.entry(person).or_default();
        known.answers_to = known.answers_to.take().max(Some((at.as_microsecond(), address.clone())));
        Ok(())
    }

    async fn place(&self, connector: &str, event_id: &str, place: &Place) -> Result<Place> {
        let event = (connector.to_owned(), event_id.to_owned());
        Ok(self.state().places.entry(event).or_insert_with(|| place.clone()).clone())
    }
}

/// What somebody has not read, and up to when they have read everything.
#[derive(Debug, Default)]
struct Unheard {
    read_until: Option<Timestamp>,
    sent: BTreeMap<(Timestamp, DeliveryId), DeliveryRef>,
}

#[async_trait]
impl Unread for Memory {
    async fn sent_to(
        &self,
        connector: &str,
        recipient: &Address,
        sent_at: Timestamp,
        delivery: &DeliveryRef,
    ) -> Result<Option<Timestamp>> {
        let mut state = self.state();
        let theirs = state.unread.entry((connector.to_owned(), recipient.clone())).or_default();
        theirs.sent.insert((to_millis(sent_at), delivery.delivery_id), delivery.clone());
        Ok(theirs.read_until)
    }

    async fn read_until(&self, connector: &str, recipient: &Address, until: Timestamp) -> Result<Vec<DeliveryRef>> {
        let until = to_millis(until);
        let mut state = self.state();
        let theirs = state.unread.entry((connector.to_owned(), recipient.clone())).or_default();
        theirs.read_until = theirs.read_until.max(Some(until));
        Ok(theirs.sent.iter().filter(|((at, _), _)| *at <= until).map(|(_, delivery)| delivery.clone()).collect())
    }

    async fn forget_read(&self, connector: &str, recipient: &Address, until: Timestamp) -> Result<()> {
        let until = to_millis(until);
        let mut state = self.state();
        let theirs = state.unread.entry((connector.to_owned(), recipient.clone())).or_default();
        theirs.sent.retain(|(at, _), _| *at > until);
        Ok(())
    }
}

#[async_trait]
impl Waiting for Memory {
    async fn wait(&self, connector: &str, delivery: &WaitingDelivery) -> Result<()> {
        let mut state = self.state();
        let row = state.waiting.entry(waiting_key(connector, delivery)).or_insert_with(|| (String::new(), None));
        row.0.clone_from(&delivery.record);
        Ok(())
    }

    async fn overdue(&self, connector: &str, now: Timestamp, most: u32) -> Result<Vec<WaitingDelivery>> {
        let state = self.state();
        let overdue = state.waiting.iter().filter(|((of, due, _), _)| of == connector && *due < now);
        let row = |((_, due, delivery_id), (record, _)): (&(String, Timestamp, DeliveryId), &(String, _))| {
            WaitingDelivery { due: *due, delivery_id: *delivery_id, record: record.clone() }
        };
        Ok(overdue.map(row).take(most as usize).collect())
    }

    async fn take(&self, connector: &str, delivery: &WaitingDelivery) -> Result<bool> {
        let mut state = self.state();
        let Some((_, taken)) = state.waiting.get_mut(&waiting_key(connector, delivery)) else { return Ok(false) };
        let free = taken.is_none_or(|at| at.elapsed() >= Duration::from_secs(TAKEN_SECONDS.into()));
        if free {
            *taken = Some(Instant::now());
        }
        Ok(free)
    }

    async fn ended(&self, connector: &str, delivery: &WaitingDelivery) -> Result<()> {
        self.state().waiting.remove(&waiting_key(connector, delivery));
        Ok(())
    }
}

fn waiting_key(connector: &str, delivery: &WaitingDelivery) -> (String, Timestamp, DeliveryId) {
    (connector.to_owned(), to_millis(delivery.due), delivery.delivery_id)
}

/// Whether what stands is this claim, with nobody but its maker at it.
fn is_at_work(standing: &Claim, claim: &Claim) -> bool {
    *standing == Claim { since: to_millis(claim.since), state: ClaimState::InFlight, ..claim.clone() }
}

#[async_trait]
impl IdempotencyKeys for Memory {
    async fn claim(&self, key: &RequestKey, claim: &Claim) -> Result<Option<Claim>> {
        let claim = Claim { since: to_millis(claim.since), ..claim.clone() };
        let mut state = self.state();
        let standing = state.claims.get(key).filter(|c| c.is_younger_than(REMEMBERED)).map(|c| c.value.clone());
        match standing {
            Some(standing) if standing != claim => Ok(Some(standing)),
            _ => {
                state.claims.insert(key.clone(), Aging::new(claim));
                Ok(None)
            }
        }
    }

    async fn settle(&self, key: &RequestKey, claim: &Claim) -> Result<bool> {
        let claim = Claim { since: to_millis(claim.since), ..claim.clone() };
        let mut state = self.state();
        let standing = state
            .claims
            .get_mut(key)
            .filter(|standing| standing.is_younger_than(REMEMBERED) && standing.value.message_id == claim.message_id);
        let Some(standing) = standing else { return Ok(false) };
        *standing = Aging::new(claim);
        Ok(true)
    }

    async fn give_up(&self, key: &RequestKey, claim: &Claim) -> Result<()> {
        if let Some(standing) = self.state().claims.get_mut(key)
            && is_at_work(&standing.value, claim)
        {
            *standing = Aging::new(Claim { state: ClaimState::Unknown, ..standing.value.clone() });
        }
        Ok(())
    }

    async fn withdraw(&self, key: &RequestKey, claim: &Claim) -> Result<()> {
        let mut state = self.state();
        if state.claims.get(key).is_some_and(|standing| is_at_work(&standing.value, claim)) {
            state.claims.remove(key);
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Memory {
    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}
