//! The days of a conversation that hold messages, from the newest back, looked up a few at a time: a page
//! needs one or two of them, however long the conversation has been going on.

use std::collections::VecDeque;

use chat4all_message::ConversationId;
use scylla::value::CqlDate;

use super::Cassandra;
use super::columns::{Bucket, Position};
use crate::Result;

/// How many days are looked up at once.
const AT_ONCE: i32 = 8;

/// A walk back through a conversation.
pub(super) struct Days<'w> {
    store: &'w Cassandra,
    conversation: &'w ConversationId,
    before: Option<Position>,
    found: VecDeque<Bucket>,
    /// The latest day that may be looked up next; `None` when there are no more.
    latest: Option<Bucket>,
}

impl<'w> Days<'w> {
    /// Begins with the day of this position, or with the newest.
    pub(super) fn before(store: &'w Cassandra, conversation: &'w ConversationId, position: Option<Position>) -> Self {
        let latest = Some(position.map_or(Bucket::LAST, Position::bucket));
        Self { store, conversation, before: position, found: VecDeque::new(), latest }
    }

    /// The next day, with the position before which its messages are wanted; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<(Bucket, Position)>> {
        if self.found.is_empty()
            && let Some(latest) = self.latest
        {
            self.look_up(latest).await?;
        }
        let end = |day: Bucket| self.before.filter(|position| position.bucket() == day).unwrap_or_else(|| day.end());
        Ok(self.found.pop_front().map(|day| (day, end(day))))
    }

    async fn look_up(&mut self, latest: Bucket) -> Result<()> {
        let action = || format!("read the days of conversation {}", self.conversation);
        let values = (self.conversation.as_str(), latest.date(), AT_ONCE);
        let days: Vec<(CqlDate,)> = self.store.few(action, &self.store.statements.buckets, values).await?;
        self.found.extend(days.iter().map(|(day,)| Bucket(day.0)));
        let more = days.len() == AT_ONCE as usize;
        self.latest = self.found.back().filter(|_| more).and_then(|oldest| oldest.day_before());
        Ok(())
    }
}
