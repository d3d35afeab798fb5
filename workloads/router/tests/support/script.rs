//! A store in memory that does as it is told: stops for ever at some call, as a crash there would,
//! or is away for a while.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat4all_message::{
    AcceptedMessage, Address, ConversationId, Delivery, DeliveryEvent, DeliveryId, DeliveryRef, LetterId, MessageId,
    ProviderRef,
};
use chat4all_store::{
    Claim, Closing, Conversations, DeadLetter, DeadLetters, Deed, Error, HeldStatus, IdempotencyKeys, InboundPlace,
    Inbox, Ledger, LedgerEntry, LetterBody, LetterCursor, LetterFilter, LetterPage, Memory, Page, PageRequest, People,
    Person, Place, RequestKey, Result, Statuses, Store, StoredDelivery, StoredLetter, Unread, Waiting, WaitingDelivery,
};
use jiff::Timestamp;
use tokio::sync::watch;

use super::PATIENCE;

/// What happens to calls, numbered from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Each does its work.
    Play,
    /// Each does its work after a while, so that much is in flight.
    Slow(Duration),
    /// This one never begins.
    StopBefore(usize),
    /// This one does its work and never returns.
    StopAfter(usize),
    /// Each fails.
    Away,
    /// Each panics.
    Panic,
}

/// A store that follows a script.
pub struct Scripted {
    pub memory: Arc<Memory>,
    script: Mutex<Script>,
    calls: AtomicUsize,
    stopped: watch::Sender<bool>,
}

impl Scripted {
    pub fn new(memory: Arc<Memory>, script: Script) -> Arc<Self> {
        Arc::new(Self {
            memory,
            script: Mutex::new(script),
            calls: AtomicUsize::new(0),
            stopped: watch::channel(false).0,
        })
    }

    /// From now on.
    pub fn follow(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    /// How many calls came so far.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Waits until the call came at which it stops.
    pub async fn stopped(&self) {
        let mut stopped = self.stopped.subscribe();
        tokio::time::timeout(PATIENCE, stopped.wait_for(|stopped| *stopped))
            .await
            .unwrap_or_else(|_| panic!("no call came at which to stop; {} came", self.calls()))
            .unwrap();
    }

    async fn around<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let script = *self.script.lock().unwrap();
        match script {
            Script::StopBefore(at) if at == number => self.stop().await,
            Script::Away => return Err(Error { action: format!("serve call {number}"), source: "away".into() }),
            Script::Panic => panic!("a planted fault"),
            Script::Slow(pause) => tokio::time::sleep(pause).await,
            _ => {}
        }
        let result = call.await;
        if script == Script::StopAfter(number) {
            self.stop().await;
        }
        result
    }

    async fn stop(&self) {
        self.stopped.send_replace(true);
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl Conversations for Scripted {
    async fn members(&self, conversation: &ConversationId) -> Result<BTreeSet<Address>> {
        self.around(self.memory.members(conversation)).await
    }

    async fn add_members(&self, conversation: &ConversationId, members: &[Address]) -> Result<()> {
        self.around(self.memory.add_members(conversation, members)).await
    }

    async fn put_message(&self, message: &AcceptedMessage, deliveries: &[Delivery]) -> Result<()> {
        self.around(self.memory.put_message(message, deliveries)).await
    }

    async fn deliveries(
        &self,
        conversation: &ConversationId,
        message: MessageId,
    ) -> Result<Option<Vec<StoredDelivery>>> {
        self.around(self.memory.deliveries(conversation, message)).await
    }

    async fn page(&self, conversation: &ConversationId, request: &PageRequest) -> Result<Page> {
        self.around(self.memory.page(conversation, request)).await
    }
}

#[async_trait]
impl Statuses for Scripted {
    async fn apply(&self, delivery: &DeliveryRef, event: &DeliveryEvent, at: Timestamp) -> Result<()> {
        self.around(self.memory.apply(delivery, event, at)).await
    }

    async fn reopen(&self, delivery: &DeliveryRef, failure: Timestamp) -> Result<()> {
        self.around(self.memory.reopen(delivery, failure)).await
    }

    async fn link(&self, provider: &ProviderRef, delivery: &DeliveryRef) -> Result<()> {
        self.around(self.memory.link(provider, delivery)).await
    }

    async fn linked(&self, provider: &ProviderRef) -> Result<Option<DeliveryRef>> {
        self.around(self.memory.linked(provider)).await
    }

    async fn hold(&self, provider: &ProviderRef, status: &HeldStatus) -> Result<()> {
        self.around(self.memory.hold(provider, status)).await
    }

    async fn held(&self, provider: &ProviderRef) -> Result<Vec<HeldStatus>> {
        self.around(self.memory.held(provider)).await
    }

    async fn release(&self, provider: &ProviderRef) -> Result<()> {
        self.around(self.memory.release(provider)).await
    }
}

#[async_trait]
impl Ledger for Scripted {
    async fn entry(&self, delivery: DeliveryId) -> Result<Option<LedgerEntry>> {
        self.around(self.memory.entry(delivery)).await
    }

    async fn record(&self, delivery: &DeliveryRef, entry: &LedgerEntry) -> Result<()> {
        self.around(self.memory.record(delivery, entry)).await
    }

    async fn delivery(&self, delivery: DeliveryId) -> Result<Option<DeliveryRef>> {
        self.around(self.memory.delivery(delivery)).await
    }

    async fn taken(&self, delivery: DeliveryId, provider_id: &str, at: Timestamp) -> Result<()> {
        self.around(self.memory.taken(delivery, provider_id, at)).await
    }
}

#[async_trait]
impl People for Scripted {
    async fn person(&self, address: &Address) -> Result<Person> {
        self.around(self.memory.person(address)).await
    }

    async fn same_person(&self, alias: &Address, of: &Address) -> Result<()> {
        self.around(self.memory.same_person(alias, of)).await
    }

    async fn met(&self, address: &Address, conversation: &ConversationId, at: Timestamp) -> Result<()> {
        self.around(self.memory.met(address, conversation, at)).await
    }

    async fn wrote_from(&self, address: &Address, at: Timestamp) -> Result<()> {
        self.around(self.memory.wrote_from(address, at)).await
    }

    async fn place(&self, connector: &str, event_id: &str, place: &Place) -> Result<Place> {
        self.around(self.memory.place(connector, event_id, place)).await
    }
}

#[async_trait]
impl Unread for Scripted {
    async fn sent_to(
        &self,
        connector: &str,
        recipient: &Address,
        sent_at: Timestamp,
        delivery: &DeliveryRef,
    ) -> Result<Option<Timestamp>> {
        self.around(self.memory.sent_to(connector, recipient, sent_at, delivery)).await
    }

    async fn read_until(&self, connector: &str, recipient: &Address, until: Timestamp) -> Result<Vec<DeliveryRef>> {
        self.around(self.memory.read_until(connector, recipient, until)).await
    }

    async fn forget_read(&self, connector: &str, recipient: &Address, until: Timestamp) -> Result<()> {
        self.around(self.memory.forget_read(connector, recipient, until)).await
    }
}

/// Looking for what is overdue goes by the clock and not by the script.
#[async_trait]
impl Waiting for Scripted {
    async fn wait(&self, connector: &str, delivery: &WaitingDelivery) -> Result<()> {
        self.around(self.memory.wait(connector, delivery)).await
    }

    async fn overdue(&self, connector: &str, now: Timestamp, most: u32) -> Result<Vec<WaitingDelivery>> {
        self.memory.overdue(connector, now, most).await
    }

    async fn take(&self, connector: &str, delivery: &WaitingDelivery) -> Result<bool> {
        self.around(self.memory.take(connector, delivery)).await
    }

    async fn ended(&self, connector: &str, delivery: &WaitingDelivery) -> Result<()> {
        self.around(self.memory.ended(connector, delivery)).await
    }
}

#[async_trait]
impl IdempotencyKeys for Scripted {
    async fn claim(&self, key: &RequestKey, claim: &Claim) -> Result<Option<Claim>> {
        self.around(self.memory.claim(key, claim)).await
    }

    async fn settle(&self, key: &RequestKey, claim: &Claim) -> Result<bool> {
        self.around(self.memory.settle(key, claim)).await
    }

    async fn give_up(&self, key: &RequestKey, claim: &Claim) -> Result<()> {
        self.around(self.memory.give_up(key, claim)).await
    }

    async fn withdraw(&self, key: &RequestKey, claim: &Claim) -> Result<()> {
        self.around(self.memory.withdraw(key, claim)).await
    }
}

#[async_trait]
impl Inbox for Scripted {
    async fn inbound(&self, id: MessageId) -> Result<Option<InboundPlace>> {
        self.around(self.memory.inbound(id)).await
    }
}

#[async_trait]
impl DeadLetters for Scripted {
    async fn given_up_at(&self, letter: LetterId) -> Result<Option<Timestamp>> {
        self.around(self.memory.given_up_at(letter)).await
    }

    async fn put_letter(&self, letter: &DeadLetter, body: &LetterBody) -> Result<()> {
        self.around(self.memory.put_letter(letter, body)).await
    }

    async fn letter(&self, letter: LetterId) -> Result<Option<(StoredLetter, LetterBody)>> {
        self.around(self.memory.letter(letter)).await
    }

    async fn letters(&self, filter: &LetterFilter, before: Option<LetterCursor>, limit: usize) -> Result<LetterPage> {
        self.around(self.memory.letters(filter, before, limit)).await
    }

    async fn close_letter(&self, letter: LetterCursor, closing: &Closing) -> Result<bool> {
        self.around(self.memory.close_letter(letter, closing)).await
    }

    async fn note_deed(&self, letter: LetterId, deed: &Deed) -> Result<()> {
        self.around(self.memory.note_deed(letter, deed)).await
    }

    async fn deeds(&self, letter: LetterId) -> Result<Vec<Deed>> {
        self.around(self.memory.deeds(letter)).await
    }
}

#[async_trait]
impl Store for Scripted {
    async fn ping(&self) -> Result<()> {
        self.around(self.memory.ping()).await
    }
}
