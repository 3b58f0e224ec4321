//! Counts, per connection and channel, what was lost, repeated or came in the wrong order.
//!
//! Publishes are numbered from 0 in each channel. Several of them may be on their way at once, over different
//! HTTP connections, and then the server alone decides their order; so a number that is skipped counts as
//! lost only until it arrives, if that happens within the next `SPAN` numbers.

/// How far back a late number is still recognised. The publisher never lets numbers be further apart.
pub const SPAN: u32 = 64;

/// What all connections saw, added up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Numbers seen for the first time.
    pub fresh: u64,
    /// Numbers that never came.
    pub lost: u64,
    /// Numbers that came again.
    pub duplicated: u64,
    /// Numbers that came after a higher one.
    pub reordered: u64,
    /// Numbers that never came, and the server said so with a `reset`.
    pub declared: u64,
}

/// What one connection has seen of one channel.
#[derive(Debug, Default, Clone)]
pub struct Sequence {
    /// The lowest number that is higher than all seen.
    next: u32,
    /// The server has said that there is a gap here.
    reset: bool,
    /// Bit `n`: the number `next - 1 - n` has been seen.
    seen: u64,
}

impl Sequence {
    /// Takes note of a number that arrived; true when it is the first time.
    pub fn see(&mut self, number: u32, tally: &mut Tally) -> bool {
        if number < self.next {
            return self.see_late(number, tally);
        }
        let gap = number - self.next;
        if gap == 0 {
            self.seen = self.seen << 1 | 1;
        } else if self.reset {
            tally.declared += u64::from(gap);
            // What lies before a declared gap is not owed any more.
            self.seen = u64::MAX;
        } else {
            tally.lost += u64::from(gap);
            self.seen = self.seen.checked_shl(gap + 1).unwrap_or(0) | 1;
        }
        self.reset = false;
        self.next = number + 1;
        tally.fresh += 1;
        true
    }

    fn see_late(&mut self, number: u32, tally: &mut Tally) -> bool {
        let bit = 1_u64.checked_shl(self.next - 1 - number);
        match bit {
            Some(bit) if self.seen & bit == 0 => {
                self.seen |= bit;
                tally.lost -= 1;
                tally.reordered += 1;
                tally.fresh += 1;
                true
            }
            _ => {
                tally.duplicated += 1;
                false
            }
        }
    }

    /// The server said that it cannot give everything: the next gap is not a silent one.
    pub fn reset(&mut self) {
        self.reset = true;
    }

    /// The end: `published` numbers were given out in all.
    pub fn finish(&mut self, published: u32, tally: &mut Tally) {
        let missing = u64::from(published.saturating_sub(self.next));
        if self.reset {
            tally.declared += missing;
        } else {
            tally.lost += missing;
        }
        self.next = self.next.max(published);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(numbers: &[u32]) -> (Sequence, Tally) {
        let (mut sequence, mut tally) = (Sequence::default(), Tally::default());
        for &number in numbers {
            sequence.see(number, &mut tally);
        }
        (sequence, tally)
    }

    #[test]
    fn an_unbroken_stream_leaves_nothing_to_report() {
        let (mut sequence, mut tally) = after(&[0, 1, 2, 3]);
        sequence.finish(4, &mut tally);
        assert_eq!(tally, Tally { fresh: 4, ..Tally::default() });
    }

    #[test]
    fn a_gap_is_lost_and_a_repeat_is_duplicated() {
        let (_, tally) = after(&[0, 1, 4, 4, 5, 0]);
        assert_eq!(tally, Tally { fresh: 4, lost: 2, duplicated: 2, ..Tally::default() });
    }

    #[test]
    fn the_first_and_the_last_count_too() {
        let (mut sequence, mut tally) = after(&[2]);
        sequence.finish(5, &mut tally);
        assert_eq!(tally, Tally { fresh: 1, lost: 4, ..Tally::default() });
    }

    #[test]
    fn a_late_number_is_reordered_once_and_then_a_repeat() {
        let (_, tally) = after(&[0, 2, 3, 1, 1]);
        assert_eq!(tally, Tally { fresh: 4, reordered: 1, duplicated: 1, ..Tally::default() });
    }

    #[test]
    fn a_gap_wider_than_the_span_is_still_counted() {
        let (_, tally) = after(&[0, SPAN, SPAN * 3, 0]);
        let lost = u64::from(SPAN) * 3 - 2;
        assert_eq!(tally, Tally { fresh: 3, lost, duplicated: 1, ..Tally::default() });
    }

    #[test]
    fn a_gap_after_a_reset_is_declared_and_the_one_after_it_is_not() {
        let (mut sequence, mut tally) = after(&[0]);
        sequence.reset();
        for number in [5, 6, 8] {
            sequence.see(number, &mut tally);
        }
        assert_eq!(tally, Tally { fresh: 4, lost: 1, declared: 4, ..Tally::default() });
        sequence.reset();
        sequence.finish(12, &mut tally);
        assert_eq!(tally.declared, 4 + 3);
    }
}
