//! What bad input gets: a condition that names it and heals, or a refusal with the remedy.

use std::sync::Arc;
use std::time::Duration;

use ::kube::api::ObjectMeta;
use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::{Grace, One, ready, shows};
use chat4all_e2e::sample::{NAME, NAMESPACE};
use chat4all_operator::api::{Chat4AllCluster, Service};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

/// The operator looks at a resource as soon as it or one of its Secrets changes.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

/// Topics and a schema are made; no pod is started.
const HEALED_WITHIN: Duration = Duration::from_secs(120);

const BROKEN: &str = "broken";
const MISSING: &str = "broken-whatsapp";
const PREFIX: &str = "broken.";

pub async fn missing_secret(context: Arc<Context>) -> Outcome {
    let broken = context.sample.namespace.one::<Chat4AllCluster>(BROKEN);
    let secret = context.sample.namespace.one::<Secret>(MISSING);
    clean_up(&context, &broken, &secret).await?;
    let told = tells_and_heals(&context, &broken, &secret).await;
    let cleaned = clean_up(&context, &broken, &secret).await;
    told.and(cleaned)
}

async fn tells_and_heals(context: &Context, broken: &One<Chat4AllCluster>, secret: &One<Secret>) -> Outcome {
    let demo = context.sample.resource.find().await?.ok_or("the sample is not installed")?;
    broken.create(&without_its_secret(&demo)).await?;
    broken.until(shows("SecretsAvailable", "False", MISSING), SEEN_WITHIN).await?;
    let told = broken.until(shows("Ready", "False", ""), SEEN_WITHIN).await?;
    let message = told.status.iter().flat_map(|s| &s.conditions).find(|c| c.type_ == "SecretsAvailable");
    let message = message.map(|condition| condition.message.clone()).unwrap_or_default();
    for word in ["credentialsSecretRef", MISSING, "access-token", "app-secret", "verify-token"] {
        if !message.contains(word) {
            return Err(format!("the condition does not say {word:?}: {message}").into());
        }
    }
    context.say(format!("its condition says: {message}"));
    // The others are served all the while.
    context.sample.resource.until(ready(), SEEN_WITHIN).await?;

    let sample_secret = context.sample.namespace.one::<Secret>(format!("{NAME}-whatsapp"));
    let data = sample_secret.find().await?.ok_or("the sample's Secret is gone")?.data;
    secret.create(&Secret { metadata: named(MISSING), data, ..Secret::default() }).await?;
    broken.until(shows("SecretsAvailable", "True", ""), SEEN_WITHIN).await?;
    broken.until(ready(), HEALED_WITHIN).await?;
    Ok(())
}

/// A cluster beside the sample with topics and tables of its own, without pods, and with a Secret
/// that does not exist.
fn without_its_secret(demo: &Chat4AllCluster) -> Chat4AllCluster {
    let mut broken = Chat4AllCluster::new(BROKEN, demo.spec.clone());
    broken.metadata = named(BROKEN);
    let spec = &mut broken.spec;
    spec.kafka.topic_prefix = PREFIX.to_owned();
    spec.kafka.partitions = 1;
    spec.store.keyspace = BROKEN.to_owned();
    spec.api.replicas = 0;
    spec.api.service = Service::default();
    spec.router.replicas = 0;
    for connector in &mut spec.connectors {
        connector.replicas = 0;
        connector.credentials_secret_ref.name = MISSING.to_owned();
    }
    broken
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), namespace: Some(NAMESPACE.to_owned()), ..ObjectMeta::default() }
}

/// Takes away what this case makes, but the empty keyspace: no client of Cassandra is at hand.
async fn clean_up(context: &Context, broken: &One<Chat4AllCluster>, secret: &One<Secret>) -> Outcome {
    if let Some(uid) = broken.delete(Grace::Own).await? {
        broken.until_gone(&uid, SEEN_WITHIN).await?;
    }
    secret.delete(Grace::Own).await?;
    Ok(context.sample.kafka.delete_topics(PREFIX, SEEN_WITHIN).await?)
}

/// What is changed in the sample's resource, and the words that the refusal must have.
type Wrong = (&'static str, fn(&mut Value), &'static [&'static str]);

const WRONG: [Wrong; 5] = [
    (
        "two connectors with one name",
        |spec| {
            let twin = spec["connectors"][0].clone();
            spec["connectors"].as_array_mut().into_iter().for_each(|connectors| connectors.push(twin.clone()));
        },
        &["spec.connectors", "must be unique", "a name of its own"],
    ),
    (
        "an unknown channel",
        |spec| spec["connectors"][0]["channel"] = json!("pigeon"),
        &["channel", "pigeon", "whatsapp"],
    ),
    (
        "more routers than partitions",
        |spec| spec["router"]["replicas"] = json!(99),
        &["spec.router.replicas", "spec.kafka.partitions"],
    ),
    (
        "a Secret without a name",
        |spec| spec["api"]["authSecretRef"] = json!({}),
        &["spec.api.authSecretRef.name", "Required"],
    ),
    ("a misspelled field", |spec| spec["router"]["replica"] = json!(1), &["unknown field", "spec.router.replica"]),
];

pub async fn schema(context: Arc<Context>) -> Outcome {
    let demo = context.sample.resource.find().await?.ok_or("the sample is not installed")?;
    let refused = context.sample.namespace.one::<Chat4AllCluster>("refused");
    let mut good = without_its_secret(&demo);
    good.metadata = named("refused");
    let good = serde_json::to_value(&good)?;
    refused.would_be_created(&good).await?;
    for (wrong, make, words) in WRONG {
        let mut fields = good.clone();
        make(&mut fields["spec"]);
        let said = match refused.would_be_created(&fields).await {
            Ok(()) => return Err(format!("{wrong}: it was not refused").into()),
            Err(error) => error.refusal().map(str::to_owned).ok_or(error)?,
        };
        if let Some(word) = words.iter().find(|word| !said.contains(**word)) {
            return Err(format!("{wrong}: the refusal does not say {word:?}: {said}").into());
        }
    }
    Ok(())
}
