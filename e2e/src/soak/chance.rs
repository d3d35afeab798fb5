//! Which pod is the next, from a seed: a run that found something can be made again. Pure.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Numbers that follow from a seed.
#[derive(Debug)]
pub struct Chance(StdRng);

impl Chance {
    /// Those of this seed.
    pub fn of(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// One of the numbers below `bound`; 0 where there is none.
    pub fn draw(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound.max(1))
    }
}

/// Which pods of a workload may be deleted, given the longest running first: where there are several, that one is
/// spared, so that its memory can be followed from beginning to end.
pub fn candidates<T>(oldest_first: &[T]) -> &[T] {
    match oldest_first {
        [_, others @ ..] if !others.is_empty() => others,
        all => all,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn drawn(seed: u64, bound: usize) -> Vec<usize> {
        let mut chance = Chance::of(seed);
        (0..60).map(|_| chance.draw(bound)).collect()
    }

    #[test]
    fn a_seed_gives_the_same_order_again_and_another_one_another() {
        assert_eq!(drawn(7, 4), drawn(7, 4));
        assert_ne!(drawn(7, 4), drawn(8, 4));
    }

    #[test]
    fn everybody_has_a_turn_within_an_hour_and_nobody_else() {
        for seed in 1..20 {
            assert_eq!(drawn(seed, 4).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([0, 1, 2, 3]));
        }
        assert_eq!(Chance::of(7).draw(0), 0);
    }

    #[test]
    fn the_oldest_is_spared_unless_it_is_alone() {
        assert_eq!(candidates(&["old", "middle", "new"]), ["middle", "new"]);
        assert_eq!(candidates(&["alone"]), ["alone"]);
        assert!(candidates::<&str>(&[]).is_empty());
    }
}
