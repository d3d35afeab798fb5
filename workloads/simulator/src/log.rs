//! Everything that arrived, in order of arrival, with what was answered.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// One provider request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// From 1, without gaps.
    pub(crate) seq: u64,
    /// When it arrived.
    pub(crate) at: Timestamp,
    /// Always `received`.
    pub(crate) kind: &'static str,
    #[serde(flatten)]
    pub(crate) request: Received,
}

/// What a request said and what became of it. What could not be read of it is `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Received {
    /// The channel it came over.
    pub(crate) channel: &'static str,
    /// The message's id; `null` when it was not accepted.
    pub(crate) message_id: Option<String>,
    /// The recipient as the request named it.
    pub(crate) to: Option<String>,
    /// The text.
    pub(crate) body: Option<String>,
    /// The URL of the file.
    pub(crate) media: Option<String>,
    /// What the sender wants echoed; of WhatsApp `biz_opaque_callback_data`.
    pub(crate) correlation: Option<String>,
    /// What was answered.
    pub(crate) answer: Answered,
}

impl Received {
    /// A request over this channel of which nothing is known yet.
    pub(crate) fn over(channel: &'static str) -> Self {
        let answer = Answered { status: 200, code: None, dropped: false };
        Self { channel, message_id: None, to: None, body: None, media: None, correlation: None, answer }
    }
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Answered {
    /// The HTTP status, also of an answer that was dropped.
    pub(crate) status: u16,
    /// The code of its error object; `null` without one.
    pub(crate) code: Option<i64>,
    /// Whether the connection was reset instead.
    pub(crate) dropped: bool,
}

/// A part of the log.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// To be given as `after` for what comes next.
    pub(crate) next: u64,
}

/// The newest entries, up to a number.
#[derive(Debug)]
pub(crate) struct Log {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    last_seq: u64,
    entries: VecDeque<Entry>,
}

impl Log {
    pub(crate) fn of_capacity(capacity: usize) -> Self {
        Self { capacity, kept: Mutex::default() }
    }

    pub(crate) fn append(&self, at: Timestamp, request: Received) {
        let mut kept = self.lock();
        kept.last_seq += 1;
        let seq = kept.last_seq;
        if kept.entries.len() == self.capacity {
            kept.entries.pop_front();
        }
        kept.entries.push_back(Entry { seq, at, kind: "received", request });
    }

    /// At most `limit` entries after `after`, oldest first.
    pub(crate) fn page(&self, after: u64, limit: usize) -> Page {
        let kept = self.lock();
        let first = kept.entries.partition_point(|entry| entry.seq <= after);
        let entries: Vec<Entry> = kept.entries.range(first..).take(limit).cloned().collect();
        let next = entries.last().map_or(after, |entry| entry.seq);
        Page { entries, next }
    }

    /// Forgets all entries. Numbers go on, so that no reader mistakes new entries for old ones.
    pub(crate) fn clear(&self) {
        self.lock().entries.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(capacity: usize, entries: usize) -> Log {
        let log = Log::of_capacity(capacity);
        for _ in 0..entries {
            log.append(Timestamp::UNIX_EPOCH, Received::over("whatsapp"));
        }
        log
    }

    fn seqs(page: &Page) -> Vec<u64> {
        page.entries.iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn pages_follow_one_another_and_the_last_one_stays_where_it_is() {
        let log = log_of(10, 5);
        let page = log.page(0, 2);
        assert_eq!((seqs(&page), page.next), (vec![1, 2], 2));
        let page = log.page(2, 100);
        assert_eq!((seqs(&page), page.next), (vec![3, 4, 5], 5));
        let page = log.page(5, 100);
        assert_eq!((seqs(&page), page.next), (vec![], 5));
    }

    #[test]
    fn a_full_log_forgets_the_oldest_and_shows_the_gap() {
        assert_eq!(seqs(&log_of(3, 5).page(0, 100)), [3, 4, 5]);
    }

    #[test]
    fn numbers_go_on_after_clearing() {
        let log = log_of(3, 2);
        log.clear();
        assert_eq!(seqs(&log.page(0, 10)), [] as [u64; 0]);
        log.append(Timestamp::UNIX_EPOCH, log_of(1, 1).page(0, 1).entries[0].request.clone());
        assert_eq!(seqs(&log.page(0, 10)), [3]);
    }
}
