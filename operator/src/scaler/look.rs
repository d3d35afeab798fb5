//! One look: what Kafka, the router pods and the Deployment say, as a sample.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use tokio::time::Instant;

use super::plan::Plan;
use super::pods::{Readings, together};
use super::world::World;
use crate::kafka;
use crate::scaling::{Offsets, Pods, Sample};

/// What the next look is compared with.
#[derive(Debug)]
pub(super) struct Looker {
    began: Instant,
    before: Option<(Instant, Readings)>,
    /// Since when routers come or go.
    moving: Option<Instant>,
}

/// Routers that come or go for longer do not come: a node without room for one, a pod that ends again and again.
/// The others work all the same, so what waits decides.
const LASTING: Duration = Duration::from_secs(300);

/// What was seen.
pub(super) struct Seen {
    pub(super) sample: Sample,
    /// Why Kafka said nothing.
    pub(super) error: Option<kafka::Error>,
}

impl Default for Looker {
    fn default() -> Self {
        Self { began: Instant::now(), before: None, moving: None }
    }
}

impl Looker {
    /// Time since the first look.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Asks Kafka and the pods at the same time.
    pub(super) async fn look(&mut self, world: &World, plan: &Plan, deployment: &Deployment) -> Seen {
        let addresses = world.router_addresses(&plan.identity);
        let asked = Instant::now();
        let (offsets, readings) =
            tokio::join!(world.offsets.look(&plan.brokers, &plan.topics), world.pods.ask(&addresses));
        let (offsets, error) = match offsets {
            Ok(offsets) => (Some(offsets), None),
            Err(error) => (None, Some(error)),
        };
        let replicas = replicas(deployment);
        let pods = self.judge(asked, readings, replicas, plan, offsets.as_ref());
        Seen { sample: Sample { at: asked - self.began, replicas, pods, offsets }, error }
    }

    fn judge(&mut self, at: Instant, now: Readings, pods: u32, plan: &Plan, offsets: Option<&Offsets>) -> Pods {
        let before = self.before.replace((at, now));
        let (Some((before_at, before)), Some((_, now)), Some(offsets)) = (&before, &self.before, offsets) else {
            return Pods::Unknown;
        };
        let groups = [
            (plan.topics.router_group(), offsets.messages.len()),
            (plan.topics.status_group(), offsets.statuses.len()),
        ];
        let partitions: BTreeMap<_, _> =
            groups.iter().map(|(group, count)| (group.as_str(), u32::try_from(*count).unwrap_or(u32::MAX))).collect();
        let pods = together(before, now, at - *before_at, pods, &partitions);
        patient(pods, &mut self.moving, at)
    }
}

/// Takes routers that have come or gone for too long as unknown.
fn patient(pods: Pods, moving: &mut Option<Instant>, at: Instant) -> Pods {
    match pods {
        Pods::Stable { .. } => *moving = None,
        // A pod that ends again and again gives no answer in between.
        Pods::Unknown => {}
        Pods::Rebalancing if at.duration_since(*moving.get_or_insert(at)) >= LASTING => return Pods::Unknown,
        Pods::Rebalancing => {}
    }
    pods
}

/// The number of pods in the spec of a Deployment; the API server's default where there is none.
pub(super) fn replicas(deployment: &Deployment) -> u32 {
    deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routers_that_never_come_do_not_hold_the_decision_up_for_ever() {
        let (mut moving, began) = (None, Instant::now());
        let mut judged = |pods, after: u64| patient(pods, &mut moving, began + Duration::from_secs(after));
        assert_eq!(judged(Pods::Rebalancing, 0), Pods::Rebalancing);
        assert_eq!(judged(Pods::Unknown, 150), Pods::Unknown);
        assert_eq!(judged(Pods::Rebalancing, 299), Pods::Rebalancing);
        assert_eq!(judged(Pods::Rebalancing, 300), Pods::Unknown);
        assert_eq!(judged(Pods::Stable { busy: 0.5 }, 302), Pods::Stable { busy: 0.5 });
        assert_eq!(judged(Pods::Rebalancing, 304), Pods::Rebalancing, "another change");
    }
}
