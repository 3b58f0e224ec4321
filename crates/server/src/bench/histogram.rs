//! A histogram with logarithmic buckets: constant memory, and no value is off by more than 1/32.

/// Each power of two is split into this many equal buckets.
const SPLIT: u64 = 32;
const SPLIT_BITS: u32 = SPLIT.ilog2();
/// Enough for 2^40 microseconds, which is twelve days.
const BUCKETS: usize = (SPLIT as usize) * 36;

/// Counts of microseconds.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.buckets[bucket_of(value)] += 1;
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets.fill(0);
        self.count = 0;
        self.max = 0;
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest value, exactly.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that `share` (0 to 1) of all values do not exceed.
    pub fn quantile(&self, share: f64) -> u64 {
        let wanted = ((self.count as f64) * share).ceil().max(1.0) as u64;
        let mut passed = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            passed += count;
            if passed >= wanted {
                return top_of(bucket).min(self.max);
            }
        }
        self.max
    }
}

/// Values below `SPLIT` have a bucket each; from there the leading bits decide.
fn bucket_of(value: u64) -> usize {
    if value < SPLIT {
        return value as usize;
    }
    let shift = value.ilog2() - SPLIT_BITS;
    let within = (value >> shift) - SPLIT;
    let bucket = u64::from(shift + 1) * SPLIT + within;
    (bucket as usize).min(BUCKETS - 1)
}

/// The largest value that falls into `bucket`.
fn top_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SPLIT {
        return bucket;
    }
    let shift = bucket / SPLIT - 1;
    ((SPLIT + bucket % SPLIT + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_a_bucket_that_is_at_most_a_thirty_second_too_wide() {
        let mut value = 1_u64;
        while value < 1 << 39 {
            let top = top_of(bucket_of(value));
            assert!(top >= value && top - value <= value / 32, "{value} is reported as {top}");
            value += value / 7 + 1;
        }
    }

    #[test]
    fn quantiles_split_the_values_where_they_should() {
        let mut histogram = Histogram::default();
        for value in 1..=1000 {
            histogram.record(value);
        }
        for (share, exact) in [(0.5, 500), (0.99, 990), (0.999, 999)] {
            let found = histogram.quantile(share);
            assert!((exact..=exact + exact / 32).contains(&found), "{share}: {found}");
        }
        assert_eq!((histogram.max(), histogram.count()), (1000, 1000));
    }

    #[test]
    fn a_value_beyond_the_last_bucket_is_still_counted() {
        let mut histogram = Histogram::default();
        histogram.record(u64::MAX);
        assert_eq!((histogram.count(), histogram.max()), (1, u64::MAX));
    }
}
