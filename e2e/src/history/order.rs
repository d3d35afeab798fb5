//! The order within a conversation. One message comes before another when its acknowledgement
//! arrived before the other was sent; between others nothing is promised. At the provider the
//! first receipt of each counts.

use std::collections::HashMap;
use std::fmt;

use uuid::Uuid;

use super::{Accepted, History, Receipt};

/// A message that reached the provider before one that comes before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overtaking {
    /// The conversation of both.
    pub conversation: String,
    /// The one that was acknowledged first and arrived last.
    pub earlier: Uuid,
    /// The one that was sent after that and arrived first.
    pub later: Uuid,
    /// Their places in the provider's log, in the same order.
    pub places: (u64, u64),
}

impl fmt::Display for Overtaking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Overtaking { conversation, earlier, later, places: (earlier_place, later_place) } = self;
        write!(
            f,
            "out of order: {later} of {conversation} reached the provider at place {later_place}, before {earlier} at place {earlier_place}, which was acknowledged before {later} was sent"
        )
    }
}

/// One for each message that overtook another, with one that it overtook.
pub(super) fn overtakings(history: &History, first: &HashMap<Uuid, &Receipt>) -> Vec<Overtaking> {
    let mut conversations: HashMap<&str, Vec<(&Accepted, u64)>> = HashMap::new();
    for accepted in &history.accepted {
        if let Some(receipt) = first.get(&accepted.message_id) {
            conversations.entry(&accepted.conversation).or_default().push((accepted, receipt.place));
        }
    }
    let mut found: Vec<Overtaking> = conversations.into_values().flat_map(overtakings_of_one).collect();
    found.sort_by_key(|o| (o.places.1, o.later));
    found
}

/// Goes through the messages by their sending; of those acknowledged before, only the one that
/// arrived last matters.
fn overtakings_of_one(mut by_sending: Vec<(&Accepted, u64)>) -> Vec<Overtaking> {
    let mut by_ack = by_sending.clone();
    by_ack.sort_by_key(|(accepted, _)| accepted.acked);
    by_sending.sort_by_key(|(accepted, _)| accepted.sent);
    let mut acked = by_ack.into_iter().peekable();
    let mut last: Option<(&Accepted, u64)> = None;
    let mut found = Vec::new();
    for (later, place) in by_sending {
        while let Some(earlier) = acked.next_if(|(earlier, _)| earlier.acked < later.sent) {
            last = Some(last.filter(|known| known.1 > earlier.1).unwrap_or(earlier));
        }
        if let Some((earlier, earlier_place)) = last.filter(|(_, earlier_place)| *earlier_place > place) {
            found.push(Overtaking {
                conversation: later.conversation.clone(),
                earlier: earlier.message_id,
                later: later.message_id,
                places: (earlier_place, place),
            });
        }
    }
    found
}
