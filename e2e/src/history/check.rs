//! Reconciles the three accounts of a run.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::findings::{Findings, Loss, Place, Twice};
use super::{History, Stored, duplicates, order};

/// What is wrong with this history. It must be complete: read after everything had time to arrive.
pub fn check(history: &History) -> Findings {
    let first = history.first_receipts();
    Findings {
        lost: losses(history),
        stored_twice: stored_twice(history),
        duplicates: duplicates::duplicates(history),
        overtakings: order::overtakings(history, &first),
    }
}

fn losses(history: &History) -> Vec<Loss> {
    let stored: HashMap<Uuid, &Stored> = history.stored.iter().map(|stored| (stored.message_id, stored)).collect();
    let mut received: HashMap<Uuid, u64> = HashMap::new();
    for receipt in &history.received {
        *received.entry(receipt.message_id).or_default() += 1;
    }
    let mut found: Vec<Loss> = history
        .accepted
        .iter()
        .filter_map(|accepted| {
            let received = received.get(&accepted.message_id).copied().unwrap_or(0);
            let place = place(stored.get(&accepted.message_id).copied(), received)?;
            Some(Loss { accepted: accepted.clone(), place })
        })
        .collect();
    found.sort_by_key(|loss| (loss.accepted.acked, loss.accepted.message_id));
    found
}

/// How far a message came; `None` when it came to its end.
fn place(stored: Option<&Stored>, received: u64) -> Option<Place> {
    let Some(stored) = stored else { return Some(Place::NotStored { received }) };
    let Some(least) = stored.deliveries.iter().find(|d| d.status != "READ").or(stored.deliveries.first()) else {
        return Some(Place::NoDelivery);
    };
    match (least.status.as_str(), received) {
        ("FAILED", _) => Some(Place::Failed { reason: least.reason.clone() }),
        (status, 0) => Some(Place::NotReceived { status: status.to_owned() }),
        ("READ", _) => None,
        (status, _) => Some(Place::NotRead { status: status.to_owned() }),
    }
}

fn stored_twice(history: &History) -> Vec<Twice> {
    let accepted: HashSet<Uuid> = history.accepted.iter().map(|accepted| accepted.message_id).collect();
    let mut times: BTreeMap<(&str, Uuid), usize> = BTreeMap::new();
    for stored in &history.stored {
        *times.entry((&stored.conversation, stored.message_id)).or_default() += 1;
    }
    times
        .into_iter()
        .filter_map(|((conversation, message_id), times)| {
            let conversation = conversation.to_owned();
            if !accepted.contains(&message_id) {
                Some(Twice::UnknownId { message_id, conversation })
            } else if times > 1 {
                Some(Twice::SameId { message_id, conversation, times })
            } else {
                None
            }
        })
        .collect()
}
