//! One deed, several times under one load, and what came of it.

use std::time::Duration;

use jiff::Timestamp;

use super::around::Around;
use super::deed::Deed;
use super::make::{Done, make};
use super::record::{Api, Fault, Messages, Round};
use super::timeline::{buckets, timeline};
use crate::context::{Context, Outcome, told};
use crate::history::{Pauses, latencies};
use crate::kube::ready;
use crate::replicas::Counts;
use crate::story::{Reckoning, Story, Watched};

/// What was refused meanwhile is accepted, what waited is worked off, and pods are ready.
const NORMAL_WITHIN: Duration = Duration::from_secs(240);

/// Does it so many times at this rate of messages a second. What a deed needs around its load is made before the load
/// and undone after the reckoning, so that neither counts; it is undone whatever happens.
pub async fn prove(context: &Context, deed: &Deed, rounds: u32, rate: u32) -> Outcome<Fault> {
    let around = Around::of(deed, context).await?;
    let found = match around.make(context).await {
        Ok(()) => under_load(context, deed, rounds, rate).await,
        Err(error) => Err(error),
    };
    let undone = around.undo(context).await.map_err(|error| format!("not as before afterwards: {}", told(&*error)));
    match (found, undone) {
        (Ok(mut fault), undone) => {
            fault.violations.extend(undone.err());
            Ok(fault)
        }
        (Err(error), Err(more)) => Err(format!("{}; {more}", told(&*error)).into()),
        (Err(error), Ok(())) => Err(error),
    }
}

async fn under_load(context: &Context, deed: &Deed, rounds: u32, rate: u32) -> Outcome<Fault> {
    let name = deed.to_string();
    let counts = Counts::watch_ready(&context.sample.routers.deployment);
    let began = Timestamp::now();
    let conversations = context.settings.conversations;
    let mut story = Story::begin_with(context, &name, deed.watched(), rate, conversations, 1).await?;
    let mut made = Vec::new();
    let done = again_and_again(context, deed, rounds, &mut story, &mut made).await;
    let reckoning = story.reckon(done, deed.duplicates()).await?;
    Ok(fault(name, began, reckoning, made, &counts))
}

/// Each round begins and ends when everything is as before.
async fn again_and_again(
    context: &Context,
    deed: &Deed,
    rounds: u32,
    story: &mut Story<'_>,
    made: &mut Vec<(Done, f64)>,
) -> Outcome {
    let watched = match deed.watched() {
        Watched::Routers => &context.sample.routers,
        Watched::Connector => &context.sample.connectors,
    };
    story.until_every_partition_moved().await?;
    // Kafka's tool takes seconds of a processor. That each partition moves says afterwards that each has its consumer.
    story.until_every_partition_has_a_consumer(watched).await?;
    for round in 1..=rounds {
        let done = make(deed, context, story).await?;
        story.until_every_partition_moved_within(NORMAL_WITHIN).await?;
        story.until_nothing_is_repeated_within(NORMAL_WITHIN).await?;
        context.sample.resource.until(ready(), NORMAL_WITHIN).await?;
        let normal = hundredths(Timestamp::now().duration_since(done.at).as_secs_f64());
        context.say(format!("{round} of {rounds}: {}, all is normal {normal:.1} s after it began", done.victim));
        made.push((done, normal));
    }
    Ok(())
}

fn fault(name: String, began: Timestamp, reckoning: Reckoning, made: Vec<(Done, f64)>, counts: &Counts) -> Fault {
    let Reckoning { history, findings, pauses, repeated, ledger, violations } = reckoning;
    let quantiles = latencies(&history.accepted);
    let millis = |wait: Duration| hundredths(wait.as_secs_f64() * 1000.0);
    let round = |(done, normal): (Done, f64)| {
        // A deed of several steps is several disturbances.
        let until = done.at + Duration::from_secs_f64(normal);
        let during = pauses.iter().filter(|pauses| (done.at..=until).contains(&pauses.disturbance.at));
        let longest = during.map(Pauses::longest).max().unwrap_or_default();
        Round {
            at: done.at,
            victim: done.victim,
            kept_s: hundredths(done.kept.as_secs_f64()),
            longest_pause_s: hundredths(longest.as_secs_f64()),
            normal_after_s: normal,
        }
    };
    let last = history.accepted.iter().map(|message| message.acked).max().unwrap_or(began);
    let last = history.received.iter().map(|receipt| receipt.at).max().unwrap_or(last).max(last);
    Fault {
        name,
        began,
        ended: Timestamp::now(),
        rounds: made.into_iter().map(round).collect(),
        messages: Messages {
            accepted: history.accepted.len() as u64,
            lost: findings.lost.len() as u64,
            stored_twice: findings.stored_twice.len() as u64,
            duplicated: findings.duplicated(),
            of_them_named: findings.named(),
            out_of_order: findings.overtakings.len() as u64,
        },
        api: Api {
            repeated,
            p50_ms: millis(quantiles.p50),
            p95_ms: millis(quantiles.p95),
            p99_ms: millis(quantiles.p99),
            latencies: buckets(&history.accepted),
        },
        ledger: ledger.unwrap_or_default(),
        timeline: timeline(&history, &counts.seen(), began, last),
        violations,
    }
}

/// Finer than what is measured, and written and read again as the same number.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
