//! What the provider refuses for good is a dead letter with its code and words, which an operator sees,
//! mends, replays or leaves from a terminal.

use std::sync::Arc;
use std::time::Duration;

use chat4all_e2e::context::{Context, Outcome, told};
use chat4all_e2e::wait::{self, Look};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::message::{self, People, WITHIN};

/// "Message undeliverable", as the Graph API refuses numbers that have no WhatsApp.
const CODE: i64 = 131_026;

/// The operator looks every 15 s.
const TOLD_WITHIN: Duration = Duration::from_secs(60);

pub async fn case(context: Arc<Context>) -> Outcome {
    let sample = &context.sample;
    let people = People::of("dead-letters", &context);
    let (api, commands) = (sample.sign_in().await?, sample.commands()?);
    let began = Timestamp::now();

    sample.simulator.misbehave(&json!({"code": CODE, "to": people.number(0)})).await?;
    let mended = people.send(&api, 0, "to be mended").await?;
    let left = people.send(&api, 0, "to be left").await?;
    for id in [mended, left] {
        let shown = message::until(&api, &people.conversation(0), id, "FAILED", WITHIN).await?;
        if shown["deliveries"][0]["code"].as_str() != Some(&CODE.to_string()) {
            return Err(format!("the client does not see the provider's code {CODE}: {shown}").into());
        }
    }
    let before = commands.ledger(began).await?;
    if (before.accepted, before.dead_lettered, before.in_flight) != (2, 2, 0) {
        return Err(format!("two messages were given up, and the ledger says {before:?}").into());
    }
    until_told(&context).await?;

    let letters = commands.dead_letters(&people.address(0)).await?;
    let letter_of = |id: uuid::Uuid| {
        let found = letters.iter().find(|letter| letter["message_id"] == id.to_string());
        found.and_then(|letter| letter["id"].as_str()).map(str::to_owned).ok_or_else(|| format!("{letters:?}"))
    };
    let (first, second) = (letter_of(mended)?, letter_of(left)?);
    context.say(commands.run(&["dlq", "replay", &first, "--set-recipient", &people.address(1)]).await?);
    context.say(commands.run(&["dlq", "discard", &second, "--because", "nobody has this number"]).await?);
    message::until(&api, &people.conversation(0), mended, "READ", WITHIN).await?;
    let taken = message::taken(&context, mended).await?;
    if taken.len() != 1 || taken[0].to.as_deref() != Some(people.number(1).as_str()) {
        return Err(format!("the provider did not get the mended one once: {taken:?}").into());
    }

    for (letter, state) in [(&first, "replayed"), (&second, "discarded")] {
        let shown: Value = serde_json::from_str(&commands.run(&["dlq", "show", letter]).await?)?;
        if shown["state"] != state || !shown.to_string().contains("\"ops\"") {
            return Err(format!("it does not show that ops {state} it: {shown}").into());
        }
    }
    let after = commands.ledger(began).await?;
    if (after.accepted, after.dead_lettered, after.in_flight) != (2, 1, 0) {
        return Err(format!("one was replayed and read, and the ledger says {after:?}").into());
    }
    Ok(())
}

/// The resource tells of its first dead letter.
async fn until_told(context: &Context) -> Outcome {
    let found = wait::until("an event tells of the first dead letter", TOLD_WITHIN, async || {
        match context.sample.resource.events().await {
            Ok(events) => match events.into_iter().find(|event| event.reason == "FirstDeadLetter") {
                Some(event) => Look::Yes(event.message),
                None => Look::NotYet("there is none".into()),
            },
            Err(error) => Look::NotYet(told(&error)),
        }
    });
    context.say(found.await?);
    Ok(())
}
