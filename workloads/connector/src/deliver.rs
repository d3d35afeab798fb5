//! Carries one delivery to its end: ledger, account, call, ledger, status. Whatever is killed in
//! between, the ledger tells the next owner where to go on.

use std::sync::Arc;
use std::time::Duration;

use chat4all_channels::{Answer, Cause, Kind, Outgoing, Unsendable};
use chat4all_dead_letters::Desk;
use chat4all_kafka::{DeadLetter, Ended, Handler, Lease, Producer, Record, persevere};
use chat4all_message::{Delivery, DeliveryEvent, Effort, StatusUpdate, Subject};
use chat4all_store::{Attempt, Ledger, LedgerEntry, Outcome};
use jiff::Timestamp;

use crate::Config;
use crate::account::Account;
use crate::breaker::Health;
use crate::gone::Gone;
use crate::metrics::{Call as CallLabels, ConnectorMetrics, Labels};
use crate::moved::Moved;
use crate::policy::UNKNOWN_OUTCOME;
use crate::provider::Provider;
use crate::step::{self, Step};
use crate::verdict::{Call, Verdict, judge};

/// Handles the records of `<connector>-outbound`.
pub(crate) struct Deliverer {
    pub(crate) group: String,
    pub(crate) config: Config,
    pub(crate) provider: Provider,
    pub(crate) account: Arc<Account>,
    pub(crate) producer: Producer,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) desk: Desk,
    pub(crate) metrics: ConnectorMetrics,
    pub(crate) moved: Moved,
    pub(crate) gone: Gone,
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
        let mut entry = lease.persist("read the ledger", || self.ledger.entry(id)).await?;
        // In a row, for this recipient: kept in memory, since a lost count only means a shorter pause.
        let mut recipient_refusals = 0;
        loop {
            let replays = record.replays().max(entry.as_ref().map_or(0, |entry| entry.replays));
            match step::next(
                entry.as_ref(),
                record.replays(),
                self.config.on_unknown_outcome,
                self.config.retry.max_attempts,
            ) {
                Step::Call { at, effort } => {
                    if entry.as_ref().is_some_and(|e| effort.unknown_outcomes > e.effort.unknown_outcomes) {
                        self.count_unknown();
                    }
                    lease.unless_ending(sleep_until(at)).await?;
                    let (after, refused) = self.attempt(delivery, replays, effort, recipient_refusals, lease).await?;
                    recipient_refusals = if refused { recipient_refusals + 1 } else { 0 };
                    entry = Some(after);
                }
                Step::HoldBack { effort } => {
                    self.count_unknown();
                    let outcome = Outcome::Failed {
                        code: UNKNOWN_OUTCOME.into(),
                        reason: "the provider was called and nobody knows its answer; it may have taken the message"
                            .into(),
                    };
                    entry = Some(self.write_down(delivery, replays, effort, outcome).await);
                }
                Step::TellSent { at, provider_id, effort } => {
                    let event = DeliveryEvent::Sent { provider_id, effort: Some(effort) };
                    return self.tell(delivery, at, event, lease).await;
                }
                Step::TellFailed { at, code, reason, effort } => {
                    self.dead_letter(record, &code, &reason, effort.attempts, lease).await?;
                    let dead_lettered_at = Some(Timestamp::now());
                    let event = DeliveryEvent::Failed { code, reason, effort: Some(effort), dead_lettered_at };
                    return self.tell(delivery, at, event, lease).await;
                }
            }
        }
    }

    /// One call with its two ledger entries. Also tells whether the recipient was throttled.
    async fn attempt(
        &self,
        delivery: &Delivery,
        replays: u32,
        before: Effort,
        recipient_refusals: u32,
        lease: &Lease,
    ) -> Result<(LedgerEntry, bool), Ended> {
        let addressed = self.moved.follow(delivery);
        let id = delivery.reference.delivery_id;
        // Closed never: the semaphore lives as long as the provider.
        let _slot = lease.unless_ending(self.provider.calls.acquire()).await?;
        let permit = lease.unless_ending(self.account.admit()).await?;
        // Made when its turn has come: a signature holds the time.
        let request = match self.request(&addressed) {
            Ok(request) => request,
            Err(outcome) => return Ok((self.write_down(delivery, replays, before, outcome).await, false)),
        };

        let begun = LedgerEntry {
            effort: Effort { attempts: before.attempts + 1, ..before },
            attempt: Attempt::Attempting { since: Timestamp::now() },
            replays,
        };
        lease.persist("write an attempt into the ledger", || self.ledger.record(id, &begun)).await?;

        let labels = Labels { connector: self.config.name.clone() };
        let started = tokio::time::Instant::now();
        let answer = self.provider.call(&addressed, request).await;
        self.metrics.call_seconds.get_or_create(&labels).observe(started.elapsed().as_secs_f64());
        self.count_call(&answer);
        self.remember(&addressed, &answer);

        let call = Call {
            before,
            recipient_refusals,
            retry: &self.config.retry,
            on_unknown: self.config.on_unknown_outcome,
            now: Timestamp::now(),
            jitter: rand::random(),
        };
        let Verdict { outcome, effort, health, pause, recipient_throttled } = judge(answer, &call);
        permit.report(if self.provider.channel.each_recipient_is_a_server() { Health::NoSign } else { health }, pause);
        if effort.unknown_outcomes > before.unknown_outcomes {
            self.count_unknown();
        }
        Ok((self.write_down(delivery, replays, effort, outcome).await, recipient_throttled))
    }

    /// Writes an outcome into the ledger, also while the lease is ending: once lost, the outcome
    /// would be unknown for ever.
    async fn write_down(&self, delivery: &Delivery, replays: u32, effort: Effort, outcome: Outcome) -> LedgerEntry {
        let entry = LedgerEntry { effort, attempt: Attempt::Ended { at: Timestamp::now(), outcome }, replays };
        let id = delivery.reference.delivery_id;
        persevere("write an outcome into the ledger", || self.ledger.record(id, &entry)).await;
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

    async fn dead_letter(
        &self,
        record: &Record,
        code: &str,
        reason: &str,
        attempts: u32,
        lease: &Lease,
    ) -> Result<(), Ended> {
        let letter = DeadLetter { group: &self.group, reason: code, message: reason, attempts };
        self.desk.give_up(&letter, record, lease).await
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

async fn sleep_until(at: Timestamp) {
    let left = at.duration_since(Timestamp::now());
    if let Ok(left) = Duration::try_from(left) {
        tokio::time::sleep(left).await;
    }
}
