//! The delivery ledger as rows. `attempt` says which of the other columns count, so a change of
//! state leaves the columns of the state before as they are instead of writing tombstones.
//!
//! Rows are plain writes, ordered by the writer's clock. A partition has one owner at a time; the
//! next one begins after the last one drained or its session ran out (6 s at least), so its clock
//! would have to be seconds behind for its write to lose.

use async_trait::async_trait;
use chat4all_message::{DeliveryId, Effort};
use scylla::DeserializeRow;
use scylla::value::{CqlTimestamp, MaybeUnset};

use super::Cassandra;
use super::columns::{Unexpected, count, from_count, instant, millis};
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
        row.map(Row::entry).transpose().map_err(|error| Error::new(action(), error))
    }

    async fn record(&self, delivery: DeliveryId, entry: &LedgerEntry) -> Result<()> {
        let action = || format!("write the ledger of delivery {delivery}");
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
        let id = delivery.as_uuid();
        let values = (
            id,
            effort.0,
            effort.1,
            from_count(entry.replays),
            attempt,
            millis(*at),
            provider_id,
            not_before,
            code,
            reason,
        );
        self.execute(action, &self.statements.ledger_record, values).await.map(drop)
    }
}

#[derive(DeserializeRow)]
struct Row {
    attempts: Option<i32>,
    unknown_outcomes: Option<i32>,
    replays: Option<i32>,
    attempt: String,
    at: CqlTimestamp,
    provider_id: Option<String>,
    not_before: Option<CqlTimestamp>,
    code: Option<String>,
    reason: Option<String>,
}

impl Row {
    fn entry(self) -> std::result::Result<LedgerEntry, Unexpected> {
        let effort = Effort { attempts: count(self.attempts), unknown_outcomes: count(self.unknown_outcomes) };
        let at = instant("at", self.at)?;
        let replays = count(self.replays);
        let code = self.code.unwrap_or_default();
        let reason = self.reason.unwrap_or_default();
        let outcome = match self.attempt.as_str() {
            ATTEMPTING => return Ok(LedgerEntry { effort, attempt: Attempt::Attempting { since: at }, replays }),
            SENT => Outcome::Sent { provider_id: self.provider_id },
            RETRY => {
                let not_before = self.not_before.ok_or_else(|| Unexpected::new("not_before", "nothing"))?;
                Outcome::Retry { not_before: instant("not_before", not_before)?, code, reason }
            }
            FAILED => Outcome::Failed { code, reason },
            other => return Err(Unexpected::new("attempt", other)),
        };
        Ok(LedgerEntry { effort, attempt: Attempt::Ended { at, outcome }, replays })
    }
}
