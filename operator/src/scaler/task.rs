//! The loop of one cluster: look, decide, act, and show what is new.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::runtime::events::{Event, EventType, Recorder};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::act::{self, Outcome, Owner};
use super::look::{Looker, replicas};
use super::ownership::{Ownership, Standing};
use super::plan::Plan;
use super::view::{self, Foreigner, Situation, View};
use super::world::World;
use crate::api::Chat4AllCluster;
use crate::kube_error::{chain, plain};
use crate::scaling::{Decision, Learned, Verdict, Window, decide};

/// Another's number is respected for the time that scaling down waits, and at least for this long.
const LEAST_RESPECT: Duration = Duration::from_secs(60);

/// The first looks have nothing to be compared with. What they lack is not shown: the resource says what
/// an operator saw that was there before.
const LOOKS_BEFORE_SHOWN: usize = 3;

/// The loop of one cluster.
pub(super) struct Task {
    world: Arc<World>,
    plan: Plan,
    window: Window,
    looker: Looker,
    /// Which Deployment the number is of.
    uid: Option<String>,
    ownership: Ownership,
    foreigner: Option<Foreigner>,
    last_change: Option<String>,
    /// A change of which the API server did not say whether it took it.
    unanswered: Option<String>,
    looks: usize,
    shown: Option<(Instant, View)>,
}

impl Task {
    pub(super) fn new(world: Arc<World>, plan: Plan, learned: Learned) -> Self {
        Self {
            world,
            plan,
            window: Window::starting_with(learned),
            looker: Looker::default(),
            uid: None,
            ownership: Ownership::default(),
            foreigner: None,
            last_change: None,
            unanswered: None,
            looks: 0,
            shown: None,
        }
    }

    /// Looks at each interval, until the registry lets it go.
    pub(super) async fn run(mut self, mut plans: watch::Receiver<Plan>, view: watch::Sender<Option<View>>) {
        loop {
            let poll = self.plan.scaling.poll;
            let mut tick = interval_at(Instant::now() + self.phase(), poll);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    changed = plans.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        let plan = plans.borrow_and_update().clone();
                        if plan.scaling.enabled && !self.plan.scaling.enabled {
                            self.ownership = Ownership::Unknown;
                        }
                        self.plan = plan;
                    }
                    _ = tick.tick() => {}
                }
                if let Some(shown) = self.turn(&plans).await {
                    view.send_replace(Some(shown));
                    (self.world.wake)(&self.plan.identity);
                }
                if self.plan.scaling.poll != poll {
                    break;
                }
            }
        }
    }

    /// A part of the interval that differs from cluster to cluster, so that they do not all ask at once.
    fn phase(&self) -> Duration {
        let mut hasher = DefaultHasher::new();
        (&self.plan.identity.namespace, &self.plan.identity.name).hash(&mut hasher);
        let poll = u64::try_from(self.plan.scaling.poll.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(hasher.finish() % poll)
    }

    /// One look and what follows. Gives what is to be shown when that is news.
    async fn turn(&mut self, plans: &watch::Receiver<Plan>) -> Option<View> {
        let deployment = self.world.deployment(&self.plan.identity, &self.plan.deployment)?;
        if self.uid != deployment.metadata.uid {
            self.uid.clone_from(&deployment.metadata.uid);
            self.ownership = Ownership::Unknown;
        }
        let seen = self.looker.look(&self.world, &self.plan, &deployment).await;
        self.window.push(seen.sample);
        // A look takes its time, in which scaling may have been switched off.
        let enabled = self.plan.scaling.enabled && plans.borrow().scaling.enabled;
        let decision = decide(&self.window, &self.plan.scaling.policy);
        if enabled {
            self.act(replicas(&deployment), &decision).await;
        } else {
            (self.foreigner, self.last_change, self.unanswered) = (None, None, None);
        }
        let situation = Situation {
            enabled,
            decision: &decision,
            error: seen.error.as_ref(),
            foreigner: self.foreigner.as_ref(),
            last_change: self.last_change.as_deref(),
        };
        let hold = match (situation.foreigner, &decision.verdict) {
            (None, Verdict::Scale { .. } | Verdict::Keep { .. }) => None,
            _ => Some(situation.reason()),
        };
        self.world.metrics.note(&self.plan.identity, &decision, hold.filter(|_| situation.enabled));
        let learned = view::remembered(self.window.learned(), &self.plan.pods_hash);
        self.news(&View::following(
            self.shown.as_ref().map(|(_, view)| view),
            self.shown.as_ref().map_or(Duration::MAX, |(at, _)| at.elapsed()),
            &situation,
            learned,
        ))
    }

    fn news(&mut self, view: &View) -> Option<View> {
        self.looks += 1;
        if self.looks < LOOKS_BEFORE_SHOWN || self.shown.as_ref().is_some_and(|(_, shown)| shown == view) {
            return None;
        }
        self.shown = Some((Instant::now(), view.clone()));
        Some(view.clone())
    }

    /// Sets the number of routers if the decision says so and the number may be changed.
    async fn act(&mut self, count: u32, decision: &Decision) {
        let respect = self.plan.scaling.policy.stabilization.max(LEAST_RESPECT);
        let now = self.looker.now();
        let standing = self.ownership.found(now, count, respect);
        match standing {
            Standing::Free | Standing::TakeOver => self.foreigner = None,
            Standing::Busy => {}
            Standing::Respect { news: false } if self.foreigner.is_some() => {}
            Standing::Respect { .. } => self.find_owner(now, respect).await,
        }
        let Verdict::Scale { to, .. } = decision.verdict else { return };
        let force = match standing {
            Standing::Free => false,
            Standing::TakeOver => true,
            Standing::Busy | Standing::Respect { .. } => return,
        };
        let (namespace, deployment) = (&self.plan.identity.namespace, &self.plan.deployment);
        let line = decision.verdict.to_string();
        match act::set(&self.world.client, namespace, deployment, to, force).await {
            Ok(Outcome::Done) => {
                self.ownership.set(now, to);
                self.changed(line).await;
            }
            Ok(Outcome::OwnedElsewhere) => {
                self.ownership.refused(now, count, respect);
                self.find_owner(now, respect).await;
            }
            Err(error) => {
                tracing::warn!(namespace, deployment, error = plain(&error), "could not set the number of routers");
                self.unanswered = Some(line);
            }
        }
    }

    /// Asks who set the number. It was we where the answer to our change was lost, or the watch is behind.
    /// Where the API server does not say, it is asked at the next look.
    async fn find_owner(&mut self, now: Duration, respect: Duration) {
        let (namespace, deployment) = (&self.plan.identity.namespace, &self.plan.deployment);
        match act::owner(&self.world.client, namespace, deployment).await {
            Ok(Owner::Scaler { count }) => {
                self.ownership.set(now, count);
                self.foreigner = None;
                if let Some(line) = self.unanswered.take() {
                    self.changed(line).await;
                }
            }
            Ok(Owner::Other(manager)) => {
                let manager = manager.unwrap_or_else(|| "somebody else".to_owned());
                tracing::warn!(namespace, deployment, manager, "the number of routers was set elsewhere");
                self.foreigner = Some(Foreigner { manager, respect });
            }
            Err(error) => {
                let error = plain(&error);
                tracing::warn!(namespace, deployment, error, "could not ask who set the number of routers");
                self.foreigner = None;
            }
        }
    }

    async fn changed(&mut self, line: String) {
        self.unanswered = None;
        self.tell(&line).await;
        self.last_change = Some(line);
    }

    /// The log line and the event of a change.
    async fn tell(&self, line: &str) {
        let identity = &self.plan.identity;
        tracing::info!(namespace = identity.namespace, cluster = identity.name, decision = line, "scaled the routers");
        let event = Event {
            type_: EventType::Normal,
            reason: "ScaledRouters".to_owned(),
            note: Some(line.to_owned()),
            action: "Scale".to_owned(),
            secondary: None,
        };
        let resource = ObjectReference {
            api_version: Some(Chat4AllCluster::api_version(&()).into_owned()),
            kind: Some(Chat4AllCluster::kind(&()).into_owned()),
            namespace: Some(identity.namespace.clone()),
            name: Some(identity.name.clone()),
            uid: Some(identity.uid.clone()),
            ..Default::default()
        };
        // One that lasted would tell the next change within minutes as a repetition of this one, in its words.
        let recorder = Recorder::new(self.world.client.clone(), self.world.reporter.clone());
        if let Err(error) = recorder.publish(&event, &resource).await {
            tracing::warn!(error = chain(&error), "could not publish an event");
        }
    }
}
