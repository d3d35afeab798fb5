//! What users of other autoscalers complain of. Each is the number of an issue of KEDA.

use super::routers::{POLL, Routers};
use crate::scaling::{Cause, Committed, Hold, Limit, Pods, Verdict};

#[test]
fn keda_4483_never_one_replica_more_than_partitions() {
    let mut routers = Routers::known(1, 100).backlog(10_000_000);
    let decision = routers.watch(15, 5_000);
    assert!(matches!(decision.verdict, Verdict::Scale { from: 1, to: 12, .. }), "{decision:?}");
    routers.scale(12);
    assert_eq!(routers.watch(120, 5_000).verdict, Verdict::Keep { limited: Some(Limit::AtMaximum) });
    routers.scale(13);
    let decision = routers.poll(5_000);
    assert!(matches!(decision.verdict, Verdict::Scale { from: 13, to: 12, .. }), "{decision:?}");
}

#[test]
fn keda_5906_without_committed_offsets_only_what_is_kept_counts() {
    let mut routers = Routers::known(1, 100);
    for partition in &mut routers.offsets.messages {
        (partition.low, partition.high, partition.committed) = (70_000_000, 70_000_100, Committed::NoneYet);
    }
    routers.pods = Some(Pods::Unknown);
    routers.look(Pods::Unknown);
    let decision = routers.look(Pods::Unknown);
    assert_eq!(decision.verdict, Verdict::Keep { limited: None });
    assert_eq!(decision.measures.backlog, Some(1_200.0));
}

#[test]
fn keda_2612_an_empty_log_without_committed_offsets_is_no_work() {
    for committed in [Committed::NoneYet, Committed::At(-1), Committed::At(-2)] {
        let mut routers = Routers::known(1, 100);
        for partition in &mut routers.offsets.messages {
            (partition.low, partition.high, partition.committed) = (5_000_000, 5_000_000, committed);
        }
        routers.look(Pods::Unknown);
        let decision = routers.look(Pods::Unknown);
        assert_eq!(decision.verdict, Verdict::Keep { limited: None }, "{committed:?}");
        assert_eq!(decision.measures.backlog, Some(0.0), "{committed:?}");
    }
}

#[test]
fn keda_5675_markers_of_transactions_are_no_work() {
    let mut routers = Routers::unknown(3, 100);
    routers.capacity = 0;
    for partition in &mut routers.offsets.messages {
        partition.high += 2;
    }
    routers.pods = Some(Pods::Stable { busy: 0.01 });
    let decision = routers.watch(60, 0);
    assert_eq!(decision.measures.backlog, Some(0.0));
    let decision = routers.watch(300, 0);
    assert!(matches!(decision.verdict, Verdict::Scale { from: 3, to: 1, .. }), "{decision:?}");
}

#[test]
fn keda_5675_a_few_records_that_busy_pods_work_on_are_work() {
    let mut routers = Routers::unknown(3, 100);
    routers.capacity = 0;
    for partition in &mut routers.offsets.messages {
        partition.high += 2;
    }
    routers.pods = Some(Pods::Stable { busy: 0.9 });
    assert_eq!(routers.watch(60, 0).measures.backlog, Some(24.0));
}

#[test]
fn keda_7936_deleted_records_are_neither_lag_nor_progress() {
    for committed in [Committed::NoneYet, Committed::At(1_000)] {
        let mut routers = Routers::unknown(1, 0).backlog(12_000_000);
        for partition in &mut routers.offsets.messages {
            partition.committed = committed;
        }
        assert!(routers.watch(10, 0).measures.backlog > Some(11_900_000.0));
        for step in 1..=20 {
            for partition in &mut routers.offsets.messages {
                partition.low = partition.high * step / 20;
            }
            routers.look(Pods::Stable { busy: 1.0 });
        }
        let decision = routers.poll(0);
        assert_eq!(decision.measures.backlog, Some(0.0));
        assert_eq!(routers.window.learned().capacity, None);
    }
}

#[test]
fn keda_5096_a_backlog_is_worked_off_before_replicas_are_taken_away() {
    let mut routers = Routers::known(1, 100).backlog(60_000);
    routers.policy.stabilization = std::time::Duration::ZERO;
    routers.follow(30, 10);
    assert_eq!(routers.replicas, 6);
    let mut held = 0;
    while routers.replicas == 6 {
        let waiting = routers.lag();
        let decision = routers.poll(10);
        match decision.verdict {
            Verdict::Scale { to, .. } => {
                assert!(waiting < 6.0 * 100.0 * 10.0, "{waiting} records were waiting");
                routers.scale(to);
            }
            verdict => held += u32::from(verdict == Verdict::Hold(Hold::Draining)),
        }
    }
    assert!(held > 5, "{held}");
}

#[test]
fn keda_7092_no_more_routers_when_more_did_not_finish_more() {
    let mut routers = Routers::unknown(2, 120).backlog(100_000);
    routers.downstream = 240;
    routers.policy.max = 6;
    routers.follow(60, 480);
    assert_eq!(routers.replicas, 6);
    assert_eq!(routers.poll(480).verdict, Verdict::Hold(Hold::DownstreamBound { enough: 2 }));
    // The figure of before the step stays: the others are not slower, they wait.
    assert_eq!(routers.window.learned().capacity, Some(120.0));

    let mut asked = Vec::new();
    for _ in 0..600 / POLL {
        if let Verdict::Scale { to, need, .. } = routers.poll(480).verdict {
            asked.push((to, need.cause));
            routers.scale(to);
        }
    }
    assert_eq!(asked, [(2, Cause::Downstream)]);
    assert_eq!(routers.poll(480).verdict, Verdict::Hold(Hold::DownstreamBound { enough: 2 }));
}

#[test]
fn keda_7092_a_bottleneck_that_is_gone_is_noticed_by_a_small_step() {
    let mut routers = Routers::unknown(2, 100).backlog(100_000);
    routers.downstream = 200;
    routers.follow(600, 400);
    assert_eq!(routers.replicas, 2);
    routers.downstream = i64::MAX;
    let mut counts = Vec::new();
    for _ in 0..900 / POLL {
        if let Verdict::Scale { to, .. } = routers.poll(400).verdict {
            counts.push(to);
            routers.scale(to);
        }
    }
    assert_eq!(counts, [3, 12]);
}

#[test]
fn routers_that_are_slow_because_the_broker_was_away_are_not_taken_for_too_many() {
    let mut routers = Routers::unknown(2, 120).backlog(100_000);
    routers.policy.max = 6;
    while routers.replicas == 2 {
        if let Verdict::Scale { to, .. } = routers.poll(480).verdict {
            routers.scale(to);
        }
    }
    routers.readable = false;
    routers.watch(15, 480);
    routers.readable = true;
    // They find it again one after the other.
    routers.downstream = 240;
    for _ in 0..60 / POLL {
        let verdict = routers.poll(480).verdict;
        assert!(!matches!(verdict, Verdict::Hold(Hold::DownstreamBound { .. })), "{verdict:?}");
    }
    assert_eq!(routers.replicas, 6);
}

#[test]
fn keda_4098_a_broker_that_cannot_be_asked_changes_nothing() {
    let mut routers = Routers::known(4, 100);
    routers.follow(600, 250);
    assert_eq!(routers.replicas, 4);
    routers.readable = false;
    for _ in 0..3600 / POLL {
        let decision = routers.look(Pods::Unknown);
        assert_eq!((decision.desired, decision.verdict), (4, Verdict::Hold(Hold::OffsetsUnreadable)));
    }
    // What was before the gap is long ago, and what is after it too short to take replicas away.
    routers.readable = true;
    for _ in 0..290 / POLL {
        assert_eq!(routers.poll(10).desired, 4);
    }
}
