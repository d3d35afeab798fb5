//! Carries one delivery to its end: ledger, account, call, ledger, status. Whatever is killed in
//! between, the ledger tells the next owner where to go on.

use std::borrow::Cow;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::time::Duration;

use chat4all_channels::{Answer, Cause, Kind, Outgoing, Unsendable};
use chat4all_dead_letters::Desk;
use chat4all_kafka::{DeadLetter, Ended, Handler, Lease, Producer, Record, persevere};
use chat4all_message::{
    Address, Channel, Delivery, DeliveryEvent, DeliveryId, DeliveryRef, Effort, StatusUpdate, Subject,
};
use chat4all_store::{Attempt, LedgerEntry, Outcome, Store};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::Config;
use crate::account::{Account, Calls, Permit, Rest};
use crate::breaker::Health;
use crate::gone::Gone;
use crate::metrics::{Call as CallLabels, ConnectorMetrics, Labels};
use crate::moved::Moved;
use crate::pairs::Pairs;
use crate::parked::Parked;
use crate::policy::{OnUnknownOutcome, UNKNOWN_OUTCOME};
use crate::provider::Provider;
use crate::standing::Standing;
use crate::step::{self, Step};
use crate::verdict::{Call, Verdict, judge};

/// Handles the records of `<connector>-outbound`.
pub(crate) struct Deliverer {
    pub(crate) group: String,
    pub(crate) config: Config,
    pub(crate) provider: Provider,
    pub(crate) account: Arc<Account>,
    pub(crate) producer: Producer,
    pub(crate) desk: Desk,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: ConnectorMetrics,
    pub(crate) moved: Moved,
    pub(crate) gone: Gone,
    pub(crate) pairs: Pairs,
}

impl Handler for Deliverer {
    async fn handle(&self, record: Record, lease: Lease) -> Result<(), Ended> {
        match serde_json::from_slice::<Delivery>(&record.value) {
            Ok(delivery) => self.deliver(&record, &delivery, &lease).await,
            Err(error) => {
                let reason = format!("the record cannot be read: {error}");
                self.dead_letter(&record, "chat4all:unreadable", &reason, 0, &lease).await
            }
        }
    }
}

impl Deliverer {
    async fn deliver(&self, record: &Record, delivery: &Delivery, lease: &Lease) -> Result<(), Ended> {
        let id = delivery.reference.delivery_id;
        let (mut past, mut read_at) = (Past::default(), Instant::now());
        let (mut entry, delivery) = futures::try_join!(self.entry(id, lease), self.addressed(delivery, lease))?;
        let delivery = delivery.as_ref();
        loop {
            let replays = record.replays().max(entry.as_ref().map_or(0, |entry| entry.replays));
            match step::next(
                entry.as_ref(),
                record.replays(),
                self.on_unknown(delivery),
                self.config.retry.max_attempts,
            ) {
                Step::Call { at, effort } => {
                    if entry.as_ref().is_some_and(|e| effort.unknown_outcomes > e.effort.unknown_outcomes) {
                        self.count_unknown();
                    }
                    self.park(sleep_until(at), lease).await?;
                    let spent = Spent { replays, effort, known: entry.as_ref(), read_at };
                    entry = Some(self.attempt(delivery, spent, &mut past, lease).await?);
                    read_at = Instant::now();
                }
                Step::Wait { since, effort: _ } => {
                    self.count_unknown();
                    return self.let_wait(record, delivery, since, lease).await;
                }
                Step::GiveUp { effort } => {
                    self.count_unknown();
                    entry = Some(self.give_up_unknown(delivery, replays, effort).await);
                }
                // A mark is no message: nobody waits to hear what became of it, and one that came to
                // nothing is not worth a person's look.
                Step::TellSent { .. } if delivery.read_mark.is_some() => {
                    self.marked("marked");
                    return Ok(());
                }
                Step::TellFailed { code, reason, .. } if delivery.read_mark.is_some() => {
                    tracing::info!(connector = self.config.name, %id, code, reason, "a read mark was not taken");
                    self.marked("mark_failed");
                    return Ok(());
                }
                Step::TellSent { at, provider_id, effort } => {
                    self.await_reading(delivery, past.called.unwrap_or(at), lease).await?;
                    return self.tell_sent(delivery, at, provider_id, effort, lease).await;
                }
                Step::TellFailed { at, code, reason, effort } => {
                    return self.tell_failed(record, delivery, at, (code, reason), effort, lease).await;
                }
            }
        }
    }

    /// Writes down that the outcome stays unknown.
    pub(crate) async fn give_up_unknown(&self, delivery: &Delivery, replays: u32, effort: Effort) -> LedgerEntry {
        let reason = "the provider was called and nobody knows its answer; it may have taken the message";
        let outcome = Outcome::Failed { code: UNKNOWN_OUTCOME.into(), reason: reason.into() };
        self.write_down(delivery, replays, effort, outcome).await
    }

    /// Tells of a delivery that the provider took.
    pub(crate) async fn tell_sent(
        &self,
        delivery: &Delivery,
        at: Timestamp,
        provider_id: Option<String>,
        effort: Effort,
        lease: &Lease,
    ) -> Result<(), Ended> {
        self.meet(delivery, lease).await?;
        let event = DeliveryEvent::Sent { provider_id, effort: Some(effort) };
        self.tell(delivery, at, event, lease).await
    }

    /// Puts a delivery that was given up into the dead-letter queue and tells of it.
    pub(crate) async fn tell_failed(
        &self,
        record: &Record,
        delivery: &Delivery,
        at: Timestamp,
        (code, reason): (String, String),
        effort: Effort,
        lease: &Lease,
    ) -> Result<(), Ended> {
        if code == UNKNOWN_OUTCOME || effort.unknown_outcomes > 0 {
            self.meet(delivery, lease).await?;
        }
        self.dead_letter(record, &code, &reason, effort.attempts, lease).await?;
        let dead_lettered_at = Some(Timestamp::now());
        let event = DeliveryEvent::Failed { code, reason, effort: Some(effort), dead_lettered_at };
        self.tell(delivery, at, event, lease).await
    }

    /// Notes where its recipient was spoken with: what they write next belongs to this conversation. What they cannot
    /// have got says nothing of that.
    async fn meet(&self, delivery: &Delivery, lease: &Lease) -> Result<(), Ended> {
        let DeliveryRef { conversation_id, message_id, .. } = &delivery.reference;
        let met = || self.store.met(&delivery.recipient, conversation_id, message_id.created_at());
        lease.persist("note where somebody was spoken with", met).await
    }

    /// The delivery with the address that its recipient wrote from last: of the ways of writing a
    /// number, the provider knows that one for certain. Its ids stay what they are.
    async fn addressed<'d>(&self, delivery: &'d Delivery, lease: &Lease) -> Result<Cow<'d, Delivery>, Ended> {
        let recipient = &delivery.recipient;
        if recipient.channel() != Some(Channel::Whatsapp) {
            return Ok(Cow::Borrowed(delivery));
        }
        let person = lease.persist("read who the recipient is", || self.store.person(recipient)).await?;
        Ok(match person.answers_to.filter(|exact| exact != recipient && exact.channel() == recipient.channel()) {
            Some(recipient) => Cow::Owned(Delivery { recipient, ..delivery.clone() }),
            None => Cow::Borrowed(delivery),
        })
    }

    /// Keeps the addresses that an answer named beside the recipient's, where that is news.
    async fn learn(&self, recipient: &Address, aliases: &[Address], lease: &Lease) -> Result<(), Ended> {
        for alias in aliases.iter().filter(|alias| alias.canonical() != recipient.canonical()) {
            let who = async |of| lease.persist("read who somebody is", || self.store.person(of)).await;
            if who(alias).await?.address != who(recipient).await?.address {
                lease.persist("write an alias", || self.store.same_person(alias, recipient)).await?;
                tracing::info!(%recipient, %alias, "learned another address of a recipient");
            }
        }
        Ok(())
    }

    /// Lets a later mark of reading find this delivery, or an earlier one that came before it was noted.
    /// Counts from the call's beginning, since the provider's own instant of the message lies after it.
    async fn await_reading(&self, delivery: &Delivery, since: Timestamp, lease: &Lease) -> Result<(), Ended> {
        // Messenger alone tells up to when everything was read and names no message.
        if delivery.recipient.channel() != Some(Channel::Messenger) {
            return Ok(());
        }
        let (name, recipient, reference) = (&self.config.name, &delivery.recipient, &delivery.reference);
        let sent = || self.store.sent_to(name, recipient, since, reference);
        let mark = lease.persist("note an unread delivery", sent).await?;
        match mark.filter(|until| since <= *until) {
            Some(until) => {
                let subject = Subject::Delivery { delivery: reference.clone(), connector: name.clone() };
                let update = StatusUpdate { subject, at: until, event: DeliveryEvent::Read, correlation: None };
                produce_status(&self.producer, &self.config.topics.status_updates(), &update, lease).await
            }
            None => Ok(()),
        }
    }

    /// One call with its two ledger entries, and the upload of its file before it, if that is due.
    async fn attempt(
        &self,
        delivery: &Delivery,
        spent: Spent<'_>,
        past: &mut Past,
        lease: &Lease,
    ) -> Result<LedgerEntry, Ended> {
        let Spent { replays, effort: before, known, .. } = spent;
        let addressed = self.moved.follow(delivery);
        let last_refusal = known.and_then(step::last_refusal);
        let file = self.provider.with_its_file(&addressed, before.attempts, last_refusal, self.admit());
        let (prepared, upload) = lease.unless_ending(file).await?;
        let was_sent = prepared.is_ok();
        let (answer, permit, since) = match prepared {
            Ok(prepared) => {
                if let Some(upload) = upload {
                    upload.report(Health::Well, None);
                }
                match self.send(delivery, &prepared, &spent, lease).await? {
                    Sending::Called { answer, permit, since } => (answer, Some(permit), since),
                    Sending::Settled(entry) => return Ok(entry),
                }
            }
            // Nothing of the message was sent, so there is no attempt to write down before.
            Err(refusal) => (Answer::Refused(refusal), upload, Timestamp::now()),
        };
        let aliases = if let Answer::Accepted { aliases, .. } = &answer { aliases.clone() } else { Vec::new() };

        let why = match &answer {
            Answer::Refused(refusal) => Standing::of(refusal),
            Answer::Accepted { .. } | Answer::Moved { .. } => Standing::Good,
        };
        // While it fails for others, too, the provider may be at fault alone.
        let others_are_well = past.well_at_failure.is_some_and(|then| self.account.well() > then);
        let call = Call {
            before,
            recipient_refusals: past.recipient_refusals,
            retry: &self.config.retry,
            on_unknown: self.on_unknown(delivery),
            can_upload: self.provider.can_upload(delivery),
            now: Timestamp::now(),
            jitter: rand::random(),
            was_sent,
            excused: permit.as_ref().is_some_and(Permit::is_trial) && !others_are_well,
        };
        let Verdict { outcome, effort, health, pause, recipient_throttled } = judge(answer, &call);
        if health.is_failure() {
            past.well_at_failure = Some(self.account.well());
        }
        past.recipient_refusals = if recipient_throttled { past.recipient_refusals + 1 } else { 0 };
        if recipient_throttled {
            self.pairs.refused(&addressed.recipient, Instant::now());
        }
        let health = if self.provider.channel.each_recipient_is_a_server() { Health::NoSign } else { health };
        if let Some(permit) = permit {
            permit.report(health, pause.map(|wait| Rest { wait, why }));
        }
        if effort.unknown_outcomes > before.unknown_outcomes {
            self.count_unknown();
        }
        let Some(outcome) = outcome else { return Ok(spent.begun(since)) };
        let sent = matches!(outcome, Outcome::Sent { .. });
        let written = self.write_down(delivery, replays, effort, outcome).await;
        if sent {
            self.learn(&addressed.recipient, &aliases, lease).await?;
            past.called = Some(since);
        }
        Ok(written)
    }

    /// Waits for its turn and makes the call.
    async fn send(
        &self,
        delivery: &Delivery,
        prepared: &Delivery,
        spent: &Spent<'_>,
        lease: &Lease,
    ) -> Result<Sending<'_>, Ended> {
        // A mark is no message to the recipient.
        let paced = delivery.read_mark.is_none().then_some(&prepared.recipient);
        while let Some(until) = paced.and_then(|recipient| self.pairs.wait(recipient, Instant::now())) {
            self.park(tokio::time::sleep_until(until), lease).await?;
        }
        let turn = lease.unless_ending(self.account.turn(Calls::of(delivery))).await?;
        // Closed never: the semaphore lives as long as the provider.
        let slot = lease.unless_ending(self.provider.calls.acquire()).await?;
        let permit = lease.unless_ending(self.account.admit(turn)).await?;
        // However long all of this waited: a status may have told by now that an earlier call arrived, and
        // while this process stood still the partition may have got another owner.
        if (spent.effort.unknown_outcomes > 0 || spent.read_at.elapsed() > STALE)
            && let Some(newer) = self.entry(delivery.reference.delivery_id, lease).await?
            && spent.known.map(progress) != Some(progress(&newer))
        {
            drop((permit, slot));
            return self.catch_up(delivery, newer, lease).await.map(Sending::Settled);
        }
        // Made when its turn has come: a signature holds the time.
        let request = match self.request(prepared) {
            Ok(request) => request,
            Err(outcome) => {
                let written = self.write_down(delivery, spent.replays, spent.effort, outcome).await;
                return Ok(Sending::Settled(written));
            }
        };
        let since = Timestamp::now();
        let answer = self.call(prepared, request, &spent.begun(since), lease).await?;
        if let Some(recipient) = paced {
            // The provider counts from when the call came to it, which was no later than this.
            self.pairs.sent(recipient, Instant::now());
        }
        Ok(Sending::Called { answer, permit, since })
    }

    /// What the ledger says when somebody else went on with a delivery. Another owner of the partition who calls at
    /// this moment is given the time to end: mostly this process hears meanwhile that it owns it no more.
    async fn catch_up(&self, delivery: &Delivery, newer: LedgerEntry, lease: &Lease) -> Result<LedgerEntry, Ended> {
        if !matches!(newer.attempt, Attempt::Attempting { .. }) {
            return Ok(newer);
        }
        self.park(tokio::time::sleep(self.config.request_timeout), lease).await?;
        Ok(self.entry(delivery.reference.delivery_id, lease).await?.unwrap_or(newer))
    }

    /// What the ledger says of a delivery.
    async fn entry(&self, id: DeliveryId, lease: &Lease) -> Result<Option<LedgerEntry>, Ended> {
        lease.persist("read the ledger", || self.store.entry(id)).await
    }

    /// Waits until a file may be uploaded.
    async fn admit(&self) -> Permit<'_> {
        self.account.admit(self.account.turn(Calls::All).await).await
    }

    /// Writes the attempt down and calls the provider.
    async fn call(
        &self,
        delivery: &Delivery,
        request: Outgoing,
        begun: &LedgerEntry,
        lease: &Lease,
    ) -> Result<Answer, Ended> {
        lease.persist("write an attempt into the ledger", || self.store.record(&delivery.reference, begun)).await?;

        let labels = Labels { connector: self.config.name.clone() };
        let started = Instant::now();
        let answer = self.provider.call(delivery, request).await;
        self.metrics.call_seconds.get_or_create(&labels).observe(started.elapsed().as_secs_f64());
        self.count_call(&answer);
        self.remember(delivery, &answer);
        Ok(answer)
    }

    /// Writes an outcome into the ledger, also while the lease is ending: once lost, the outcome
    /// would be unknown for ever.
    async fn write_down(&self, delivery: &Delivery, replays: u32, effort: Effort, outcome: Outcome) -> LedgerEntry {
        let entry = LedgerEntry { effort, attempt: Attempt::Ended { at: Timestamp::now(), outcome }, replays };
        persevere("write an outcome into the ledger", || self.store.record(&delivery.reference, &entry)).await;
        entry
    }

    /// Produces the delivery's status, with the instant that the ledger knows: told again, it must not
    /// look as if it had happened later than what came after it.
    async fn tell(&self, delivery: &Delivery, at: Timestamp, event: DeliveryEvent, lease: &Lease) -> Result<(), Ended> {
        let outcome = if matches!(event, DeliveryEvent::Failed { .. }) { "failed" } else { "sent" };
        let subject = Subject::Delivery { delivery: delivery.reference.clone(), connector: self.config.name.clone() };
        let update = StatusUpdate { subject, at, event, correlation: None };
        produce_status(&self.producer, &self.config.topics.status_updates(), &update, lease).await?;
        let labels = CallLabels { connector: self.config.name.clone(), outcome };
        self.metrics.deliveries.get_or_create(&labels).inc();
        Ok(())
    }

    /// A mark that was made twice is the same mark, so it is never held back.
    fn on_unknown(&self, delivery: &Delivery) -> OnUnknownOutcome {
        if delivery.read_mark.is_some() { OnUnknownOutcome::Resend } else { self.config.on_unknown_outcome }
    }

    fn marked(&self, outcome: &'static str) {
        let labels = CallLabels { connector: self.config.name.clone(), outcome };
        self.metrics.deliveries.get_or_create(&labels).inc();
    }

    pub(crate) async fn dead_letter(
        &self,
        record: &Record,
        code: &str,
        reason: &str,
        attempts: u32,
        lease: &Lease,
    ) -> Result<(), Ended> {
        let letter = DeadLetter { group: &self.group, reason: code, message: reason, attempts };
        self.desk.give_up(&letter, record, lease).await?;
        let labels = Labels { connector: self.config.name.clone() };
        self.metrics.dead_letters.get_or_create(&labels).inc();
        Ok(())
    }

    /// Waits aside: only this recipient is held up.
    async fn park(&self, wait: impl Future<Output = ()>, lease: &Lease) -> Result<(), Ended> {
        let labels = Labels { connector: self.config.name.clone() };
        let _parked = Parked::count(&self.metrics.parked.get_or_create(&labels));
        lease.unless_ending(wait).await
    }

    fn count_call(&self, answer: &Answer) {
        let outcome = match answer {
            Answer::Accepted { .. } => "accepted",
            Answer::Moved { .. } => "moved",
            Answer::Refused(refusal) => refusal.category(),
        };
        let labels = CallLabels { connector: self.config.name.clone(), outcome };
        self.metrics.calls.get_or_create(&labels).inc();
    }

    /// The request, or why there is none.
    fn request(&self, delivery: &Delivery) -> Result<Outgoing, Outcome> {
        if self.gone.holds(&delivery.recipient) {
            let reason = "the endpoint answered 410 before and is disabled; mend it and restart the connector";
            return Err(Outcome::Failed { code: ENDPOINT_DISABLED.into(), reason: reason.into() });
        }
        let refused = |why: Unsendable| Outcome::Failed { code: why.code().to_owned(), reason: why.to_string() };
        self.provider.channel.request(delivery, Timestamp::now()).map_err(refused)
    }

    /// What an answer says about later deliveries to the same recipient.
    fn remember(&self, delivery: &Delivery, answer: &Answer) {
        let recipient = &delivery.recipient;
        match answer {
            Answer::Moved { to } => {
                tracing::info!(from = %recipient, %to, "a recipient has another address now");
                self.moved.note(recipient, to);
            }
            Answer::Refused(refusal)
                if refusal.kind() == Kind::Permanent(Cause::EndpointGone) && self.gone.note(recipient) =>
            {
                tracing::warn!(%recipient, "an endpoint is gone and gets nothing more");
            }
            Answer::Accepted { .. } | Answer::Refused(_) => {}
        }
    }

    fn count_unknown(&self) {
        let labels = Labels { connector: self.config.name.clone() };
        self.metrics.unknown_outcomes.get_or_create(&labels).inc();
    }
}

/// What a delivery took so far.
struct Spent<'a> {
    replays: u32,
    effort: Effort,
    /// What the ledger said, and when.
    known: Option<&'a LedgerEntry>,
    read_at: Instant,
}

impl Spent<'_> {
    /// The entry of a call that begins.
    fn begun(&self, since: Timestamp) -> LedgerEntry {
        let effort = Effort { attempts: self.effort.attempts + 1, ..self.effort };
        LedgerEntry { effort, attempt: Attempt::Attempting { since }, replays: self.replays }
    }
}

/// How the sending of a message went.
enum Sending<'a> {
    Called {
        answer: Answer,
        permit: Permit<'a>,
        since: Timestamp,
    },
    /// There was nothing to call for; this is what the ledger says now.
    Settled(LedgerEntry),
}

/// After so long what the ledger said is read again before a call. A process that was stopped and goes on (a
/// frozen node) does not know yet that its partition has another owner, who may have called meanwhile; that takes
/// a session time-out, of which brokers take no shorter one than 6 s (`group.min.session.timeout.ms`).
const STALE: Duration = Duration::from_secs(5);

/// What is remembered of a delivery between its calls. In memory: lost, it means a shorter pause and one
/// more call.
#[derive(Debug, Default)]
struct Past {
    /// Refusals in a row for this recipient alone.
    recipient_refusals: u32,
    /// When the call began that it was sent with.
    called: Option<Timestamp>,
    /// When the provider last failed with it: how many calls had shown by then that it works.
    well_at_failure: Option<u64>,
}

/// The code of a delivery that was not sent because its endpoint said earlier that it is gone.
const ENDPOINT_DISABLED: &str = "chat4all:endpoint-disabled";

/// Produces a status to the topic of statuses.
pub(crate) async fn produce_status(
    producer: &Producer,
    topic: &str,
    update: &StatusUpdate,
    lease: &Lease,
) -> Result<(), Ended> {
    let value = serde_json::to_vec(update).expect("a status has only strings and numbers");
    let key = update.key();
    lease.persist("produce a status", || producer.send(topic, key.as_bytes(), &value, &[])).await?;
    Ok(())
}

/// What changes in an entry with every step. Its instants do not serve: the store keeps them less exactly.
fn progress(entry: &LedgerEntry) -> (u32, Effort, Discriminant<Attempt>, Option<Discriminant<Outcome>>) {
    let outcome = match &entry.attempt {
        Attempt::Ended { outcome, .. } => Some(discriminant(outcome)),
        Attempt::Attempting { .. } => None,
    };
    (entry.replays, entry.effort, discriminant(&entry.attempt), outcome)
}

async fn sleep_until(at: Timestamp) {
    let left = at.duration_since(Timestamp::now());
    if let Ok(left) = Duration::try_from(left) {
        tokio::time::sleep(left).await;
    }
}
