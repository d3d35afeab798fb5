//! A backlog is built up with one slow router, then automatic scaling is switched on: the count jumps
//! once to the right number, the backlog drains, and the count comes back down.
//! What makes a router slow differs from machine to machine, so it is given less and less of a processor, and then more
//! and more work, until the load piles up.
//! What is right is computed twice: from the inputs that the operator tells, and from offsets that are
//! read here.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat4all_e2e::context::{Context, Outcome, told};
use chat4all_e2e::decisions::{self, Told};
use chat4all_e2e::kube::{Condition, Event, Grace, ready, rolled_out_with, running};
use chat4all_e2e::need::{Rules, Work};
use chat4all_e2e::replicas::{Count, Counts};
use chat4all_e2e::report::Figure;
use chat4all_e2e::sample::PARTITIONS;
use chat4all_e2e::standing::{Measured, Standing};
use chat4all_e2e::story::{Duplicates, Story, Watched};
use chat4all_e2e::wait::{self, Look};
use chat4all_operator::api::Chat4AllCluster;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::routers;

/// What a router may use of a processor, and by how much the load is more than that of other cases, tried in turn. The
/// process itself uses up 9m on a slow machine, and every millicore beyond that moves five messages a second or more
/// with their statuses. More than one times the load are for machines on which that is a multiple.
const TRIES: [(&str, u32); 5] = [("20m", 1), ("15m", 1), ("12m", 1), ("12m", 2), ("12m", 4)];
/// The first of them that piled up, and that the next case begins with.
static PILED_UP: AtomicUsize = AtomicUsize::new(0);
/// Messages that wait when scaling is switched on are those of so many seconds. Half of them may pile up while the
/// router warms up.
const BACKLOG_SECONDS: u64 = 15;

/// The drain targets to choose from, in seconds: the longest with which the work needs [`MANY`] routers, whatever this
/// machine lets a router do just then. Near six, another figure a few seconds later would rightly make it two changes.
const DRAIN_SECONDS: RangeInclusive<u64> = 10..=30;
/// Well over six, the count before the last.
const MANY: f64 = 8.0;
const STABILIZATION: Duration = Duration::from_secs(20);
const COOLDOWN: Duration = Duration::from_secs(10);
/// In percent.
const UTILIZATION: u8 = 70;

/// A router with so little CPU commits in lumps, seconds apart; over a shorter time its capacity came out at a third.
const MEASURED_FOR: Duration = Duration::from_secs(30);
/// The longest standstill in a rebalance that the operator may reckon with.
const STANDSTILL: Duration = Duration::from_secs(15);
/// What is measured here and what the operator measures differ by the time between the two, and by
/// what a router with little CPU does in one second and not in the next.
const TOLERANCE: f64 = 1.3;

const ROLLED_WITHIN: Duration = Duration::from_secs(90);
/// A load that is a third more than what the router moves has shown it by then.
const TRIED_FOR: Duration = Duration::from_secs(45);
/// The backlog grows by what the API takes and one router does not move.
const PILED_UP_WITHIN: Duration = Duration::from_secs(90);
/// Some polls, and the condition must be seen.
const DECIDED_WITHIN: Duration = Duration::from_secs(30);
/// On a machine whose routers are slow just then: how long it took is told beside its aim, and is no matter of right
/// or wrong.
const DRAINED_WITHIN: Duration = Duration::from_secs(240);
/// Kafka's pod ends, starts, and clients find it again.
const BROKER_BACK_WITHIN: Duration = Duration::from_secs(60);
/// The window and some cool-downs, and a drain at the end of the load.
const DOWN_WITHIN: Duration = Duration::from_secs(150);

pub async fn by_the_backlog(context: Arc<Context>) -> Outcome {
    routers::kept(&context, scaled_by_backlog(&context, "scaled by the backlog", Broker::Stays)).await
}

pub async fn by_the_backlog_while_the_broker_restarts(context: Arc<Context>) -> Outcome {
    routers::kept(&context, scaled_by_backlog(&context, "scaled and broker restarted", Broker::Restarts)).await
}

/// What becomes of Kafka while the backlog drains.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broker {
    Stays,
    Restarts,
}

async fn scaled_by_backlog(context: &Context, case: &'static str, broker: Broker) -> Outcome {
    let sample = &context.sample;
    let tries = TRIES.map(|(cpu, times)| {
        let rate = times * context.settings.rate;
        Try { cpu, rate, name: format!("{case}, {cpu}, {rate} a second") }
    });
    let mut pile = piled_up(context, &tries).await?;
    let counts = Counts::watch(&sample.routers.deployment);
    let done = up_and_drained(context, case, &mut pile, &counts, broker).await;
    let story = pile.story;
    story.end(done, Duplicates::Never).await?;
    if broker == Broker::Restarts {
        // The way down is the other case's.
        return up_and_then_down(&counts.seen(), 2);
    }

    wait::until("one router is left", DOWN_WITHIN, async || match counts.replicas().last() {
        Some(1) => Look::Yes(()),
        _ => Look::NotYet(format!("the counts were {:?}", counts.replicas())),
    })
    .await?;
    let seen = counts.seen();
    context.say(format!("the counts were {:?}", counts.replicas()));
    shape(&seen)
}

/// A load that may pile up.
struct Try {
    cpu: &'static str,
    /// Messages a second.
    rate: u32,
    /// Of its own, since messages have keys by it.
    name: String,
}

/// A load that has piled up.
struct Pile<'a> {
    story: Story<'a>,
    /// Messages a second.
    rate: u64,
    /// When half of the backlog waited, and where the groups stood then.
    started: Instant,
    before: Standing,
}

/// The first load that one slow router does not keep up with, when all of the backlog waits.
async fn piled_up<'a>(context: &'a Context, tries: &'a [Try]) -> Outcome<Pile<'a>> {
    let sample = &context.sample;
    for (n, Try { cpu, rate, name }) in tries.iter().enumerate().skip(PILED_UP.load(Ordering::Relaxed)) {
        routers::set(context, &one_slow_router(cpu)).await?;
        sample.routers.deployment.until(rolled_out_with(1), ROLLED_WITHIN).await?;
        sample.resource.until(ready(), ROLLED_WITHIN).await?;
        let conversations = context.settings.conversations;
        let story = Story::begin_with(context, name, Watched::Routers, *rate, conversations, 1).await?;
        let rate = u64::from(*rate);
        let piled = async {
            story.until_backlog(BACKLOG_SECONDS * rate / 2, TRIED_FOR).await?;
            let started = Instant::now();
            let before = standing(context, started).await?;
            story.until_backlog(BACKLOG_SECONDS * rate, PILED_UP_WITHIN).await?;
            Outcome::Ok((started, before))
        };
        match piled.await {
            Ok((started, before)) => {
                PILED_UP.store(n, Ordering::Relaxed);
                return Ok(Pile { story, rate, started, before });
            }
            Err(error) => context.say(format!("{name}: {}", told(&*error))),
        }
        story.end(Ok(()), Duplicates::Never).await?;
    }
    Err("one router keeps up with all that was tried: on a machine as fast as this, raise C4A_E2E_RATE".into())
}

/// `spec.router` with automatic scaling described and switched off.
fn one_slow_router(cpu: &str) -> Value {
    json!({
        "replicas": 1,
        "resources": {
            "requests": {"cpu": cpu, "memory": "48Mi"},
            "limits": {"cpu": cpu, "memory": "256Mi"},
        },
        "autoscaling": autoscaling(false, *DRAIN_SECONDS.end()),
    })
}

fn autoscaling(on: bool, drain_seconds: u64) -> Value {
    let settings = json!({
        "minReplicas": 1,
        "drainTargetSeconds": drain_seconds,
        "targetUtilization": UTILIZATION,
        "scaleDownStabilizationSeconds": STABILIZATION.as_secs(),
        "cooldownSeconds": COOLDOWN.as_secs(),
        "pollIntervalSeconds": 2,
    });
    routers::switched(&settings, on)
}

fn rules(drain_seconds: u64) -> Rules {
    let utilization = f64::from(UTILIZATION) / 100.0;
    Rules { partitions: PARTITIONS, utilization, drain: Duration::from_secs(drain_seconds) }
}

/// The drain target for this work, in seconds.
fn drain_target(work: Work) -> u64 {
    let needs_many = |seconds: &u64| rules(*seconds).need(work, Duration::ZERO) >= MANY;
    DRAIN_SECONDS.rev().find(needs_many).unwrap_or(*DRAIN_SECONDS.start())
}

async fn up_and_drained(
    context: &Context,
    case: &str,
    Pile { story, rate, started, before }: &mut Pile<'_>,
    counts: &Counts,
    broker: Broker,
) -> Outcome {
    let sample = &context.sample;
    until_capacity_is_known(context).await?;
    sleep_until(*started + MEASURED_FOR).await;
    let measured = standing(context, *started).await?.since(before);
    context.say(format!("{} messages wait; measured: {measured:?}", story.backlog()));

    let known: HashSet<String> = sample.resource.events().await?.into_iter().map(|event| event.name).collect();
    let drain_seconds = drain_target(measured.work);
    let rules = rules(drain_seconds);
    routers::set_autoscaling(context, &autoscaling(true, drain_seconds)).await?;
    let changed = wait::until("the count changes", DECIDED_WITHIN, async || match counts.seen().get(1) {
        Some(count) => Look::Yes(*count),
        None => Look::NotYet(format!("it is {:?}", counts.replicas())),
    });
    let changed = changed.await?;
    let decided = Instant::now();
    let event = wait::until("an event tells why", DECIDED_WITHIN, async || {
        newest_change(context, &known).await.ok_or("there is none").into()
    });
    let event = event.await?;
    context.say(&event.message);
    let told = decisions::told(&event.message)?;
    right(rules, &told, changed, &measured)?;
    if broker == Broker::Restarts {
        story.disturb("kafka-0".into(), (0..PARTITIONS).collect());
        restart_broker(context).await?;
    }
    // What arrives in two seconds is on its way through routers with so little CPU, and no backlog.
    story.until_drained(2 * *rate, DRAINED_WITHIN).await?;
    let drained = decided.elapsed().as_secs_f64();
    // What gathered while the broker was away may have needed more.
    every_change_up_is_by_the_law(rules, context, &known).await?;
    let aim = format!("{drain_seconds} and the pods' start");
    let jump = format!("drained after {} -> {} routers", told.from, told.to);
    context.report().measured(Figure::new(case, jump, drained, "s", aim));
    context.report().measured(Figure::new(case, "one busy router", measured.work.capacity, "records/s", ""));
    context.say(format!("drained {drained:.1} s after the decision"));
    Ok(())
}

async fn standing(context: &Context, started: Instant) -> Outcome<Standing> {
    let topics = &context.sample.topics;
    let shares = context.sample.kafka.groups(&[&topics.router_group(), &topics.status_group()]).await?;
    Ok(Standing::of(&shares, topics, started.elapsed()))
}

/// The operator has seen enough of a busy router to know what it can do. It looks also while scaling
/// is off.
async fn until_capacity_is_known(context: &Context) -> Outcome {
    let known = Condition::new("knows what a router can do", |cluster: &Chat4AllCluster| {
        let router = cluster.status.as_ref().and_then(|status| status.router.as_ref());
        match router.and_then(|router| router.learned.as_ref()) {
            Some(_) => Ok(()),
            None => Err(format!("status.router is {router:?}")),
        }
    });
    context.sample.resource.until(known, DECIDED_WITHIN).await?;
    Ok(())
}

/// A repetition of an event that was told before is none: its words are about another change.
async fn newest_change(context: &Context, known: &HashSet<String>) -> Option<Event> {
    let events = context.sample.resource.events().await.ok()?;
    decisions::changes(&events).rfind(|event| !known.contains(&event.name)).cloned()
}

/// The count is the one that these inputs ask for, and that was measured here.
fn right(rules: Rules, told: &Told, changed: Count, measured: &Measured) -> Outcome {
    let mut wrong = unlawful(rules, told);
    if (told.from, told.to) != (1, changed.replicas) {
        wrong.push(format!("the Deployment went from 1 to {} replicas", changed.replicas));
    }
    let Work { arrival, capacity, backlog } = measured.work;
    let slower = Work { arrival, capacity: capacity / TOLERANCE, backlog: backlog * TOLERANCE };
    let faster = Work { arrival, capacity: capacity * TOLERANCE, backlog };
    let least = rules.count(rules.need(faster, Duration::ZERO));
    let most = rules.count(rules.need(slower, STANDSTILL));
    if !(least..=most).contains(&told.to) {
        wrong.push(format!("what was measured, {measured:?}, needs {least} to {most} routers"));
    }
    as_it_should_be(told, &wrong)
}

async fn every_change_up_is_by_the_law(rules: Rules, context: &Context, known: &HashSet<String>) -> Outcome {
    let events = context.sample.resource.events().await?;
    for event in decisions::changes(&events).filter(|event| !known.contains(&event.name)) {
        let told = decisions::told(&event.message)?;
        if told.to > told.from {
            as_it_should_be(&told, &unlawful(rules, &told))?;
        }
    }
    Ok(())
}

fn as_it_should_be(told: &Told, wrong: &[String]) -> Outcome {
    if wrong.is_empty() { Ok(()) } else { Err(format!("not the right count: {told:?}; {}", wrong.join("; ")).into()) }
}

/// What is wrong with a change by its own inputs.
fn unlawful(rules: Rules, told: &Told) -> Vec<String> {
    let mut wrong = Vec::new();
    // The need is told with one decimal.
    let by_its_need = [told.need - 0.05, told.need + 0.05].map(|need| rules.count(need));
    if !by_its_need.contains(&told.to) {
        wrong.push(format!("a need of {} asks for {by_its_need:?}", told.need));
    }
    let [least, most] = [Duration::ZERO, STANDSTILL].map(|standstill| rules.need(told.work, standstill));
    if told.need < least * 0.95 - 0.1 || told.need > most * 1.05 + 0.1 {
        wrong.push(format!("its inputs need {least:.1} to {most:.1} routers"));
    }
    if told.to <= 1 || told.to > PARTITIONS {
        wrong.push(format!("{} is no count between 2 and {PARTITIONS}", told.to));
    }
    wrong
}

async fn restart_broker(context: &Context) -> Outcome {
    let pod = context.sample.namespace.one::<Pod>("kafka-0");
    context.say("deleting the pod of the broker");
    let uid = pod.delete(Grace::Own).await?.ok_or("there is no kafka-0")?;
    pod.until_gone(&uid, BROKER_BACK_WITHIN).await?;
    pod.until(running(), BROKER_BACK_WITHIN).await?;
    context.say("the broker is back");
    Ok(())
}

/// At most so many changes up, none above the partitions, and then only down.
fn up_and_then_down(seen: &[Count], most: usize) -> Outcome {
    let replicas: Vec<u32> = seen.iter().map(|count| count.replicas).collect();
    let ups = replicas.windows(2).take_while(|two| two[0] < two[1]).count();
    let falls = replicas[ups..].is_sorted_by(|before, after| before > after);
    if replicas[0] == 1 && (1..=most).contains(&ups) && replicas[ups] <= PARTITIONS && falls {
        return Ok(());
    }
    Err(format!("the counts were {replicas:?}: not up, {most} times at most, and then only down").into())
}

/// The same, and down not before the window has passed.
fn shape(seen: &[Count]) -> Outcome {
    up_and_then_down(seen, 1)?;
    let [_, jump, down, ..] = seen else { return Err("the count did not come down".into()) };
    let held = down.at.duration_since(jump.at);
    if Duration::try_from(held)? < STABILIZATION {
        return Err(format!("{} routers were held for {held:#} only", jump.replicas).into());
    }
    Ok(())
}
