//! The check values of the newest events and ledger rows, by their dense numbers.

use std::collections::VecDeque;

use crate::limits;

/// One check value for each number; the oldest are forgotten.
#[derive(Debug, Default)]
pub(super) struct Checks {
    first: u64,
    values: VecDeque<u32>,
}

impl Checks {
    /// Knows only that `number` has this value.
    pub(super) fn starting(number: u64, check: u32) -> Self {
        Self { first: number, values: VecDeque::from([check]) }
    }

    /// Knows these values of the numbers up to `last`.
    pub(super) fn ending(last: u64, values: Vec<u32>) -> Self {
        let first = (last + 1).saturating_sub(values.len() as u64);
        Self { first, values: values.into() }
    }

    /// Every known value, oldest first.
    pub(super) fn all(&self) -> Vec<u32> {
        self.values.iter().copied().collect()
    }

    /// The value of the next number.
    pub(super) fn push(&mut self, check: u32) {
        self.values.push_back(check);
        if self.values.len() > limits::CHECKS {
            self.values.pop_front();
            self.first += 1;
        }
    }

    /// The value of a number, or 0 where it is not known (any more).
    pub(super) fn of(&self, number: u64) -> u32 {
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.values.get(place)).copied().unwrap_or(0)
    }

    /// Is this value that of another event than the one that stands here under the number? What is
    /// not known on either side contradicts nothing.
    pub(super) fn contradict(&self, number: u64, check: u32) -> bool {
        let known = self.of(number);
        check != 0 && known != 0 && check != known
    }
}
