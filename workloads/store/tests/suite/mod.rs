//! What every store must do, whatever it is made of. Each behaviour works on conversations of its
//! own, so all of them may share one store.

mod dead_letters;

use std::collections::BTreeSet;

use chat4all_message::inbound::FileSource;
use chat4all_message::{
    AcceptedMessage, Address, ConversationId, Delivery, DeliveryEvent, DeliveryTimes, Effort, Inbound, InboundFile,
    Media, MediaKind, MessageId, ProviderRef, Status,
};
use chat4all_store::{
    Attempt, Claim, ClaimState, Cursor, HeldStatus, InboundPlace, LedgerEntry, Outcome, PageRequest, Place, RequestKey,
    Store, StoredDelivery, StoredMessage, WaitingDelivery,
};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use uuid::{NoContext, Uuid};

pub use dead_letters::*;

/// Hands the names of all behaviours to a macro.
#[macro_export]
macro_rules! for_each_behaviour {
    ($make:ident) => {
        $make! {
            two_messages_of_one_millisecond_are_two_rows
            a_page_shows_the_newest_messages_first_with_all_that_was_accepted
            what_came_in_is_shown_with_where_it_came_from
            pages_by_cursor_have_no_gaps_and_no_repeats_across_days
            pages_by_offset_have_no_gaps_and_no_repeats_across_days
            a_conversation_of_many_days_is_read_to_its_first_message
            a_page_shows_no_message_of_another_conversation
            an_unknown_conversation_has_no_members_and_no_messages
            members_are_added_once_and_stay
            members_who_are_added_together_are_seen_together
            a_message_to_many_has_one_delivery_for_each
            a_message_longer_than_a_batch_may_be_and_its_many_deliveries_are_all_written
            the_deliveries_of_one_message_are_found_by_its_id
            a_message_repeated_after_its_statuses_changes_nothing
            a_status_before_the_message_waits_in_its_row
            statuses_in_every_order_give_the_same
            a_late_event_of_the_same_kind_never_undoes_a_later_one
            a_providers_own_sent_keeps_the_effort_and_the_provider_id
            a_failure_tells_its_code_its_reason_and_its_dead_letter
            a_provider_id_leads_to_its_delivery
            distinct_held_statuses_are_all_kept_and_repeats_are_one
            released_statuses_are_gone_and_others_stay
            the_ledger_gives_back_every_kind_of_entry
            a_replay_answers_the_failures_before_it_and_none_after_it
            a_letter_is_given_back_with_its_record_and_what_it_is_about
            a_letter_given_up_again_keeps_its_first_instant_and_its_state
            letters_are_listed_newest_first_across_days_without_gaps
            letters_are_found_by_what_they_are_about
            of_two_who_close_a_letter_one_does
            what_was_done_with_a_letter_is_told_in_order
            what_a_status_proved_stands_above_what_a_call_seemed_to_come_to
            a_person_is_found_by_every_way_of_writing_their_number
            an_alias_leads_to_the_person_and_the_latest_of_two_values_stands
            an_event_has_one_place_however_many_read_it_at_once
            a_mark_of_reading_finds_what_was_sent_before_it_and_what_is_sent_late
            an_overdue_delivery_is_taken_by_one_and_gone_when_it_has_ended
            a_message_that_came_in_is_found_by_its_id
            of_twenty_concurrent_claims_exactly_one_wins
            a_claim_repeated_by_its_maker_is_still_its_own
            keys_of_different_users_are_apart
            a_settled_claim_stands_for_those_who_come_later
            a_withdrawn_key_can_be_claimed_again_and_a_settled_one_cannot
            a_claim_that_was_given_up_stands_as_unknown_until_it_is_taken_over
            the_store_answers_a_ping
        }
    };
}

fn conversation() -> ConversationId {
    format!("c-{}", Uuid::new_v4()).parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn id_at(at: Timestamp) -> MessageId {
    let nanos = at.as_nanosecond();
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds as u64, rest as u32)).try_into().unwrap()
}

fn recipient() -> Address {
    "whatsapp:+5562998765432".parse().unwrap()
}

fn message(conversation: &ConversationId, at: Timestamp) -> AcceptedMessage {
    let message_id = id_at(at);
    AcceptedMessage {
        message_id,
        conversation_id: conversation.clone(),
        sender: "ana".parse().unwrap(),
        recipient: Some(recipient()),
        content: format!("olá, {message_id}"),
        file_id: None,
        media: None,
        template: None,
        reply_to: None,
        inbound: None,
    }
}

async fn put(store: &dyn Store, message: &AcceptedMessage) -> Delivery {
    let delivery = Delivery::of(message, recipient(), "whatsapp");
    store.put_message(message, std::slice::from_ref(&delivery)).await.unwrap();
    delivery
}

/// Messages of three days, the newest first, several of them in one millisecond.
async fn three_days(store: &dyn Store, conversation: &ConversationId) -> Vec<MessageId> {
    let mut ids = Vec::new();
    for (day, count) in [("2026-11-23T23:59:59.999Z", 5), ("2026-11-24T00:00:00Z", 1), ("2026-11-30T12:00:00Z", 6)] {
        for n in 0..count {
            let message = message(conversation, at(day) + SignedDuration::from_millis(-(n / 2)));
            put(store, &message).await;
            ids.push(message.message_id);
        }
    }
    ids.sort_by(|a, b| b.cmp(a));
    ids
}

fn first(limit: u32) -> PageRequest {
    PageRequest { before: None, offset: 0, limit }
}

fn ids(messages: &[StoredMessage]) -> Vec<MessageId> {
    messages.iter().map(|m| m.message.message_id).collect()
}

async fn only_delivery(store: &dyn Store, conversation: &ConversationId) -> StoredDelivery {
    let page = store.page(conversation, &first(1)).await.unwrap();
    let [message] = &page.messages[..] else { panic!("one message expected, not {:?}", page.messages) };
    let [delivery] = &message.deliveries[..] else { panic!("one delivery expected, not {:?}", message.deliveries) };
    delivery.clone()
}

fn sent(provider_id: &str, attempts: u32) -> DeliveryEvent {
    let effort = Some(Effort { attempts, unknown_outcomes: 0 });
    DeliveryEvent::Sent { provider_id: Some(provider_id.into()), effort }
}

fn failed(code: &str) -> DeliveryEvent {
    DeliveryEvent::Failed {
        code: code.into(),
        reason: format!("refused with {code}"),
        effort: None,
        dead_lettered_at: None,
    }
}

pub async fn two_messages_of_one_millisecond_are_two_rows(store: &dyn Store) {
    let (conversation, instant) = (conversation(), at("2026-11-25T10:00:00.123Z"));
    let (one, other) = (message(&conversation, instant), message(&conversation, instant));
    put(store, &one).await;
    put(store, &other).await;
    let page = store.page(&conversation, &first(10)).await.unwrap();
    assert_eq!(BTreeSet::from_iter(ids(&page.messages)), BTreeSet::from([one.message_id, other.message_id]));
    assert!(page.messages.iter().all(|m| m.deliveries.len() == 1));
}

pub async fn a_page_shows_the_newest_messages_first_with_all_that_was_accepted(store: &dyn Store) {
    let conversation = conversation();
    let older = message(&conversation, at("2026-11-25T10:00:00Z"));
    let newer = AcceptedMessage {
        recipient: None,
        file_id: Some("file-7".into()),
        media: Some(Media::at(MediaKind::Image, "https://files.example/a.png").unwrap()),
        template: serde_json::from_str(r#"{"name":"order_shipped","language":"pt_BR"}"#).unwrap(),
        reply_to: Some("wamid.7".into()),
        ..message(&conversation, at("2026-11-25T10:00:01Z"))
    };
    put(store, &older).await;
    store.put_message(&newer, &[]).await.unwrap();
    let page = store.page(&conversation, &first(10)).await.unwrap();
    assert_eq!(page.messages.iter().map(|m| m.message.clone()).collect::<Vec<_>>(), [newer, older]);
    assert_eq!(page.next, None);
    assert_eq!(page.messages[0].status(), Status::Accepted);
}

pub async fn what_came_in_is_shown_with_where_it_came_from(store: &dyn Store) {
    let conversation = conversation();
    let file = InboundFile { kind: MediaKind::Image, source: FileSource::Id("1234".into()) };
    let plain = Inbound { connector: "main".into(), provider_id: "wamid.1".into(), name: None, files: Vec::new() };
    let full = Inbound { name: Some("Ana".into()), files: vec![file], ..plain.clone() };
    let written = |inbound: Inbound, instant| AcceptedMessage {
        sender: recipient(),
        recipient: None,
        inbound: Some(inbound),
        ..message(&conversation, instant)
    };
    let (older, newer) = (written(plain, at("2026-11-25T10:00:00Z")), written(full, at("2026-11-25T10:00:01Z")));
    store.put_message(&older, &[]).await.unwrap();
    store.put_message(&newer, &[]).await.unwrap();
    let page = store.page(&conversation, &first(10)).await.unwrap();
    assert_eq!(page.messages.into_iter().map(|m| m.message).collect::<Vec<_>>(), [newer, older]);
}

pub async fn pages_by_cursor_have_no_gaps_and_no_repeats_across_days(store: &dyn Store) {
    let conversation = conversation();
    let all = three_days(store, &conversation).await;
    for limit in [1, 2, 5, 7, 11, 12, 13] {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = store.page(&conversation, &PageRequest { before, offset: 0, limit }).await.unwrap();
            assert!(page.messages.len() <= limit as usize);
            assert!(page.messages.iter().all(|m| m.deliveries.len() == 1), "every message has its delivery");
            seen.extend(ids(&page.messages));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, all, "limit {limit}");
    }
    let end = Some(Cursor { message_id: all[all.len() - 1] });
    let page = store.page(&conversation, &PageRequest { before: end, offset: 0, limit: 5 }).await.unwrap();
    assert_eq!((page.messages.len(), page.next), (0, None));
}

pub async fn pages_by_offset_have_no_gaps_and_no_repeats_across_days(store: &dyn Store) {
    let conversation = conversation();
    let all = three_days(store, &conversation).await;
    for offset in 0..=all.len() + 1 {
        let request = PageRequest { before: None, offset: offset as u32, limit: 4 };
        let page = store.page(&conversation, &request).await.unwrap();
        let expected: Vec<MessageId> = all.iter().skip(offset).take(4).copied().collect();
        assert_eq!(ids(&page.messages), expected, "offset {offset}");
        assert_eq!(page.next.is_some(), offset + 4 < all.len(), "offset {offset}");
    }
    let request = PageRequest { before: Some(Cursor { message_id: all[2] }), offset: 4, limit: 2 };
    assert_eq!(ids(&store.page(&conversation, &request).await.unwrap().messages), all[7..9]);
}

pub async fn a_conversation_of_many_days_is_read_to_its_first_message(store: &dyn Store) {
    let conversation = conversation();
    let mut all = Vec::new();
    for day in 0..24 {
        let message = message(&conversation, at("2026-11-28T10:00:00Z") - SignedDuration::from_hours(24 * 3 * day));
        put(store, &message).await;
        all.push(message.message_id);
    }
    for (offset, limit) in [(0, 24), (0, 25), (7, 2), (8, 8), (16, 8), (23, 1), (24, 1)] {
        let page = store.page(&conversation, &PageRequest { before: None, offset, limit }).await.unwrap();
        let expected: Vec<MessageId> = all.iter().skip(offset as usize).take(limit as usize).copied().collect();
        assert_eq!(ids(&page.messages), expected, "{limit} after {offset}");
    }
    let before = Some(Cursor { message_id: all[9] });
    let page = store.page(&conversation, &PageRequest { before, offset: 0, limit: 24 }).await.unwrap();
    assert_eq!((ids(&page.messages), page.next), (all[10..].to_vec(), None));
}

pub async fn a_message_longer_than_a_batch_may_be_and_its_many_deliveries_are_all_written(store: &dyn Store) {
    let message =
        AcceptedMessage { content: "x".repeat(10_240), ..message(&conversation(), at("2026-11-25T10:00:00Z")) };
    let recipient = |n: usize| format!("whatsapp:+55629{n:08}").parse().unwrap();
    let deliveries: Vec<Delivery> = (0..45).map(|n| Delivery::of(&message, recipient(n), "whatsapp")).collect();
    store.put_message(&message, &deliveries).await.unwrap();
    let page = store.page(&message.conversation_id, &first(1)).await.unwrap();
    assert_eq!((&page.messages[0].message, page.messages[0].deliveries.len()), (&message, 45));
    let person = store.person(&recipient(44)).await.unwrap();
    assert_eq!(person.conversation, None, "nobody has got it yet");
}

pub async fn a_page_shows_no_message_of_another_conversation(store: &dyn Store) {
    let (ours, theirs) = (conversation(), conversation());
    let instant = at("2026-11-25T10:00:00Z");
    let (our, their) = (message(&ours, instant), message(&theirs, instant));
    put(store, &our).await;
    put(store, &their).await;
    assert_eq!(ids(&store.page(&ours, &first(10)).await.unwrap().messages), [our.message_id]);
    assert_eq!(ids(&store.page(&theirs, &first(10)).await.unwrap().messages), [their.message_id]);
}

pub async fn an_unknown_conversation_has_no_members_and_no_messages(store: &dyn Store) {
    let conversation = conversation();
    assert!(store.members(&conversation).await.unwrap().is_empty());
    for request in [first(10), PageRequest { before: None, offset: 3, limit: 10 }] {
        let page = store.page(&conversation, &request).await.unwrap();
        assert_eq!((page.messages.len(), page.next), (0, None));
    }
}

pub async fn members_are_added_once_and_stay(store: &dyn Store) {
    let conversation = conversation();
    let ana: Address = "ana".parse().unwrap();
    store.add_members(&conversation, &[ana.clone(), recipient()]).await.unwrap();
    store.add_members(&conversation, std::slice::from_ref(&ana)).await.unwrap();
    assert_eq!(store.members(&conversation).await.unwrap(), BTreeSet::from([ana, recipient()]));
}

pub async fn members_who_are_added_together_are_seen_together(store: &dyn Store) {
    let all: BTreeSet<Address> = (0..12).map(|n| format!("user-{n}").parse().unwrap()).collect();
    let added: Vec<Address> = all.iter().cloned().collect();
    for _ in 0..50 {
        let conversation = conversation();
        let seen = async {
            loop {
                let seen = store.members(&conversation).await.unwrap();
                if !seen.is_empty() {
                    break seen;
                }
                // A store in memory answers without letting anybody else work.
                tokio::task::yield_now().await;
            }
        };
        let (seen, written) = tokio::join!(seen, store.add_members(&conversation, &added));
        written.unwrap();
        assert_eq!(seen, all);
    }
}

pub async fn a_message_to_many_has_one_delivery_for_each(store: &dyn Store) {
    let conversation = conversation();
    let message = AcceptedMessage { recipient: None, ..message(&conversation, at("2026-11-25T10:00:00Z")) };
    let deliveries: Vec<Delivery> =
        (0..100).map(|n| Delivery::of(&message, format!("user-{n}").parse().unwrap(), "local")).collect();
    store.put_message(&message, &deliveries).await.unwrap();
    let page = store.page(&conversation, &first(1)).await.unwrap();
    let found: Vec<_> = page.messages[0].deliveries.iter().map(|d| (d.delivery_id, d.recipient.clone())).collect();
    let mut expected: Vec<_> = deliveries.iter().map(|d| (d.reference.delivery_id, d.recipient.clone())).collect();
    expected.sort();
    assert_eq!(found, expected, "ordered by delivery id");
}

pub async fn the_deliveries_of_one_message_are_found_by_its_id(store: &dyn Store) {
    let conversation = conversation();
    let [first, second, third] =
        ["10:00:00Z", "10:00:00Z", "10:00:01Z"].map(|time| message(&conversation, at(&format!("2026-11-25T{time}"))));
    let delivery = put(store, &first).await;
    put(store, &second).await;
    store.put_message(&third, &[]).await.unwrap();
    store.apply(&delivery.reference, &DeliveryEvent::Delivered, at("2026-11-25T10:00:03Z")).await.unwrap();
    let found = store.deliveries(&conversation, first.message_id).await.unwrap().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].delivery_id, found[0].times.status()), (delivery.reference.delivery_id, Status::Delivered));
    assert_eq!(store.deliveries(&conversation, third.message_id).await.unwrap(), Some(vec![]), "stored for nobody");
    assert_eq!(store.deliveries(&conversation, id_at(at("2026-11-25T10:00:00Z"))).await.unwrap(), None);
    let early = message(&conversation, at("2026-11-25T10:00:02Z"));
    let reference = Delivery::of(&early, recipient(), "whatsapp").reference;
    store.apply(&reference, &DeliveryEvent::Read, at("2026-11-25T10:00:03Z")).await.unwrap();
    assert_eq!(store.deliveries(&conversation, early.message_id).await.unwrap(), None, "only a status is there");
}

pub async fn a_message_repeated_after_its_statuses_changes_nothing(store: &dyn Store) {
    let conversation = conversation();
    let message = message(&conversation, at("2026-11-25T10:00:00Z"));
    let delivery = put(store, &message).await;
    store.apply(&delivery.reference, &sent("wamid.1", 2), at("2026-11-25T10:00:01Z")).await.unwrap();
    store.apply(&delivery.reference, &DeliveryEvent::Delivered, at("2026-11-25T10:00:02.5Z")).await.unwrap();
    let before = store.page(&conversation, &first(10)).await.unwrap();
    put(store, &message).await;
    assert_eq!(store.page(&conversation, &first(10)).await.unwrap(), before);
    assert_eq!(before.messages[0].status(), Status::Delivered);
    let delivery = &before.messages[0].deliveries[0];
    assert_eq!(delivery.provider_id.as_deref(), Some("wamid.1"));
    assert_eq!(delivery.times.delivered_at, Some(at("2026-11-25T10:00:02.5Z")), "to the millisecond");
    assert_eq!(delivery.effort, Effort { attempts: 2, unknown_outcomes: 0 });
}

pub async fn a_status_before_the_message_waits_in_its_row(store: &dyn Store) {
    let conversation = conversation();
    let message = message(&conversation, at("2026-11-25T10:00:00Z"));
    let reference = Delivery::of(&message, recipient(), "whatsapp").reference;
    store.apply(&reference, &DeliveryEvent::Read, at("2026-11-25T10:00:03Z")).await.unwrap();
    assert!(store.page(&conversation, &first(10)).await.unwrap().messages.is_empty());
    put(store, &message).await;
    assert_eq!(only_delivery(store, &conversation).await.times.status(), Status::Read);
}

pub async fn statuses_in_every_order_give_the_same(store: &dyn Store) {
    let events = [
        (sent("wamid.1", 3), at("2026-11-25T10:00:01Z")),
        (DeliveryEvent::Delivered, at("2026-11-25T10:00:02Z")),
        (DeliveryEvent::Read, at("2026-11-25T10:00:03Z")),
        (failed("131014"), at("2026-11-25T10:00:04Z")),
    ];
    let mut orders: Vec<Vec<usize>> = vec![vec![]];
    for _ in 0..events.len() {
        orders = orders
            .into_iter()
            .flat_map(|o| (0..4).filter(|n| !o.contains(n)).map(|n| [o.clone(), vec![n]].concat()).collect::<Vec<_>>())
            .collect();
    }
    assert_eq!(orders.len(), 24);
    let mut outcomes = Vec::new();
    for order in orders {
        let conversation = conversation();
        let delivery = put(store, &message(&conversation, at("2026-11-25T10:00:00Z"))).await;
        for index in order {
            let (event, instant) = &events[index];
            store.apply(&delivery.reference, event, *instant).await.unwrap();
        }
        let found = only_delivery(store, &conversation).await;
        outcomes.push((found.times, found.code, found.reason, found.provider_id, found.effort));
    }
    let times = DeliveryTimes {
        sent_at: Some(events[0].1),
        delivered_at: Some(events[1].1),
        read_at: Some(events[2].1),
        failed_at: Some(events[3].1),
        reopened_at: None,
    };
    let effort = Effort { attempts: 3, unknown_outcomes: 0 };
    let expected =
        (times, Some("131014".to_owned()), Some("refused with 131014".to_owned()), Some("wamid.1".to_owned()), effort);
    assert!(outcomes.iter().all(|outcome| *outcome == expected), "{outcomes:?}");
}

pub async fn a_late_event_of_the_same_kind_never_undoes_a_later_one(store: &dyn Store) {
    let (earlier, later) = (at("2026-11-25T10:00:01Z"), at("2026-11-25T10:00:05Z"));
    for order in [[earlier, later], [later, earlier]] {
        let conversation = conversation();
        let delivery = put(store, &message(&conversation, at("2026-11-25T10:00:00Z"))).await;
        for instant in order {
            let code = if instant == later { "later" } else { "earlier" };
            store.apply(&delivery.reference, &failed(code), instant).await.unwrap();
        }
        let found = only_delivery(store, &conversation).await;
        assert_eq!((found.times.failed_at, found.code.as_deref()), (Some(later), Some("later")));
    }
}

pub async fn a_providers_own_sent_keeps_the_effort_and_the_provider_id(store: &dyn Store) {
    let conversation = conversation();
    let delivery = put(store, &message(&conversation, at("2026-11-25T10:00:00Z"))).await;
    store.apply(&delivery.reference, &sent("wamid.1", 4), at("2026-11-25T10:00:01Z")).await.unwrap();
    let theirs = DeliveryEvent::Sent { provider_id: None, effort: None };
    store.apply(&delivery.reference, &theirs, at("2026-11-25T10:00:09Z")).await.unwrap();
    let found = only_delivery(store, &conversation).await;
    assert_eq!(found.effort, Effort { attempts: 4, unknown_outcomes: 0 });
    assert_eq!(found.provider_id.as_deref(), Some("wamid.1"));
    assert_eq!(found.times.sent_at, Some(at("2026-11-25T10:00:09Z")));
}

pub async fn a_failure_tells_its_code_its_reason_and_its_dead_letter(store: &dyn Store) {
    let conversation = conversation();
    let delivery = put(store, &message(&conversation, at("2026-11-25T10:00:00Z"))).await;
    let ours = DeliveryEvent::Failed {
        code: "chat4all:unknown-outcome".into(),
        reason: "the answer never came".into(),
        effort: Some(Effort { attempts: 5, unknown_outcomes: 1 }),
        dead_lettered_at: Some(at("2026-11-25T10:00:31Z")),
    };
    store.apply(&delivery.reference, &ours, at("2026-11-25T10:00:30Z")).await.unwrap();
    store.apply(&delivery.reference, &failed("131026"), at("2026-11-25T10:00:40Z")).await.unwrap();
    let found = only_delivery(store, &conversation).await;
    assert_eq!(found.code.as_deref(), Some("131026"));
    assert_eq!(found.reason.as_deref(), Some("refused with 131026"));
    assert_eq!(found.dead_lettered_at, Some(at("2026-11-25T10:00:31Z")), "the provider knows nothing of it");
    assert_eq!(found.effort, Effort { attempts: 5, unknown_outcomes: 1 });
    assert_eq!(found.times.status(), Status::Failed);
}

fn provider_ref() -> ProviderRef {
    ProviderRef { connector: "whatsapp".into(), provider_id: format!("wamid.{}", Uuid::new_v4()) }
}

pub async fn a_provider_id_leads_to_its_delivery(store: &dyn Store) {
    let provider = provider_ref();
    let message = message(&conversation(), at("2026-11-25T10:00:00Z"));
    let reference = Delivery::of(&message, recipient(), "whatsapp").reference;
    assert_eq!(store.linked(&provider).await.unwrap(), None);
    for _ in 0..2 {
        store.link(&provider, &reference).await.unwrap();
        assert_eq!(store.linked(&provider).await.unwrap().as_ref(), Some(&reference));
    }
    let of_another_connector = ProviderRef { connector: "spare".into(), ..provider };
    assert_eq!(store.linked(&of_another_connector).await.unwrap(), None);
}

pub async fn distinct_held_statuses_are_all_kept_and_repeats_are_one(store: &dyn Store) {
    let provider = provider_ref();
    let status =
        |event, second| HeldStatus { at: at("2026-11-25T10:00:00Z") + SignedDuration::from_secs(second), event };
    let statuses = [
        status(DeliveryEvent::Delivered, 1),
        status(DeliveryEvent::Read, 1),
        status(DeliveryEvent::Delivered, 2),
        status(failed("131014"), 2),
    ];
    for status in statuses.iter().chain(&statuses) {
        store.hold(&provider, status).await.unwrap();
    }
    let held = store.held(&provider).await.unwrap();
    assert_eq!(held.len(), statuses.len(), "{held:?}");
    assert!(statuses.iter().all(|status| held.contains(status)), "{held:?}");
}

pub async fn released_statuses_are_gone_and_others_stay(store: &dyn Store) {
    let (one, other) = (provider_ref(), provider_ref());
    let status = HeldStatus { at: at("2026-11-25T10:00:00Z"), event: DeliveryEvent::Read };
    store.hold(&one, &status).await.unwrap();
    store.hold(&other, &status).await.unwrap();
    store.release(&one).await.unwrap();
    store.release(&one).await.unwrap();
    assert_eq!(store.held(&one).await.unwrap(), []);
    assert_eq!(store.held(&other).await.unwrap(), std::slice::from_ref(&status));
    store.hold(&one, &status).await.unwrap();
    assert_eq!(store.held(&one).await.unwrap(), [status], "what comes later is held again");
}

pub async fn a_message_that_came_in_is_found_by_its_id(store: &dyn Store) {
    let id = MessageId::now();
    assert_eq!(store.inbound(id).await.unwrap(), None);
    let inbound = Inbound { connector: "main".into(), provider_id: "wamid.1".into(), name: None, files: Vec::new() };
    let conversation = conversation();
    let message = AcceptedMessage {
        message_id: id,
        sender: recipient(),
        recipient: None,
        inbound: Some(inbound),
        ..message(&conversation, at("2026-11-25T10:00:00Z"))
    };
    for _ in 0..2 {
        store.put_message(&message, &[]).await.unwrap();
    }
    let (connector, provider_id) = ("main".into(), "wamid.1".into());
    let place = InboundPlace { conversation_id: conversation, sender: recipient(), connector, provider_id };
    assert_eq!(store.inbound(id).await.unwrap(), Some(place));
}

pub async fn the_ledger_gives_back_every_kind_of_entry(store: &dyn Store) {
    let message = message(&conversation(), at("2026-11-25T10:00:00Z"));
    let reference = Delivery::of(&message, recipient(), "whatsapp").reference;
    let delivery_id = reference.delivery_id;
    assert_eq!(store.delivery(delivery_id).await.unwrap(), None);
    assert_eq!(store.entry(delivery_id).await.unwrap(), None);
    let instant = at("2026-11-25T10:00:01.25Z");
    let ended = |outcome| Attempt::Ended { at: instant, outcome };
    let why = || ("131026".to_owned(), "undeliverable".to_owned());
    let attempts = [
        Attempt::Attempting { since: instant },
        ended(Outcome::Retry { not_before: at("2026-11-25T10:00:02Z"), code: why().0, reason: why().1 }),
        Attempt::Attempting { since: at("2026-11-25T10:00:02Z") },
        ended(Outcome::Failed { code: "chat4all:gave-up".into(), reason: "5 attempts".into() }),
        ended(Outcome::Sent { provider_id: Some("wamid.1".into()) }),
        ended(Outcome::Sent { provider_id: None }),
    ];
    for (n, attempt) in attempts.into_iter().enumerate() {
        let entry = LedgerEntry {
            effort: Effort { attempts: n as u32 + 1, unknown_outcomes: n as u32 / 2 },
            attempt,
            replays: n as u32 % 2,
        };
        for _ in 0..2 {
            store.record(&reference, &entry).await.unwrap();
            assert_eq!(store.entry(delivery_id).await.unwrap().as_ref(), Some(&entry));
        }
    }
    assert_eq!(store.delivery(delivery_id).await.unwrap(), Some(reference));
}

pub async fn what_a_status_proved_stands_above_what_a_call_seemed_to_come_to(store: &dyn Store) {
    let message = message(&conversation(), at("2026-11-25T10:00:00Z"));
    let reference = Delivery::of(&message, recipient(), "whatsapp").reference;
    let id = reference.delivery_id;
    let (since, told) = (at("2026-11-25T10:00:01Z"), at("2026-11-25T10:00:02Z"));
    let effort = Effort { attempts: 1, unknown_outcomes: 0 };
    store.taken(id, "wamid.1", told).await.unwrap();
    assert_eq!(store.entry(id).await.unwrap(), None, "no call was begun");
    store
        .record(&reference, &LedgerEntry { effort, attempt: Attempt::Attempting { since }, replays: 0 })
        .await
        .unwrap();
    let sent = |at, provider_id: &str| {
        let outcome = Outcome::Sent { provider_id: Some(provider_id.to_owned()) };
        LedgerEntry { effort, attempt: Attempt::Ended { at, outcome }, replays: 0 }
    };
    assert_eq!(store.entry(id).await.unwrap(), Some(sent(told, "wamid.1")));
    store.record(&reference, &sent(since, "wamid.2")).await.unwrap();
    assert_eq!(store.entry(id).await.unwrap(), Some(sent(since, "wamid.2")), "the answer knows it better");
}

/// An address of nobody else.
fn somebody() -> Address {
    format!("whatsapp:US.{}", Uuid::new_v4().simple()).parse().unwrap()
}

pub async fn a_person_is_found_by_every_way_of_writing_their_number(store: &dyn Store) {
    // Ten digits of chance.
    let digits = Uuid::new_v4().as_u128() % 10_000_000;
    let long: Address = format!("whatsapp:+55629{}{digits:07}", 8).parse().unwrap();
    let short: Address = format!("whatsapp:+5562{}{digits:07}", 8).parse().unwrap();
    let conversation = conversation();
    assert_eq!(store.person(&long).await.unwrap().conversation, None);
    store.met(&long, &conversation, at("2026-11-25T10:00:00Z")).await.unwrap();
    store.wrote_from(&short, at("2026-11-25T10:00:01Z")).await.unwrap();
    for address in [&long, &short] {
        let person = store.person(address).await.unwrap();
        assert_eq!((person.conversation.as_ref(), person.answers_to.as_ref()), (Some(&conversation), Some(&short)));
        assert_eq!(person.address, long.canonical());
    }
}

pub async fn an_alias_leads_to_the_person_and_the_latest_of_two_values_stands(store: &dyn Store) {
    let (person, alias, further) = (somebody(), somebody(), somebody());
    let (early, late) = (conversation(), conversation());
    store.met(&person, &late, at("2026-11-25T10:00:02Z")).await.unwrap();
    store.met(&person, &early, at("2026-11-25T10:00:01Z")).await.unwrap();
    for _ in 0..2 {
        store.same_person(&alias, &person).await.unwrap();
        store.same_person(&further, &alias).await.unwrap();
        store.same_person(&person, &further).await.unwrap();
    }
    for address in [&person, &alias, &further] {
        let found = store.person(address).await.unwrap();
        assert_eq!((found.address, found.conversation.as_ref()), (person.clone(), Some(&late)));
    }
    store.wrote_from(&alias, at("2026-11-25T10:00:03Z")).await.unwrap();
    assert_eq!(store.person(&person).await.unwrap().answers_to, Some(alias));
}

pub async fn an_event_has_one_place_however_many_read_it_at_once(store: &dyn Store) {
    let event = Uuid::new_v4().to_string();
    let places: Vec<Place> = (0..8)
        .map(|_| Place { conversation_id: conversation(), message_id: id_at(at("2026-11-25T10:00:00Z")) })
        .collect();
    let given = join_all(places.iter().map(|place| store.place("main", &event, place))).await;
    let given: Vec<Place> = given.into_iter().map(Result::unwrap).collect();
    assert!(given.iter().all(|place| *place == given[0]), "{given:?}");
    assert_eq!(store.place("main", &event, &places[0]).await.unwrap(), given[0]);
    assert_eq!(store.place("spare", &event, &places[1]).await.unwrap(), places[1]);
}

pub async fn a_mark_of_reading_finds_what_was_sent_before_it_and_what_is_sent_late(store: &dyn Store) {
    let reader: Address = format!("messenger:{}", Uuid::new_v4().as_u128()).parse().unwrap();
    let reference = |instant| Delivery::of(&message(&conversation(), instant), reader.clone(), "page").reference;
    let instants = ["2026-11-25T10:00:00Z", "2026-11-25T10:00:01Z", "2026-11-25T10:00:02Z"].map(at);
    let [first, second, third] = instants.map(reference);
    assert_eq!(store.sent_to("page", &reader, instants[0], &first).await.unwrap(), None);
    store.sent_to("page", &reader, instants[2], &third).await.unwrap();
    assert_eq!(store.read_until("page", &reader, instants[1]).await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(store.read_until("page", &reader, instants[0]).await.unwrap(), std::slice::from_ref(&first));
    let mark = store.sent_to("page", &reader, instants[1], &second).await.unwrap();
    assert_eq!(mark, Some(instants[1]), "an earlier mark does not move it back");
    store.forget_read("page", &reader, instants[1]).await.unwrap();
    assert_eq!(store.read_until("page", &reader, instants[2]).await.unwrap(), [third]);
    assert_eq!(store.read_until("other", &reader, instants[2]).await.unwrap(), []);
}

pub async fn an_overdue_delivery_is_taken_by_one_and_gone_when_it_has_ended(store: &dyn Store) {
    let connector = Uuid::new_v4().to_string();
    let waiting = |due| WaitingDelivery { due, delivery_id: Uuid::new_v4().into(), record: "{}".into() };
    let (early, late) = (waiting(at("2026-11-25T10:00:00Z")), waiting(at("2026-11-25T10:00:09Z")));
    for delivery in [&late, &early, &early] {
        store.wait(&connector, delivery).await.unwrap();
    }
    let now = at("2026-11-25T10:00:05Z");
    assert_eq!(store.overdue(&connector, now, 10).await.unwrap(), std::slice::from_ref(&early));
    let taken = join_all((0..4).map(|_| store.take(&connector, &early))).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    store.ended(&connector, &early).await.unwrap();
    assert!(!store.take(&connector, &early).await.unwrap(), "it has ended");
    assert_eq!(store.overdue(&connector, now, 10).await.unwrap(), []);
    assert_eq!(store.overdue(&connector, at("2026-11-25T10:01:00Z"), 10).await.unwrap(), [late]);
}

fn key() -> RequestKey {
    RequestKey { user: "ana".into(), key: Uuid::new_v4().to_string() }
}

fn claim() -> Claim {
    Claim {
        fingerprint: [7; 32],
        message_id: MessageId::now(),
        since: at("2026-11-25T10:00:00.5Z"),
        state: ClaimState::InFlight,
    }
}

pub async fn of_twenty_concurrent_claims_exactly_one_wins(store: &dyn Store) {
    let key = key();
    let claims: Vec<Claim> = (0..20).map(|_| claim()).collect();
    let answers = join_all(claims.iter().map(|claim| store.claim(&key, claim))).await;
    let answers: Vec<Option<Claim>> = answers.into_iter().map(Result::unwrap).collect();
    let winners: Vec<usize> = (0..20).filter(|n| answers[*n].is_none()).collect();
    let [winner] = winners[..] else { panic!("one winner expected, not {winners:?}") };
    let standing = &claims[winner];
    assert!(answers.iter().flatten().all(|claim| claim == standing), "everybody else sees the winner's claim");
}

pub async fn a_claim_repeated_by_its_maker_is_still_its_own(store: &dyn Store) {
    let (key, claim) = (key(), claim());
    for _ in 0..2 {
        assert_eq!(store.claim(&key, &claim).await.unwrap(), None);
    }
}

pub async fn keys_of_different_users_are_apart(store: &dyn Store) {
    let ana = key();
    let bob = RequestKey { user: "bob".into(), ..ana.clone() };
    assert_eq!(store.claim(&ana, &claim()).await.unwrap(), None);
    assert_eq!(store.claim(&bob, &claim()).await.unwrap(), None);
}

pub async fn a_settled_claim_stands_for_those_who_come_later(store: &dyn Store) {
    let (key, ours) = (key(), claim());
    store.claim(&key, &ours).await.unwrap();
    let accepted = Claim { state: ClaimState::Accepted, ..ours };
    assert!(store.settle(&key, &accepted).await.unwrap());
    assert_eq!(store.claim(&key, &claim()).await.unwrap(), Some(accepted.clone()));
    assert!(!store.settle(&key, &Claim { state: ClaimState::Accepted, ..claim() }).await.unwrap());
    assert_eq!(store.claim(&key, &claim()).await.unwrap(), Some(accepted), "only its own message may settle a claim");
}

pub async fn a_withdrawn_key_can_be_claimed_again_and_a_settled_one_cannot(store: &dyn Store) {
    let (key, ours) = (key(), claim());
    store.claim(&key, &ours).await.unwrap();
    store.withdraw(&key, &ours).await.unwrap();
    assert!(!store.settle(&key, &ours).await.unwrap(), "there is none to settle");
    let theirs = claim();
    assert_eq!(store.claim(&key, &theirs).await.unwrap(), None, "the key was free again");

    let taken_over = Claim { since: at("2026-11-25T10:01:00Z"), ..theirs.clone() };
    store.settle(&key, &taken_over).await.unwrap();
    store.withdraw(&key, &theirs).await.unwrap();
    assert_eq!(store.claim(&key, &claim()).await.unwrap(), Some(taken_over.clone()), "it was taken over");

    let accepted = Claim { state: ClaimState::Accepted, ..taken_over.clone() };
    store.settle(&key, &accepted).await.unwrap();
    store.withdraw(&key, &taken_over).await.unwrap();
    assert_eq!(store.claim(&key, &claim()).await.unwrap(), Some(accepted), "it was accepted");
}

pub async fn a_claim_that_was_given_up_stands_as_unknown_until_it_is_taken_over(store: &dyn Store) {
    let (key, ours) = (key(), claim());
    store.claim(&key, &ours).await.unwrap();
    store.give_up(&key, &ours).await.unwrap();
    let unknown = Claim { state: ClaimState::Unknown, ..ours.clone() };
    assert_eq!(store.claim(&key, &claim()).await.unwrap(), Some(unknown));

    let taken_over = Claim { since: at("2026-11-25T10:01:00Z"), ..ours.clone() };
    store.settle(&key, &taken_over).await.unwrap();
    store.give_up(&key, &ours).await.unwrap();
    assert_eq!(store.claim(&key, &claim()).await.unwrap(), Some(taken_over.clone()), "it was taken over");

    let accepted = Claim { state: ClaimState::Accepted, ..taken_over.clone() };
    store.settle(&key, &accepted).await.unwrap();
    store.give_up(&key, &taken_over).await.unwrap();
    assert_eq!(store.claim(&key, &claim()).await.unwrap(), Some(accepted), "it was accepted");
}

pub async fn the_store_answers_a_ping(store: &dyn Store) {
    store.ping().await.unwrap();
}
