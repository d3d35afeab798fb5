//! Claims on idempotency keys: the only rows that are written conditionally.

use async_trait::async_trait;
use scylla::value::{CqlValue, Row};

use super::Cassandra;
use super::columns::{Unexpected, applied, instant, message_id, millis};
use crate::{Claim, ClaimState, Error, IdempotencyKeys, REMEMBERED, RequestKey, Result};

/// A day fits an i32 of seconds.
const TTL: i32 = REMEMBERED.as_secs() as i32;

#[async_trait]
impl IdempotencyKeys for Cassandra {
    async fn claim(&self, key: &RequestKey, claim: &Claim) -> Result<Option<Claim>> {
        let action = || "claim an idempotency key".to_owned();
        let columns = (&claim.fingerprint[..], claim.message_id.as_uuid(), millis(claim.since), state(claim.state));
        let values = (&key.user, &key.key, columns.0, columns.1, columns.2, columns.3, TTL);
        let rows = self.rows(action, &self.statements.claim, values).await?;
        let row = rows.first_row::<Row>().map_err(|error| Error::new(action(), error))?;
        if applied(&row) {
            return Ok(None);
        }
        let column = |name| {
            let (index, _) = rows.column_specs().get_by_name(name)?;
            row.columns.get(index)?.as_ref()
        };
        let standing = read(column).map_err(|error| Error::new(action(), error))?;
        // The driver repeats a claim whose answer was lost; then it finds its own.
        let ours = standing.message_id == claim.message_id && millis(standing.since) == millis(claim.since);
        Ok((!ours).then_some(standing))
    }

    async fn settle(&self, key: &RequestKey, claim: &Claim) -> Result<bool> {
        let action = || "settle an idempotency key".to_owned();
        let id = claim.message_id.as_uuid();
        let columns = (&claim.fingerprint[..], millis(claim.since), state(claim.state));
        let values = (TTL, columns.0, id, columns.1, columns.2, &key.user, &key.key, id);
        let rows = self.rows(action, &self.statements.settle, values).await?;
        rows.first_row::<Row>().map(|row| applied(&row)).map_err(|error| Error::new(action(), error))
    }

    async fn give_up(&self, key: &RequestKey, claim: &Claim) -> Result<()> {
        let action = || "give up an idempotency key".to_owned();
        let (id, since) = (claim.message_id.as_uuid(), millis(claim.since));
        let columns = (&claim.fingerprint[..], id, since, state(ClaimState::Unknown));
        let condition = (id, since, state(ClaimState::InFlight));
        let (user, name) = (&key.user, &key.key);
        let values =
            (TTL, columns.0, columns.1, columns.2, columns.3, user, name, condition.0, condition.1, condition.2);
        self.execute(action, &self.statements.give_up, values).await.map(drop)
    }

    async fn withdraw(&self, key: &RequestKey, claim: &Claim) -> Result<()> {
        let action = || "give an idempotency key back".to_owned();
        let condition = (claim.message_id.as_uuid(), millis(claim.since), state(ClaimState::InFlight));
        let values = (&key.user, &key.key, condition.0, condition.1, condition.2);
        self.execute(action, &self.statements.withdraw, values).await.map(drop)
    }
}

fn state(state: ClaimState) -> &'static str {
    match state {
        ClaimState::InFlight => "in_flight",
        ClaimState::Unknown => "unknown",
        ClaimState::Accepted => "accepted",
    }
}

/// The claim that stands, as a refused conditional write tells it.
fn read<'a>(column: impl Fn(&'static str) -> Option<&'a CqlValue>) -> std::result::Result<Claim, Unexpected> {
    let wrong = |name| Unexpected::new(name, "something else");
    let fingerprint = column("fingerprint").and_then(CqlValue::as_blob).ok_or_else(|| wrong("fingerprint"))?;
    let id = column("message_id").and_then(CqlValue::as_uuid).ok_or_else(|| wrong("message_id"))?;
    let since = column("since").and_then(CqlValue::as_cql_timestamp).ok_or_else(|| wrong("since"))?;
    let text = column("state").and_then(CqlValue::as_text).ok_or_else(|| wrong("state"))?;
    let states = [ClaimState::InFlight, ClaimState::Unknown, ClaimState::Accepted];
    Ok(Claim {
        fingerprint: fingerprint.as_slice().try_into().map_err(|_| wrong("fingerprint"))?,
        message_id: message_id(id)?,
        since: instant("since", since)?,
        state: states.into_iter().find(|s| state(*s) == text).ok_or_else(|| Unexpected::new("state", text))?,
    })
}
