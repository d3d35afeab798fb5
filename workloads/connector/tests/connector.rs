//! The connector on a real Kafka with the simulator as its provider: each delivery is carried once,
//! or is named. Needs `KAFKA_BOOTSTRAP_SERVERS`; run with `--ignored`.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chat4all_connector::{BreakerPolicy, OnUnknownOutcome, RetryPolicy};
use chat4all_dead_letters::Edit;
use chat4all_kafka::Pulse;
use chat4all_message::{
    AcceptedMessage, Address, Correlation, Delivery, DeliveryEvent, DeliveryRef, Effort, LetterId, Media, MediaKind,
    ReadMark, StatusUpdate, WebhookRecord,
};
use chat4all_store::{
    Attempt, Closing, DeadLetters as _, Ledger as _, LedgerEntry, LetterFilter, LetterState, Outcome, People as _,
};
use futures::future::join_all;
use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;
use support::{
    Call, MAIN, NUMBER_ID, PAGE_ID, PARTITIONS, Place, Policies, Script, assert_dead_letter, delivery, eventually,
    picture, with_place,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const ONE_CALL: Effort = Effort { attempts: 1, unknown_outcomes: 0 };

fn sent(call: &Call, effort: Effort) -> DeliveryEvent {
    DeliveryEvent::Sent { provider_id: call.message_id.clone(), effort: Some(effort) }
}

/// Code and effort of the one failure that was told, which says that the record was dead-lettered.
fn only_failure(told: &[DeliveryEvent]) -> (String, Effort) {
    let [DeliveryEvent::Failed { code, effort: Some(effort), dead_lettered_at: Some(_), .. }] = told else {
        panic!("not one failure: {told:?}");
    };
    (code.clone(), *effort)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_delivery_is_sent_once_and_the_ledger_and_its_status_say_so() {
    with_place(Policies::default(), async |place| {
        let connector = place.start();
        let delivery = delivery(1, "olá");
        place.order(&delivery).await;
        place.drained().await;
        connector.stop().await;

        let calls = place.provider.calls().await;
        assert_eq!(calls.len(), 1);
        assert_eq!((calls[0].to.as_str(), calls[0].body.as_str()), ("5562900000001", "olá"));
        assert_eq!(calls[0].correlation, Correlation::from(&delivery.reference).to_string());
        assert_eq!(place.told(&delivery).await, [sent(&calls[0], ONE_CALL)]);
        let records = place.cluster.read(&place.cluster.topics.status_updates()).await;
        assert_eq!(records[0].key, delivery.reference.message_id.to_string());
        let entry = place.entry(&delivery).await;
        assert_eq!(entry.effort, ONE_CALL);
        let Attempt::Ended { outcome: Outcome::Sent { provider_id }, .. } = entry.attempt else { panic!() };
        assert_eq!(provider_id, calls[0].message_id);
    })
    .await;
}

/// What a crash at some step of a delivery costs: calls that reached the provider, and whether it is named.
struct Cost {
    calls: usize,
    unknown: u32,
}

/// A delivery reads the ledger (1) and who the recipient is (2), writes the attempt (3), calls the
/// provider, writes the outcome (4). Between 3 and 4 nobody can know whether the call was made.
#[rstest]
#[case::before_anything(Script::StopBefore(1), Cost { calls: 1, unknown: 0 }, Cost { calls: 1, unknown: 0 })]
#[case::after_reading_the_ledger(Script::StopAfter(1), Cost { calls: 1, unknown: 0 }, Cost { calls: 1, unknown: 0 })]
#[case::before_the_attempt_is_written(Script::StopBefore(3), Cost { calls: 1, unknown: 0 }, Cost { calls: 1, unknown: 0 })]
#[case::between_attempt_and_call(Script::StopAfter(3), Cost { calls: 1, unknown: 1 }, Cost { calls: 0, unknown: 1 })]
#[case::between_call_and_outcome(Script::StopBefore(4), Cost { calls: 2, unknown: 1 }, Cost { calls: 1, unknown: 1 })]
#[case::between_outcome_and_status(Script::StopAfter(4), Cost { calls: 1, unknown: 0 }, Cost { calls: 1, unknown: 0 })]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_crash_between_any_two_steps_costs_nothing_or_is_named(
    #[case] script: Script,
    #[case] resend: Cost,
    #[case] hold: Cost,
) {
    for (on_unknown_outcome, cost) in [(OnUnknownOutcome::Resend, resend), (OnUnknownOutcome::Hold, hold)] {
        with_place(Policies { on_unknown_outcome, ..Policies::default() }, async |place| {
            let ledger = place.ledger(script);
            let first = place.start_with(ledger.clone());
            let delivery = delivery(1, "olá");
            let placed = place.order(&delivery).await;
            ledger.stopped().await;
            first.crash().await;
            let second = place.start();
            place.drained().await;
            // What waits for a status is no longer in the topic.
            eventually("the delivery ends", async || !place.told(&delivery).await.is_empty()).await;
            second.stop().await;

            let calls = place.provider.calls().await;
            assert_eq!(calls.len(), cost.calls, "{script:?} {on_unknown_outcome:?}: {calls:?}");
            let told = place.told(&delivery).await;
            let letters = place.cluster.dead_letters().await;
            if cost.unknown > 0 && on_unknown_outcome == OnUnknownOutcome::Hold {
                let effort = Effort { attempts: 1, unknown_outcomes: 1 };
                assert_eq!(only_failure(&told), ("chat4all:unknown-outcome".to_owned(), effort));
                let value = serde_json::to_vec(&delivery).unwrap();
                let key = delivery.recipient.to_string();
                assert_dead_letter(&letters[0], &place.outbound(), &place.group(), placed, &key, &value);
                assert_eq!(letters[0].headers["chat4all-reason"], "chat4all:unknown-outcome");
            } else {
                let effort = Effort { attempts: 1 + cost.unknown, unknown_outcomes: cost.unknown };
                assert_eq!(told, [sent(calls.last().unwrap(), effort)]);
                assert!(letters.is_empty());
            }
            assert_eq!(place.metric("connector_unknown_outcomes_total", MAIN), f64::from(cost.unknown));
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_redelivered_record_with_an_outcome_is_not_sent_again_and_tells_the_same_again() {
    with_place(Policies::default(), async |place| {
        let (good, bad) = (delivery(1, "olá"), delivery(2, ""));
        let mut statuses = Vec::new();
        for round in 1..=2 {
            let connector = place.start();
            if round == 1 {
                place.order(&good).await;
                place.order(&bad).await;
            }
            place.drained().await;
            connector.stop().await;
            statuses.push((place.told(&good).await, place.told(&bad).await));
            assert_eq!(place.provider.calls().await.len(), 1, "round {round}");
            place.cluster.rewind(&place.group(), &place.outbound()).await;
        }
        let (told_once, told_again) = (&statuses[0].0, &statuses[1].0);
        assert_eq!(told_again[..], [told_once[0].clone(), told_once[0].clone()]);
        assert_eq!((statuses[0].1.len(), statuses[1].1.len()), (1, 2));
        // The same order, put into the topic a second time.
        let connector = place.start();
        place.order(&good).await;
        place.drained().await;
        connector.stop().await;
        assert_eq!(place.provider.calls().await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn the_instant_of_sending_is_that_of_the_answer_however_often_it_is_told() {
    with_place(Policies::default(), async |place| {
        place.order(&delivery(1, "olá")).await;
        for _ in 0..2 {
            let connector = place.start();
            place.drained().await;
            connector.stop().await;
            place.cluster.rewind(&place.group(), &place.outbound()).await;
        }
        let statuses: Vec<StatusUpdate> = place.cluster.statuses().await;
        assert_eq!(statuses.len(), 2);
        assert_eq!(statuses[0].at, statuses[1].at, "a later one would make it look sent after it was delivered");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn an_unavailable_provider_is_tried_again_with_longer_and_longer_pauses_and_then_it_is_given_up() {
    let retry = RetryPolicy { max_attempts: 4, initial_backoff_millis: 100, max_backoff_millis: 300 };
    with_place(Policies { retry, ..Policies::default() }, async |place| {
        place.provider.misbehave(json!({"status": 503, "code": 131016})).await;
        let connector = place.start();
        let delivery = delivery(1, "olá");
        let placed = place.order(&delivery).await;
        place.drained().await;
        connector.stop().await;

        let at: Vec<Timestamp> = place.provider.calls().await.iter().map(|call| call.at).collect();
        let pauses: Vec<i128> = at.windows(2).map(|two| two[1].duration_since(two[0]).as_millis()).collect();
        assert_eq!(pauses.len(), 3);
        for (pause, at_least) in pauses.iter().zip([100, 200, 300]) {
            // The provider notes the instants of arrival, which the way there may move a little.
            assert!(*pause >= at_least - 20, "{pauses:?}");
        }
        let effort = Effort { attempts: 4, unknown_outcomes: 0 };
        assert_eq!(only_failure(&place.told(&delivery).await), ("131016".to_owned(), effort));
        let letters = place.cluster.dead_letters().await;
        assert_eq!(letters.len(), 1);
        let (key, value) = (delivery.recipient.to_string(), serde_json::to_vec(&delivery).unwrap());
        assert_dead_letter(&letters[0], &place.outbound(), &place.group(), placed, &key, &value);
        assert_eq!(letters[0].headers["chat4all-reason"], "131016");
        assert_eq!(letters[0].headers["chat4all-attempts"], "4");
        assert!(letters[0].headers["kafka_dlt-exception-message"].contains("Service unavailable"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn somebody_is_spoken_with_where_they_got_something_and_not_where_it_failed() {
    with_place(Policies::default(), async |place| {
        let connector = place.start();
        let (got, mut failed) = (delivery(1, "olá"), delivery(1, ""));
        failed.reference.conversation_id = "campaign-7".parse().unwrap();
        place.order(&got).await;
        place.drained().await;
        place.order(&failed).await;
        place.drained().await;
        connector.stop().await;
        let person = place.memory.person(&got.recipient).await.unwrap();
        assert_eq!(person.conversation, Some(got.reference.conversation_id.clone()));
    })
    .await;
}

/// Takes a quarter of a minute: that is how long the breaker stays open the first two times.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn what_another_owner_did_while_a_delivery_waited_at_the_door_is_not_done_again() {
    let breaker = BreakerPolicy { minimum_calls: 2, half_open_calls: 1, ..BreakerPolicy::default() };
    with_place(Policies { breaker, ..Policies::default() }, async |place| {
        place.provider.misbehave(json!({"status": 503, "code": 131016})).await;
        let connector = place.start().joined().await;
        let both = [delivery(1, "olá"), delivery(2, "olá")];
        join_all(both.iter().map(|delivery| place.order(delivery))).await;
        eventually("a trial fails", async || place.provider.calls().await.len() == 3).await;
        place.until_metric("connector_breaker_state", "\"open\"", |open| open == 1.0).await;
        let tried = place.provider.calls().await[2].to.clone();
        let waits = both.iter().find(|delivery| !delivery.recipient.to_string().ends_with(&tried)).unwrap();
        let outcome = Outcome::Sent { provider_id: Some("wamid.another".into()) };
        let attempt = Attempt::Ended { at: Timestamp::now(), outcome };
        let effort = Effort { attempts: 2, unknown_outcomes: 0 };
        place.memory.record(&waits.reference, &LedgerEntry { effort, attempt, replays: 0 }).await.unwrap();
        place.provider.be_well().await;
        place.drained().await;
        connector.stop().await;

        let calls = place.provider.calls().await;
        assert_eq!(calls.iter().filter(|call| call.to != tried).count(), 1, "the one before the wait: {calls:?}");
        let sent = DeliveryEvent::Sent { provider_id: Some("wamid.another".into()), effort: Some(effort) };
        assert_eq!(place.told(waits).await, [sent]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_permanent_refusal_is_given_up_at_once() {
    with_place(Policies::default(), async |place| {
        place.provider.misbehave(json!({"code": 131026, "times": 1})).await;
        let connector = place.start();
        let refused = delivery(1, "olá");
        let next = delivery(1, "tudo bem?");
        place.order(&refused).await;
        place.order(&next).await;
        place.drained().await;
        connector.stop().await;

        assert_eq!(only_failure(&place.told(&refused).await), ("131026".to_owned(), ONE_CALL));
        let calls = place.provider.calls().await;
        assert_eq!(calls.len(), 2);
        assert_eq!(place.told(&next).await, [sent(&calls[1], ONE_CALL)], "the recipient's next message goes on");
        assert_eq!(place.cluster.dead_letters().await[0].headers["chat4all-attempts"], "1");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn case_09_a_file_refused_twice_by_link_is_uploaded_and_sent_by_id_and_the_next_one_at_once() {
    let retry = RetryPolicy { max_attempts: 4, initial_backoff_millis: 100, max_backoff_millis: 300 };
    with_place(Policies { retry, ..Policies::default() }, async |place| {
        let url = picture().await;
        let photo = |content| {
            let media = Some(Media::at(MediaKind::Image, url.clone()).unwrap());
            Delivery { media, ..delivery(1, content) }
        };
        place.provider.misbehave(json!({"code": 131053, "times": 2})).await;
        let connector = place.start();
        let (first, next) = (photo("see"), photo("see again"));
        place.order(&first).await;
        place.order(&next).await;
        place.drained().await;
        connector.stop().await;

        let calls = place.provider.calls().await;
        let id = calls[2].message_id.as_deref().unwrap();
        let named: Vec<&str> = calls.iter().filter_map(|call| call.media.as_deref()).collect();
        assert_eq!(named, [&url, &url, "photo.jpg", id, id]);
        let effort = Effort { attempts: 3, unknown_outcomes: 0 };
        assert_eq!(place.told(&first).await, [sent(&calls[3], effort)]);
        assert_eq!(place.told(&next).await, [sent(&calls[4], ONE_CALL)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_read_mark_is_made_once_and_is_told_to_nobody_also_when_it_is_refused() {
    with_place(Policies::default(), async |place| {
        let mark = |message: &Delivery| {
            let mark = ReadMark { provider_id: "wamid.7".into(), typing: false, asked_at: Timestamp::now() };
            let DeliveryRef { conversation_id, message_id, .. } = message.reference.clone();
            Delivery::marking(message_id, conversation_id, message.recipient.clone(), MAIN.into(), mark)
        };
        let (first, refused) = (mark(&delivery(1, "")), mark(&delivery(2, "")));
        let connector = place.start();
        place.order(&first).await;
        place.order(&first).await;
        place.drained().await;
        place.provider.misbehave(json!({"code": 131009})).await;
        place.order(&refused).await;
        place.drained().await;
        connector.stop().await;

        let calls = place.provider.calls().await;
        assert_eq!(calls.len(), 2, "{calls:?}");
        assert_eq!((calls[0].body.as_str(), calls[0].message_id.as_deref()), ("wamid.7", Some("wamid.7")));
        assert!(place.cluster.statuses().await.is_empty());
        assert!(place.cluster.dead_letters().await.is_empty());
        assert_eq!(place.metric("connector_deliveries_total", "mark_failed"), 1.0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_throttled_account_waits_and_uses_up_no_attempt() {
    let retry = RetryPolicy { max_attempts: 1, ..RetryPolicy::default() };
    with_place(Policies { retry, ..Policies::default() }, async |place| {
        place.provider.misbehave(json!({"code": 130429, "times": 2})).await;
        let connector = place.start();
        let delivery = delivery(1, "olá");
        place.order(&delivery).await;
        place.drained().await;
        connector.stop().await;
        let calls = place.provider.calls().await;
        assert_eq!(calls.len(), 3);
        assert_eq!(place.told(&delivery).await, [sent(&calls[2], ONE_CALL)]);
        assert!(place.cluster.dead_letters().await.is_empty());
        assert_eq!(place.metric("connector_breaker_state", "closed"), 1.0, "a throttle is no failure");
    })
    .await;
}

/// Takes a little more than a minute: that is how long an account rests before one call looks whether
/// somebody mended it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_disconnected_account_pauses_keeps_its_messages_and_heals_by_itself() {
    with_place(Policies::default(), async |place| {
        place.provider.misbehave(json!({"code": 190})).await;
        let connector = place.start().joined().await;
        let deliveries: Vec<Delivery> = (0..40).map(|number| delivery(number, "olá")).collect();
        join_all(deliveries.iter().map(|delivery| place.order(delivery))).await;
        place.until_metric("connector_account_paused", MAIN, |paused| paused == 1.0).await;
        place.until_metric("consumer_paused_partitions", &place.group(), |n| n == f64::from(PARTITIONS)).await;
        let refused = place.provider.calls().await.len();
        assert!(refused <= deliveries.len(), "{refused} calls, and then silence");
        place.provider.be_well().await;
        place.until_metric("connector_account_paused", MAIN, |paused| paused == 0.0).await;
        place.drained().await;
        connector.stop().await;

        assert_taken_once(place, &deliveries).await;
        for delivery in &deliveries {
            let [DeliveryEvent::Sent { effort: Some(effort), .. }] = &place.told(delivery).await[..] else { panic!() };
            assert_eq!(*effort, ONE_CALL, "refusals for want of a token use up no attempt");
        }
        assert!(place.cluster.dead_letters().await.is_empty());
    })
    .await;
}

async fn assert_taken_once(place: &Place<'_>, deliveries: &[Delivery]) {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for call in place.provider.taken().await {
        *taken.entry(call.correlation).or_default() += 1;
    }
    let expected = deliveries.iter().map(|d| (Correlation::from(&d.reference).to_string(), 1)).collect();
    assert_eq!(taken, expected);
}

#[rstest]
#[case::resend(OnUnknownOutcome::Resend)]
#[case::hold(OnUnknownOutcome::Hold)]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn an_answer_that_never_comes_is_an_unknown_outcome_resent_or_held(#[case] on_unknown_outcome: OnUnknownOutcome) {
    with_place(Policies { on_unknown_outcome, ..Policies::default() }, async |place| {
        place.provider.misbehave(json!({"dropAnswer": true, "accept": true, "times": 1})).await;
        let connector = place.start();
        let delivery = delivery(1, "olá");
        place.order(&delivery).await;
        place.drained().await;
        eventually("the delivery ends", async || !place.told(&delivery).await.is_empty()).await;
        connector.stop().await;

        let taken = place.provider.taken().await;
        let told = place.told(&delivery).await;
        let letters = place.cluster.dead_letters().await;
        if on_unknown_outcome == OnUnknownOutcome::Hold {
            assert_eq!(taken.len(), 1);
            let effort = Effort { attempts: 1, unknown_outcomes: 1 };
            assert_eq!(only_failure(&told), ("chat4all:unknown-outcome".to_owned(), effort));
            assert_eq!(letters[0].headers["chat4all-reason"], "chat4all:unknown-outcome");
        } else {
            assert_eq!(taken.len(), 2, "the recipient has it twice, and the status says so");
            assert_eq!(told, [sent(&taken[1], Effort { attempts: 2, unknown_outcomes: 1 })]);
            assert!(letters.is_empty());
        }
        assert_eq!(place.metric("connector_unknown_outcomes_total", MAIN), 1.0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_provider_that_is_down_for_a_while_opens_the_breaker_and_everything_arrives_once_after_it() {
    let breaker = BreakerPolicy { minimum_calls: 4, open_seconds: 1, half_open_calls: 2, ..BreakerPolicy::default() };
    let retry = RetryPolicy { max_attempts: 1000, initial_backoff_millis: 100, max_backoff_millis: 400 };
    with_place(Policies { breaker, retry, ..Policies::default() }, async |place| {
        let connector = place.start().joined().await;
        place.provider.misbehave(json!({"status": 503})).await;
        let deliveries: Vec<Delivery> = (0..200).map(|number| delivery(number % 50, &number.to_string())).collect();
        for delivery in &deliveries {
            place.order(delivery).await;
        }
        place.until_metric("connector_breaker_state", "\"open\"", |open| open == 1.0).await;
        place.until_metric("consumer_paused_partitions", &place.group(), |n| n == f64::from(PARTITIONS)).await;
        let (joins, calls) =
            (place.metric("consumer_rebalances_total", &place.group()), place.provider.calls().await.len());
        // Each trial takes an open second: these take longer than the session time-out.
        eventually("trial after trial fails", async || place.provider.calls().await.len() >= calls + 8).await;
        assert!(connector.pulses.iter().map(Pulse::age).all(|age| age < Duration::from_secs(5)), "it goes on polling");
        assert_eq!(place.metric("consumer_rebalances_total", &place.group()), joins, "the member stays");
        assert!(place.provider.taken().await.is_empty());

        place.provider.be_well().await;
        place.drained().await;
        assert_eq!(place.metric("connector_breaker_state", "\"closed\""), 1.0);
        place.until_metric("consumer_paused_partitions", &place.group(), |n| n == 0.0).await;
        connector.stop().await;
        assert_taken_once(place, &deliveries).await;
        assert_order_of_recipients(place, &deliveries).await;
        assert!(place.cluster.dead_letters().await.is_empty());
    })
    .await;
}

async fn assert_order_of_recipients(place: &Place<'_>, deliveries: &[Delivery]) {
    let mut expected: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for delivery in deliveries {
        let to = delivery.recipient.to_string().replace("whatsapp:+", "");
        expected.entry(to).or_default().push(&delivery.content);
    }
    let calls = place.provider.taken().await;
    let mut taken: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for call in &calls {
        taken.entry(call.to.clone()).or_default().push(&call.body);
    }
    assert_eq!(taken, expected);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn one_recipient_that_waits_delays_nobody_else_and_keeps_its_own_order() {
    // Long enough that all others are done before it is tried again, also on a busy machine.
    let retry = RetryPolicy { max_attempts: 2, initial_backoff_millis: 10_000, max_backoff_millis: 10_000 };
    with_place(Policies { retry, ..Policies::default() }, async |place| {
        let connector = place.start().joined().await;
        place.provider.misbehave(json!({"code": 131016, "times": 1})).await;
        let waiting = [delivery(0, "first"), delivery(0, "second")];
        place.order(&waiting[0]).await;
        eventually("the first one is refused", async || place.provider.calls().await.len() == 1).await;
        place.order(&waiting[1]).await;
        // More recipients than partitions: some share the waiting one's.
        let others: Vec<Delivery> = (1..=60).map(|number| delivery(number, "olá")).collect();
        join_all(others.iter().map(|delivery| place.order(delivery))).await;
        place.drained().await;
        connector.stop().await;

        let bodies: Vec<String> = place.provider.taken().await.into_iter().map(|call| call.body).collect();
        assert_eq!(bodies.len(), 62);
        assert_eq!(bodies[60..], ["first", "second"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn connectors_that_join_and_leave_with_work_in_flight_send_nothing_twice() {
    with_place(Policies::default(), async |place| {
        // Slow answers, so that calls are in flight while partitions change hands.
        place.provider.misbehave(json!({"delayMillis": 30})).await;
        let stays = place.start().joined().await;
        let deliveries: Vec<Delivery> = (0..3000).map(|number| delivery(number % 100, &number.to_string())).collect();
        let order = async {
            for delivery in &deliveries {
                place.order(delivery).await;
            }
        };
        let guests = async {
            for _ in 0..3 {
                let guest = place.start().joined().await;
                let enough = (place.provider.calls().await.len() + 200).min(deliveries.len());
                eventually("work goes on with the guest", async || place.provider.calls().await.len() >= enough).await;
                guest.stop().await;
            }
        };
        tokio::join!(order, guests);
        place.drained().await;
        stays.stop().await;
        assert_taken_once(place, &deliveries).await;
        assert_order_of_recipients(place, &deliveries).await;
        assert_eq!(place.metric("connector_unknown_outcomes_total", MAIN), 0.0);
        assert_eq!(place.metric("consumer_paused_partitions", &place.group()), 0.0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_partition_that_is_given_back_while_it_is_paused_is_paused_no_more() {
    let breaker = BreakerPolicy { minimum_calls: 1, open_seconds: 3600, ..BreakerPolicy::default() };
    with_place(Policies { breaker, ..Policies::default() }, async |place| {
        place.provider.misbehave(json!({"status": 503})).await;
        let connector = place.start().joined().await;
        place.order(&delivery(1, "olá")).await;
        place.until_metric("consumer_paused_partitions", &place.group(), |n| n == f64::from(PARTITIONS)).await;
        connector.stop().await;
        assert_eq!(place.metric("consumer_paused_partitions", &place.group()), 0.0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_connector_that_cannot_go_on_ends_with_the_error() {
    with_place(Policies::default(), async |place| {
        let connector = place.start_with(place.ledger(Script::Panic));
        place.order(&delivery(1, "olá")).await;
        let error = connector.failure().await.to_string();
        assert!(error.contains("panicked") && error.contains(&place.outbound()), "{error}");
    })
    .await;
}

fn webhook(statuses: serde_json::Value) -> WebhookRecord {
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": NUMBER_ID},
        "statuses": statuses,
    });
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}],
    });
    let body = Bytes::from(serde_json::to_vec(&body).unwrap());
    WebhookRecord { received_at: Timestamp::now(), headers: BTreeMap::new(), body }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn statuses_in_the_journal_become_status_updates_under_the_right_keys() {
    with_place(Policies::default(), async |place| {
        let (inbound, group) = (place.cluster.topics.inbound(MAIN), place.cluster.topics.inbound_group(MAIN));
        let delivery = delivery(1, "olá");
        let correlation = Correlation::from(&delivery.reference).to_string();
        let status = |id: &str, status: &str| {
            json!({"id": id, "status": status, "timestamp": "1762000000", "recipient_id": "5562900000001"})
        };
        let mut echoed = status("wamid.1", "delivered");
        echoed["biz_opaque_callback_data"] = json!(correlation);
        let journal = webhook(json!([echoed, {"id": 7}, status("wamid.2", "read"), status("wamid.3", "unheard-of")]));
        let connector = place.start();
        place.cluster.put(&inbound, "webhook-1", &journal).await;
        place.cluster.drained(&group, &[inbound]).await;
        connector.stop().await;

        let records = place.cluster.read(&place.cluster.topics.status_updates()).await;
        let told: BTreeMap<String, StatusUpdate> =
            records.iter().map(|r| (r.key.clone(), serde_json::from_slice(&r.value).unwrap())).collect();
        assert_eq!(records.len(), 2, "a bad entry costs only itself");
        assert_eq!(told[&delivery.reference.message_id.to_string()].event, DeliveryEvent::Delivered);
        assert_eq!(told["wamid.2"].event, DeliveryEvent::Read);
        assert_eq!(told["wamid.2"].at.as_second(), 1_762_000_000);
        assert_eq!(place.metric("connector_webhook_events_total", "status"), 2.0);
        assert_eq!(place.metric("connector_webhook_events_total", "rejected"), 1.0);
        assert_eq!(place.metric("connector_webhook_events_total", "unhandled"), 1.0);
        assert!(place.cluster.dead_letters().await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn unreadable_records_go_to_the_dead_letter_queue_and_what_is_behind_them_moves_on() {
    with_place(Policies::default(), async |place| {
        let connector = place.start();
        let (inbound, inbound_group) = (place.cluster.topics.inbound(MAIN), place.cluster.topics.inbound_group(MAIN));
        let poison = b"\x00 not a record";
        let behind = delivery(1, "olá");
        let key = behind.recipient.to_string();
        let sources = [(inbound, inbound_group), (place.outbound(), place.group())];
        let mut from = Vec::new();
        for (topic, _) in &sources {
            from.push(place.cluster.put_bytes(topic, &key, poison).await);
        }
        place.order(&behind).await;
        for (topic, group) in &sources {
            place.cluster.drained(group, std::slice::from_ref(topic)).await;
        }
        connector.stop().await;

        let letters = place.cluster.dead_letters().await;
        assert_eq!(letters.len(), 2);
        for ((topic, group), placed) in sources.iter().zip(from) {
            let letter = letters.iter().find(|l| l.headers["kafka_dlt-original-topic"] == *topic).unwrap();
            assert_dead_letter(letter, topic, group, placed, &key, poison);
            assert_eq!(letter.headers["chat4all-reason"], "chat4all:unreadable");
        }
        assert_eq!(place.provider.taken().await.len(), 1);
    })
    .await;
}

/// A webhook with what a customer wrote.
fn written(event_id: &str, from: &str, text: &str) -> WebhookRecord {
    all_written(from, &[(event_id, text)])
}

/// A webhook with everything that a customer wrote within a second.
fn all_written(from: &str, texts: &[(&str, &str)]) -> WebhookRecord {
    let message = |(id, text): &(&str, &str)| json!({"id": id, "from": from, "timestamp": "1762000000", "type": "text", "text": {"body": text}});
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": NUMBER_ID},
        "contacts": [{"profile": {"name": "Maria"}, "wa_id": from}],
        "messages": texts.iter().map(message).collect::<Vec<_>>(),
    });
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}],
    });
    let body = Bytes::from(serde_json::to_vec(&body).unwrap());
    WebhookRecord { received_at: Timestamp::now(), headers: BTreeMap::new(), body }
}

async fn messages_in(place: &Place<'_>) -> Vec<AcceptedMessage> {
    let records = place.cluster.read(&place.cluster.topics.messages()).await;
    records.iter().map(|record| serde_json::from_slice(&record.value).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn what_a_customer_wrote_in_one_webhook_keeps_its_order() {
    with_place(Policies::default(), async |place| {
        let (inbound, group) = (place.cluster.topics.inbound(MAIN), place.cluster.topics.inbound_group(MAIN));
        let connector = place.start();
        let ids: Vec<String> = (0..30).map(|number| format!("wamid.{number}")).collect();
        let texts: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
        place.cluster.put(&inbound, "one", &all_written("5562998765432", &texts)).await;
        place.cluster.drained(&group, &[inbound]).await;
        connector.stop().await;
        let messages = messages_in(place).await;
        assert_eq!(messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>(), ids);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn case_31_what_a_customer_wrote_is_one_message_however_often_and_wherever_it_is_read() {
    with_place(Policies::default(), async |place| {
        let (inbound, group) = (place.cluster.topics.inbound(MAIN), place.cluster.topics.inbound_group(MAIN));
        let connector = place.start();
        // Both at once: different keys, so different lanes and perhaps partitions.
        for key in ["one", "two", "three"] {
            place.cluster.put(&inbound, key, &written("wamid.in", "5562998765432", "oi")).await;
        }
        place.cluster.drained(&group, std::slice::from_ref(&inbound)).await;
        connector.stop().await;
        // The person is met elsewhere, and the journal is read again.
        let person: Address = "whatsapp:+5562998765432".parse().unwrap();
        place.memory.met(&person, &"order-2".parse().unwrap(), Timestamp::now()).await.unwrap();
        place.cluster.rewind(&group, &inbound).await;
        let again = place.start();
        place.cluster.drained(&group, &[inbound]).await;
        again.stop().await;

        let messages = messages_in(place).await;
        assert_eq!(messages.len(), 6, "each reading produces it again");
        assert!(messages.iter().all(|message| *message == messages[0]), "and it is the same: {messages:#?}");
        let message = &messages[0];
        assert_eq!(message.conversation_id.as_str(), "whatsapp:+556298765432");
        assert_eq!((message.sender.to_string().as_str(), message.content.as_str()), ("whatsapp:+5562998765432", "oi"));
        assert_eq!(message.accepted_at().as_second(), 1_762_000_000);
        let from = message.inbound.as_ref().unwrap();
        assert_eq!((from.connector.as_str(), from.provider_id.as_str()), (MAIN, "wamid.in"));
        assert_eq!(from.name.as_deref(), Some("Maria"));
        assert_eq!(place.metric("connector_webhook_events_total", "message"), 6.0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_customer_who_writes_by_another_form_of_their_number_is_known_and_answered_at_exactly_that_one() {
    with_place(Policies::default(), async |place| {
        let (inbound, group) = (place.cluster.topics.inbound(MAIN), place.cluster.topics.inbound_group(MAIN));
        let (long, short) = ("whatsapp:+5562998765432", "556298765432");
        place.memory.met(&long.parse().unwrap(), &"order-1".parse().unwrap(), Timestamp::now()).await.unwrap();
        let connector = place.start();
        place.cluster.put(&inbound, "key", &written("wamid.in", short, "oi")).await;
        place.cluster.drained(&group, &[inbound]).await;
        let mut answer = delivery(1, "olá");
        answer.recipient = long.parse().unwrap();
        place.order(&answer).await;
        place.drained().await;
        connector.stop().await;

        assert_eq!(messages_in(place).await[0].conversation_id.as_str(), "order-1");
        assert_eq!(place.provider.taken().await[0].to, short);
        assert_eq!(place.told(&answer).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_held_delivery_lets_the_next_one_to_the_same_recipient_pass() {
    let hold_for = Duration::from_secs(3600);
    let policies = Policies { on_unknown_outcome: OnUnknownOutcome::Hold, hold_for, ..Policies::default() };
    with_place(policies, async |place| {
        place.provider.misbehave(json!({"dropAnswer": true, "accept": true, "times": 1})).await;
        let connector = place.start();
        let (held, next) = (delivery(1, "olá"), delivery(1, "and then"));
        place.order(&held).await;
        place.order(&next).await;
        place.drained().await;
        connector.stop().await;
        assert_eq!(place.told(&next).await.len(), 1);
        assert!(place.told(&held).await.is_empty());
        assert_eq!(place.memory.waiting(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_status_of_the_provider_makes_a_held_delivery_sent_without_a_second_call() {
    let policies = Policies { on_unknown_outcome: OnUnknownOutcome::Hold, ..Policies::default() };
    with_place(policies, async |place| {
        place.provider.misbehave(json!({"dropAnswer": true, "accept": true, "times": 1})).await;
        let held = delivery(1, "olá");
        // As the router notes it when a status carries our reference.
        place.memory.taken(held.reference.delivery_id, "wamid.told", Timestamp::now()).await.unwrap();
        let connector = place.start();
        place.order(&held).await;
        place.drained().await;
        eventually("nothing waits any more", async || place.memory.waiting() == 0).await;
        eventually("the held delivery ends", async || !place.told(&held).await.is_empty()).await;
        connector.stop().await;

        let provider_id = Some("wamid.told".to_owned());
        assert_eq!(place.told(&held).await, [DeliveryEvent::Sent { provider_id, effort: Some(ONE_CALL) }]);
        assert_eq!(place.provider.taken().await.len(), 1);
        assert!(place.cluster.dead_letters().await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_status_of_the_provider_stops_the_resend_of_a_delivery_whose_answer_never_came() {
    with_place(Policies::default(), async |place| {
        place.provider.misbehave(json!({"dropAnswer": true, "accept": true, "times": 1})).await;
        let delivery = delivery(1, "olá");
        place.memory.taken(delivery.reference.delivery_id, "wamid.told", Timestamp::now()).await.unwrap();
        let connector = place.start();
        place.order(&delivery).await;
        place.drained().await;
        connector.stop().await;

        let effort = Some(Effort { attempts: 1, unknown_outcomes: 1 });
        let provider_id = Some("wamid.told".to_owned());
        assert_eq!(place.told(&delivery).await, [DeliveryEvent::Sent { provider_id, effort }]);
        assert_eq!(place.provider.taken().await.len(), 1, "the recipient has it once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_process_that_dies_while_it_takes_a_message_in_makes_the_same_one_again() {
    // Who wrote it (1), its place (2), where to answer (3), then the message.
    for script in [1, 2, 3].into_iter().flat_map(|n| [Script::StopBefore(n), Script::StopAfter(n)]) {
        with_place(Policies::default(), async |place| {
            let (inbound, group) = (place.cluster.topics.inbound(MAIN), place.cluster.topics.inbound_group(MAIN));
            let store = place.ledger(script);
            let first = place.start_with(store.clone());
            place.cluster.put(&inbound, "key", &written("wamid.in", "5562998765432", "oi")).await;
            store.stopped().await;
            first.crash().await;
            let second = place.start();
            place.cluster.drained(&group, &[inbound]).await;
            second.stop().await;
            let messages = messages_in(place).await;
            assert_eq!(messages.len(), 1, "{script:?}");
            assert_eq!(messages[0].content, "oi");
            let person = place.memory.person(&messages[0].sender).await.unwrap();
            assert_eq!(person.answers_to.as_ref(), Some(&messages[0].sender), "{script:?}");
        })
        .await;
    }
}

#[rstest]
#[case::taken_and_the_answer_dropped(json!({"dropAnswer": true, "accept": true, "times": 1}))]
#[case::refused_and_the_answer_dropped(json!({"dropAnswer": true, "times": 1}))]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_process_that_dies_around_a_held_delivery_calls_no_second_time_and_names_it_once(
    #[case] fault: serde_json::Value,
) {
    // Ledger, recipient, attempt, call; then it waits (4), and when its time is over it is taken (5), the
    // ledger read (6), the failure written (7), dead letter and status produced, and the row removed (8).
    for script in [4, 5, 6, 7, 8].into_iter().flat_map(|n| [Script::StopBefore(n), Script::StopAfter(n)]) {
        let policies = Policies { on_unknown_outcome: OnUnknownOutcome::Hold, ..Policies::default() };
        with_place(policies, async |place| {
            place.provider.misbehave(fault.clone()).await;
            let ledger = place.ledger(script);
            let first = place.start_with(ledger.clone());
            let delivery = delivery(1, "olá");
            let placed = place.order(&delivery).await;
            ledger.stopped().await;
            first.crash().await;
            // Whoever died over it has it no longer.
            place.memory.release_waiting();
            let second = place.start();
            place.drained().await;
            eventually("the delivery is named", async || !place.told(&delivery).await.is_empty()).await;
            eventually("nothing waits any more", async || place.memory.waiting() == 0).await;
            second.stop().await;

            assert_eq!(place.provider.calls().await.len(), 1, "{script:?}");
            let effort = Effort { attempts: 1, unknown_outcomes: 1 };
            let named = place.told(&delivery).await;
            assert!(
                named.iter().all(|told| only_failure(std::slice::from_ref(told)).1 == effort),
                "{script:?} {named:?}"
            );
            let value = serde_json::to_vec(&delivery).unwrap();
            let key = delivery.recipient.to_string();
            for letter in place.cluster.dead_letters().await {
                assert_dead_letter(&letter, &place.outbound(), &place.group(), placed, &key, &value);
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_mark_of_reading_on_messenger_reads_what_was_sent_before_it_and_nothing_after() {
    with_place(Policies::default(), async |place| {
        let (inbound, group) = (place.cluster.topics.inbound(MAIN), place.cluster.topics.inbound_group(MAIN));
        let (mut before, mut after) = (delivery(1, "olá"), delivery(2, "and then"));
        for delivery in [&mut before, &mut after] {
            delivery.recipient = "messenger:7001".parse().unwrap();
        }
        let connector = place.start_page();
        place.order(&before).await;
        place.drained().await;
        let until = Timestamp::now();
        place.order(&after).await;
        place.drained().await;
        let event = json!({
            "sender": {"id": "7001"}, "recipient": {"id": PAGE_ID}, "timestamp": until.as_millisecond(),
            "read": {"watermark": until.as_millisecond()},
        });
        let body = json!({"object": "page", "entry": [{"id": PAGE_ID, "time": 1, "messaging": [event]}]});
        let body = Bytes::from(serde_json::to_vec(&body).unwrap());
        let record = WebhookRecord { received_at: Timestamp::now(), headers: BTreeMap::new(), body };
        place.cluster.put(&inbound, "key", &record).await;
        place.cluster.drained(&group, &[inbound]).await;
        connector.stop().await;

        let told = place.told(&before).await;
        assert!(matches!(told[..], [DeliveryEvent::Sent { .. }, DeliveryEvent::Read]), "{told:?}");
        assert_eq!(place.told(&after).await.len(), 1);
    })
    .await;
}

/// A provider that answers every request with this.
async fn answering(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // One read takes a request as short as ours.
            let _ = stream.read(&mut [0; 16 << 10]).await;
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + body).as_bytes()).await;
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn case_03_a_person_who_has_a_user_id_beside_the_number_is_known_by_both_from_then_on() {
    with_place(Policies::default(), async |place| {
        let contact = r#"{"contacts":[{"wa_id":"556200000001","user_id":"BR.1349"}],"messages":[{"id":"wamid.1"}]}"#;
        let connector = place.start_at(&answering(contact).await, place.ledger(Script::Play));
        let delivery = delivery(1, "olá");
        place.order(&delivery).await;
        place.drained().await;
        connector.stop().await;

        let person = place.memory.person(&delivery.recipient).await.unwrap().address;
        for alias in ["whatsapp:BR.1349", "whatsapp:+556200000001"] {
            assert_eq!(place.memory.person(&alias.parse().unwrap()).await.unwrap().address, person, "{alias}");
        }
        assert_eq!(place.told(&delivery).await.len(), 1);
    })
    .await;
}

/// Puts the record of the only open letter back, as the API does.
async fn replay(place: &Place<'_>) {
    let open = LetterFilter { state: Some(LetterState::Open), ..LetterFilter::default() };
    let page = place.memory.letters(&open, None, 10).await.unwrap();
    let [stored] = &page.letters[..] else { panic!("one open letter expected: {:?}", page.letters) };
    let (stored, body) = place.memory.letter(stored.letter.id).await.unwrap().unwrap();
    let connectors = [format!("{MAIN}=whatsapp").parse().unwrap()];
    let topics = &place.cluster.topics;
    let back = chat4all_dead_letters::replay(&stored.letter, &body, &Edit::default(), topics, &connectors).unwrap();
    let count = back.replays.to_string();
    let headers = [("chat4all-replays", count.as_bytes())];
    place.cluster.producer.send(&back.topic, &back.key, &back.value, &headers).await.unwrap();
    let closing = Closing { state: LetterState::Replayed, at: Timestamp::now(), by: "ops".into() };
    assert!(place.memory.close_letter(stored.letter.cursor(), &closing).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_replayed_delivery_is_tried_anew_and_sent_once_however_often_it_is_handled() {
    with_place(Policies::default(), async |place| {
        place.provider.misbehave(json!({"status": 503, "code": 131016})).await;
        let delivery = delivery(1, "olá");
        place.order(&delivery).await;
        let connector = place.start();
        place.drained().await;
        let all = LetterFilter::default();
        // Fails again: another letter, which knows of the replay.
        replay(place).await;
        place.drained().await;
        let letters = place.memory.letters(&all, None, 10).await.unwrap().letters;
        let counts: Vec<(u32, u32)> = letters.iter().map(|l| (l.letter.replays, l.letter.attempts)).collect();
        assert_eq!(counts, [(1, 3), (0, 3)], "each with its own attempts, newest first");

        place.provider.be_well().await;
        replay(place).await;
        place.drained().await;
        connector.stop().await;
        assert_eq!(place.provider.taken().await.len(), 1);
        assert_eq!(place.provider.calls().await.len(), 7);
        assert_eq!(place.entry(&delivery).await.replays, 2);
        let told = place.told(&delivery).await;
        assert_eq!(told.len(), 3);
        assert!(matches!(told[2], DeliveryEvent::Sent { .. }), "{told:?}");

        // All three records once more, as after a crash that came before any commit.
        place.cluster.rewind(&place.group(), &place.outbound()).await;
        let connector = place.start();
        place.drained().await;
        connector.stop().await;
        assert_eq!(place.provider.calls().await.len(), 7, "nothing is sent again");
        assert!(place.told(&delivery).await[3..].iter().all(|event| matches!(event, DeliveryEvent::Sent { .. })));
        assert_eq!(place.memory.letters(&all, None, 10).await.unwrap().letters.len(), 2);
        assert_eq!(place.cluster.dead_letters().await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_record_given_up_again_is_one_letter_and_one_record_of_the_queue() {
    with_place(Policies::default(), async |place| {
        place.cluster.put_bytes(&place.outbound(), "k", b"{ not json").await;
        let placed = place.order(&delivery(2, "")).await;
        for _ in 0..2 {
            let connector = place.start();
            place.drained().await;
            connector.stop().await;
            place.cluster.rewind(&place.group(), &place.outbound()).await;
        }
        assert_eq!(place.cluster.dead_letters().await.len(), 2);
        let letters = place.memory.letters(&LetterFilter::default(), None, 10).await.unwrap().letters;
        assert_eq!(letters.len(), 2);
        let id = LetterId::of(&place.outbound(), placed.partition, placed.offset);
        let (stored, body) = place.memory.letter(id).await.unwrap().unwrap();
        assert_eq!(stored.letter.about.recipient.unwrap().to_string().as_bytes(), body.key);
        let poison = letters.iter().find(|l| l.letter.reason == "chat4all:unreadable").unwrap();
        assert_eq!(poison.letter.about.connector.as_deref(), Some(MAIN));
        assert_eq!(place.memory.letter(poison.letter.id).await.unwrap().unwrap().1.value, b"{ not json");
    })
    .await;
}
