//! With `onUnknownOutcome: Hold` a call without an answer is not made again: the provider's status proves
//! that it was taken, or it becomes a dead letter that says that nobody knows.

use std::sync::Arc;
use std::time::Duration;

use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::ready;
use chat4all_e2e::sample::CONNECTOR;
use serde_json::{Value, json};

use crate::message::{self, People, WITHIN};

/// For the provider to tell.
const HOLD: Duration = Duration::from_secs(15);

const ROLLED_WITHIN: Duration = Duration::from_secs(90);

pub async fn case(context: Arc<Context>) -> Outcome {
    let sample = &context.sample;
    let before = sample.resource.find().await?.ok_or("the sample is not installed")?.spec.connectors;
    let before = serde_json::to_value(before)?;
    let mut holding = before.clone();
    for connector in holding.as_array_mut().into_iter().flatten().filter(|c| c["name"] == CONNECTOR) {
        connector["onUnknownOutcome"] = json!("Hold");
        connector["holdSeconds"] = json!(HOLD.as_secs());
    }
    set(&context, &holding).await?;
    let done = held(&context).await;
    sample.simulator.behave().await?;
    done.and(set(&context, &before).await)
}

async fn set(context: &Context, connectors: &Value) -> Outcome {
    let sample = &context.sample;
    let change = |object: &mut Value| object["spec"]["connectors"] = connectors.clone();
    sample.resource.edit(change).await?;
    sample.resource.until(ready(), ROLLED_WITHIN).await?;
    Ok(())
}

async fn held(context: &Context) -> Outcome {
    let sample = &context.sample;
    let people = People::of("hold", context);
    let (api, commands) = (sample.sign_in().await?, sample.commands()?);

    let answer_lost = |n, accept| json!({"dropAnswer": true, "accept": accept, "times": 1, "to": people.number(n)});
    sample.simulator.misbehave(&answer_lost(0, true)).await?;
    let proven = people.send(&api, 0, "taken, and the answer lost").await?;
    // That it was read is told before the connector looks for the proof.
    let told = |shown: &Value| shown["status"] == "READ" && shown["deliveries"][0]["attempts"] == 1;
    message::until_shown(&api, &people.conversation(0), proven, "is READ after one call", told, WITHIN).await?;

    sample.simulator.misbehave(&answer_lost(1, false)).await?;
    let unknown = people.send(&api, 1, "not taken, and nobody knows").await?;
    let shown = message::until(&api, &people.conversation(1), unknown, "FAILED", HOLD + WITHIN).await?;
    expect(shown["deliveries"][0]["code"] == "chat4all:unknown-outcome", "its code tells that nobody knows", &shown)?;
    let letters = commands.dead_letters(&people.address(1)).await?;
    let letter = letters.first().and_then(|letter| letter["id"].as_str()).ok_or("it is no dead letter")?;
    context.say(commands.run(&["dlq", "replay", letter]).await?);
    message::until(&api, &people.conversation(1), unknown, "READ", WITHIN).await?;

    for id in [proven, unknown] {
        let taken = message::taken(context, id).await?;
        expect(taken.len() == 1, "the provider took it once", &format!("{taken:?}"))?;
    }
    Ok(())
}

fn expect(is: bool, what: &str, seen: &impl std::fmt::Display) -> Outcome {
    if is { Ok(()) } else { Err(format!("not so: {what}; seen: {seen}").into()) }
}
