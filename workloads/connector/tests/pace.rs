//! How fast a connector calls, whom it keeps waiting and whom not, on a real Kafka with the simulator as
//! its provider. Needs `KAFKA_BOOTSTRAP_SERVERS`; run with `--ignored`.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use chat4all_channels::pace;
use chat4all_connector::{BreakerPolicy, RetryPolicy};
use chat4all_message::{Channel, Correlation, Delivery, DeliveryEvent};
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use support::{Call, MAIN, Place, Policies, TOKEN, delivery, eventually, with_place};

/// WhatsApp's limit for a number, calls a second.
const LIMIT: f64 = 80.0;

const WINDOW: Duration = Duration::from_secs(10);

fn as_the_provider_wants() -> Policies {
    Policies { pace: pace(Channel::Whatsapp), provider_enforces: true, ..Policies::default() }
}

/// The most calls that were taken in a window which is over.
fn best_window(taken: &[Call]) -> usize {
    let window = jiff::SignedDuration::try_from(WINDOW).unwrap();
    let Some(last) = taken.last() else { return 0 };
    let ends = taken.iter().map(|call| call.at + window).take_while(|end| *end <= last.at);
    let within = |(n, end)| taken[n..].partition_point(|call| call.at < end);
    ends.enumerate().map(within).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn three_replicas_use_95_percent_of_what_the_provider_takes_and_it_refuses_nothing() {
    with_place(as_the_provider_wants(), async |place| {
        // Enough for every replica to have work all the time, also where keys fall unevenly.
        let deliveries: Vec<Delivery> = (0..4000).map(|number| delivery(number, "olá")).collect();
        join_all(deliveries.iter().map(|delivery| place.order(delivery))).await;
        let replicas = [place.start().joined().await, place.start().joined().await, place.start().joined().await];
        eventually("the group has three members", async || place.cluster.members(&place.group()).await == 3).await;

        let wanted = LIMIT * WINDOW.as_secs_f64() * 0.95;
        eventually("ten seconds at 95 % of the limit", async || {
            best_window(&place.provider.taken().await) as f64 >= wanted
        })
        .await;
        let calls = place.provider.calls().await;
        for replica in replicas {
            replica.stop().await;
        }
        let settled = calls[0].at + Duration::from_secs(1);
        let refused: Vec<&Call> = calls.iter().filter(|call| call.answer.code.is_some()).collect();
        eprintln!(
            "best ten seconds: {} of {}; refused: {} of {}",
            best_window(&place.provider.taken().await),
            LIMIT * WINDOW.as_secs_f64(),
            refused.len(),
            calls.len()
        );
        assert!(refused.iter().all(|call| call.at < settled), "{refused:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn who_had_enough_waits_alone_and_in_order_and_is_not_refused() {
    with_place(as_the_provider_wants(), async |place| {
        let connector = place.start().joined().await;
        let eager: Vec<Delivery> = (0..47).map(|number| delivery(0, &number.to_string())).collect();
        // Nobody knows whether a call whose answer took a second came at its beginning or at its end.
        place.provider.misbehave(json!({"delayMillis": 1000, "to": "5562900000000"})).await;
        place.order(&eager[0]).await;
        eventually("the first is called", async || place.provider.calls().await.len() == 1).await;
        place.provider.be_well().await;
        for delivery in &eager[1..] {
            place.order(delivery).await;
        }
        place.until_metric("connector_parked", MAIN, |parked| parked == 1.0).await;
        let others: Vec<Delivery> = (1..=60).map(|number| delivery(number, "olá")).collect();
        join_all(others.iter().map(|delivery| place.order(delivery))).await;
        place.drained().await;
        connector.stop().await;

        let calls = place.provider.calls().await;
        assert_eq!(calls.len(), 107, "no call was refused");
        let to_the_eager: Vec<&Call> = calls.iter().filter(|call| call.to.ends_with("00000000")).collect();
        let bodies: Vec<usize> = to_the_eager.iter().map(|call| call.body.parse().unwrap()).collect();
        assert!(bodies.iter().copied().eq(0..47), "{bodies:?}");
        let waited = |number: usize| to_the_eager[number].at.duration_since(to_the_eager[0].at).as_secs_f64();
        assert!(waited(45) > 6.9, "six seconds from the answer to the first: {}", waited(45));
        assert!(waited(46) > 12.9, "two had to wait for six seconds each: {}", waited(46));
        assert_eq!(calls.last().unwrap().body, "46", "the others were done before");
        assert_eq!(place.metric("connector_parked", MAIN), 0.0);
    })
    .await;
}

/// The time from the order of each delivery to its call, in milliseconds, ascending.
fn latencies<'d>(calls: &[Call], ordered: impl Iterator<Item = (&'d Delivery, Timestamp)>) -> Vec<i128> {
    let at: BTreeMap<&str, Timestamp> = calls.iter().map(|call| (call.correlation.as_str(), call.at)).collect();
    let mut latencies: Vec<i128> = ordered
        .map(|(delivery, ordered)| {
            at[&*Correlation::from(&delivery.reference).to_string()].duration_since(ordered).as_millis()
        })
        .collect();
    latencies.sort_unstable();
    latencies
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn one_recipient_that_fails_for_ever_changes_the_latency_of_no_other_of_a_thousand() {
    // So long that whoever waited for it would stand out on any machine.
    let retry = RetryPolicy { max_attempts: 20, initial_backoff_millis: 600_000, max_backoff_millis: 600_000 };
    let breaker = BreakerPolicy::default();
    with_place(Policies { retry, breaker, ..Policies::default() }, async |place| {
        place.provider.misbehave(json!({"status": 503, "to": "5562900000000"})).await;
        let connector = place.start().joined().await;
        let failing = place.order(&delivery(0, "first")).await.partition;
        place.order(&delivery(0, "second")).await;
        place.until_metric("connector_parked", MAIN, |parked| parked == 1.0).await;

        let mut ordered = Vec::new();
        for number in 1..=1000 {
            let (delivery, at) = (delivery(number, "olá"), Timestamp::now());
            let placed = place.order(&delivery).await;
            ordered.push((delivery, at, placed.partition));
        }
        eventually("all others are sent", async || place.provider.taken().await.len() == 1000).await;
        let calls = place.provider.calls().await;
        assert_eq!(calls.len(), 1001, "it waits still");
        assert_eq!(place.metric("connector_parked", MAIN), 1.0);
        assert_eq!(place.metric("consumer_paused_partitions", &place.group()), 0.0);
        connector.stop().await;

        let of = |beside: bool| {
            let some = ordered.iter().filter(|(_, _, partition)| (*partition == failing) == beside);
            latencies(&calls, some.map(|(delivery, at, _)| (delivery, *at)))
        };
        let (beside, elsewhere) = (of(true), of(false));
        let percentile = |latencies: &[i128], percent: usize| latencies[latencies.len() * percent / 100];
        eprintln!(
            "p50 and p99 in its partition: {} and {} ms; in others: {} and {} ms",
            percentile(&beside, 50),
            percentile(&beside, 99),
            percentile(&elsewhere, 50),
            percentile(&elsewhere, 99)
        );
        assert!(beside.len() > 50, "the thousand are in all partitions: {}", beside.len());
        assert!(percentile(&beside, 99) <= percentile(&elsewhere, 99) + 1000);
    })
    .await;
}

/// A breaker that opens soon and tries one call a second.
const QUICK: BreakerPolicy = BreakerPolicy {
    failure_rate_percent: 50,
    minimum_calls: 4,
    window_seconds: 10,
    open_seconds: 1,
    half_open_calls: 1,
};

/// Orders these, and waits until that many trial calls have failed.
async fn order_into_an_outage(place: &Place<'_>, deliveries: &[Delivery], trials: usize) {
    place.provider.misbehave(json!({"status": 503})).await;
    join_all(deliveries.iter().map(|delivery| place.order(delivery))).await;
    place.until_metric("connector_breaker_state", "\"open\"", |open| open == 1.0).await;
    let calls = place.provider.calls().await.len();
    eventually("trial after trial fails", async || place.provider.calls().await.len() >= calls + trials).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn trial_calls_use_up_no_attempt() {
    let retry = RetryPolicy { max_attempts: 3, initial_backoff_millis: 2000, max_backoff_millis: 2000 };
    with_place(Policies { breaker: QUICK, retry, ..Policies::default() }, async |place| {
        let connector = place.start().joined().await;
        let deliveries = [delivery(1, "olá"), delivery(2, "olá"), delivery(3, "olá"), delivery(4, "olá")];
        order_into_an_outage(place, &deliveries, 12).await;
        place.provider.be_well().await;
        place.drained().await;
        connector.stop().await;
        assert!(place.cluster.dead_letters().await.is_empty());
        assert_eq!(place.provider.taken().await.len(), deliveries.len());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_recipient_that_fails_alone_is_given_up_although_its_calls_are_trials() {
    let retry = RetryPolicy { max_attempts: 3, initial_backoff_millis: 100, max_backoff_millis: 100 };
    with_place(Policies { breaker: QUICK, retry, ..Policies::default() }, async |place| {
        let connector = place.start().joined().await;
        let mut deliveries: Vec<Delivery> = (1..=10).map(|number| delivery(number, "olá")).collect();
        let failing = delivery(0, "olá");
        deliveries.push(failing.clone());
        order_into_an_outage(place, &deliveries, 3).await;
        place.provider.misbehave(json!({"status": 503, "to": "5562900000000"})).await;
        // Work goes on for others, so that each trial of the failing one shows that it is alone.
        let others = async {
            for number in 11.. {
                place.order(&delivery(number, "olá")).await;
                if !place.cluster.dead_letters().await.is_empty() {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), others).await.expect("it is given up");
        place.drained().await;
        connector.stop().await;
        let letters = place.cluster.dead_letters().await;
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].key, failing.recipient.to_string());
        assert_eq!(place.metric("connector_dead_letters_total", MAIN), 1.0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn an_account_whose_token_expired_goes_on_by_itself_with_the_new_secret_and_loses_nothing() {
    with_place(Policies::default(), async |place| {
        place.replace_token("token-of-last-month");
        let connector = place.start().joined().await;
        let deliveries: Vec<Delivery> = (0..40).map(|number| delivery(number, "olá")).collect();
        join_all(deliveries.iter().map(|delivery| place.order(delivery))).await;
        place.until_metric("connector_account_state", "\"token-expired\"", |is| is == 1.0).await;
        // The operator replaces the pods when the Secret is another one.
        place.replace_token(TOKEN);
        connector.stop().await;
        let connector = place.start();
        place.drained().await;
        connector.stop().await;

        assert_eq!(place.metric("connector_account_state", "\"token-expired\""), 0.0);
        assert_eq!(place.metric("connector_account_state", "\"good\""), 1.0);
        assert_eq!(place.provider.taken().await.len(), deliveries.len());
        for delivery in &deliveries {
            let [DeliveryEvent::Sent { effort: Some(effort), .. }] = &place.told(delivery).await[..] else { panic!() };
            assert_eq!((effort.attempts, effort.unknown_outcomes), (1, 0));
        }
        assert!(place.cluster.dead_letters().await.is_empty());
    })
    .await;
}
