//! One deed, several times under one load, and what came of it.

use std::time::Duration;

use jiff::Timestamp;

use super::deed::Deed;
use super::make::{Done, make};
use super::record::{Api, Fault, Messages, Round};
use super::timeline::{buckets, timeline};
use crate::context::{Context, Outcome};
use crate::history::latencies;
use crate::kube::ready;
use crate::replicas::Counts;
use crate::story::{Reckoning, Story};

/// What waited meanwhile is worked off, and pods are ready.
const NORMAL_WITHIN: Duration = Duration::from_secs(240);

/// Does it so many times at this rate of messages a second.
pub async fn prove(context: &Context, deed: &Deed, rounds: u32, rate: u32) -> Outcome<Fault> {
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

/// Each round ends when everything is as before.
async fn again_and_again(
    context: &Context,
    deed: &Deed,
    rounds: u32,
    story: &mut Story<'_>,
    made: &mut Vec<(Done, f64)>,
) -> Outcome {
    story.until_every_partition_moved().await?;
    for round in 1..=rounds {
        let done = make(deed, context, story).await?;
        story.until_every_partition_moved_within(NORMAL_WITHIN).await?;
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
        let pauses = pauses.iter().find(|pauses| pauses.disturbance.at == done.at);
        Round {
            at: done.at,
            victim: done.victim,
            kept_s: done.kept.as_secs_f64(),
            longest_pause_s: pauses.map(|pauses| hundredths(pauses.longest().as_secs_f64())).unwrap_or_default(),
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
