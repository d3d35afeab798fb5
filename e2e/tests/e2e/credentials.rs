//! A token that has expired stops its account alone and says so in the resource; messages wait. When the
//! Secret is replaced, they are delivered, without anybody's doing.

use std::sync::Arc;
use std::time::Duration;

use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::{because, ready};
use chat4all_e2e::sample::NAME;
use chat4all_operator::api::Chat4AllCluster;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::message::{self, People, WITHIN};

const KEY: &str = "access-token";

/// Pods are rolled, refused, and asked by the operator.
const SEEN_WITHIN: Duration = Duration::from_secs(120);

/// Between two messages.
const BETWEEN: Duration = Duration::from_secs(4);

pub async fn case(context: Arc<Context>) -> Outcome {
    let good = context.sample.secret(KEY)?;
    let waited = expired(&context).await;
    // Whatever came of it, the sample gets its token back.
    replace(&context, &good).await?;
    let (people, waiting) = waited?;
    let api = context.sample.sign_in().await?;
    for id in waiting {
        message::until(&api, &people.conversation(0), id, "READ", SEEN_WITHIN).await?;
        let taken = message::taken(&context, id).await?;
        if taken.len() != 1 {
            return Err(format!("the provider took it not once: {taken:?}").into());
        }
    }
    context.sample.resource.until(ready(), SEEN_WITHIN).await?;
    // Cases before this one gave messages up, which is told for ten minutes.
    let well = because("ConnectorsHealthy", &["Available", "DeadLettersGrowing"]);
    context.sample.resource.until(well, SEEN_WITHIN).await?;
    Ok(())
}

/// Sends until it is known that the token has expired, and once more. What was sent.
async fn expired(context: &Context) -> Outcome<(People, Vec<Uuid>)> {
    let sample = &context.sample;
    let people = People::of("expired-token", context);
    let api = sample.sign_in().await?;
    replace(context, "expired").await?;
    let mut sent = Vec::new();
    let limit = Instant::now() + SEEN_WITHIN;
    let message = loop {
        sent.push(people.send(&api, 0, "until it is known").await?);
        let shown = sample.resource.until(because("ConnectorsHealthy", &["TokenExpired"]), BETWEEN).await;
        match shown {
            Ok(shown) => break condition(&shown),
            Err(late) if Instant::now() > limit => return Err(late.into()),
            Err(_) => {}
        }
    };
    context.say(format!("its condition says: {}", message.unwrap_or_default()));
    let last = people.send(&api, 0, "while it is known").await?;
    message::until(&api, &people.conversation(0), last, "ACCEPTED", WITHIN).await?;
    sent.push(last);
    Ok((people, sent))
}

fn condition(cluster: &Chat4AllCluster) -> Option<String> {
    let conditions = cluster.status.iter().flat_map(|status| &status.conditions);
    conditions.filter(|condition| condition.type_ == "ConnectorsHealthy").map(|c| c.message.clone()).next()
}

async fn replace(context: &Context, token: &str) -> Outcome {
    let secret = context.sample.namespace.one::<Secret>(format!("{NAME}-whatsapp"));
    let token = ByteString(token.as_bytes().to_vec());
    secret.merge(&json!({"data": {KEY: token}})).await?;
    Ok(())
}
