//! What the provider took more than once, and which of it the ledger names.

use std::collections::HashMap;
use std::fmt;

use uuid::Uuid;

use super::History;

/// A delivery that the provider took more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The message.
    pub message_id: Uuid,
    /// The delivery.
    pub delivery_id: Uuid,
    /// How often after the first time.
    pub again: u64,
    /// Calls of this delivery whose answer never came, as the store shows them.
    pub unknown_outcomes: u64,
}

impl Duplicate {
    /// How many of the repetitions nobody owns up to.
    pub fn unnamed(&self) -> u64 {
        self.again.saturating_sub(self.unknown_outcomes)
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Duplicate { message_id, delivery_id, again, unknown_outcomes } = self;
        write!(
            f,
            "duplicated: the provider took {message_id}:{delivery_id} {} times, and the ledger names {unknown_outcomes} unknown outcomes",
            again + 1
        )
    }
}

/// Every delivery with more than one receipt, in the order of their ids.
pub(super) fn duplicates(history: &History) -> Vec<Duplicate> {
    let mut times: HashMap<(Uuid, Uuid), u64> = HashMap::new();
    for receipt in &history.received {
        *times.entry((receipt.message_id, receipt.delivery_id)).or_default() += 1;
    }
    let named: HashMap<Uuid, u64> = history
        .stored
        .iter()
        .flat_map(|message| &message.deliveries)
        .map(|delivery| (delivery.delivery_id, u64::from(delivery.unknown_outcomes)))
        .collect();
    let mut found: Vec<Duplicate> = times
        .into_iter()
        .filter(|(_, times)| *times > 1)
        .map(|((message_id, delivery_id), times)| Duplicate {
            message_id,
            delivery_id,
            again: times - 1,
            unknown_outcomes: named.get(&delivery_id).copied().unwrap_or(0),
        })
        .collect();
    found.sort_by_key(|d| (d.message_id, d.delivery_id));
    found
}
