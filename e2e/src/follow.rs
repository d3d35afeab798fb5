//! Follows the simulator's log while a case runs, so that it can be asked at any moment what the
//! provider has received since the case began.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::history::Receipt;
use crate::simulator::{Entry, Error, Simulator};

/// Between two questions when the log had nothing new.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(100);

/// The log since the following began.
pub struct Follower {
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Seen {
    entries: Vec<Entry>,
    error: Option<Error>,
}

impl Follower {
    /// Begins with what arrives from now on.
    pub async fn start(simulator: Simulator) -> Result<Self, Error> {
        let last = simulator.last().await?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = CancellationToken::new();
        let task = tokio::spawn(follow(simulator, last, seen.clone(), stop.clone()));
        Ok(Self { seen, stop, task: AbortOnDropHandle::new(task) })
    }

    /// The conversations of which a message reached the provider that was accepted at `instant` or
    /// later. The conversation stands at the beginning of each text, and a message's id tells when
    /// it was accepted (UUIDv7).
    pub fn moved_since(&self, instant: Timestamp) -> BTreeSet<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = seen.entries.iter().rev().take_while(|entry| entry.at >= instant);
        recent
            .filter(|entry| entry.receipt().is_some_and(|receipt| accepted_at(&receipt) >= Some(instant)))
            .filter_map(|entry| entry.body.as_ref()?.split(' ').next())
            .map(str::to_owned)
            .collect()
    }

    /// How many messages were taken so far.
    pub fn received(&self) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entries.iter().filter(|entry| entry.message_id.is_some()).count()
    }

    /// Reads to the end of the log and returns all messages that were taken.
    pub async fn finish(self) -> Result<Vec<Receipt>, Error> {
        self.stop.cancel();
        // Its only ways to end are the stop and an error, which is written down.
        let _ = self.task.await;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.error.take() {
            Some(error) => Err(error),
            None => Ok(seen.entries.iter().filter_map(Entry::receipt).collect()),
        }
    }
}

fn accepted_at(receipt: &Receipt) -> Option<Timestamp> {
    let (seconds, nanos) = receipt.message_id.get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
}

async fn follow(simulator: Simulator, mut last: Option<Entry>, seen: Arc<Mutex<Seen>>, stop: CancellationToken) {
    loop {
        let last_round = stop.is_cancelled();
        // The last known entry is asked for again: if it is not there, the log is another one.
        let before_last = last.as_ref().map_or(0, |entry| entry.seq - 1);
        let answer = simulator.log(before_last).await.and_then(|entries| following(last.as_ref(), entries));
        if let Ok(entries) = &answer {
            last = entries.last().cloned().or(last);
        }
        match (note(&seen, answer), last_round) {
            (Round::New, _) => {}
            (Round::Useless, _) | (Round::Nothing, true) => return,
            (Round::Nothing, false) => {
                tokio::select! { () = sleep(BETWEEN_QUESTIONS) => {}, () = stop.cancelled() => {} }
            }
        }
    }
}

/// What an answer of the log was worth.
enum Round {
    New,
    Nothing,
    /// The log has lost something; what comes is of no use.
    Useless,
}

/// Writes an answer down. Of errors only the last one counts, if nothing came after it.
fn note(seen: &Mutex<Seen>, answer: Result<Vec<Entry>, Error>) -> Round {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let (round, error) = match answer {
        Ok(entries) if entries.is_empty() => (Round::Nothing, None),
        Ok(entries) => {
            seen.entries.extend(entries);
            (Round::New, None)
        }
        Err(error @ Error::Gap { .. }) => (Round::Useless, Some(error)),
        Err(error) => (Round::Nothing, Some(error)),
    };
    seen.error = error;
    round
}

/// The entries after the last known one. A log that begins anew, or that forgot something, cannot
/// be relied upon.
fn following(last: Option<&Entry>, mut entries: Vec<Entry>) -> Result<Vec<Entry>, Error> {
    let mut expected = 1;
    if let Some(last) = last {
        if entries.first() != Some(last) {
            return Err(Error::Gap { after: last.seq, found: entries.first().map(|entry| entry.seq) });
        }
        entries.remove(0);
        expected = last.seq + 1;
    }
    for entry in &entries {
        if entry.seq != expected {
            return Err(Error::Gap { after: expected - 1, found: Some(entry.seq) });
        }
        expected += 1;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64) -> Entry {
        Entry { seq, at: Timestamp::UNIX_EPOCH, message_id: None, to: None, body: None, correlation: None }
    }

    #[test]
    fn what_follows_the_last_known_entry_is_new() {
        assert_eq!(following(None, vec![entry(1), entry(2)]).unwrap().len(), 2);
        assert_eq!(following(Some(&entry(1)), vec![entry(1), entry(2)]).unwrap(), [entry(2)]);
        assert_eq!(following(Some(&entry(1)), vec![entry(1)]).unwrap(), []);
    }

    #[test]
    fn a_gap_in_the_log_is_an_error() {
        let gap = following(Some(&entry(2)), vec![entry(2), entry(4)]);
        assert!(matches!(gap, Err(Error::Gap { after: 2, found: Some(4) })));
    }

    #[test]
    fn a_log_that_was_begun_anew_is_an_error() {
        assert!(matches!(following(Some(&entry(2)), vec![]), Err(Error::Gap { after: 2, found: None })));
        let another = Entry { body: Some("another".into()), ..entry(2) };
        assert!(following(Some(&entry(2)), vec![another, entry(3)]).is_err());
    }
}
