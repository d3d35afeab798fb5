//! What a customer writes becomes one message of the conversation in which they were spoken with, however
//! often the provider tells of it and whichever form of their number it names; the answer goes to that form.

use std::sync::Arc;

use chat4all_e2e::context::{Context, Outcome, told};
use chat4all_e2e::sample::CONNECTOR;
use chat4all_e2e::wait::{self, Look};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::message::{self, People, WITHIN};

const NAME: &str = "Maria";

pub async fn case(context: Arc<Context>) -> Outcome {
    let sample = &context.sample;
    let people = People::of("inbound", &context);
    let api = sample.sign_in().await?;
    let conversation = people.conversation(0);
    let first = people.send(&api, 0, "your order has left").await?;
    message::until(&api, &conversation, first, "READ", WITHIN).await?;

    // Brazilian numbers of before 2012 are known to WhatsApp without the 9 that the recipient's has.
    let number = people.number(0);
    let without_nine = format!("{}{}", &number[..4], &number[5..]);
    let provider_id = format!("wamid.{}", Uuid::new_v4().simple());
    let body = serde_json::to_vec(&told_by_provider(&phone_number_id(&context).await?, &without_nine, &provider_id))?;
    let secret = sample.secret("app-secret")?;
    for _ in 0..3 {
        api.webhook(CONNECTOR, body.clone(), &secret).await?;
    }
    let came = wait::until("what the customer wrote is in the conversation", WITHIN, async || {
        match api.pages::<Value>(&conversation).await {
            Ok(shown) => match shown.iter().find(|shown| shown["provider_message_id"] == provider_id) {
                Some(message) => Look::Yes(message.clone()),
                None => Look::NotYet(format!("{} others are", shown.len())),
            },
            Err(error) => Look::NotYet(told(&error)),
        }
    });
    let came = came.await?;
    if (&came["direction"], &came["content"], &came["sender_name"])
        != (&json!("inbound"), &json!("obrigada"), &json!(NAME))
    {
        return Err(format!("it is shown as something else: {came}").into());
    }

    let answer = people.send(&api, 0, "with pleasure").await?;
    message::until(&api, &conversation, answer, "READ", WITHIN).await?;
    let taken = message::taken(&context, answer).await?;
    let to = taken.first().and_then(|entry| entry.to.as_deref());
    if to != Some(without_nine.as_str()) {
        return Err(format!("the answer did not go to {without_nine}: {taken:?}").into());
    }

    let id: Uuid = came["message_id"].as_str().unwrap_or_default().parse()?;
    api.mark_read(id).await?;
    wait::until("the provider is told that it was read", WITHIN, async || {
        match sample.simulator.log(taken[0].seq.saturating_sub(1)).await {
            Ok(entries) if entries.iter().any(|entry| entry.body.as_ref() == Some(&provider_id)) => Look::Yes(()),
            Ok(entries) => Look::NotYet(format!("it was told {} other things", entries.len())),
            Err(error) => Look::NotYet(told(&error)),
        }
    })
    .await?;

    // The repetitions had their time to do harm.
    let shown: Vec<Value> = api.pages(&conversation).await?;
    let count = shown.iter().filter(|shown| shown["direction"] == "inbound").count();
    if (shown.len(), count) == (3, 1) { Ok(()) } else { Err(format!("not once each: {shown:?}").into()) }
}

async fn phone_number_id(context: &Context) -> Outcome<String> {
    let demo = context.sample.resource.find().await?.ok_or("the sample is not installed")?;
    let connector = demo.spec.connectors.into_iter().find(|connector| connector.name == CONNECTOR);
    Ok(connector.and_then(|connector| connector.account.phone_number_id).ok_or("it has no phoneNumberId")?)
}

/// The webhook, as the Graph API sends it.
fn told_by_provider(phone_number_id: &str, from: &str, id: &str) -> Value {
    let message = json!({
        "from": from, "id": id, "timestamp": Timestamp::now().as_second().to_string(),
        "type": "text", "text": {"body": "obrigada"},
    });
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": phone_number_id},
        "contacts": [{"profile": {"name": NAME}, "wa_id": from}],
        "messages": [message],
    });
    let change = json!({"field": "messages", "value": value});
    json!({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]})
}
