//! The checker is shown histories with one planted fault each, and clean ones.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::order::overtakings;
use super::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + i64::try_from(millis).unwrap()).unwrap()
}

fn delivery_id(message_id: Uuid) -> Uuid {
    Uuid::new_v5(&message_id, b"recipient")
}

/// Messages in turn to each conversation, one after another, each delivered once and read.
pub(super) fn clean(conversations: u64, messages: u64) -> History {
    let mut history = History::default();
    for n in 0..conversations * messages {
        let message_id = Uuid::from_u128(0x7000_0000 + u128::from(n));
        let conversation = format!("c{}", n % conversations);
        let sent = at(10 * n);
        history.accepted.push(Accepted {
            message_id,
            conversation: conversation.clone(),
            sequence: n / conversations,
            intended: sent,
            sent,
            acked: sent + Duration::from_millis(3),
            requests: 1,
        });
        history.stored.push(Stored {
            message_id,
            conversation,
            deliveries: vec![StoredDelivery {
                delivery_id: delivery_id(message_id),
                status: "READ".into(),
                sent_at: None,
                delivered_at: None,
                read_at: None,
                reason: None,
                unknown_outcomes: 0,
            }],
        });
        history.received.push(Receipt {
            place: n + 1,
            at: sent + Duration::from_millis(20),
            message_id,
            delivery_id: delivery_id(message_id),
        });
    }
    history
}

/// A way to spoil a clean history at one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NeverStored,
    NeverReceived,
    VanishedWithoutTrace,
    GivenUp,
    StatusStopped,
    WithoutDelivery,
    StoredTwice,
    StoredUnderAnotherIdToo,
    UnnamedDuplicate,
    NamedDuplicate,
    TwiceNamedOnce,
    Overtaken,
}

const FAULTS: [Fault; 12] = [
    Fault::NeverStored,
    Fault::NeverReceived,
    Fault::VanishedWithoutTrace,
    Fault::GivenUp,
    Fault::StatusStopped,
    Fault::WithoutDelivery,
    Fault::StoredTwice,
    Fault::StoredUnderAnotherIdToo,
    Fault::UnnamedDuplicate,
    Fault::NamedDuplicate,
    Fault::TwiceNamedOnce,
    Fault::Overtaken,
];

/// Plants the fault at message `n`; for a reordering the message after it in its conversation must exist.
fn plant(history: &mut History, fault: Fault, n: usize, conversations: usize) {
    let last_place = history.received.len() as u64;
    match fault {
        Fault::NeverStored => drop(history.stored.remove(n)),
        Fault::NeverReceived => drop(history.received.remove(n)),
        Fault::VanishedWithoutTrace => {
            history.stored.remove(n);
            history.received.remove(n);
        }
        Fault::GivenUp => {
            history.stored[n].deliveries[0].status = "FAILED".into();
            history.stored[n].deliveries[0].reason = Some("undeliverable".into());
        }
        Fault::StatusStopped => history.stored[n].deliveries[0].status = "SENT".into(),
        Fault::WithoutDelivery => history.stored[n].deliveries.clear(),
        Fault::StoredTwice => history.stored.push(history.stored[n].clone()),
        Fault::StoredUnderAnotherIdToo => {
            history.stored.push(Stored { message_id: Uuid::from_u128(1), ..history.stored[n].clone() });
        }
        Fault::UnnamedDuplicate | Fault::NamedDuplicate | Fault::TwiceNamedOnce => {
            let times = if fault == Fault::TwiceNamedOnce { 2 } else { 1 };
            for again in 1..=times {
                history.received.push(Receipt { place: last_place + again, ..history.received[n].clone() });
            }
            history.stored[n].deliveries[0].unknown_outcomes = u32::from(fault != Fault::UnnamedDuplicate);
        }
        Fault::Overtaken => {
            let place = history.received[n].place;
            history.received[n].place = history.received[n + conversations].place;
            history.received[n + conversations].place = place;
        }
    }
}

fn with(fault: Fault) -> Findings {
    let mut history = clean(3, 5);
    plant(&mut history, fault, 4, 3);
    check(&history)
}

/// Lost, stored twice, duplicated, named among them, out of order.
fn counts(findings: &Findings) -> (usize, usize, u64, u64, usize) {
    (
        findings.lost.len(),
        findings.stored_twice.len(),
        findings.duplicated(),
        findings.named(),
        findings.overtakings.len(),
    )
}

#[test]
fn a_clean_history_passes() {
    assert_eq!(check(&clean(4, 25)), Findings::default());
    assert_eq!(check(&History::default()), Findings::default());
}

#[test]
fn a_planted_loss_is_found_with_the_place_where_it_stopped() {
    for (fault, place) in [
        (Fault::NeverStored, Place::NotStored { received: 1 }),
        (Fault::VanishedWithoutTrace, Place::NotStored { received: 0 }),
        (Fault::NeverReceived, Place::NotReceived { status: "READ".into() }),
        (Fault::GivenUp, Place::Failed { reason: Some("undeliverable".into()) }),
        (Fault::StatusStopped, Place::NotRead { status: "SENT".into() }),
        (Fault::WithoutDelivery, Place::NoDelivery),
    ] {
        let findings = with(fault);
        assert_eq!(counts(&findings), (1, 0, 0, 0, 0), "{fault:?}");
        assert_eq!(findings.lost[0].place, place);
        assert_eq!(findings.violations(true).len(), 1);
    }
}

#[test]
fn a_message_that_is_stored_twice_is_found_under_one_id_and_under_two() {
    for fault in [Fault::StoredTwice, Fault::StoredUnderAnotherIdToo] {
        assert_eq!(counts(&with(fault)), (0, 1, 0, 0, 0), "{fault:?}");
    }
}

#[test]
fn a_duplicate_that_the_ledger_does_not_name_is_found() {
    let findings = with(Fault::UnnamedDuplicate);
    assert_eq!(counts(&findings), (0, 0, 1, 0, 0));
    assert_eq!(findings.violations(true).len(), 1);
}

#[test]
fn a_duplicate_that_the_ledger_names_is_counted_and_allowed_only_where_it_may_be() {
    let findings = with(Fault::NamedDuplicate);
    assert_eq!(counts(&findings), (0, 0, 1, 1, 0));
    assert!(findings.violations(true).is_empty());
    assert_eq!(findings.violations(false).len(), 1);
}

#[test]
fn of_two_duplicates_with_one_unknown_outcome_one_is_unnamed() {
    let findings = with(Fault::TwiceNamedOnce);
    assert_eq!(counts(&findings), (0, 0, 2, 1, 0));
    assert_eq!(findings.violations(true).len(), 1);
}

#[test]
fn a_reordering_is_found_and_says_who_overtook_whom() {
    let findings = with(Fault::Overtaken);
    assert_eq!(counts(&findings), (0, 0, 0, 0, 1));
    let accepted = clean(3, 5).accepted;
    assert_eq!(findings.overtakings[0].earlier, accepted[4].message_id);
    assert_eq!(findings.overtakings[0].later, accepted[7].message_id);
}

#[test]
fn messages_that_were_under_way_together_may_arrive_in_any_order() {
    let mut history = clean(1, 2);
    history.accepted[0].acked = history.accepted[1].sent;
    plant(&mut history, Fault::Overtaken, 0, 1);
    assert_eq!(check(&history), Findings::default());
}

#[test]
fn a_late_duplicate_is_no_reordering() {
    let mut history = clean(1, 3);
    plant(&mut history, Fault::NamedDuplicate, 0, 1);
    assert!(check(&history).overtakings.is_empty());
}

#[test]
fn messages_of_different_conversations_have_no_order() {
    let mut history = clean(2, 1);
    let (first, second) = (history.received[0].place, history.received[1].place);
    history.received[0].place = second;
    history.received[1].place = first;
    assert_eq!(check(&history), Findings::default());
}

fn shuffled(history: History) -> impl Strategy<Value = History> {
    let History { accepted, stored, received } = history;
    (Just(accepted).prop_shuffle(), Just(stored).prop_shuffle(), Just(received).prop_shuffle())
        .prop_map(|(accepted, stored, received)| History { accepted, stored, received })
}

fn spoiled() -> impl Strategy<Value = (Fault, History)> {
    (1_u64..6, 2_u64..12, proptest::sample::select(FAULTS.to_vec()), any::<prop::sample::Index>()).prop_flat_map(
        |(conversations, messages, fault, index)| {
            let mut history = clean(conversations, messages);
            // Any message but the last one of a conversation.
            let n = index.index(usize::try_from(conversations * (messages - 1)).unwrap());
            plant(&mut history, fault, n, usize::try_from(conversations).unwrap());
            (Just(fault), shuffled(history))
        },
    )
}

/// The definition, pair by pair.
fn overtakers(history: &History, first: &HashMap<Uuid, &Receipt>) -> Vec<Uuid> {
    let place = |message: &Accepted| first.get(&message.message_id).map(|receipt| receipt.place);
    let mut found: Vec<Uuid> = history
        .accepted
        .iter()
        .filter(|later| {
            history.accepted.iter().any(|earlier| {
                earlier.conversation == later.conversation
                    && earlier.acked < later.sent
                    && matches!((place(earlier), place(later)), (Some(earlier), Some(later)) if earlier > later)
            })
        })
        .map(|later| later.message_id)
        .collect();
    found.sort_unstable();
    found
}

proptest! {
    #[test]
    fn a_clean_history_passes_in_whatever_order_it_is_told(history in (1_u64..6, 0_u64..12).prop_flat_map(|(c, m)| shuffled(clean(c, m)))) {
        prop_assert_eq!(check(&history), Findings::default());
    }

    #[test]
    fn a_spoiled_history_is_found_in_whatever_order_it_is_told((fault, history) in spoiled()) {
        let findings = check(&history);
        prop_assert_eq!(findings.violations(false).len(), 1, "{:?}: {:?}", fault, findings);
        let allowed = fault == Fault::NamedDuplicate;
        prop_assert_eq!(findings.violations(true).is_empty(), allowed);
    }

    #[test]
    fn overtakers_are_those_of_the_definition(
        times in proptest::collection::vec((0_u64..50, 0_u64..30), 2..24),
        places in Just((1_u64..25).collect::<Vec<_>>()).prop_shuffle(),
        conversations in 1_u64..4,
    ) {
        let mut history = clean(conversations, 8);
        history.accepted.truncate(times.len());
        history.received.truncate(times.len());
        for (((accepted, receipt), (sent, took)), place) in
            history.accepted.iter_mut().zip(&mut history.received).zip(&times).zip(&places)
        {
            accepted.sent = at(*sent);
            accepted.acked = at(sent + took);
            receipt.place = *place;
        }
        let first = history.first_receipts();
        let mut found: Vec<Uuid> = overtakings(&history, &first).iter().map(|o| o.later).collect();
        found.sort_unstable();
        prop_assert_eq!(found, overtakers(&history, &first));
    }
}
