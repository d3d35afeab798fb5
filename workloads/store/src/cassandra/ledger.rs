//! The delivery ledger as rows. `attempt` says which of the other columns count, so a change of
//! state leaves the columns of the state before as they are instead of writing tombstones.
//!
//! Rows are plain writes. A partition has one owner at a time, who reads an entry before the first write
//! to it, and what is written after that stands above what was read, whatever the owners' clocks say.

use async_trait::async_trait;
use chat4all_message::{DeliveryId, DeliveryRef, Effort};
use jiff::Timestamp;
use scylla::DeserializeRow;
use scylla::value::{CqlTimestamp, MaybeUnset};
use uuid::Uuid;

use super::Cassandra;
use super::columns::{
    Unexpected, conversation_id, count, from_count, instant, maybe_instant, message_id, millis, written,
};
use crate::{Attempt, Error, Ledger, LedgerEntry, Outcome, Result};

const ATTEMPTING: &str = "attempting";
const SENT: &str = "sent";
const RETRY: &str = "retry";
const FAILED: &str = "failed";

#[async_trait]
impl Ledger for Cassandra {
    async fn entry(&self, delivery: DeliveryId) -> Result<Option<LedgerEntry>> {
        let action = || format!("read the ledger of delivery {delivery}");
        let row: Option<Row> = self.first_row(action, &self.statements.ledger_entry, (delivery.as_uuid(),)).await?;
        if let Some(written) = row.as_ref().and_then(|row| row.written) {
            self.clock.saw(written);
        }
        row.and_then(|row| row.entry().transpose()).transpose().map_err(|error| Error::new(action(), error))
    }

    async fn record(&self, delivery: &DeliveryRef, entry: &LedgerEntry) -> Result<()> {
        let action = || format!("write the ledger of delivery {}", delivery.delivery_id);
        let unset = (MaybeUnset::Unset, MaybeUnset::Unset, MaybeUnset::Unset, MaybeUnset::Unset);
        let (attempt, at, (provider_id, not_before, code, reason)) = match &entry.attempt {
            Attempt::Attempting { since } => (ATTEMPTING, since, unset),
            Attempt::Ended { at, outcome } => match outcome {
                Outcome::Sent { provider_id } => {
                    (SENT, at, (MaybeUnset::Set(provider_id.as_deref()), unset.1, unset.2, unset.3))
                }
                Outcome::Retry { not_before, code, reason } => {
                    let why = (MaybeUnset::Set(code.as_str()), MaybeUnset::Set(reason.as_str()));
                    (RETRY, at, (unset.0, MaybeUnset::Set(millis(*not_before)), why.0, why.1))
                }
                Outcome::Failed { code, reason } => {
                    let why = (MaybeUnset::Set(code.as_str()), MaybeUnset::Set(reason.as_str()));
                    (FAILED, at, (unset.0, unset.1, why.0, why.1))
                }
            },
        };
        let effort = (from_count(entry.effort.attempts), from_count(entry.effort.unknown_outcomes));
        // The same with every entry, so the first one tells it.
        let (conversation, message) = match &entry.attempt {
            Attempt::Attempting { .. } => {
                (MaybeUnset::Set(delivery.conversation_id.as_str()), MaybeUnset::Set(delivery.message_id.as_uuid()))
            }
            Attempt::Ended { .. } => (MaybeUnset::Unset, MaybeUnset::Unset),
        };
        let id = delivery.delivery_id.as_uuid();
        let at = millis(*at);
        let values = (
            id,
            effort.0,
            effort.1,
            from_count(entry.replays),
            attempt,
            at,
            provider_id,
            not_before,
            code,
            reason,
            conversation,
            message,
            self.clock.next(Timestamp::now()),
        );
        self.execute(action, &self.statements.ledger_record, values).await.map(drop)
    }

    async fn delivery(&self, delivery: DeliveryId) -> Result<Option<DeliveryRef>> {
        let action = || format!("look up delivery {delivery} in the ledger");
        let values = (delivery.as_uuid(),);
        let row: Option<(Option<String>, Option<Uuid>)> =
            self.first_row(action, &self.statements.ledger_delivery, values).await?;
        // Entries of an earlier version do not tell.
        let Some((Some(conversation), Some(message))) = row else { return Ok(None) };
        let reference = || {
            let (conversation_id, message_id) = (conversation_id(conversation)?, message_id(message)?);
            Ok(DeliveryRef { conversation_id, message_id, delivery_id: delivery })
        };
        reference().map(Some).map_err(|error: Unexpected| Error::new(action(), error))
    }

    async fn taken(&self, delivery: DeliveryId, provider_id: &str, at: Timestamp) -> Result<()> {
        let action = || format!("note that delivery {delivery} was taken");
        let values = (written(at), millis(at), provider_id, delivery.as_uuid());
        self.execute(action, &self.statements.ledger_taken, values).await.map(drop)
    }
}

#[derive(DeserializeRow)]
struct Row {
    attempts: Option<i32>,
    unknown_outcomes: Option<i32>,
    replays: Option<i32>,
    attempt: Option<String>,
    at: Option<CqlTimestamp>,
    provider_id: Option<String>,
    not_before: Option<CqlTimestamp>,
    code: Option<String>,
    reason: Option<String>,
    taken_at: Option<CqlTimestamp>,
    taken_as: Option<String>,
    /// In microseconds since the Unix epoch.
    written: Option<i64>,
}

impl Row {
    /// `None` where all that is known is that the provider took it; the connector's part comes yet.
    fn entry(self) -> std::result::Result<Option<LedgerEntry>, Unexpected> {
        let (Some(attempt), Some(at)) = (self.attempt, self.at) else { return Ok(None) };
        let effort = Effort { attempts: count(self.attempts), unknown_outcomes: count(self.unknown_outcomes) };
        let at = instant("at", at)?;
        let taken_at = maybe_instant("taken_at", self.taken_at)?;
        let replays = count(self.replays);
        let proof = taken_at.zip(self.taken_as);
        let code = self.code.unwrap_or_default();
        let reason = self.reason.unwrap_or_default();
        let ended = |outcome| Attempt::Ended { at, outcome };
        let attempt = match attempt.as_str() {
            ATTEMPTING => Attempt::Attempting { since: at },
            SENT => ended(Outcome::Sent { provider_id: self.provider_id }),
            RETRY => {
                let not_before = self.not_before.ok_or_else(|| Unexpected::new("not_before", "nothing"))?;
                ended(Outcome::Retry { not_before: instant("not_before", not_before)?, code, reason })
            }
            FAILED => ended(Outcome::Failed { code, reason }),
            other => return Err(Unexpected::new("attempt", other)),
        };
        Ok(Some(LedgerEntry { effort, attempt, replays }.with_proof(proof)))
    }
}
