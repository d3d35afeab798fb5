//! What every store must do with dead letters. Letters of all behaviours lie in one list, so each
//! behaviour has a connector of its own.

use chat4all_message::{DeliveryEvent, DeliveryId, LetterId, Status};
use chat4all_store::{
    About, Closing, DeadLetter, Deed, LetterBody, LetterFilter, LetterState, Origin, Store, StoredLetter,
};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{at, conversation, failed, message, only_delivery, put, recipient, sent};

fn connector() -> String {
    format!("c{}", Uuid::new_v4().simple())
}

fn letter(connector: &str, offset: i64, given_up_at: Timestamp) -> DeadLetter {
    let topic = format!("{connector}-outbound");
    DeadLetter {
        id: LetterId::of(&topic, 3, offset),
        given_up_at,
        reason: "131026".into(),
        message: "undeliverable".into(),
        attempts: 2,
        replays: 1,
        group: format!("{connector}-connector-group"),
        origin: Origin { topic, partition: 3, offset, at: Some(at("2026-11-25T09:59:59.5Z")) },
        about: About { connector: Some(connector.into()), recipient: Some(recipient()), ..About::default() },
    }
}

fn body() -> LetterBody {
    LetterBody { key: recipient().to_string().into(), value: b"{\"not\": \xff json".to_vec() }
}

async fn put_all(store: &dyn Store, letters: &[DeadLetter]) {
    for letter in letters {
        store.put_letter(letter, &body()).await.unwrap();
    }
}

fn of(connector: &str) -> LetterFilter {
    LetterFilter { connector: Some(connector.into()), ..LetterFilter::default() }
}

/// All letters that fit, in the order in which pages of this size show them.
async fn pages(store: &dyn Store, filter: &LetterFilter, limit: usize) -> Vec<StoredLetter> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = store.letters(filter, before, limit).await.unwrap();
        assert!(page.letters.len() <= limit);
        all.extend(page.letters);
        match page.next {
            Some(next) => before = Some(next),
            None => return all,
        }
    }
}

fn closing(state: LetterState, by: &str) -> Closing {
    Closing { state, at: at("2026-11-26T08:00:00.25Z"), by: by.into() }
}

pub async fn a_replay_answers_the_failures_before_it_and_none_after_it(store: &dyn Store) {
    let conversation = conversation();
    let delivery = put(store, &message(&conversation, at("2026-11-25T10:00:00Z"))).await.reference;
    store.apply(&delivery, &failed("131026"), at("2026-11-25T10:00:05Z")).await.unwrap();
    for earlier in ["2026-11-25T10:00:05.001Z", "2026-11-25T10:00:04Z"] {
        store.reopen(&delivery, at(earlier)).await.unwrap();
        let times = only_delivery(store, &conversation).await.times;
        assert_eq!((times.status(), times.failed_at.is_some()), (Status::Accepted, true));
    }
    store.apply(&delivery, &sent("wamid.1", 1), at("2026-11-25T10:01:00Z")).await.unwrap();
    assert_eq!(only_delivery(store, &conversation).await.times.status(), Status::Sent);
    store.apply(&delivery, &DeliveryEvent::Delivered, at("2026-11-25T10:01:01Z")).await.unwrap();
    assert_eq!(only_delivery(store, &conversation).await.times.status(), Status::Delivered);
    let other = put(store, &message(&conversation, at("2026-11-26T10:00:00Z"))).await.reference;
    store.apply(&other, &failed("131026"), at("2026-11-26T10:00:05Z")).await.unwrap();
    store.reopen(&other, at("2026-11-26T10:00:05Z")).await.unwrap();
    store.apply(&other, &failed("131049"), at("2026-11-26T10:09:00Z")).await.unwrap();
    assert_eq!(only_delivery(store, &conversation).await.times.status(), Status::Failed);
}

pub async fn a_letter_is_given_back_with_its_record_and_what_it_is_about(store: &dyn Store) {
    let message = message(&conversation(), at("2026-11-25T10:00:00Z"));
    let bare = letter(&connector(), 1, at("2026-11-25T10:00:00.123Z"));
    let about = About {
        conversation_id: Some(message.conversation_id),
        message_id: Some(message.message_id),
        delivery_id: Some(DeliveryId::of(message.message_id, &recipient())),
        ..bare.about.clone()
    };
    let full = DeadLetter { about, ..bare };
    let nothing = DeadLetter {
        about: About::default(),
        origin: Origin { at: None, topic: connector(), ..full.origin.clone() },
        id: LetterId::of(&connector(), 0, 0),
        ..full.clone()
    };
    assert_eq!(store.letter(full.id).await.unwrap(), None);
    assert_eq!(store.given_up_at(full.id).await.unwrap(), None);
    for letter in [full, nothing] {
        store.put_letter(&letter, &body()).await.unwrap();
        assert_eq!(store.given_up_at(letter.id).await.unwrap(), Some(letter.given_up_at));
        let id = letter.id;
        let expected = (StoredLetter { letter, closed: None }, body());
        assert_eq!(store.letter(id).await.unwrap(), Some(expected));
    }
}

pub async fn a_letter_given_up_again_keeps_its_first_instant_and_its_state(store: &dyn Store) {
    let connector = connector();
    let first = letter(&connector, 1, at("2026-11-24T23:59:59Z"));
    put_all(store, std::slice::from_ref(&first)).await;
    let closed = closing(LetterState::Replayed, "ops");
    assert!(store.close_letter(first.cursor(), &closed).await.unwrap());
    let again = DeadLetter { given_up_at: at("2026-11-25T00:00:01Z"), ..first.clone() };
    put_all(store, &[again]).await;
    let expected = StoredLetter { letter: first.clone(), closed: Some(closed) };
    assert_eq!(store.letter(first.id).await.unwrap().unwrap().0, expected);
    assert_eq!(pages(store, &of(&connector), 10).await, [expected]);
}

pub async fn letters_are_listed_newest_first_across_days_without_gaps(store: &dyn Store) {
    let connector = connector();
    let mut letters = Vec::new();
    for (day, count) in [("2026-11-23T23:59:59.999Z", 5), ("2026-11-24T00:00:00Z", 1), ("2026-11-30T12:00:00Z", 6)] {
        for n in 0..count {
            let given_up_at = at(day) + SignedDuration::from_millis(-(n / 2));
            letters.push(letter(&connector, letters.len() as i64, given_up_at));
        }
    }
    put_all(store, &letters).await;
    letters.sort_by_key(|letter| std::cmp::Reverse(letter.cursor()));
    for limit in [1, 5, 100] {
        let found: Vec<DeadLetter> = pages(store, &of(&connector), limit).await.into_iter().map(|l| l.letter).collect();
        assert_eq!(found, letters, "pages of {limit}");
    }
}

pub async fn letters_are_found_by_what_they_are_about(store: &dyn Store) {
    let connector = connector();
    let instants = ["2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z", "2026-11-25T10:00:00Z"].map(at);
    let mut letters: Vec<DeadLetter> = (0..3).map(|n| letter(&connector, n, instants[n as usize])).collect();
    letters[1].reason = "chat4all:unreadable".into();
    letters[2].about.recipient = Some("whatsapp:+5562900000002".parse().unwrap());
    put_all(store, &letters).await;
    store.close_letter(letters[0].cursor(), &closing(LetterState::Discarded, "ops")).await.unwrap();
    let found = async |filter: LetterFilter| -> Vec<i64> {
        pages(store, &filter, 10).await.iter().map(|l| l.letter.origin.offset).collect()
    };
    let all = || of(&connector);
    assert_eq!(found(LetterFilter { reason: Some("chat4all:unreadable".into()), ..all() }).await, [1]);
    assert_eq!(found(LetterFilter { recipient: letters[2].about.recipient.clone(), ..all() }).await, [2]);
    assert_eq!(found(LetterFilter { from: Some(instants[1]), ..all() }).await, [2, 1], "from is included");
    assert_eq!(found(LetterFilter { to: Some(instants[1]), ..all() }).await, [0], "to is not");
    assert_eq!(found(LetterFilter { from: Some(instants[1]), to: Some(instants[2]), ..all() }).await, [1]);
    assert_eq!(found(LetterFilter { state: Some(LetterState::Open), ..all() }).await, [2, 1]);
    assert_eq!(found(LetterFilter { state: Some(LetterState::Discarded), ..all() }).await, [0]);
    assert!(found(of("nobody")).await.is_empty());
}

pub async fn of_two_who_close_a_letter_one_does(store: &dyn Store) {
    let letter = letter(&connector(), 1, at("2026-11-25T10:00:00Z"));
    put_all(store, std::slice::from_ref(&letter)).await;
    let closings: Vec<Closing> = (0..8).map(|n| closing(LetterState::Discarded, &format!("ops{n}"))).collect();
    let outcomes = join_all(closings.iter().map(|closing| store.close_letter(letter.cursor(), closing))).await;
    let won: Vec<usize> = (0..8).filter(|n| *outcomes[*n].as_ref().unwrap()).collect();
    let [winner] = won[..] else { panic!("{won:?} closed it") };
    let stored = store.letter(letter.id).await.unwrap().unwrap().0;
    assert_eq!(stored.closed.as_ref(), Some(&closings[winner]));
    assert!(store.close_letter(letter.cursor(), &closings[winner]).await.unwrap(), "repeated by its maker");
}

pub async fn what_was_done_with_a_letter_is_told_in_order(store: &dyn Store) {
    let id = LetterId::of(&connector(), 0, 1);
    let deed = |second, what: &str| Deed {
        at: at("2026-11-25T10:00:00Z") + SignedDuration::from_secs(second),
        by: "ops".into(),
        what: what.into(),
        detail: "content".into(),
    };
    let deeds = [deed(1, "replay"), deed(1, "replay"), deed(2, "discard")];
    for deed in &deeds {
        store.note_deed(id, deed).await.unwrap();
    }
    assert_eq!(store.deeds(id).await.unwrap(), deeds);
}
