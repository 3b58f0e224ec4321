//! A token bucket with time as an argument: 8 bytes of state for each client.

use crate::limits::Millis;

/// How fast and how much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens per second; 0 switches the limit off.
    pub per_second: u32,
    /// Tokens that may be saved up.
    pub burst: u32,
}

/// The state of one client's bucket.
///
/// It holds the moment at which the bucket would be full again, so a fresh bucket is simply zero
/// and an idle one needs no upkeep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    full_at_us: u64,
}

impl Bucket {
    /// Takes one token, or says in how many milliseconds the next one will be there.
    ///
    /// ```
    /// use deskbell_core::rate::{Bucket, Rate};
    /// let rate = Rate { per_second: 10, burst: 2 };
    /// let mut bucket = Bucket::default();
    /// assert!(bucket.take(rate, 1_000).is_ok());
    /// assert!(bucket.take(rate, 1_000).is_ok());
    /// assert_eq!(bucket.take(rate, 1_000), Err(100));
    /// assert!(bucket.take(rate, 1_100).is_ok());
    /// ```
    pub fn take(&mut self, rate: Rate, now: Millis) -> Result<(), Millis> {
        if rate.per_second == 0 {
            return Ok(());
        }
        let (now_us, token_us) = (now * 1_000, 1_000_000 / u64::from(rate.per_second).min(1_000_000));
        let full_at = self.full_at_us.max(now_us) + token_us;
        let latest = now_us + token_us * u64::from(rate.burst.max(1));
        if full_at > latest {
            return Err((full_at - latest).div_ceil(1_000));
        }
        self.full_at_us = full_at;
        Ok(())
    }

    /// Nothing is taken out: forgetting this bucket changes nothing.
    pub fn is_full(&self, now: Millis) -> bool {
        self.full_at_us <= now * 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// In no window does a client get more than its burst and what the window earns.
        #[test]
        fn never_more_than_burst_and_rate(gaps in proptest::collection::vec(0u64..50, 1..300), per_second in 1u32..200, burst in 1u32..20) {
            let rate = Rate { per_second, burst };
            let (mut bucket, mut now, mut granted) = (Bucket::default(), 1_000_000u64, 0u64);
            let start = now;
            for gap in gaps {
                now += gap;
                granted += u64::from(bucket.take(rate, now).is_ok());
                let token_us = 1_000_000 / u64::from(per_second);
                let earned = (now - start) * 1_000 / token_us;
                prop_assert!(granted <= u64::from(burst) + earned);
            }
        }

        /// Whoever waits as told gets a token.
        #[test]
        fn waiting_helps(per_second in 1u32..200, burst in 1u32..20) {
            let rate = Rate { per_second, burst };
            let (mut bucket, mut now) = (Bucket::default(), 5_000);
            for _ in 0..100 {
                if let Err(wait) = bucket.take(rate, now) {
                    now += wait;
                    prop_assert!(bucket.take(rate, now).is_ok());
                }
            }
        }
    }
}
