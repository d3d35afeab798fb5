//! What the scaling does, one sentence each.

use std::time::Duration;

use super::routers::{PARTITIONS, POLL, Routers};
use crate::scaling::{Cause, Committed, Hold, Learned, Limit, Pods, Sample, Verdict, Window, decide};

/// Scaled by a verdict.
fn to(verdict: &Verdict) -> Option<u32> {
    match verdict {
        Verdict::Scale { to, .. } => Some(*to),
        _ => None,
    }
}

#[test]
fn an_empty_window_holds() {
    let routers = Routers::unknown(1, 100);
    assert_eq!(decide(&routers.window, &routers.policy).verdict, Verdict::Hold(Hold::Learning));
}

#[test]
fn what_a_replica_can_do_is_learned_from_busy_ones() {
    let mut routers = Routers::unknown(2, 100);
    assert_eq!(routers.poll(120).verdict, Verdict::Hold(Hold::Learning));
    routers.watch(60, 120);
    let capacity = routers.window.learned().capacity.unwrap();
    assert!((capacity - 100.0).abs() < 2.0, "{capacity}");
}

#[test]
fn what_a_replica_can_do_is_learned_from_a_backlog_when_the_pods_cannot_be_asked() {
    let mut routers = Routers::unknown(2, 120).backlog(100_000);
    routers.pods = Some(Pods::Unknown);
    routers.watch(60, 300);
    assert_eq!(routers.window.learned().capacity, Some(120.0));
}

#[test]
fn a_changed_capacity_is_believed_after_two_looks() {
    let mut routers = Routers::known(2, 120);
    routers.watch(60, 200);
    routers.capacity = 60;
    routers.watch(2 * POLL, 200);
    assert_eq!(routers.window.learned().capacity, Some(60.0));
}

/// Polls of which the first and then only every `lump`-th finds anything committed: what was done since the
/// one before.
fn in_lumps(routers: &mut Routers, polls: usize, lump: usize) {
    let able = routers.capacity;
    for poll in 0..polls {
        routers.capacity = if poll % lump == 0 { able * lump as i64 } else { 0 };
        routers.poll(able * i64::from(routers.replicas));
    }
    routers.capacity = able;
}

#[test]
fn a_replica_that_commits_seldom_is_not_taken_for_a_faster_one() {
    for pods in [Pods::Stable { busy: 1.0 }, Pods::Unknown] {
        for known in [Routers::known, Routers::unknown] {
            let mut routers = known(1, 120).backlog(100_000);
            routers.pods = Some(pods);
            in_lumps(&mut routers, 20, 2);
            assert_eq!(routers.window.learned().capacity, Some(120.0), "{pods:?}");
        }
    }
}

#[test]
fn what_lay_still_for_long_teaches_nothing() {
    let mut routers = Routers::known(1, 120).backlog(100_000);
    routers.pods = Some(Pods::Stable { busy: 1.0 });
    routers.capacity = 0;
    routers.watch(30, 120);
    routers.capacity = 120;
    routers.watch(30, 120);
    assert_eq!(routers.window.learned().capacity, Some(120.0));
}

#[test]
fn samples_around_a_rebalance_teach_nothing() {
    let mut routers = Routers::known(2, 120);
    routers.watch(60, 120);
    routers.capacity = 12;
    for pods in [Pods::Rebalancing, Pods::Stable { busy: 1.0 }, Pods::Rebalancing, Pods::Stable { busy: 1.0 }] {
        routers.pods = Some(pods);
        routers.poll(120);
    }
    let capacity = routers.window.learned().capacity.unwrap();
    assert!((capacity - 120.0).abs() < 1.0, "{capacity}");
}

#[test]
fn a_step_is_followed_in_one_step() {
    let mut routers = Routers::known(1, 120);
    routers.watch(120, 60);
    let verdicts: Vec<_> = (0..3).map(|_| routers.poll(480).verdict).collect();
    assert_eq!(verdicts.iter().filter_map(to).next(), Some(6), "{verdicts:?}");
}

#[test]
fn a_warm_window_jumps_at_once_when_scaling_is_switched_on() {
    let mut routers = Routers::unknown(1, 120);
    routers.watch(300, 480);
    assert_eq!(to(&routers.poll(480).verdict), Some(12));
}

#[test]
fn the_event_tells_all_inputs_in_a_line() {
    let mut routers = Routers::known(1, 120).backlog(12_000);
    routers.watch(15, 60);
    let line = routers.poll(60).verdict.to_string();
    assert_eq!(
        line,
        "routers 1 -> 2: arrival 60/s, capacity 120/s per busy replica, backlog 10800 records, \
         need 1.4 replicas at 70 % utilization and 120 s to drain, 12 partitions"
    );
}

#[test]
fn after_any_change_nothing_is_changed_until_the_cooldown_is_over() {
    let mut routers = Routers::known(1, 120);
    routers.watch(120, 60);
    routers.scale(2);
    let changed = routers.at;
    let mut held = 0;
    while to(&routers.poll(480).verdict).is_none() {
        held += u32::from(decide(&routers.window, &routers.policy).verdict == Verdict::Hold(Hold::CoolingDown));
    }
    assert_eq!(routers.at - changed, 30);
    assert!(held > 0);
}

#[test]
fn replicas_go_when_fewer_were_enough_for_the_whole_stabilization() {
    let mut routers = Routers::known(1, 120);
    routers.follow(600, 480);
    assert_eq!(routers.replicas, 6);
    let began = routers.at;
    while routers.replicas == 6 {
        routers.follow(2 * POLL, 60);
    }
    assert_eq!(routers.replicas, 1);
    assert!((300..340).contains(&(routers.at - began)), "{}", routers.at - began);
}

#[test]
fn a_short_lull_takes_nothing_away() {
    let mut routers = Routers::known(1, 120);
    routers.follow(600, 480);
    for _ in 0..4 {
        routers.follow(240, 60);
        routers.follow(60, 480);
        assert_eq!(routers.replicas, 6);
    }
}

#[test]
fn an_idle_cluster_comes_down_to_the_minimum_without_having_learned_anything() {
    let mut routers = Routers::unknown(5, 100);
    routers.policy.min = 2;
    assert_eq!(routers.watch(120, 0).verdict, Verdict::Hold(Hold::Stabilizing));
    routers.follow(300, 0);
    assert_eq!(routers.replicas, 2);
    assert_eq!(routers.poll(0).verdict, Verdict::Keep { limited: None });
}

#[test]
fn a_trickle_gives_replicas_back_though_nothing_is_learned_from_it() {
    let mut routers = Routers::unknown(6, 100);
    routers.follow(900, 12);
    assert_eq!((routers.replicas, routers.window.learned().capacity), (1, None));
}

#[test]
fn nothing_learned_means_no_change() {
    let mut routers = Routers::unknown(2, 120);
    routers.pods = Some(Pods::Unknown);
    assert_eq!(routers.watch(600, 230).verdict, Verdict::Hold(Hold::Learning));
}

#[test]
fn a_rebalance_is_waited_for() {
    let mut routers = Routers::known(1, 100).backlog(100_000);
    routers.watch(60, 100);
    routers.pods = Some(Pods::Rebalancing);
    assert_eq!(routers.watch(60, 100).verdict, Verdict::Hold(Hold::Rebalancing));
}

#[test]
fn work_that_does_not_advance_is_not_mended_by_more_routers() {
    let mut routers = Routers::known(2, 100);
    routers.watch(60, 100);
    routers.capacity = 0;
    routers.pods = Some(Pods::Stable { busy: 1.0 });
    routers.poll(0);
    let decision = routers.watch(60, 360);
    assert_eq!((decision.desired, decision.verdict), (2, Verdict::Hold(Hold::NotAdvancing)));
    routers.capacity = 100;
    assert!(to(&routers.watch(10, 360).verdict).is_some());
}

#[test]
fn a_hot_partition_is_named_and_does_not_get_more_than_it_can_use() {
    let mut routers = Routers::known(3, 100);
    for partition in &mut routers.offsets.messages {
        partition.committed = Committed::At(0);
    }
    for _ in 0..120 / POLL {
        routers.offsets.messages[7].high += 1_000;
        routers.poll(12);
    }
    assert_eq!(routers.poll(12).verdict, Verdict::Keep { limited: Some(Limit::SkewLimited { partition: 7 }) });
}

#[test]
fn a_count_outside_the_bounds_is_brought_to_them_whatever_is_unknown() {
    let mut routers = Routers::unknown(9, 100);
    (routers.policy.min, routers.policy.max) = (2, 4);
    routers.readable = false;
    let decision = routers.look(Pods::Unknown);
    assert!(matches!(decision.verdict, Verdict::Scale { from: 9, to: 4, .. }), "{decision:?}");
    routers.replicas = 0;
    let decision = routers.look(Pods::Unknown);
    let Verdict::Scale { from: 0, to: 2, need } = decision.verdict else { panic!("{decision:?}") };
    assert_eq!(need.cause, Cause::Bounds);
}

#[test]
fn statuses_that_messages_bring_back_are_work_that_waits_with_them() {
    let mut routers = Routers::unknown(1, 100);
    for _ in 0..300 / POLL {
        for partition in &mut routers.offsets.statuses {
            partition.high += 10;
            partition.committed = Committed::At(partition.high);
        }
        routers.poll(12);
    }
    assert_eq!(routers.window.learned().statuses_per_message, 2.0);
    routers.capacity = 0;
    let measures = routers.watch(100, 12).measures;
    assert_eq!(measures.arrival, Some(12.0 * 3.0));
    assert_eq!(measures.backlog, Some(12.0 * 100.0 * 3.0));
}

#[test]
fn a_topic_made_anew_is_no_arrival() {
    let mut routers = Routers::known(1, 100).backlog(1_200_000);
    for partition in &mut routers.offsets.messages {
        partition.committed = Committed::At(partition.high);
    }
    routers.watch(60, 0);
    for partition in &mut routers.offsets.messages {
        (partition.low, partition.high, partition.committed) = (0, 10, Committed::NoneYet);
    }
    let decision = routers.look(Pods::Unknown);
    assert_eq!((decision.measures.arrival, decision.measures.backlog), (Some(0.0), Some(120.0)));
    assert_eq!(decision.verdict, Verdict::Keep { limited: None });
}

#[test]
fn a_sample_that_is_not_newer_is_left_out() {
    let mut routers = Routers::known(1, 100);
    routers.watch(60, 50);
    let before = decide(&routers.window, &routers.policy);
    routers.window.push(Sample { at: Duration::from_secs(30), replicas: 7, pods: Pods::Unknown, offsets: None });
    assert_eq!(decide(&routers.window, &routers.policy), before);
}

#[test]
fn what_was_learned_is_kept_and_nonsense_is_not() {
    let learned =
        |capacity, statuses_per_message| Window::starting_with(Learned { capacity, statuses_per_message }).learned();
    let kept = Learned { capacity: Some(150.0), statuses_per_message: 2.5 };
    assert_eq!(learned(Some(150.0), 2.5), kept);
    assert_eq!(learned(Some(f64::NAN), f64::INFINITY), Learned::default());
    assert_eq!(learned(Some(-1.0), -3.0), Learned::default());
}

#[test]
fn answers_that_come_some_looks_after_their_message_are_no_arrivals_of_their_own() {
    let mut routers = Routers::known(1, 500);
    let learned = Learned { capacity: Some(500.0), statuses_per_message: 4.0 };
    routers.window = Window::starting_with(learned);
    // A router that gets little time finishes in bursts, and the answers to a burst arrive in the next two looks.
    for look in 0..60 {
        let (finished, answers) = [(100, 0), (0, 200), (0, 200), (0, 0)][look % 4];
        for (message, status) in routers.offsets.messages.iter_mut().zip(&mut routers.offsets.statuses) {
            message.high += 25;
            message.committed = Committed::At(message.position() + finished);
            status.high += answers;
            status.committed = Committed::At(status.high);
        }
        let arrival = routers.look(Pods::Stable { busy: 1.0 }).measures.arrival;
        let sent = (25 * 5 * PARTITIONS) as f64 / POLL as f64;
        if look > 2 {
            let arrival = arrival.expect("it was looked at often enough");
            assert!((arrival / sent - 1.0).abs() < 0.2, "look {look}: {arrival} a second instead of {sent}");
        }
    }
}
