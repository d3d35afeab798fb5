//! What the resource shows of its scaling: the condition, the lag, what was learned. Pure. It holds
//! still while nothing happens: each change of it is a write.

use std::time::Duration;

use crate::api::LearnedStatus;
use crate::findings;
use crate::kafka;
use crate::scaling::{Decision, Hold, Learned, Limit, Verdict};

/// The steps of the lag, in seconds.
const LAG_STEPS: [i32; 11] = [0, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 86400];

/// A lag that moves is shown this often.
const LAG_EVERY: Duration = Duration::from_secs(15);

/// What was learned is written down again when it is this much off.
const LEARNED_MOVED: f64 = 0.2;

/// What the resource shows.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The condition RouterScaling.
    pub verdict: findings::Verdict,
    /// Router pods that the work asks for, while scaling is on.
    pub desired: Option<i32>,
    /// The lag, as a step.
    pub lag_seconds: Option<i32>,
    /// What was learned.
    pub learned: Option<LearnedStatus>,
}

/// Who else set the number of routers, and for how long that is respected.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Foreigner {
    pub(super) manager: String,
    pub(super) respect: Duration,
}

/// All that the condition is made of.
pub(super) struct Situation<'a> {
    pub(super) enabled: bool,
    pub(super) decision: &'a Decision,
    /// Why Kafka said nothing.
    pub(super) error: Option<&'a kafka::Error>,
    pub(super) foreigner: Option<&'a Foreigner>,
    /// The last change of ours, in one line.
    pub(super) last_change: Option<&'a str>,
}

impl Situation<'_> {
    /// The word for it: the reason of the condition, and the label of the metric while it is a hold.
    pub(super) fn reason(&self) -> &'static str {
        match (self.enabled, self.foreigner) {
            (false, _) => "Off",
            (true, Some(_)) => "ReplicasSetElsewhere",
            (true, None) => self.decision.verdict.reason(),
        }
    }

    /// The condition RouterScaling.
    pub(super) fn verdict(&self) -> findings::Verdict {
        let reason = self.reason();
        let good = |message: &str| findings::Verdict::good(reason, message);
        let warning = |message: String| findings::Verdict::bad(reason, message);
        if !self.enabled {
            let message =
                "spec.router.autoscaling.enabled is false: spec.router.replicas says how many routers there are";
            return findings::Verdict::pending(reason, message);
        }
        if let Some(Foreigner { manager, respect }) = self.foreigner {
            return warning(format!(
                "the number of routers was set by {manager}; that is respected for {} s and then taken over. Let only one set it: remove the other, or set spec.router.autoscaling.enabled to false",
                respect.as_secs()
            ));
        }
        match &self.decision.verdict {
            Verdict::Scale { .. } | Verdict::Keep { limited: None } => {
                good(self.last_change.unwrap_or("there are as many routers as the work needs"))
            }
            Verdict::Keep { limited: Some(Limit::AtMaximum) } => works(warning(
                "the work needs more routers than there may be; raise spec.router.autoscaling.maxReplicas, and spec.kafka.partitions where that is the bound".into(),
            )),
            Verdict::Keep { limited: Some(Limit::SkewLimited { partition }) } => works(warning(format!(
                "partition {partition} of the messages holds more work than one router can do, and cannot be shared: a few of its conversations are very busy. Give the routers more CPU in spec.router.resources"
            ))),
            Verdict::Hold(hold) => self.held(*hold),
        }
    }

    fn held(&self, hold: Hold) -> findings::Verdict {
        let good = |message: &str| findings::Verdict::good(hold.reason(), message);
        let warning = |message: String| findings::Verdict::bad(hold.reason(), message);
        match hold {
            Hold::OffsetsUnreadable => {
                let why = self.error.map_or_else(String::new, |error| format!(": {error}"));
                warning(format!("Kafka could not be asked how much waits, and the number of routers stays{why}"))
            }
            Hold::Learning => good("what a router can do is not known yet; it is measured as soon as there is work"),
            Hold::Rebalancing => good("routers come or go, or their partitions move; the number stays until they have"),
            Hold::CoolingDown => good("the number was changed a short while ago (spec.router.autoscaling.cooldownSeconds)"),
            Hold::Draining => good("fewer routers will be enough when what waits has been worked off"),
            Hold::Stabilizing => good(
                "fewer routers seem to be enough; the others go when that has been so for spec.router.autoscaling.scaleDownStabilizationSeconds",
            ),
            Hold::NotAdvancing => warning(
                "messages wait and the routers finish none, which more routers cannot mend; see `kubectl logs` of the routers, and whether Cassandra and Kafka answer".into(),
            ),
            Hold::DownstreamBound { enough } => works(warning(format!(
                "more routers did not finish more: {enough} finished as much. Look at what they wait for: Cassandra, Kafka, or the CPU of the nodes"
            ))),
        }
    }
}

/// Scaling works; what is said concerns something else.
fn works(verdict: findings::Verdict) -> findings::Verdict {
    findings::Verdict { holds: true, ..verdict }
}

impl View {
    /// What to show, after `former` was shown `ago`. Gives `former` where the difference is none that
    /// anybody would act on.
    pub(super) fn following(
        former: Option<&Self>,
        ago: Duration,
        situation: &Situation<'_>,
        learned: Option<LearnedStatus>,
    ) -> Self {
        let next = Self {
            verdict: situation.verdict(),
            desired: situation.enabled.then(|| i32::try_from(situation.decision.desired).unwrap_or(i32::MAX)),
            lag_seconds: situation.decision.measures.drain_seconds.map(lag_step),
            learned,
        };
        match former {
            Some(former) if !next.is_news_after(former, ago) => former.clone(),
            _ => next,
        }
    }

    fn is_news_after(&self, former: &Self, ago: Duration) -> bool {
        let condition = |view: &Self| (view.verdict.status(), view.verdict.reason.clone());
        condition(self) != condition(former)
            || self.desired != former.desired
            || (self.lag_seconds != former.lag_seconds && ago >= LAG_EVERY)
            || learned_moved(former.learned.as_ref(), self.learned.as_ref())
    }
}

/// The lag, rounded up to a step; beyond the last it stays there.
fn lag_step(seconds: f64) -> i32 {
    LAG_STEPS.into_iter().find(|step| seconds <= f64::from(*step)).unwrap_or(86400)
}

fn learned_moved(former: Option<&LearnedStatus>, now: Option<&LearnedStatus>) -> bool {
    let (Some(former), Some(now)) = (former, now) else { return former.is_some() != now.is_some() };
    let moved = |before: i32, after: i32| f64::from(before.abs_diff(after)) > LEARNED_MOVED * f64::from(before.max(1));
    former.pods != now.pods
        || moved(former.records_per_second, now.records_per_second)
        // A tenth of a status for each message is nothing to act on.
        || former.statuses_per_hundred_messages.abs_diff(now.statuses_per_hundred_messages) > 10
            && moved(former.statuses_per_hundred_messages, now.statuses_per_hundred_messages)
}

/// What is written down of what was learned; nothing without a capacity.
pub(super) fn remembered(learned: Learned, pods_hash: &str) -> Option<LearnedStatus> {
    Some(LearnedStatus {
        records_per_second: two_digits(learned.capacity?),
        statuses_per_hundred_messages: whole(learned.statuses_per_message * 100.0),
        pods: pods_hash.to_owned(),
    })
}

/// What was written down, as far as it is about pods like these.
pub(super) fn recalled(written: Option<&LearnedStatus>, pods_hash: &str) -> Learned {
    let Some(written) = written else { return Learned::default() };
    Learned {
        capacity: (written.pods == pods_hash && written.records_per_second > 0)
            .then(|| f64::from(written.records_per_second)),
        statuses_per_message: f64::from(written.statuses_per_hundred_messages.max(0)) / 100.0,
    }
}

/// Rounded to two digits, at least 1.
fn two_digits(rate: f64) -> i32 {
    let unit = 10_f64.powf((rate.max(1.0).log10().floor() - 1.0).max(0.0));
    whole((rate / unit).round() * unit).max(1)
}

#[allow(clippy::cast_possible_truncation, reason = "floats are cut to the bounds of the integer")]
fn whole(value: f64) -> i32 {
    value.round() as i32
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::scaling::Measures;

    const SOON: Duration = Duration::from_secs(1);

    fn decision(verdict: Verdict, drain_seconds: f64) -> Decision {
        let measures = Measures { drain_seconds: Some(drain_seconds), ..Measures::default() };
        Decision { measures, desired: 2, verdict }
    }

    fn situation(decision: &Decision) -> Situation<'_> {
        Situation { enabled: true, decision, error: None, foreigner: None, last_change: None }
    }

    fn learned(records_per_second: i32) -> Option<LearnedStatus> {
        Some(LearnedStatus { records_per_second, statuses_per_hundred_messages: 300, pods: "p".into() })
    }

    fn view(decision: &Decision) -> View {
        View::following(None, SOON, &situation(decision), learned(200))
    }

    const KEEP: Verdict = Verdict::Keep { limited: None };

    #[rstest]
    #[case(0.0, 0)]
    #[case(0.2, 1)]
    #[case(5.0, 5)]
    #[case(5.1, 10)]
    #[case(4000.0, 86400)]
    #[case(1e12, 86400)]
    fn the_lag_is_rounded_up_to_a_step(#[case] seconds: f64, #[case] step: i32) {
        assert_eq!(lag_step(seconds), step);
    }

    #[test]
    fn a_lag_that_moves_is_shown_every_fifteen_seconds() {
        let before = view(&decision(KEEP, 3.0));
        let now = decision(KEEP, 40.0);
        assert_eq!(View::following(Some(&before), SOON, &situation(&now), learned(200)), before);
        let later = View::following(Some(&before), LAG_EVERY, &situation(&now), learned(200));
        assert_eq!(later.lag_seconds, Some(60));
    }

    #[test]
    fn another_reason_is_shown_at_once() {
        let before = view(&decision(KEEP, 0.0));
        let now = decision(Verdict::Hold(Hold::NotAdvancing), 0.0);
        let shown = View::following(Some(&before), SOON, &situation(&now), learned(200));
        assert_eq!((shown.verdict.reason.as_str(), shown.verdict.status()), ("NotAdvancing", "False"));
    }

    #[rstest]
    #[case::a_little(230, 200)]
    #[case::much(250, 250)]
    fn what_was_learned_is_written_down_again_when_it_moved_much(#[case] now: i32, #[case] shown: i32) {
        let steady = decision(KEEP, 0.0);
        let before = view(&steady);
        let after = View::following(Some(&before), LAG_EVERY, &situation(&steady), learned(now));
        assert_eq!(after.learned, learned(shown));
    }

    #[test]
    fn what_was_learned_comes_back_for_pods_that_run_the_same() {
        let written = remembered(Learned { capacity: Some(1234.0), statuses_per_message: 2.5 }, "p").unwrap();
        assert_eq!(written.records_per_second, 1200);
        assert_eq!(recalled(Some(&written), "p"), Learned { capacity: Some(1200.0), statuses_per_message: 2.5 });
        assert_eq!(recalled(Some(&written), "q"), Learned { capacity: None, statuses_per_message: 2.5 });
        assert_eq!(recalled(None, "p"), Learned::default());
    }

    #[rstest]
    #[case(0.2, 1)]
    #[case(7.4, 7)]
    #[case(99.0, 99)]
    #[case(104.0, 100)]
    #[case(1250.0, 1300)]
    fn a_capacity_is_written_with_two_digits(#[case] rate: f64, #[case] written: i32) {
        assert_eq!(two_digits(rate), written);
    }

    #[test]
    fn who_else_set_the_number_is_named_with_the_remedy() {
        let steady = decision(KEEP, 0.0);
        let foreigner = Foreigner { manager: "kubectl".into(), respect: Duration::from_secs(300) };
        let verdict = Situation { foreigner: Some(&foreigner), ..situation(&steady) }.verdict();
        assert_eq!(verdict.reason, "ReplicasSetElsewhere");
        assert!(verdict.message.contains("set by kubectl; that is respected for 300 s"), "{}", verdict.message);
    }
}
