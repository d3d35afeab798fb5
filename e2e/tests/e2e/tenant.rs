//! A second cluster, in a namespace of its own and on the engines of the first: it becomes Ready, and
//! its namespace can be deleted at once, with all that is in it.

use std::sync::Arc;
use std::time::Duration;

use ::kube::api::ObjectMeta;
use chat4all_e2e::context::{Context, Outcome, told};
use chat4all_e2e::kube::{Namespace, ready};
use chat4all_e2e::metrics;
use chat4all_e2e::report::Figure;
use chat4all_e2e::sample::{self, NAME};
use chat4all_e2e::wait::{self, Look};
use chat4all_operator::api::{Chat4AllCluster, Service};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt as _;
use tokio::time::Instant;

const CASE: &str = "namespace deleted";
const TENANT: &str = "tenant";
const NAMESPACE: &str = "chat4all-tenant";
const PREFIX: &str = "tenant.";

/// Topics and a schema are made, and pods start.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// Pods take their grace of 30 s at most.
const GONE_WITHIN: Duration = Duration::from_secs(90);
const SEEN_WITHIN: Duration = Duration::from_secs(30);

pub async fn case(context: Arc<Context>) -> Outcome {
    clean_up(&context).await?;
    let done = comes_and_goes(&context).await;
    done.and(clean_up(&context).await)
}

async fn comes_and_goes(context: &Context) -> Outcome {
    let cluster = &context.sample.cluster;
    cluster.create_namespace(NAMESPACE).await?;
    let namespace = cluster.namespace(NAMESPACE);
    for part in ["auth", "whatsapp"] {
        copy_secret(context, &namespace, &format!("{NAME}-{part}")).await?;
    }
    let demo = context.sample.resource.find().await?.ok_or("the sample is not installed")?;
    let tenant = namespace.one::<Chat4AllCluster>(TENANT);
    tenant.create(&beside(&demo)).await?;
    tenant.until(ready(), READY_WITHIN).await?;
    context.say("the tenant is ready; deleting its namespace");

    let asked = Instant::now();
    cluster.delete_namespace(NAMESPACE).await?;
    cluster.until_namespace_is_gone(NAMESPACE, GONE_WITHIN).await?;
    let took = asked.elapsed().as_secs_f64();
    context.say(format!("it is gone after {took:.1} s"));
    context.report().measured(Figure::new(CASE, "until it is gone", took, "s", ""));
    wait::until("the operator has forgotten the tenant", SEEN_WITHIN, async || match remembered(context).await {
        Ok(lines) if lines.is_empty() => Look::Yes(()),
        Ok(lines) => Look::NotYet(lines.join("; ")),
        Err(error) => Look::NotYet(told(&*error)),
    })
    .await?;
    context.sample.resource.until(ready(), SEEN_WITHIN).await?;
    Ok(())
}

/// A small cluster on the sample's engines, with topics and tables of its own.
fn beside(demo: &Chat4AllCluster) -> Chat4AllCluster {
    let mut tenant = Chat4AllCluster::new(TENANT, demo.spec.clone());
    tenant.metadata.namespace = Some(NAMESPACE.to_owned());
    let there = sample::NAMESPACE;
    let spec = &mut tenant.spec;
    spec.kafka.bootstrap_servers = vec![format!("kafka.{there}.svc:9092")];
    spec.kafka.topic_prefix = PREFIX.to_owned();
    spec.kafka.partitions = 1;
    spec.store.contact_points = vec![format!("cassandra.{there}.svc:9042")];
    spec.store.keyspace = TENANT.to_owned();
    spec.api.replicas = 1;
    spec.api.service = Service::default();
    spec.router.replicas = 1;
    for connector in &mut spec.connectors {
        connector.replicas = 1;
        connector.base_url = Some(format!("http://simulator.{there}.svc:8090"));
    }
    tenant
}

async fn copy_secret(context: &Context, namespace: &Namespace, name: &str) -> Outcome {
    let found = context.sample.namespace.one::<Secret>(name).find().await?;
    let data = found.ok_or_else(|| format!("the sample's Secret {name} is gone"))?.data;
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    namespace.one(name).create(&Secret { metadata, data, ..Secret::default() }).await?;
    Ok(())
}

/// What the leader's metrics still say of the tenant.
async fn remembered(context: &Context) -> Outcome<Vec<String>> {
    let operator = &context.sample.operator;
    let leader = operator.leader().await?.ok_or("no operator leads")?;
    let text = operator.namespace.one::<Pod>(leader.name_any()).http("/metrics").await?;
    let mut lines: Vec<String> = text.lines().filter(|line| line.contains(NAMESPACE)).map(str::to_owned).collect();
    if metrics::sum(&text, "chat4all_operator_clusters", &[]) > 1.0 {
        lines.push("it counts more clusters than the sample".into());
    }
    Ok(lines)
}

/// Takes away what this case makes, but the keyspace: no client of Cassandra is at hand.
async fn clean_up(context: &Context) -> Outcome {
    let cluster = &context.sample.cluster;
    cluster.delete_namespace(NAMESPACE).await?;
    cluster.until_namespace_is_gone(NAMESPACE, GONE_WITHIN).await?;
    Ok(context.sample.kafka.delete_topics(PREFIX, SEEN_WITHIN).await?)
}
