//! The book with planted losses: what is lost is named, and nothing else is.

use chat4all_message::{Address, DeliveryTimes, Effort};
use chat4all_store::Outcome;
use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn recipient() -> Address {
    "whatsapp:+5562998765432".parse().unwrap()
}

/// A message whose record the routers are past.
fn routed(offset: i64) -> Accepted {
    Accepted {
        message_id: MessageId::now(),
        conversation_id: "c1".parse().unwrap(),
        place: Place { partition: 0, offset },
        routed: true,
    }
}

fn unrouted(offset: i64) -> Accepted {
    Accepted { routed: false, ..routed(offset) }
}

fn reference(message: &Accepted) -> DeliveryRef {
    DeliveryRef {
        conversation_id: message.conversation_id.clone(),
        message_id: message.message_id,
        delivery_id: DeliveryId::of(message.message_id, &recipient()),
    }
}

fn delivery(message: &Accepted, connector: &str, times: DeliveryTimes) -> StoredDelivery {
    StoredDelivery {
        delivery_id: reference(message).delivery_id,
        recipient: recipient(),
        connector: connector.into(),
        times,
        code: None,
        reason: None,
        dead_lettered_at: None,
        provider_id: None,
        effort: Effort::default(),
    }
}

fn open(message: &Accepted) -> Option<Vec<StoredDelivery>> {
    Some(vec![delivery(message, "main", DeliveryTimes::default())])
}

fn sent(message: &Accepted) -> Option<Vec<StoredDelivery>> {
    let times = DeliveryTimes { sent_at: Some(at(10)), ..DeliveryTimes::default() };
    Some(vec![delivery(message, "main", times)])
}

fn failed(message: &Accepted, dead_lettered_at: Option<Timestamp>) -> Option<Vec<StoredDelivery>> {
    let times = DeliveryTimes { failed_at: Some(at(10)), ..DeliveryTimes::default() };
    Some(vec![StoredDelivery { dead_lettered_at, ..delivery(message, "main", times) }])
}

fn book(messages: &[&Accepted]) -> Book {
    let mut book = Book::of_at_most(1_000);
    messages.iter().for_each(|message| book.accept(message).unwrap());
    book
}

/// The message's tally and what is unaccounted for, for a book about one message.
fn alone(book: Book) -> (Tally, Waiting, Vec<Unaccounted>) {
    let (messages, _, waiting, unaccounted) = book.close(10);
    assert_eq!(messages.accepted, 1);
    (messages, waiting, unaccounted)
}

#[test]
fn a_message_that_the_router_lost_is_named() {
    let message = routed(17);
    let mut book = book(&[&message]);
    book.stored(message.message_id, None);
    assert_eq!(book.missing(), [(message.conversation_id.clone(), message.message_id)]);
    let (tally, _, unaccounted) = alone(book);
    assert_eq!(tally.unaccounted, 1);
    assert_eq!((unaccounted[0].message_id, unaccounted[0].offset), (Some(message.message_id), 17));
    assert!(unaccounted[0].why.contains("neither stored nor in the dead-letter queue"), "{}", unaccounted[0].why);
}

#[test]
fn a_delivery_that_the_connector_lost_is_named() {
    let message = routed(0);
    let mut book = book(&[&message]);
    book.stored(message.message_id, open(&message));
    let (tally, _, unaccounted) = alone(book);
    assert_eq!(tally.unaccounted, 1);
    assert_eq!(unaccounted[0].delivery_id, Some(reference(&message).delivery_id.as_uuid()));
    assert!(unaccounted[0].why.contains("connector main"), "{}", unaccounted[0].why);
}

#[test]
fn a_local_delivery_that_was_never_noted_is_named() {
    let message = routed(0);
    let mut book = book(&[&message]);
    book.stored(message.message_id, Some(vec![delivery(&message, LOCAL, DeliveryTimes::default())]));
    assert!(book.connectors().is_empty(), "there is no topic to look into");
    assert!(alone(book).2[0].why.contains("user of this deployment"));
}

#[test]
fn one_lost_delivery_among_several_is_enough_to_name_the_message() {
    let message = routed(0);
    let mut book = book(&[&message]);
    let lost = StoredDelivery { delivery_id: uuid::Uuid::nil().into(), ..open(&message).unwrap().remove(0) };
    book.stored(message.message_id, Some(vec![sent(&message).unwrap().remove(0), lost]));
    let (messages, deliveries, _, unaccounted) = book.close(10);
    assert_eq!((messages.accepted, messages.unaccounted), (1, 1));
    assert_eq!((deliveries.accepted, deliveries.delivered, deliveries.unaccounted), (2, 1, 1));
    assert_eq!(unaccounted[0].delivery_id, Some(uuid::Uuid::nil()));
}

#[test]
fn a_record_that_the_routers_have_not_committed_is_in_flight_stored_or_not() {
    let (unseen, half_done) = (unrouted(0), unrouted(1));
    let mut book = book(&[&unseen, &half_done]);
    book.stored(half_done.message_id, open(&half_done));
    assert!(book.missing().is_empty());
    let (messages, deliveries, waiting, _) = book.close(10);
    assert_eq!((messages.in_flight, deliveries.in_flight, waiting.router), (2, 1, 2));
}

#[test]
fn a_delivery_before_its_connector_is_in_flight_there() {
    let message = routed(0);
    let mut book = book(&[&message]);
    book.stored(message.message_id, open(&message));
    assert_eq!(book.connectors(), ["main".to_owned()].into());
    book.at_connector(&reference(&message), at(1));
    let (tally, waiting, _) = alone(book);
    assert_eq!((tally.in_flight, waiting.connectors["main"]), (1, 1));
}

#[test]
fn a_delivery_whose_status_is_before_a_router_is_in_flight_there() {
    let message = routed(0);
    let mut book = book(&[&message]);
    book.stored(message.message_id, open(&message));
    book.at_status(&reference(&message));
    let (tally, waiting, _) = alone(book);
    assert_eq!((tally.in_flight, waiting.status), (1, 1));
}

#[test]
fn a_delivery_that_waits_for_its_outcome_is_in_flight_until_that_takes_too_long() {
    let attempting = Attempt::Attempting { since: at(0) };
    let ended = Attempt::Ended { at: at(0), outcome: Outcome::Sent { provider_id: None } };
    for (attempt, now, in_flight) in
        [(&attempting, at(86_400), 1), (&attempting, at(90_000), 0), (&ended, at(60), 1), (&ended, at(600), 0)]
    {
        let message = routed(0);
        let mut book = book(&[&message]);
        book.stored(message.message_id, open(&message));
        assert_eq!(book.missing_deliveries(), [reference(&message)]);
        let entry = LedgerEntry { effort: Effort::default(), attempt: attempt.clone(), replays: 0 };
        book.noted(&reference(&message), &entry, now);
        let (tally, _, _) = alone(book);
        assert_eq!((tally.in_flight, tally.unaccounted), (in_flight, 1 - in_flight), "{attempt:?} at {now}");
    }
}

#[test]
fn a_delivery_that_was_settled_while_the_check_looked_elsewhere_is_found_at_the_second_look() {
    let message = routed(0);
    let mut book = book(&[&message]);
    book.stored(message.message_id, open(&message));
    assert_eq!(book.missing().len(), 1);
    book.stored(message.message_id, sent(&message));
    assert_eq!(alone(book).0, Tally { accepted: 1, delivered: 1, ..Tally::default() });
}

#[test]
fn a_second_look_that_finds_nothing_new_keeps_what_was_found() {
    let message = routed(0);
    let mut book = book(&[&message]);
    book.stored(message.message_id, open(&message));
    book.at_connector(&reference(&message), at(1));
    book.stored(message.message_id, open(&message));
    assert_eq!(alone(book).0.in_flight, 1);
}

#[test]
fn a_failure_is_dead_lettered_or_not_as_the_store_says() {
    for (dead_lettered_at, expected) in [(None, (1, 0)), (Some(at(11)), (0, 1))] {
        let message = routed(0);
        let mut book = book(&[&message]);
        book.stored(message.message_id, failed(&message, dead_lettered_at));
        let (tally, _, _) = alone(book);
        assert_eq!((tally.failed, tally.dead_lettered), expected);
    }
}

#[test]
fn a_dead_letter_that_is_replayed_is_in_flight_until_it_is_settled_again() {
    let message = routed(0);
    // The record that failed is often not committed yet; it is older than the failure.
    for (written, in_flight) in [(at(5), 0), (at(15), 1)] {
        let mut book = book(&[&message]);
        book.stored(message.message_id, failed(&message, Some(at(11))));
        book.at_connector(&reference(&message), written);
        let (tally, _, _) = alone(book);
        assert_eq!((tally.in_flight, tally.dead_lettered), (in_flight, 1 - in_flight));
    }
}

#[test]
fn a_message_that_the_router_gave_up_is_dead_lettered() {
    let message = routed(0);
    let mut book = book(&[&message]);
    book.stored(message.message_id, None);
    assert_eq!(book.given_up_or_lost(), [(message.place, Some(message.message_id))]);
    book.dead_lettered(message.message_id);
    assert!(book.given_up_or_lost().is_empty());
    assert!(book.missing().is_empty());
    assert_eq!(alone(book).0.dead_lettered, 1);
}

#[test]
fn an_unreadable_record_must_be_in_flight_or_dead_lettered() {
    let place = |offset| Place { partition: 2, offset };
    let mut book = Book::of_at_most(10);
    book.accept_unreadable(place(1), true).unwrap();
    book.accept_unreadable(place(2), true).unwrap();
    book.accept_unreadable(place(3), false).unwrap();
    book.dead_lettered_unreadable(place(1));
    let (messages, _, _, unaccounted) = book.close(10);
    assert_eq!((messages.dead_lettered, messages.unaccounted, messages.in_flight), (1, 1, 1));
    assert_eq!((unaccounted[0].message_id, unaccounted[0].partition, unaccounted[0].offset), (None, 2, 2));
}

#[test]
fn a_message_that_stands_in_two_records_is_one_message() {
    let message = routed(0);
    let again = Accepted { place: Place { partition: 0, offset: 9 }, routed: false, ..message.clone() };
    let mut book = book(&[&message, &again]);
    book.stored(message.message_id, None);
    assert_eq!(alone(book).0.in_flight, 1, "the second record is before the router");
}

#[test]
fn a_message_for_nobody_else_is_delivered_by_being_stored() {
    for (message, in_flight) in [(routed(0), 0), (unrouted(0), 1)] {
        let mut book = book(&[&message]);
        book.stored(message.message_id, Some(Vec::new()));
        let (tally, _, _) = alone(book);
        assert_eq!((tally.delivered, tally.in_flight), (1 - in_flight, in_flight), "its deliveries may follow");
    }
}

#[test]
fn a_message_more_than_the_book_holds_is_refused() {
    let mut book = Book::of_at_most(1);
    let message = routed(0);
    assert_eq!(book.accept(&message), Ok(()));
    assert_eq!(book.accept(&message), Ok(()), "the same one takes no room");
    assert_eq!(book.accept(&routed(1)), Err(Full));
}

#[test]
fn only_so_many_are_listed_and_all_are_counted() {
    let messages: Vec<Accepted> = (0..5).rev().map(routed).collect();
    let book = book(&messages.iter().collect::<Vec<_>>());
    let (tally, _, _, unaccounted) = book.close(2);
    assert_eq!(tally.unaccounted, 5);
    assert_eq!(unaccounted.iter().map(|lost| lost.offset).collect::<Vec<_>>(), [0, 1]);
}

/// How far a message of the model came, in the order of its way, and what the check sees of it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    BeforeRouter,
    GivenUpByRouter,
    BeforeConnector,
    BeforeStatus,
    Failed,
    DeadLettered,
    Sent,
    LostByRouter,
    LostByConnector,
}

const STAGES: [Stage; 9] = [
    Stage::BeforeRouter,
    Stage::GivenUpByRouter,
    Stage::BeforeConnector,
    Stage::BeforeStatus,
    Stage::Failed,
    Stage::DeadLettered,
    Stage::Sent,
    Stage::LostByRouter,
    Stage::LostByConnector,
];

proptest! {
    /// Messages move on while the check looks, one stage at each of its looks at most or all at once.
    #[test]
    fn the_counts_add_up_and_exactly_the_planted_losses_are_named(
        // What the store, the queues and the second look at the store see.
        stages in proptest::collection::vec((0usize..9, 0usize..9, 0usize..9), 0..60)
    ) {
        let mut book = Book::of_at_most(1_000);
        let mut lost = HashSet::new();
        for (offset, seen) in stages.iter().enumerate() {
            let [first, queues, last] = moving(*seen);
            let message = Accepted { routed: first != Stage::BeforeRouter, ..routed(offset as i64) };
            book.accept(&message).unwrap();
            book.stored(message.message_id, in_store(&message, first));
            if queues == Stage::GivenUpByRouter {
                book.dead_lettered(message.message_id);
            }
            if queues == Stage::BeforeConnector {
                book.at_connector(&reference(&message), at(1));
            }
            if queues == Stage::BeforeStatus {
                book.at_status(&reference(&message));
            }
            if book.missing().iter().any(|(_, id)| *id == message.message_id) {
                book.stored(message.message_id, in_store(&message, last));
            }
            if matches!(last, Stage::LostByRouter | Stage::LostByConnector) {
                lost.insert(message.message_id);
            }
        }
        let (messages, deliveries, waiting, unaccounted) = book.close(usize::MAX);
        let named: HashSet<MessageId> = unaccounted.iter().filter_map(|u| u.message_id).collect();
        prop_assert_eq!(named, lost);
        for tally in [messages, deliveries] {
            let Tally { accepted, delivered, failed, dead_lettered, in_flight, unaccounted } = tally;
            prop_assert_eq!(accepted, delivered + failed + dead_lettered + in_flight + unaccounted);
        }
        prop_assert_eq!(messages.accepted, stages.len() as u64);
        prop_assert_eq!(messages.in_flight, waiting.router + waiting.status + waiting.connectors.values().sum::<u64>());
    }
}

/// The stages that three looks see of one message: it only moves forward, and what is lost or ended stays so.
fn moving((first, queues, last): (usize, usize, usize)) -> [Stage; 3] {
    let first = STAGES[first];
    let on_its_way = |stage| matches!(stage, Stage::BeforeConnector | Stage::BeforeStatus);
    let next = |now: Stage, number: usize| {
        let wish = STAGES[number];
        let forward = match now {
            Stage::BeforeConnector => {
                matches!(wish, Stage::BeforeStatus | Stage::Failed | Stage::DeadLettered | Stage::Sent)
            }
            Stage::BeforeStatus => matches!(wish, Stage::Failed | Stage::DeadLettered | Stage::Sent),
            _ => false,
        };
        if on_its_way(now) && forward { wish } else { now }
    };
    let queues = next(first, queues);
    [first, queues, next(queues, last)]
}

fn in_store(message: &Accepted, stage: Stage) -> Option<Vec<StoredDelivery>> {
    match stage {
        Stage::BeforeRouter | Stage::GivenUpByRouter | Stage::LostByRouter => None,
        Stage::BeforeConnector | Stage::BeforeStatus | Stage::LostByConnector => open(message),
        Stage::Failed => failed(message, None),
        Stage::DeadLettered => failed(message, Some(at(11))),
        Stage::Sent => sent(message),
    }
}
