//! Chance that can be repeated: the same seed, purpose and number roll the same dice.
//!
//! Every decision rolls dice of its own, named by what it is for. So a decision that is added or
//! left out changes no other one, and a failing seed keeps failing while the code is mended.

/// What dice are rolled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// How far the operation came at which the disk crashed.
    Crash = 1,
    /// What a loss of power left.
    Loss = 2,
    /// How much of a failing write arrived.
    Cut = 3,
    /// What SQLite takes for random.
    Random = 4,
    /// Which faults a plan has.
    Plan = 5,
    /// What people do, and when.
    Program = 6,
    /// What the ledger takes for random.
    Seed = 7,
}

/// A row of rolls (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, purpose: Purpose, number: u64) -> Self {
        let mut dice = Self(seed ^ (purpose as u64) << 56);
        let first = dice.roll();
        Self(first.wrapping_add(number))
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound, or 0 if there is none. The bias of the remainder is of no
    /// consequence here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    pub(crate) fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}
