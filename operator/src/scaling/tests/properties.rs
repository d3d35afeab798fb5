//! What holds for whatever is found.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::routers::Routers;
use crate::scaling::{
    Committed, Hold, Learned, Offsets, PartitionOffsets, Pods, Policy, Sample, Verdict, Window, decide,
};

fn any_policy() -> impl Strategy<Value = Policy> {
    (1_u32..40, 10_u64..3600, 0.1_f64..=1.0, 0_u64..3600, 0_u64..600, 0_u64..60)
        .prop_flat_map(|rest| (1..=rest.0, 1..=rest.0, Just(rest)))
        .prop_map(|(one, other, (partitions, drain, target_utilization, stabilization, cooldown, rebalance))| Policy {
            min: one.min(other),
            max: one.max(other),
            partitions,
            drain_target: Duration::from_secs(drain),
            target_utilization,
            stabilization: Duration::from_secs(stabilization),
            cooldown: Duration::from_secs(cooldown),
            rebalance: Duration::from_secs(rebalance),
        })
}

fn any_partition() -> impl Strategy<Value = PartitionOffsets> {
    let offset = prop_oneof![0_i64..100_000, any::<i64>()];
    let committed = prop_oneof![offset.clone().prop_map(Committed::At), Just(Committed::NoneYet)];
    (0..40_i32, offset.clone(), offset, committed).prop_map(|(partition, low, high, committed)| PartitionOffsets {
        partition,
        low,
        high,
        committed,
    })
}

fn any_pods() -> impl Strategy<Value = Pods> {
    let busy = prop_oneof![0.0_f64..=1.0, any::<f64>()];
    prop_oneof![busy.prop_map(|busy| Pods::Stable { busy }), Just(Pods::Rebalancing), Just(Pods::Unknown)]
}

/// Seconds since the sample before, and the rest of a sample.
fn any_sample() -> impl Strategy<Value = (u64, Sample)> {
    let offsets = (vec(any_partition(), 0..6), vec(any_partition(), 0..6))
        .prop_map(|(messages, statuses)| Offsets { messages, statuses });
    (0_u64..200, 0_u32..50, any_pods(), option::weighted(0.9, offsets))
        .prop_map(|(passed, replicas, pods, offsets)| (passed, Sample { at: Duration::ZERO, replicas, pods, offsets }))
}

fn any_learned() -> impl Strategy<Value = Learned> {
    (option::of(any::<f64>()), any::<f64>())
        .prop_map(|(capacity, statuses_per_message)| Learned { capacity, statuses_per_message })
}

/// What is wanted after six minutes of the same.
fn desired(replicas: u32, arrival: i64, backlog: i64) -> u32 {
    Routers::known(replicas, 120).backlog(backlog).watch(360, arrival).desired
}

proptest! {
    #[test]
    fn nothing_that_can_be_found_leads_out_of_the_bounds_or_to_a_figure_that_is_none(
        learned in any_learned(), policy in any_policy(), samples in vec(any_sample(), 1..30),
    ) {
        let mut window = Window::starting_with(learned);
        let mut at = Duration::ZERO;
        for (passed, sample) in samples {
            at += Duration::from_secs(passed);
            window.push(Sample { at, ..sample });
            let decision = decide(&window, &policy);
            prop_assert!((policy.min..=policy.max).contains(&decision.desired), "{decision:?}");
            let measures = decision.measures;
            for figure in [measures.arrival, measures.capacity, measures.backlog, measures.drain_seconds] {
                prop_assert!(figure.is_none_or(|figure| figure.is_finite() && figure >= 0.0), "{measures:?}");
            }
            if let Verdict::Scale { from, to, need } = &decision.verdict {
                prop_assert!(from != to && decision.desired == *to);
                prop_assert!(need.replicas.is_none_or(|replicas| replicas.is_finite() && replicas >= 0.0), "{need:?}");
            }
            let learned = window.learned();
            prop_assert!(learned.capacity.is_none_or(|capacity| capacity.is_finite() && capacity > 0.0));
            prop_assert!((0.0..=10.0).contains(&learned.statuses_per_message));
        }
    }

    #[test]
    fn the_same_samples_make_the_same_decision(
        learned in any_learned(), policy in any_policy(), samples in vec(any_sample(), 1..20),
    ) {
        let decision = || {
            let mut window = Window::starting_with(learned);
            let mut at = Duration::ZERO;
            for (passed, sample) in &samples {
                at += Duration::from_secs(*passed);
                window.push(Sample { at, ..sample.clone() });
            }
            decide(&window, &policy)
        };
        prop_assert_eq!(decision(), decision());
    }

    #[test]
    fn more_backlog_never_means_fewer_routers(
        replicas in 1_u32..=12, arrival in 0_i64..2_000, backlog in 0_i64..2_000_000, more in 0_i64..2_000_000,
    ) {
        prop_assert!(desired(replicas, arrival, backlog) <= desired(replicas, arrival, backlog + more));
    }

    #[test]
    fn more_arrival_never_means_fewer_routers(
        replicas in 1_u32..=12, arrival in 0_i64..2_000, more in 0_i64..2_000, backlog in 0_i64..2_000_000,
    ) {
        prop_assert!(desired(replicas, arrival, backlog) <= desired(replicas, arrival + more, backlog));
    }

    #[test]
    fn what_is_unknown_changes_nothing(
        policy in any_policy(), samples in vec(any_sample(), 0..20), replicas in 1_u32..40, readable in any::<bool>(),
    ) {
        let mut window = Window::starting_with(Learned { capacity: Some(50.0), statuses_per_message: 0.0 });
        let mut at = Duration::ZERO;
        for (passed, sample) in samples {
            at += Duration::from_secs(passed + 1);
            window.push(Sample { at, ..sample });
        }
        let replicas = replicas.clamp(policy.min, policy.max);
        let (pods, offsets) = match readable {
            true => (Pods::Rebalancing, Some(Offsets::default())),
            false => (Pods::Stable { busy: 1.0 }, None),
        };
        window.push(Sample { at: at + Duration::from_secs(5), replicas, pods, offsets });
        let decision = decide(&window, &policy);
        let hold = if readable { Hold::Rebalancing } else { Hold::OffsetsUnreadable };
        // Fewer partitions than the resource says are a bound, and bounds hold whatever is unknown.
        if !matches!(decision.verdict, Verdict::Scale { .. }) {
            prop_assert_eq!((decision.desired, decision.verdict), (replicas, Verdict::Hold(hold)));
        }
    }
}
