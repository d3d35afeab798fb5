//! A load with something done to the cluster while it runs, and the reckoning afterwards.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use ::kube::ResourceExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use crate::commands::{self, Ledger};
use crate::context::{Context, Outcome, told};
use crate::deletion::{Way, Workload};
use crate::drain::drained;
use crate::follow::Follower;
use crate::groups::Share;
use crate::history::{Disturbance, Findings, History, Pauses, check, partition_of, pauses};
use crate::kube::rolled_out_with;
use crate::load::{Load, Schedule, Sent};
use crate::report::{self, PauseRow, Row};
use crate::restarts::{Restarts, restarted, restarts};
use crate::sample::{CONNECTOR, PARTITIONS, Sample};
use crate::wait::{self, Look};

/// A rebalance after a kill takes the session time-out (6 s in the sample) and the join of the
/// replacement; the rest is for a busy machine.
const GROUP_STABLE_WITHIN: Duration = Duration::from_secs(60);

/// A dozen routers start at a time, on a machine that carries a load.
const SCALED_WITHIN: Duration = Duration::from_secs(120);

/// How many violations are told one by one.
const TOLD: usize = 20;

/// Whose partitions are watched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// The routers': those of `messages`, whose key is the conversation.
    Routers,
    /// The connector's: those of its outbound topic, whose key is the recipient.
    Connector,
}

/// Whether a duplicate may be, if the ledger names it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// None may be.
    Never,
    /// Those that the ledger had named as unknown outcomes may be.
    Named,
}

/// What a load brought to light.
pub struct Reckoning {
    /// What was accepted, stored and received.
    pub history: History,
    /// What the checker found in it.
    pub findings: Findings,
    /// What each disturbance did to the partitions.
    pub pauses: Vec<Pauses>,
    /// Requests that were repeated.
    pub repeated: u64,
    /// The hub's own check of its ledger; absent where it could not be done.
    pub ledger: Option<Ledger>,
    /// What is not as it must be, a line each.
    pub violations: Vec<String>,
}

impl Reckoning {
    /// Itself where nothing was violated; else all of it in words, with the history written into a file.
    fn clean(self, case: &str) -> Outcome<Self> {
        if self.violations.is_empty() {
            return Ok(self);
        }
        let file = report::folder().join(format!("e2e-{}-history.json", report::slug(case)));
        report::write(&file, &self.history)?;
        let more = self.violations.len().saturating_sub(TOLD);
        let more = if more > 0 { format!("\n... and {more} more") } else { String::new() };
        let told: Vec<&str> = self.violations.iter().take(TOLD).map(String::as_str).collect();
        Err(format!("{}{more}\nthe whole history: {}", told.join("\n"), file.display()).into())
    }
}

/// What a case does with the cluster.
pub struct Story<'a> {
    context: &'a Context,
    case: &'a str,
    watched: Watched,
    schedule: Schedule,
    /// By conversation.
    partitions: HashMap<String, u32>,
    ends_before: BTreeMap<u32, i64>,
    /// Absent where containers are expected to be started again.
    restarts_before: Option<Restarts>,
    began: Timestamp,
    follower: Follower,
    load: Load,
    disturbances: Vec<Disturbance>,
}

impl<'a> Story<'a> {
    /// Starts the load of the settings.
    pub async fn begin(context: &'a Context, case: &'a str, watched: Watched) -> Outcome<Self> {
        let settings = &context.settings;
        Self::begin_with(context, case, watched, settings.rate, settings.conversations, settings.messages).await
    }

    /// Starts a load of `at_least` messages at this rate over so many conversations at a time.
    pub async fn begin_with(
        context: &'a Context,
        case: &'a str,
        watched: Watched,
        rate: u32,
        conversations: u32,
        at_least: u64,
    ) -> Outcome<Self> {
        let sample = &context.sample;
        let schedule = Schedule::new(&report::slug(case), rate, conversations, context.run);
        let partitions = schedule.numbers().map(|n| {
            let key = match watched {
                Watched::Routers => schedule.conversation(n),
                Watched::Connector => schedule.recipient(n),
            };
            (schedule.conversation(n), partition_of(&key, PARTITIONS))
        });
        let api = sample.sign_in().await?;
        let ends_before = sample.kafka.ends(&sample.topics.messages()).await?;
        let restarts_before = Some(restarts(&sample.pods.list().await?));
        let follower = Follower::start(sample.simulator.clone()).await?;
        Ok(Self {
            context,
            case,
            watched,
            partitions: partitions.collect(),
            ends_before,
            restarts_before,
            began: Timestamp::now(),
            follower,
            load: Load::start(api, schedule.clone(), at_least),
            schedule,
            disturbances: Vec::new(),
        })
    }

    /// Deletes so many pods of a workload one after another, each when the group is stable again.
    pub async fn delete(&mut self, workload: &Workload, way: Way, times: u32) -> Outcome {
        for _ in 0..times {
            let shares = self.until_every_partition_has_a_consumer(workload).await?;
            let pods = workload.running().await?;
            let pod = pods.first().ok_or("no pod is ready")?;
            let orphaned = shares.iter().filter(|share| share.consumer.as_deref() == address(pod));
            let orphaned: BTreeSet<u32> = orphaned.map(|share| share.partition).collect();
            self.context.say(format!("{} is {way}; it has {} partitions", pod.name_any(), orphaned.len()));
            self.disturb(pod.name_any(), orphaned);
            workload.delete(pod, way).await?;
            workload.until_replaced(pod).await?;
            self.until_every_partition_moved().await?;
        }
        Ok(())
    }

    /// Notes that something is done now, and returns when that is.
    pub fn disturb(&mut self, victim: String, orphaned: BTreeSet<u32>) -> Timestamp {
        let at = self.load.now();
        self.disturbances.push(Disturbance { at, victim, orphaned });
        at
    }

    /// Scales the routers through the resource, and waits until the group has settled. Notes the
    /// partitions that another router has afterwards as those that may have stood still.
    pub async fn scale_routers(&mut self, to: u32) -> Outcome {
        let Sample { resource, routers, .. } = &self.context.sample;
        let before = owners(&self.until_every_partition_has_a_consumer(routers).await?);
        let from = before.values().collect::<BTreeSet<_>>().len();
        let at = self.load.now();
        self.context.say(format!("routers {from} -> {to}"));
        resource.scale_to(to, "kubectl").await?;
        routers.deployment.until(rolled_out_with(to), SCALED_WITHIN).await?;
        let what = format!("the partitions are spread over {to} routers");
        let after = wait::until(what, GROUP_STABLE_WITHIN, async || {
            let after = self.until_every_partition_has_a_consumer(routers).await.map(|shares| owners(&shares));
            match after {
                Err(error) => Look::NotYet(told(&*error)),
                Ok(after) if after.values().collect::<BTreeSet<_>>().len() == to as usize => Look::Yes(after),
                Ok(after) => Look::NotYet(format!("{after:?}")),
            }
        });
        let after = after.await?;
        let moved = after.into_iter().filter(|(partition, owner)| before.get(partition) != Some(owner));
        let orphaned = moved.map(|(partition, _)| partition).collect();
        self.disturbances.push(Disturbance { at, victim: format!("{from} -> {to}"), orphaned });
        self.until_every_partition_moved().await
    }

    /// How many messages were accepted and have not reached the provider.
    pub fn backlog(&self) -> u64 {
        self.load.accepted().saturating_sub(self.follower.received() as u64)
    }

    /// Waits until so many messages wait.
    pub async fn until_backlog(&self, messages: u64, limit: Duration) -> Outcome {
        Ok(wait::until(format!("{messages} messages wait"), limit, async || match self.backlog() {
            enough if enough >= messages => Look::Yes(()),
            waiting => Look::NotYet(format!("{waiting} do, of {} accepted", self.load.accepted())),
        })
        .await?)
    }

    /// Waits until no more than so many messages wait.
    pub async fn until_drained(&self, messages: u64, limit: Duration) -> Outcome {
        let what = format!("no more than {messages} messages wait");
        Ok(wait::until(what, limit, async || match self.backlog() {
            few if few <= messages => Look::Yes(()),
            waiting => Look::NotYet(format!("{waiting} do")),
        })
        .await?)
    }

    /// Waits until the provider has taken so many messages.
    pub async fn until_received(&self, messages: usize) -> Outcome {
        let what = format!("the provider received {messages} messages");
        Ok(wait::until(what, GROUP_STABLE_WITHIN, async || match self.follower.received() {
            enough if enough >= messages => Look::Yes(()),
            received => Look::NotYet(format!("{received} so far")),
        })
        .await?)
    }

    /// Waits until the group says that every partition belongs to a pod that is ready.
    pub(crate) async fn until_every_partition_has_a_consumer(&self, workload: &Workload) -> Outcome<Vec<Share>> {
        let sample = &self.context.sample;
        let (group, topic) = match self.watched {
            Watched::Routers => (sample.topics.router_group(), sample.topics.messages()),
            Watched::Connector => (sample.topics.connector_group(CONNECTOR), sample.topics.outbound(CONNECTOR)),
        };
        let what = format!("every partition of {topic} belongs to a ready pod in group {group}");
        let look = async || -> Outcome<Vec<Share>> {
            let pods = workload.running().await?;
            let addresses: Vec<&str> = pods.iter().filter_map(address).collect();
            let mut shares = sample.kafka.groups(&[&group]).await?;
            shares.retain(|share| share.topic == topic);
            let lives = |share: &&Share| share.consumer.as_deref().is_some_and(|ip| addresses.contains(&ip));
            let alive = shares.iter().filter(lives).count();
            if alive == PARTITIONS as usize {
                Ok(shares)
            } else {
                Err(format!("{alive} of {PARTITIONS} do; ready pods: {addresses:?}; the group: {shares:?}").into())
            }
        };
        Ok(wait::until(what, GROUP_STABLE_WITHIN, async || look().await.into()).await?)
    }

    /// Waits until a message of each partition went all the way that was accepted after now.
    pub async fn until_every_partition_moved(&self) -> Outcome {
        self.until_every_partition_moved_within(GROUP_STABLE_WITHIN).await
    }

    /// The same with another limit.
    pub async fn until_every_partition_moved_within(&self, limit: Duration) -> Outcome {
        let since = Timestamp::now();
        let all: BTreeSet<u32> = self.partitions.values().copied().collect();
        let what = "a message of every partition that was accepted after the replacement reached the provider";
        Ok(wait::until(what, limit, async || {
            let conversations = self.follower.moved_since(since);
            let moved = conversations.iter().filter_map(|c| self.partitions.get(c).copied()).collect();
            let still: BTreeSet<u32> = all.difference(&moved).copied().collect();
            if still.is_empty() { Look::Yes(()) } else { Look::NotYet(format!("nothing from partitions {still:?}")) }
        })
        .await?)
    }

    /// Waits until no message is tried again and again: who was refused in an outage has been accepted since.
    pub(crate) async fn until_nothing_is_repeated_within(&self, limit: Duration) -> Outcome {
        Ok(wait::until("every message that was refused has been accepted", limit, async || {
            match self.load.repeating() {
                0 => Look::Yes(()),
                repeating => Look::NotYet(format!("{repeating} are still being tried")),
            }
        })
        .await?)
    }

    /// What is done ends containers that are then started again.
    pub fn expect_restarts(&mut self) {
        self.restarts_before = None;
    }

    /// Ends the load, waits until everything is read, reckons, and adds a row to the report. Fails
    /// when something is lost, doubled or out of order, and when what was done in between failed.
    pub async fn end(self, done: Outcome, duplicates: Duplicates) -> Outcome<Reckoning> {
        let case = self.case;
        self.reckon(done, duplicates).await?.clean(case)
    }

    /// The same, with what is not as it must be in the reckoning.
    pub async fn reckon(self, done: Outcome, duplicates: Duplicates) -> Outcome<Reckoning> {
        let Self { context, case, watched, schedule, partitions, began, follower, load, disturbances, .. } = self;
        if let Err(error) = &done {
            context.say(format!("failed, reckoning all the same: {}", told(&**error)));
        }
        let sent = load.stop().await;
        context.say(format!("{} messages accepted, {} requests repeated", sent.accepted.len(), sent.repeated));
        let api = context.sample.sign_in().await?;
        let conversations = schedule.conversations(sent.scheduled);
        let stored = drained(&api, &conversations, &sent.accepted, context.settings.drain).await?;
        let received = follower.finish().await?;
        let history = History { accepted: sent.accepted.clone(), stored, received };
        let findings = check(&history);
        let pauses =
            pauses(&history, &disturbances, |conversation| partitions.get(conversation).copied().unwrap_or(PARTITIONS));
        let rows = pauses.iter().filter(|p| !p.disturbance.orphaned.is_empty()).map(|p| PauseRow::of(case, p));
        context.report().add(Row::of(case, &history, &findings, &pauses), rows.collect());

        let ledger = context.sample.commands()?.ledger(began).await;
        let mut violations: Vec<String> = done.err().map(|error| told(&*error)).into_iter().collect();
        violations.extend(complaints(&sent));
        if let Some(before) = &self.restarts_before {
            violations.extend(restarted(before, &context.sample.pods.list().await?));
        }
        violations.extend(findings.violations(duplicates == Duplicates::Named));
        violations.extend(unaccounted(&ledger, sent.accepted.len()));
        if watched == Watched::Routers && sent.repeated == 0 {
            let ends = context.sample.kafka.ends(&context.sample.topics.messages()).await?;
            violations.extend(misplaced(&partitions, &history, &self.ends_before, &ends));
        }
        Ok(Reckoning { history, findings, pauses, repeated: sent.repeated, ledger: ledger.ok(), violations })
    }
}

/// The consumer of each partition.
fn owners(shares: &[Share]) -> BTreeMap<u32, String> {
    shares.iter().filter_map(|share| Some((share.partition, share.consumer.clone()?))).collect()
}

fn address(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.pod_ip.as_deref()
}

/// What the load has to complain about.
fn complaints(sent: &Sent) -> Vec<String> {
    let mut complaints: Vec<String> = sent.not_accepted.iter().map(|line| format!("not accepted: {line}")).collect();
    if sent.held_back > 0 {
        complaints.push(format!("the load was not open: {} messages were held back by its own bound", sent.held_back));
    }
    complaints
}

/// What the hub's own check of its ledger finds wrong, where everything is read or given up.
fn unaccounted(ledger: &Result<Ledger, commands::Error>, accepted: usize) -> Option<String> {
    match ledger {
        Err(error) => Some(error.to_string()),
        Ok(Ledger { accepted: counted, in_flight: 0, unaccounted: 0, .. }) if *counted >= accepted as u64 => None,
        Ok(ledger) => Some(format!("{accepted} messages were accepted, and the ledger says {ledger:?}")),
    }
}

/// Pauses are counted by partitions that were computed here. Kafka's own partitions must have grown by
/// just as much, or the computation is wrong.
fn misplaced(
    partitions: &HashMap<String, u32>,
    history: &History,
    before: &BTreeMap<u32, i64>,
    after: &BTreeMap<u32, i64>,
) -> Option<String> {
    let mut computed: BTreeMap<u32, i64> = after.keys().map(|partition| (*partition, 0)).collect();
    for message in &history.accepted {
        *computed.entry(partitions.get(&message.conversation).copied()?).or_default() += 1;
    }
    let grown: BTreeMap<u32, i64> =
        after.iter().map(|(partition, end)| (*partition, end - before.get(partition).copied().unwrap_or(0))).collect();
    (grown != computed).then(|| format!("partitions: computed {computed:?}, but Kafka's grew by {grown:?}"))
}
