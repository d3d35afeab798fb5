//! A client of the provider simulator: what it received, and how it is told to misbehave.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::history::Receipt;

/// Entries that are asked for at a time.
const PAGE: usize = 5000;

/// A client. Cheap to clone.
#[derive(Clone)]
pub struct Simulator {
    http: Client,
    base: String,
}

/// A request that the simulator received.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Its place in the log, from 1, without gaps.
    pub seq: u64,
    /// When it arrived.
    pub at: Timestamp,
    /// The id that the message got; absent when it was not taken.
    pub message_id: Option<String>,
    /// The recipient, as the request names it.
    pub to: Option<String>,
    /// The text; of a mark of reading the message that was read.
    pub body: Option<String>,
    /// Our reference, `message_id:delivery_id`.
    pub correlation: Option<String>,
}

impl Entry {
    /// The receipt that this is; `None` for a request that was refused, or was not from a connector of ours.
    pub fn receipt(&self) -> Option<Receipt> {
        self.message_id.as_ref()?;
        let (message_id, delivery_id) = self.correlation.as_ref()?.split_once(':')?;
        Some(Receipt {
            place: self.seq,
            at: self.at,
            message_id: Uuid::parse_str(message_id).ok()?,
            delivery_id: Uuid::parse_str(delivery_id).ok()?,
        })
    }
}

/// A call of the simulator failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer, or one that is not the wanted one.
    #[error("the simulator did not {0}")]
    Call(&'static str, #[source] reqwest::Error),
    /// Its log forgot entries before they were read, or it was started anew.
    #[error(
        "the simulator's log does not go on after entry {after} (found: {found:?}): it was restarted or cleared, or keeps too few entries"
    )]
    Gap {
        /// The last entry that was read.
        after: u64,
        /// The entry that was found instead of the next, if any.
        found: Option<u64>,
    },
}

impl Simulator {
    /// A client of the simulator at this address.
    pub fn at(base: &str) -> Self {
        let http = Client::builder().timeout(Duration::from_secs(10)).no_proxy().build();
        Self { http: http.unwrap_or_default(), base: base.to_owned() }
    }

    /// The entries after this place; at most [`PAGE`].
    pub async fn log(&self, after: u64) -> Result<Vec<Entry>, Error> {
        self.page(after, PAGE).await
    }

    /// The newest entry; `None` of an empty log.
    pub async fn last(&self) -> Result<Option<Entry>, Error> {
        last(async |after| Ok(self.page(after, 1).await?.pop())).await
    }

    async fn page(&self, after: u64, limit: usize) -> Result<Vec<Entry>, Error> {
        #[derive(Deserialize)]
        struct Page {
            entries: Vec<Entry>,
        }
        let request = self.http.get(format!("{}/log?after={after}&limit={limit}", self.base));
        let page: Page = call("show its log", request).await?;
        Ok(page.entries)
    }

    /// Makes it misbehave; `fault` is the body of `PUT /fault`.
    pub async fn misbehave(&self, fault: &Value) -> Result<(), Error> {
        call::<Value>("take a fault", self.http.put(format!("{}/fault", self.base)).json(fault)).await.map(drop)
    }

    /// Makes it answer everything with this status for a while.
    pub async fn go_down(&self, status: u16, time: Duration) -> Result<(), Error> {
        self.misbehave(&json!({"status": status, "forSeconds": time.as_secs()})).await
    }

    /// Whether it misbehaves now.
    pub async fn misbehaves(&self) -> Result<bool, Error> {
        let fault: Value = call("tell of its fault", self.http.get(format!("{}/fault", self.base))).await?;
        Ok(!fault.is_null())
    }

    /// Makes it behave.
    pub async fn behave(&self) -> Result<(), Error> {
        let request = self.http.delete(format!("{}/fault", self.base));
        let response = request.send().await.and_then(reqwest::Response::error_for_status);
        response.map(drop).map_err(|error| Error::Call("end its fault", error))
    }
}

/// The last entry of a log, of which `next` gives the first entry after a place. Looks further and further ahead, and
/// nearer again where there is nothing: a full log has a hundred megabytes.
async fn last(next: impl AsyncFn(u64) -> Result<Option<Entry>, Error>) -> Result<Option<Entry>, Error> {
    let Some(mut known) = next(0).await? else { return Ok(None) };
    let mut ahead = 1;
    loop {
        match next(known.seq + ahead - 1).await? {
            Some(entry) => {
                known = entry;
                ahead *= 2;
            }
            None if ahead == 1 => return Ok(Some(known)),
            None => ahead /= 2,
        }
    }
}

async fn call<T: for<'de> Deserialize<'de>>(what: &'static str, request: RequestBuilder) -> Result<T, Error> {
    let answer = async { request.send().await?.error_for_status()?.json().await };
    answer.await.map_err(|error| Error::Call(what, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64) -> Entry {
        Entry { seq, at: Timestamp::UNIX_EPOCH, message_id: None, to: None, body: None, correlation: None }
    }

    #[tokio::test]
    async fn the_last_entry_is_found_in_few_looks_however_long_the_log_is_and_what_it_forgot() {
        for (first, length) in [(1_u64, 0_u64), (1, 1), (1, 2), (1, 3), (7, 1), (9, 250_000), (1_000_000, 250_001)] {
            let looks = std::cell::Cell::new(0);
            let found = last(async |after: u64| {
                looks.set(looks.get() + 1);
                let next = first.max(after + 1);
                Ok((next < first + length).then(|| entry(next)))
            });
            let expected = (length > 0).then(|| first + length - 1);
            assert_eq!(found.await.unwrap().map(|entry| entry.seq), expected);
            assert!(looks.get() <= 60, "{} looks", looks.get());
        }
    }

    #[test]
    fn only_a_message_that_was_taken_is_a_receipt() {
        let id = Uuid::from_u128(7);
        let mut entry = Entry {
            seq: 3,
            at: Timestamp::UNIX_EPOCH,
            message_id: Some("wamid.1".into()),
            to: None,
            body: None,
            correlation: Some(format!("{id}:{id}")),
        };
        let receipt = Receipt { place: 3, at: Timestamp::UNIX_EPOCH, message_id: id, delivery_id: id };
        assert_eq!(entry.receipt(), Some(receipt));
        entry.correlation = Some("something else".into());
        assert_eq!(entry.receipt(), None);
        entry = Entry { correlation: Some(format!("{id}:{id}")), message_id: None, ..entry };
        assert_eq!(entry.receipt(), None);
    }
}
