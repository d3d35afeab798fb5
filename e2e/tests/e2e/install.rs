//! Installs the sample, and sends the first message.

use std::sync::Arc;
use std::time::Duration;

use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::{because, ready, rolled_out, shows};
use chat4all_e2e::story::{Duplicates, Story, Watched};

/// The conditions that `kubectl explain c4a.status.conditions` promises.
const CONDITIONS: [&str; 7] = [
    "SpecValid",
    "SecretsAvailable",
    "KafkaReachable",
    "SchemaReady",
    "APIAvailable",
    "RouterAvailable",
    "ConnectorsHealthy",
];

/// The provider tells its times in whole seconds.
const SECOND: Duration = Duration::from_secs(1);

pub async fn case(context: Arc<Context>) -> Outcome {
    let sample = &context.sample;
    sample.install().await?;
    let resource = sample.resource.until(ready(), Duration::from_secs(60)).await?;
    for condition in CONDITIONS {
        sample.resource.until(shows(condition, "True", ""), Duration::from_secs(10)).await?;
    }
    // The lag is shown with it, after the first looks at Kafka.
    sample.resource.until(because("RouterScaling", &["Off"]), Duration::from_secs(60)).await?;
    for workload in [&sample.routers, &sample.connectors] {
        workload.deployment.until(rolled_out(), Duration::from_secs(60)).await?;
    }

    let columns = sample.resource.table().await?.shown();
    let wanted = [
        ("Name", Some("demo".to_owned())),
        ("Ready", Some("True".to_owned())),
        ("Router", Some(resource.spec.router.replicas.to_string())),
        ("Lag", Some("0".to_owned())),
        ("Version", Some(resource.spec.version.clone())),
        ("Age", None),
    ];
    let as_wanted = columns.len() == wanted.len()
        && columns.iter().zip(&wanted).all(|((name, cell), (wanted_name, wanted_cell))| {
            name == wanted_name && wanted_cell.as_ref().is_none_or(|wanted| cell == wanted)
        });
    if !as_wanted {
        return Err(format!("kubectl get c4a shows {columns:?}, not {wanted:?}").into());
    }
    first_message(&context, "first message").await.map(drop)
}

/// Sends one message and waits until it is read; returns its conversation.
pub async fn first_message(context: &Context, case: &'static str) -> Outcome<String> {
    let story = Story::begin_with(context, case, Watched::Routers, 1, 1, 1).await?;
    let history = story.end(Ok(()), Duplicates::Never).await?.history;
    let message = history.stored.first().ok_or("the conversation is empty")?;
    let delivery = message.deliveries.first().ok_or("the message has no delivery")?;
    match (delivery.sent_at, delivery.delivered_at, delivery.read_at) {
        (Some(sent), Some(delivered), Some(read)) if sent <= delivered + SECOND && delivered <= read => {
            Ok(message.conversation.clone())
        }
        _ => Err(format!("the states of the message are not sent, delivered, read: {delivery:?}").into()),
    }
}
