//! The aims of the scaling, on the model.

use std::sync::LazyLock;
use std::time::Duration;

use chat4all_operator::scaling::{Verdict, Window, decide};

use crate::curves::{CAPACITY, curve, even};
use crate::group::Group;
use crate::rules::{Ours, policy};
use crate::run::run;
use crate::table::Table;

static TABLE: LazyLock<Table> = LazyLock::new(Table::of_all_curves);

/// The smallest count of those at which the busiest replica has fewer partitions.
fn level(replicas: f64) -> u32 {
    [1, 2, 3, 4, 6].into_iter().find(|count| f64::from(*count) >= replicas).unwrap_or(12)
}

#[test]
fn a_step_load_gets_the_right_count_in_one_step() {
    for (number, height) in (200..2400_u32).step_by(50).enumerate() {
        let step =
            curve("step", 580.0, 300.0, None, move |time| even(if time < 300.0 { 100.0 } else { f64::from(height) }));
        let outcome = run(&step, &mut Ours::new(), number as u32);
        // Pods differ by 5 %, and the rule has a tolerance: so near to a level, both counts are right.
        let need = f64::from(height) / policy().target_utilization / CAPACITY;
        let right = level(need / 1.1)..=level(need * 1.05);
        assert!(right.contains(&outcome.largest), "{height}/s: {} is not in {right:?}", outcome.largest);
        let steps = if right.start() == right.end() { 1.0 } else { 2.0 };
        assert!(outcome.changes <= steps, "{height}/s: {} changes", outcome.changes);
    }
}

#[test]
fn no_threshold_drains_as_fast_with_as_few_replica_seconds_on_any_curve() {
    for row in &TABLE.0 {
        for (threshold, usual) in &row.usual {
            let as_good = usual.drain <= row.ours.drain && usual.replica_seconds <= row.ours.replica_seconds;
            assert!(!as_good, "{}, threshold {threshold}: {usual:?} against {:?}", row.curve, row.ours);
        }
    }
}

#[test]
fn a_threshold_that_drains_as_fast_spends_more_replica_seconds_on_every_curve() {
    for row in &TABLE.0 {
        let (threshold, usual) = row.rival();
        assert!(
            row.ours.replica_seconds < usual.replica_seconds,
            "{}, {threshold}: {usual:?} against {:?}",
            row.curve,
            row.ours
        );
    }
}

#[test]
fn a_bottleneck_behind_the_routers_is_not_pressed_any_harder() {
    let row = TABLE.0.iter().find(|row| row.curve == "bottleneck behind").expect("it is in the table");
    assert!(row.ours.replica_seconds < 0.5 * row.rival().1.replica_seconds, "{:?}", row.ours);
}

#[test]
fn a_backlog_is_gone_within_the_target_after_one_step() {
    let mut group = Group::new(1, 1);
    let mut window = Window::default();
    // Held at one replica, 42,000 records gather.
    while group.lag() < 42_000 {
        look(&mut group, &mut window, 900.0);
    }
    let (began, mut counts) = (group.now(), Vec::new());
    while group.oldest() > 2.0 {
        if let Verdict::Scale { to, .. } = look(&mut group, &mut window, 100.0) {
            counts.push(to);
            group.scale(to);
        }
    }
    let took = Duration::from_secs_f64(group.now() - began);
    assert_eq!(counts, [3]);
    assert!(took <= policy().drain_target, "{took:?}");
}

fn look(group: &mut Group, window: &mut Window, messages: f64) -> Verdict {
    for _ in 0..10 {
        group.tick(&even(messages));
    }
    window.push(group.look());
    decide(window, &policy()).verdict
}

#[test]
fn a_noisy_constant_load_does_not_flap() {
    for number in 0..40 {
        // From a tenth of a replica to all of them, many of them near a change of the count.
        let messages = 20.0 + 37.0 * f64::from(number);
        let constant = |seconds| curve("constant", seconds, 0.0, None, move |_| even(messages));
        let changes = |seconds| run(&constant(seconds), &mut Ours::new(), number).changes;
        let (first, all) = (changes(1200.0), changes(3600.0));
        assert!(first <= 3.0, "{messages}/s: {first} changes in twenty minutes");
        assert!(all <= first, "{messages}/s: {} changes later on", all - first);
    }
}
