//! Does what a deed says, and returns when it is over.

use std::collections::BTreeSet;
use std::time::Duration;

use ::kube::ResourceExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::deed::{Deed, Engine, Path, Whose};
use super::{clock, disk};
use crate::context::{Context, Outcome, told};
use crate::deletion::{Way, Workload};
use crate::kube::{Grace, One, running};
use crate::node;
use crate::sample::{NAME, PARTITIONS};
use crate::story::Story;
use crate::wait::{self, Look};

/// An engine's pod ends and starts, on a machine that carries a load.
const ENGINE_BACK_WITHIN: Duration = Duration::from_secs(180);
const NODE_BACK_WITHIN: Duration = Duration::from_secs(180);
const ROLLED_WITHIN: Duration = Duration::from_secs(180);
/// Kafka ends itself when it cannot write; with every partition at work that is at once.
const NOTICED_WITHIN: Duration = Duration::from_secs(180);
/// For how long somebody looks at a full disk before making room. With Kafka's start it must stay below what the load
/// can hold back.
const STILL_FULL: Duration = Duration::from_secs(10);
/// For how long the connector works with another clock, from when all its pods have it.
const SHIFTED: Duration = Duration::from_secs(10);
/// Beyond the time that was given.
const BEHAVES_WITHIN: Duration = Duration::from_secs(10);

/// The repository of the workloads' image.
const IMAGE: &str = "chat4all/chat4all";
/// A second tag of the same image.
const AGAIN: &str = "-again";

/// A deed that was done.
pub(super) struct Done {
    pub(super) at: Timestamp,
    pub(super) victim: String,
    /// For how long the fault was kept up.
    pub(super) kept: Duration,
}

pub(super) async fn make(deed: &Deed, context: &Context, story: &mut Story<'_>) -> Outcome<Done> {
    match deed {
        Deed::Pod(whose, way) => {
            let workload = workload(context, *whose);
            let pod = victim(workload).await?;
            let done = begun(story, pod.name_any(), Duration::ZERO);
            workload.delete(&pod, *way).await?;
            workload.until_replaced(&pod).await?;
            Ok(done)
        }
        Deed::Engine(engine, way) => end_engine(context, story, *engine, *way).await,
        Deed::Node => restart_node(context, story).await,
        Deed::Cut(path, time) => {
            let (whose, port) = match path {
                Path::RouterToKafka => (Whose::Router, 9092),
                Path::RouterToCassandra => (Whose::Router, 9042),
                Path::ConnectorToProvider => (Whose::Connector, 8090),
            };
            let pod = victim(workload(context, whose)).await?;
            let done = begun(story, pod.name_any(), *time);
            node::cut_off(&pod, port, *time).await?;
            Ok(done)
        }
        Deed::Provider(_, fault, time) => misbehave(context, story, fault, *time).await,
        Deed::Upgrade => upgrade(context, story).await,
        Deed::Scale => {
            let done = begun(story, format!("1 -> {PARTITIONS} -> 1"), Duration::ZERO);
            story.scale_routers(PARTITIONS).await?;
            story.scale_routers(1).await?;
            Ok(done)
        }
        Deed::Clock(seconds) => shift_clock(context, story, *seconds).await,
        Deed::Disk => fill_disk(context, story).await,
    }
}

/// Notes that it begins now.
fn begun(story: &mut Story<'_>, victim: String, kept: Duration) -> Done {
    let at = story.disturb(victim.clone(), BTreeSet::new());
    Done { at, victim, kept }
}

fn workload(context: &Context, whose: Whose) -> &Workload {
    let sample = &context.sample;
    match whose {
        Whose::Router => &sample.routers,
        Whose::Connector => &sample.connectors,
        Whose::Api => &sample.api,
        Whose::Operator => &sample.operator.workload,
    }
}

/// The pod that has run longest.
async fn victim(workload: &Workload) -> Outcome<Pod> {
    let what = format!("a pod of {} is ready", workload.deployment);
    let pod = wait::until(what, ROLLED_WITHIN, async || match workload.running().await {
        Ok(pods) => pods.into_iter().next().map_or(Look::NotYet("none is".into()), Look::Yes),
        Err(error) => Look::NotYet(error.to_string()),
    });
    Ok(pod.await?)
}

async fn end_engine(context: &Context, story: &mut Story<'_>, engine: Engine, way: Way) -> Outcome<Done> {
    let name = match engine {
        Engine::Kafka => "kafka-0",
        Engine::Cassandra => "cassandra-0",
    };
    let pod: One<Pod> = context.sample.namespace.one(name);
    let done = begun(story, name.to_owned(), Duration::ZERO);
    let grace = match way {
        Way::Graceful => Grace::Own,
        Way::Killed => {
            node::kill(&pod.find().await?.ok_or("it is not there")?).await?;
            Grace::None
        }
    };
    replace(&pod, grace).await?;
    Ok(done)
}

async fn replace(engine: &One<Pod>, grace: Grace) -> Outcome {
    let uid = engine.delete(grace).await?.ok_or("it is not there")?;
    engine.until_gone(&uid, ENGINE_BACK_WITHIN).await?;
    engine.until(running(), ENGINE_BACK_WITHIN).await?;
    Ok(())
}

/// The clock goes back whatever becomes of the pods that have the other one.
async fn shift_clock(context: &Context, story: &mut Story<'_>, seconds: i64) -> Outcome<Done> {
    let mut done = begun(story, format!("connector, {seconds:+} s"), Duration::ZERO);
    let shifted = clock::shift(context, seconds).await;
    if shifted.is_ok() {
        sleep(SHIFTED).await;
    }
    done.kept = since(done.at);
    clock::unshift(context).await?;
    shifted?;
    Ok(done)
}

/// The disk gets its room back whether Kafka noticed that it had none, or not. Then somebody has Kafka's pod made anew:
/// the kubelet lets a container that ends again and again wait longer each time, and forgets that only with the pod.
async fn fill_disk(context: &Context, story: &mut Story<'_>) -> Outcome<Done> {
    let kafka = disk::pod(context);
    let before = kafka.find().await?.ok_or("Kafka's pod is not there")?;
    let mut done = begun(story, "kafka-0".into(), Duration::ZERO);
    let ended = async {
        disk::fill(context).await?;
        kafka.until(disk::ended_since(&before), NOTICED_WITHIN).await?;
        sleep(STILL_FULL).await;
        Outcome::Ok(())
    };
    let ended = ended.await;
    disk::empty(context).await?;
    done.kept = since(done.at);
    ended?;
    replace(&kafka, Grace::Own).await?;
    Ok(done)
}

fn since(at: Timestamp) -> Duration {
    Timestamp::now().duration_since(at).try_into().unwrap_or_default()
}

/// A worker without the provider, which forgets what it received when it is restarted.
async fn restart_node(context: &Context, story: &mut Story<'_>) -> Outcome<Done> {
    story.expect_restarts();
    let sample = &context.sample;
    let on = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let pods = sample.pods.list().await?;
    let provider = pods.iter().find(|pod| pod.name_any().starts_with("simulator")).and_then(on);
    let nodes: BTreeSet<String> = pods.iter().filter_map(on).filter(|node| Some(node) != provider.as_ref()).collect();
    let node = nodes.into_iter().next().ok_or("there is no node without the provider")?;
    let done = begun(story, node.clone(), Duration::ZERO);
    node::restart(&node).await?;
    wait::until(format!("node {node} is ready"), NODE_BACK_WITHIN, async || {
        match sample.cluster.node_ready(&node).await {
            Ok(Some(status)) if status == "True" => Look::Yes(()),
            Ok(status) => Look::NotYet(format!("Ready is {status:?}")),
            Err(error) => Look::NotYet(error.to_string()),
        }
    })
    .await?;
    Ok(done)
}

async fn misbehave(context: &Context, story: &mut Story<'_>, fault: &Value, time: Duration) -> Outcome<Done> {
    let simulator = &context.sample.simulator;
    let mut fault = fault.clone();
    fault["forSeconds"] = json!(time.as_secs());
    let done = begun(story, "provider".into(), time);
    simulator.misbehave(&fault).await?;
    wait::until("the provider behaves again", time + BEHAVES_WITHIN, async || match simulator.misbehaves().await {
        Ok(false) => Look::Yes(()),
        Ok(true) => Look::NotYet("it does not".into()),
        Err(error) => Look::NotYet(told(&error)),
    })
    .await?;
    Ok(done)
}

/// The other version is another tag of the same image: what is proved is the way there, under load.
async fn upgrade(context: &Context, story: &mut Story<'_>) -> Outcome<Done> {
    let sample = &context.sample;
    let before = sample.resource.find().await?.ok_or("the sample is not installed")?.spec.version;
    let after = match before.strip_suffix(AGAIN) {
        Some(first) => first.to_owned(),
        None => format!("{before}{AGAIN}"),
    };
    let pods = sample.pods.list().await?;
    let nodes: BTreeSet<String> = pods.iter().filter_map(|pod| pod.spec.as_ref()?.node_name.clone()).collect();
    for node in nodes {
        node::tag(&node, &format!("{IMAGE}:{before}"), &format!("{IMAGE}:{after}")).await?;
    }
    let done = begun(story, format!("{NAME}: {before} -> {after}"), Duration::ZERO);
    sample.resource.edit(|object| object["spec"]["version"] = json!(after)).await?;
    sample.resource.until(crate::kube::ready(), ROLLED_WITHIN).await?;
    Ok(done)
}
