//! The loads that the rules are compared on.

use crate::group::{PARTITIONS, World};

/// Records a second of one replica, where it does not vary.
pub const CAPACITY: f64 = 200.0;
/// A day, made shorter so that the table does not take a day's ticks. Steeper is harder to follow.
const DAY: f64 = 3.0 * 3600.0;

/// A load over time.
pub struct Curve {
    /// What the table calls it.
    pub name: &'static str,
    /// How long, seconds.
    pub seconds: f64,
    /// When what is on comes to its change, seconds.
    pub changes_at: f64,
    /// The count that the change needs, where one is right for a while.
    pub right: Option<u32>,
    /// What goes on at a time.
    pub world: Box<dyn Fn(f64) -> World>,
}

/// All that are in the table.
pub fn all() -> Vec<Curve> {
    vec![
        curve("step", 2400.0, 300.0, Some(6), |time| even(if (300.0..1500.0).contains(&time) { 700.0 } else { 100.0 })),
        curve("high step", 2400.0, 300.0, Some(12), |time| {
            even(if (300.0..1500.0).contains(&time) { 1500.0 } else { 50.0 })
        }),
        curve("ramp", 2700.0, 300.0, None, |time| {
            let up = ((time - 300.0) / 600.0).clamp(0.0, 1.0);
            let down = ((time - 1500.0) / 600.0).clamp(0.0, 1.0);
            even(50.0 + 1300.0 * (up - down))
        }),
        curve("spike", 1500.0, 300.0, Some(12), |time| {
            even(if (300.0..360.0).contains(&time) { 2000.0 } else { 100.0 })
        }),
        curve("day cycle", DAY, 0.0, None, |time| even(700.0 - 650.0 * (time / DAY * std::f64::consts::TAU).cos())),
        curve("hot partition", 2400.0, 300.0, None, |time| {
            if !(300.0..900.0).contains(&time) {
                return even(200.0);
            }
            let mut shares = [0.5 / (PARTITIONS - 1) as f64; PARTITIONS];
            shares[3] = 0.5;
            World { shares, ..even(500.0) }
        }),
        curve("capacity varies", 3600.0, 900.0, Some(6), |time| World {
            capacity: if (900.0..2100.0).contains(&time) { CAPACITY / 2.0 } else { CAPACITY },
            ..even(400.0)
        }),
        curve("statuses back", 2400.0, 300.0, Some(6), |time| World {
            statuses_per_message: 3.0,
            ..even(if (300.0..1500.0).contains(&time) { 180.0 } else { 20.0 })
        }),
        curve("bottleneck behind", 3600.0, 300.0, Some(2), |time| World {
            downstream: 350.0,
            ..even(if (300.0..1200.0).contains(&time) { 600.0 } else { 100.0 })
        }),
    ]
}

/// So many messages a second, spread evenly over the partitions, and nothing else.
pub fn even(messages: f64) -> World {
    World {
        messages,
        shares: [1.0 / PARTITIONS as f64; PARTITIONS],
        capacity: CAPACITY,
        downstream: f64::INFINITY,
        statuses_per_message: 0.0,
    }
}

/// A curve by its parts.
pub fn curve(
    name: &'static str,
    seconds: f64,
    changes_at: f64,
    right: Option<u32>,
    world: impl Fn(f64) -> World + 'static,
) -> Curve {
    Curve { name, seconds, changes_at, right, world: Box::new(world) }
}
