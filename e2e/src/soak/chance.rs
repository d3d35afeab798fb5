//! Which pod is the next, from a seed: a run that found something can be made again. Pure.

/// Numbers that follow from a seed: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
/// 2014).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Those of this seed.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// One of the numbers below `bound`; 0 where there is none.
    pub fn draw(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // Below the bound, so it fits.
        usize::try_from(mixed % bound.max(1) as u64).unwrap_or_default()
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
