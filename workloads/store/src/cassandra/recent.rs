//! Remembers which rows this process has written already, so that they are not written again for
//! every message. Forgetting costs one more write, so the bound is kept simply: full means empty.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chat4all_message::ConversationId;

/// Pairs of conversation and day.
#[derive(Debug)]
pub(super) struct Recent {
    most: usize,
    seen: Mutex<HashSet<(ConversationId, u32)>>,
}

impl Recent {
    pub(super) fn holding(most: usize) -> Self {
        Self { most, seen: Mutex::default() }
    }

    pub(super) fn holds(&self, conversation: &ConversationId, day: u32) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(&(conversation.clone(), day))
    }

    pub(super) fn add(&self, conversation: &ConversationId, day: u32) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= self.most {
            seen.clear();
        }
        seen.insert((conversation.clone(), day));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_it_may() {
        let recent = Recent::holding(2);
        let ids: Vec<ConversationId> = ["a", "b", "c"].iter().map(|t| t.parse().unwrap()).collect();
        for id in &ids {
            recent.add(id, 1);
            assert!(recent.holds(id, 1));
            assert!(!recent.holds(id, 2));
        }
        assert!(!recent.holds(&ids[0], 1), "the third one emptied it");
    }
}
