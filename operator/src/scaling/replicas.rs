//! From need to a count. Partitions cannot be split, and the replica with the most of them counts:
//! between 6 and 11 replicas, one of 12 partitions has two on its busiest replica all the same.

/// Replicas for a need, as partitions allow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    /// The count, from 1 to the partitions.
    pub(super) replicas: u32,
    /// The partition that needs most, when that is more than a replica can do: its place in the list.
    pub(super) skewed: Option<usize>,
}

/// What goes with a partition that fills a replica alone may take this share of the replica.
const BESIDE_A_FULL_ONE: f64 = 0.05;

/// The smallest count at which no replica has more to do than `capacity`; `needs` is what each
/// partition needs, in the same unit.
pub(super) fn fit(needs: &[f64], capacity: f64) -> Fit {
    let partitions = needs.len().max(1) as u32;
    let (mut sum, mut most, mut skewed) = (0.0, 0.0_f64, None);
    let mut over = capacity;
    for (index, need) in needs.iter().enumerate() {
        if *need > over {
            over = *need;
            skewed = Some(index);
        }
        let need = need.min(capacity);
        sum += need;
        most = most.max(need);
    }
    // What is beside the partition that needs most, were it the mean of the others.
    let beside = (sum - most) / f64::from(partitions - 1).max(1.0);
    let room = (capacity - most).max(capacity * BESIDE_A_FULL_ONE);
    let fits = |count: u32| {
        let others = f64::from(partitions.div_ceil(count) - 1);
        sum <= f64::from(count) * capacity * ROUNDING && others * beside <= room * ROUNDING
    };
    let replicas = (1..partitions).find(|count| fits(*count)).unwrap_or(partitions);
    Fit { replicas, skewed }
}

/// Sums are not exact.
const ROUNDING: f64 = 1.0 + 1e-9;

/// The smallest count from `count` on at which the busiest replica has fewer partitions than with one
/// less; at most the partitions.
pub(super) fn level_from(count: u32, partitions: u32) -> u32 {
    let partitions = partitions.max(1);
    (count.max(1)..partitions).find(|count| is_level(*count, partitions)).unwrap_or(partitions)
}

fn is_level(count: u32, partitions: u32) -> bool {
    partitions.div_ceil(partitions.div_ceil(count)) == count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_need_is_rounded_up_to_where_the_busiest_replica_gets_fewer_partitions() {
        let even = |sum: f64| fit(&[sum / 12.0; 12], 1.0).replicas;
        let counts: Vec<_> = [0.0, 0.9, 1.0, 1.1, 2.0, 3.1, 4.5, 5.9, 6.1, 11.9, 12.0].map(even).into();
        assert_eq!(counts, [1, 1, 1, 2, 2, 4, 6, 6, 12, 12, 12]);
    }

    #[test]
    fn a_partition_beyond_one_replica_counts_as_one_and_is_named() {
        let mut needs = [0.001; 12];
        needs[7] = 20.0;
        assert_eq!(fit(&needs, 1.0), Fit { replicas: 2, skewed: Some(7) });
    }

    #[test]
    fn a_partition_that_needs_a_whole_replica_gets_it_nearly_for_itself() {
        let mut needs = [0.04; 12];
        needs[0] = 20.0;
        assert_eq!(fit(&needs, 1.0).replicas, 6);
    }

    #[test]
    fn a_count_between_levels_rises_to_the_next() {
        assert_eq!([0, 1, 4, 5, 7, 12, 40].map(|count| level_from(count, 12)), [1, 1, 4, 6, 12, 12, 12]);
    }
}
