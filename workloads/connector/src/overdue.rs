//! Deliveries whose outcome nobody knows wait in the store, so that they hold up nobody. A provider's
//! status may tell what became of one; when its time is over without, it is given up.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat4all_kafka::{Ended, Lease, Record};
use chat4all_message::Delivery;
use chat4all_store::WaitingDelivery;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::deliver::Deliverer;
use crate::policy::OnUnknownOutcome;
use crate::step::{self, Step};

/// How often to look for those whose time is over; a shorter time to wait is looked at as often.
const LOOK: Duration = Duration::from_secs(5);

/// How many are ended at one look; the next one goes on.
const AT_ONCE: u32 = 100;

/// A record as it was in the topic. All of it is text: the value was read as JSON, and keys and
/// headers are written by this program.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
    timestamp: Option<i64>,
    key: Option<String>,
    value: String,
    headers: Vec<(String, String)>,
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl From<&Record> for Kept {
    fn from(record: &Record) -> Self {
        Self {
            topic: record.topic.clone(),
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.as_ref().map(text),
            value: text(&record.value),
            headers: record.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        }
    }
}

impl From<Kept> for Record {
    fn from(kept: Kept) -> Self {
        Self {
            topic: kept.topic,
            partition: kept.partition,
            offset: kept.offset,
            timestamp: kept.timestamp,
            key: kept.key.map(Bytes::from),
            value: kept.value.into(),
            headers: kept.headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
        }
    }
}

impl Deliverer {
    /// Lets a delivery wait for a status that tells whether the call of `since` arrived. Repeated
    /// after a crash it is the same row.
    pub(crate) async fn let_wait(
        &self,
        record: &Record,
        delivery: &Delivery,
        since: Timestamp,
        lease: &Lease,
    ) -> Result<(), Ended> {
        let due = since.checked_add(self.config.hold_for).unwrap_or(Timestamp::MAX);
        let record = serde_json::to_string(&Kept::from(record)).expect("a record has only strings and numbers");
        let delivery_id = delivery.reference.delivery_id;
        tracing::info!(connector = self.config.name, %delivery_id, %due, "an outcome is unknown; waiting for a status");
        let waiting = WaitingDelivery { due, delivery_id, record };
        lease.persist("let a delivery wait", || self.store.wait(&self.config.name, &waiting)).await
    }

    /// Ends deliveries whose time is over, until the lease ends. Each replica looks; of two that see
    /// the same one, one takes it.
    pub(crate) async fn end_overdue(&self, lease: &Lease) -> Result<(), Ended> {
        let every = LOOK.min(self.config.hold_for.max(Duration::from_millis(100)));
        loop {
            lease.unless_ending(tokio::time::sleep(every)).await?;
            let look = || self.store.overdue(&self.config.name, Timestamp::now(), AT_ONCE);
            for waiting in lease.persist("look for overdue deliveries", look).await? {
                if lease.persist("take an overdue delivery", || self.store.take(&self.config.name, &waiting)).await? {
                    self.end(&waiting, lease).await?;
                }
            }
        }
    }

    async fn end(&self, waiting: &WaitingDelivery, lease: &Lease) -> Result<(), Ended> {
        match serde_json::from_str::<Kept>(&waiting.record) {
            Ok(kept) => {
                let record = Record::from(kept);
                match serde_json::from_slice::<Delivery>(&record.value) {
                    Ok(delivery) => self.conclude(&record, &delivery, lease).await?,
                    // It was read when it began to wait, so it is of a version that is not this one's.
                    Err(error) => {
                        let reason = format!("the record cannot be read: {error}");
                        self.dead_letter(&record, "chat4all:unreadable", &reason, 0, lease).await?;
                    }
                }
            }
            Err(error) => {
                tracing::error!(delivery_id = %waiting.delivery_id, %error, "a waiting delivery cannot be read and stays");
                return Ok(());
            }
        }
        lease.persist("forget a waiting delivery", || self.store.ended(&self.config.name, waiting)).await
    }

    /// Tells what the ledger knows by now; an attempt that is still open is given up. Every step may
    /// be repeated.
    async fn conclude(&self, record: &Record, delivery: &Delivery, lease: &Lease) -> Result<(), Ended> {
        let id = delivery.reference.delivery_id;
        let mut entry = lease.persist("read the ledger", || self.store.entry(id)).await?;
        let replays = record.replays();
        if entry.as_ref().is_some_and(|entry| entry.replays > replays) {
            // It was given up at an earlier look and replayed since: a lane has it.
            return Ok(());
        }
        loop {
            match step::next(entry.as_ref(), replays, OnUnknownOutcome::Hold, self.config.retry.max_attempts) {
                Step::Wait { effort, .. } | Step::GiveUp { effort } => {
                    entry = Some(self.give_up_unknown(delivery, replays, effort).await);
                }
                Step::TellSent { at, provider_id, effort } => {
                    return self.tell_sent(delivery, at, provider_id, effort, lease).await;
                }
                Step::TellFailed { at, code, reason, effort } => {
                    return self.tell_failed(record, delivery, at, (code, reason), effort, lease).await;
                }
                // The policy was changed and a lane has it again.
                Step::Call { .. } => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_same_after_it_waited() {
        let record = Record {
            topic: "main-outbound".into(),
            partition: 3,
            offset: 7,
            timestamp: Some(1_764_072_000_000),
            key: Some(Bytes::from_static(b"whatsapp:+5562998765432")),
            value: Bytes::from_static("{\"content\":\"olá\"}".as_bytes()),
            headers: vec![("chat4all-replays".into(), Bytes::from_static(b"1"))],
        };
        let text = serde_json::to_string(&Kept::from(&record)).unwrap();
        let again = Record::from(serde_json::from_str::<Kept>(&text).unwrap());
        assert_eq!(format!("{again:?}"), format!("{record:?}"));
    }
}
