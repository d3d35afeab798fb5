//! The decision itself: what is wanted, and then whether anything speaks against doing it now.

use std::time::Duration;

use super::decision::{Cause, Decision, Hold, Limit, Measures, Need, Verdict};
use super::downstream::Finding;
use super::policy::Policy;
use super::replicas::{Fit, fit};
use super::sample::Pods;
use super::window::{Latest, Window};
use super::work::Work;

/// More replicas are wanted only when the need is above what the present ones can do by this share,
const TOLERANCE: f64 = 0.1;
/// and by this many standard deviations of a rate counted from random arrivals.
const DEVIATIONS: f64 = 3.0;
/// The widest tolerance: with a handful of records any count of replicas does.
const TOLERANCE_MOST: f64 = 0.5;
/// A jump to the next count is not worth a need that is above the count by less than this share: levels
/// lie far apart, and capacity and arrival are not known any better.
const WORTH: f64 = 0.05;
/// A backlog that is gone within this time is none: commits and looks are this far apart.
const DRAINED_SECONDS: f64 = 5.0;
/// What does not change the count is spoken of when it was so for this long, so that the reason does not
/// change with each look.
const SPOKEN_OF: Duration = Duration::from_secs(60);

/// How many router replicas there should be.
pub fn decide(window: &Window, policy: &Policy) -> Decision {
    let Some(now) = window.latest() else {
        return Decision { measures: Measures::default(), desired: policy.min, verdict: Verdict::Hold(Hold::Learning) };
    };
    let outlook = Outlook::new(window, policy, now);
    let verdict = outlook.verdict();
    let desired = match verdict {
        Verdict::Scale { to, .. } => to,
        Verdict::Keep { .. } | Verdict::Hold(_) => now.replicas,
    };
    Decision { measures: outlook.measures, desired, verdict }
}

/// What a decision looks upon.
struct Outlook<'a> {
    window: &'a Window,
    policy: &'a Policy,
    now: Latest,
    most: u32,
    measures: Measures,
}

impl<'a> Outlook<'a> {
    fn new(window: &'a Window, policy: &'a Policy, now: Latest) -> Self {
        // A topic can have fewer partitions than the resource says, until it is grown.
        let partitions = window.work().map_or(policy.partitions, |work| work.0.len() as u32);
        let most = policy.max.min(policy.partitions).min(partitions).max(policy.min);
        Self { window, policy, now, most, measures: measures(window, now) }
    }

    fn verdict(&self) -> Verdict {
        let Latest { replicas, .. } = self.now;
        if !(self.policy.min..=self.most).contains(&replicas) {
            return self.to_bounds();
        }
        if let Some(hold) = self.obstacle() {
            return Verdict::Hold(hold);
        }
        let Some(work) = self.window.work() else {
            return Verdict::Hold(Hold::Learning);
        };
        let wanted = self.wanted(work, None);
        let too_many = |finding: &Finding| replicas > finding.most.max(self.policy.min) && wanted > finding.enough;
        if let Some(finding) = self.window.downstream().filter(too_many) {
            return self.back_to_enough(finding);
        }
        match () {
            () if self.is_short(work) => self.up(work),
            () if wanted < replicas => self.down(work, wanted),
            () => self.keep(work),
        }
    }

    /// What makes any decision about work impossible.
    fn obstacle(&self) -> Option<Hold> {
        match self.now {
            Latest { readable: false, .. } => Some(Hold::OffsetsUnreadable),
            Latest { pods: Pods::Rebalancing, .. } => Some(Hold::Rebalancing),
            _ if self.window.stands_still() => Some(Hold::NotAdvancing),
            _ => None,
        }
    }

    /// At once, whatever is unknown. What is known saves a second step.
    fn to_bounds(&self) -> Verdict {
        let sure = self.obstacle().is_none() && self.window.is_settled();
        let wanted = self.window.work().filter(|_| sure).map_or(0, |work| self.wanted(work, None));
        let to = if self.now.replicas > self.most { self.most } else { wanted.clamp(self.policy.min, self.most) };
        self.scale(to, Cause::Bounds)
    }

    /// The count for some work, within the bounds, by replicas that could do so much; without a figure,
    /// by what is known now.
    fn wanted(&self, work: &Work, capacity: Option<f64>) -> u32 {
        let wanted = match capacity.or(self.window.capacity().at_least()) {
            _ if work.is_none() => 1,
            Some(capacity) => self.fit(work, capacity).replicas,
            None => self.now.replicas,
        };
        wanted.clamp(self.policy.min, self.most)
    }

    fn fit(&self, work: &Work, capacity: f64) -> Fit {
        fit(&work.needs(self.policy), capacity)
    }

    /// The present replicas cannot do the work, and not by chance.
    fn is_short(&self, work: &Work) -> bool {
        let noise = DEVIATIONS / self.window.messages_seen().max(1.0).sqrt();
        let tolerance = 1.0 + noise.clamp(TOLERANCE, TOLERANCE_MOST);
        let capacity = self.window.capacity().at_least();
        capacity.is_some_and(|capacity| self.fit(work, capacity * tolerance).replicas > self.now.replicas)
    }

    fn up(&self, work: &Work) -> Verdict {
        let replicas = self.now.replicas;
        let mut to = self.wanted(work, self.window.capacity().at_least().map(|capacity| capacity * (1.0 + WORTH)));
        if let Some(Finding { enough, most, .. }) = self.window.downstream() {
            to = to.min(most);
            if to <= replicas {
                return Verdict::Hold(Hold::DownstreamBound { enough });
            }
        }
        match () {
            () if to <= replicas => self.keep(work),
            () if !self.window.is_settled() => Verdict::Hold(Hold::Learning),
            () if self.is_cooling_down() => Verdict::Hold(Hold::CoolingDown),
            () => self.scale(to, Cause::Work),
        }
    }

    /// More than what finishes as much: those are left for a while, in case that it mends.
    fn back_to_enough(&self, finding: Finding) -> Verdict {
        let enough = finding.enough.clamp(self.policy.min, self.most);
        let tried = self.now.at.saturating_sub(finding.since) >= self.policy.stabilization;
        if tried && !self.is_cooling_down() {
            return self.scale(enough, Cause::Downstream);
        }
        Verdict::Hold(Hold::DownstreamBound { enough })
    }

    fn down(&self, work: &Work, wanted: u32) -> Verdict {
        let Latest { at, replicas, .. } = self.now;
        let span = self.policy.stabilization;
        let needed = self.most_wanted(span, 1.0).max(wanted);
        let draining = self.is_draining(work);
        if needed < replicas && !draining && self.window.past().covers(span, at) {
            return match () {
                () if self.is_cooling_down() => Verdict::Hold(Hold::CoolingDown),
                () => self.scale(needed, Cause::Work),
            };
        }
        match () {
            () if self.most_wanted(span.min(SPOKEN_OF), 1.0 + TOLERANCE) >= replicas => self.keep(work),
            () if draining => Verdict::Hold(Hold::Draining),
            () => Verdict::Hold(Hold::Stabilizing),
        }
    }

    /// The largest count that was wanted in the last `span`, were the need `margin` times what it was.
    fn most_wanted(&self, span: Duration, margin: f64) -> u32 {
        let known = self.window.capacity().at_least();
        let wanted = self.window.past().last(span, self.now.at).map(|(work, capacity)| {
            let capacity = capacity.or(known).map(|capacity| capacity / margin);
            self.wanted(work, capacity)
        });
        wanted.max().unwrap_or(self.now.replicas)
    }

    fn keep(&self, work: &Work) -> Verdict {
        if self.window.capacity().at_least().is_none() && !work.is_none() {
            return Verdict::Hold(Hold::Learning);
        }
        let limit = self.limit(work, None);
        let mut past = self.window.past().last(SPOKEN_OF, self.now.at);
        let lasting = past.all(|(work, capacity)| self.limit(work, capacity) == limit);
        Verdict::Keep { limited: limit.filter(|_| lasting) }
    }

    fn limit(&self, work: &Work, capacity: Option<f64>) -> Option<Limit> {
        let capacity = capacity.or(self.window.capacity().known())?;
        let fit = self.fit(work, capacity);
        let everywhere = work.needs(self.policy).iter().sum::<f64>() > capacity * work.0.len() as f64;
        if self.now.replicas >= self.most && (everywhere || fit.replicas > self.most) {
            return Some(Limit::AtMaximum);
        }
        let skewed = work.0.get(fit.skewed?)?;
        Some(Limit::SkewLimited { partition: skewed.partition })
    }

    /// A backlog is being worked off that is more than one replica's: a change would interrupt that.
    fn is_draining(&self, work: &Work) -> bool {
        let Some(capacity) = self.window.capacity().at_least() else { return work.backlog() > 0.0 };
        let shared = work.0.iter().filter(|load| load.need(self.policy) <= capacity);
        let backlog: f64 = shared.map(|load| f64::from(load.backlog)).sum();
        backlog > DRAINED_SECONDS * capacity * f64::from(self.now.replicas)
    }

    fn is_cooling_down(&self) -> bool {
        self.window.changed().is_some_and(|changed| self.now.at.saturating_sub(changed) < self.policy.cooldown)
    }

    fn scale(&self, to: u32, cause: Cause) -> Verdict {
        let capacity = self.window.capacity().at_least();
        let needed = self.window.work().zip(capacity).map(|(work, capacity)| {
            let needed: f64 = work.needs(self.policy).iter().sum();
            needed / capacity
        });
        let need = Need {
            cause,
            measures: self.measures,
            replicas: needed,
            partitions: self.policy.partitions,
            target_utilization: self.policy.target_utilization,
            drain_target: self.policy.drain_target,
        };
        Verdict::Scale { from: self.now.replicas, to, need }
    }
}

fn measures(window: &Window, now: Latest) -> Measures {
    let capacity = window.capacity().known();
    let Some(work) = window.work().filter(|_| now.readable) else {
        return Measures { capacity, ..Measures::default() };
    };
    Measures {
        arrival: Some(work.arrival()),
        capacity,
        backlog: Some(work.backlog()),
        drain_seconds: drain_seconds(window, now, work),
    }
}

/// All together, or the longest partition on a replica of its own, whichever is later.
fn drain_seconds(window: &Window, now: Latest, work: &Work) -> Option<f64> {
    let backlog = work.backlog();
    if backlog == 0.0 {
        return Some(0.0);
    }
    let one = window.capacity().at_least();
    let together = one.filter(|_| window.downstream().is_none()).map_or(0.0, |one| one * f64::from(now.replicas));
    let speed = together.max(window.finishing());
    let longest = work.0.iter().map(|load| f64::from(load.backlog)).fold(0.0, f64::max);
    (speed > 0.0).then(|| (backlog / speed).max(one.map_or(0.0, |one| longest / one)))
}
