//! Randomness from a seed, the same on every machine.

/// The generator splitmix64, which is a few lines and good enough for arrivals.
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// Starts anew from a seed.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1, without 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `count` things.
    pub fn pick(&mut self, count: usize) -> usize {
        ((self.share() * count as f64) as usize).min(count - 1)
    }

    /// How many of independent arrivals happen where `mean` are expected.
    pub fn arrivals(&mut self, mean: f64) -> u64 {
        if mean > 8.0 {
            // A normal distribution is near enough there: the sum of three shares of -1 to 1 has variance 1.
            let normal = 2.0 * (self.share() + self.share() + self.share()) - 3.0;
            return (mean + mean.sqrt() * normal).round() as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.share(), 0);
        while product > limit {
            product *= self.share();
            count += 1;
        }
        count
    }
}
