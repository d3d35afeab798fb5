//! The rules that are compared: ours, and the usual one.

use std::collections::VecDeque;

use chat4all_operator::api::Autoscaling;
use chat4all_operator::scaling::{Policy, Window, decide};
use chat4all_operator::validate::scaling;

use crate::group::{Group, PARTITIONS};

/// Something that changes the count.
pub trait Rule {
    /// How often it looks, seconds.
    fn period(&self) -> f64;
    /// Looks, and says the count that there is to be.
    fn look(&mut self, group: &mut Group) -> u32;
}

/// Ours, with the defaults of the resource. It has learned nothing yet.
pub struct Ours {
    window: Window,
    policy: Policy,
}

impl Ours {
    /// Begins to look.
    pub fn new() -> Self {
        Self { window: Window::default(), policy: policy() }
    }
}

/// The defaults of the resource.
pub fn policy() -> Policy {
    scaling(&Autoscaling::default(), PARTITIONS as i32).policy
}

impl Rule for Ours {
    fn period(&self) -> f64 {
        5.0
    }

    fn look(&mut self, group: &mut Group) -> u32 {
        self.window.push(group.look());
        decide(&self.window, &self.policy).desired
    }
}

/// `ceil(lag / threshold)` by the HorizontalPodAutoscaler of Kubernetes with its default behaviour:
/// <https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#default-behavior>.
pub struct LagByThreshold {
    threshold: f64,
    recommended: VecDeque<(f64, u32)>,
}

/// What the usual rule is tried with: the lag that one replica is to have, from a tenth of a second of its
/// work to half a minute of it.
pub const THRESHOLDS: [f64; 7] = [20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0];

/// The controller's sync period, seconds.
const SYNC: f64 = 15.0;
/// The stabilization of scaling down, seconds.
const STABILIZATION: f64 = 300.0;
/// A ratio this near to 1 changes nothing.
const TOLERANCE: f64 = 0.1;
/// In a period, this many pods or as many again may come, whichever is more.
const PODS: u32 = 4;

impl LagByThreshold {
    /// With the lag that one replica is to have.
    pub fn new(threshold: f64) -> Self {
        Self { threshold, recommended: VecDeque::new() }
    }
}

impl Rule for LagByThreshold {
    fn period(&self) -> f64 {
        SYNC
    }

    fn look(&mut self, group: &mut Group) -> u32 {
        let (lag, present) = (group.lag() as f64, group.replicas());
        let ratio = lag / (self.threshold * f64::from(present));
        let wanted = if (ratio - 1.0).abs() <= TOLERANCE { present } else { (lag / self.threshold).ceil() as u32 };
        let wanted = wanted.clamp(1, PARTITIONS as u32);
        self.recommended.push_back((group.now(), wanted));
        self.recommended.retain(|(at, _)| group.now() - at <= STABILIZATION);
        if wanted > present {
            return wanted.min((present + PODS).max(2 * present));
        }
        self.recommended.iter().map(|(_, wanted)| *wanted).max().unwrap_or(present).min(present)
    }
}
