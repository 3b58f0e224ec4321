//! A bounded queue between many threads that ask and one that works.
//!
//! It is bounded in entries and in bytes, never makes the asking side wait, and hands the working
//! side everything that gathered while it was busy: that is what makes one fsync serve many.
//! It has two sides. What waits on the first goes before what waits on the second, each has the
//! bounds for itself, and the second is never left without a share.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(super) struct Lane<T> {
    inside: Mutex<Inside<T>>,
    filled: Condvar,
    entries: usize,
    bytes: usize,
}

struct Inside<T> {
    queues: [Queue<T>; 2],
    closed: bool,
    /// The working side waits, so that whoever brings something must wake it.
    asleep: bool,
}

struct Queue<T> {
    waiting: VecDeque<(T, usize)>,
    bytes: usize,
}

/// Where something waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    First,
    Second,
}

/// One part in so many of what is taken at once belongs to the second side while it has something.
const SHARE: usize = 8;

/// Why a lane did not take something. It is handed back.
#[derive(Debug)]
pub(super) enum Refused<T> {
    Full(T),
    Closed(T),
}

/// How long the working side waits where nothing is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    For(Duration),
    Endless,
}

/// What the working side found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Some,
    /// Nothing came in time.
    Nothing,
    /// Nothing is there and nothing will come.
    Closed,
}

impl<T> Lane<T> {
    pub(super) fn new(entries: usize, bytes: usize) -> Self {
        let queues = [(); 2].map(|()| Queue { waiting: VecDeque::new(), bytes: 0 });
        let inside = Inside { queues, closed: false, asleep: false };
        Self { inside: Mutex::new(inside), filled: Condvar::new(), entries, bytes }
    }

    fn inside(&self) -> MutexGuard<'_, Inside<T>> {
        // No code that can panic runs under this lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in, or hands it back at once.
    pub(super) fn offer(&self, side: Side, item: T, weight: usize) -> Result<(), Refused<T>> {
        let mut inside = self.inside();
        if inside.closed {
            return Err(Refused::Closed(item));
        }
        let queue = &mut inside.queues[side as usize];
        // A single item heavier than the bound passes when it is alone, or it never would.
        let too_heavy = queue.bytes + weight > self.bytes && !queue.waiting.is_empty();
        if queue.waiting.len() >= self.entries || too_heavy {
            return Err(Refused::Full(item));
        }
        queue.bytes += weight;
        queue.waiting.push_back((item, weight));
        let wake = std::mem::take(&mut inside.asleep);
        drop(inside);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes what waits, up to a bound but at least one, of each side in the order in which it came.
    pub(super) fn take(&self, entries: usize, bytes: usize, wait: Patience, into: &mut Vec<T>) -> Taken {
        let mut inside = self.inside();
        while inside.is_empty() {
            if inside.closed {
                return Taken::Closed;
            }
            inside.asleep = true;
            match wait {
                Patience::None => {
                    inside.asleep = false;
                    return Taken::Nothing;
                }
                Patience::For(time) => {
                    let waited = self.filled.wait_timeout(inside, time);
                    inside = waited.unwrap_or_else(PoisonError::into_inner).0;
                    // Woken or not: who waits for a time looks itself whether it has come.
                    if inside.is_empty() && !inside.closed {
                        inside.asleep = false;
                        return Taken::Nothing;
                    }
                }
                Patience::Endless => {
                    inside = self.filled.wait(inside).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        inside.asleep = false;
        let kept = if inside.queues[1].waiting.is_empty() { 0 } else { entries / SHARE };
        let mut left = bytes;
        let first = inside.queues[0].take(entries - kept, &mut left, true, into);
        inside.queues[1].take(entries - first, &mut left, first == 0, into);
        Taken::Some
    }

    /// Takes nothing more in. What waits is still worked off.
    pub(super) fn close(&self) {
        self.inside().closed = true;
        self.filled.notify_all();
    }

    /// Drops what waits, because nobody will work it off.
    pub(super) fn clear(&self) {
        let dropped = {
            let mut inside = self.inside();
            inside.queues.each_mut().map(|queue| {
                queue.bytes = 0;
                std::mem::take(&mut queue.waiting)
            })
        };
        // Outside the lock: what is dropped may answer somebody who asks again at once.
        drop(dropped);
    }
}

impl<T> Inside<T> {
    fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.waiting.is_empty())
    }
}

impl<T> Queue<T> {
    /// Moves items out while they fit; the first one fits always where `at_least_one` must come.
    fn take(&mut self, entries: usize, left: &mut usize, at_least_one: bool, into: &mut Vec<T>) -> usize {
        let mut taken = 0;
        while taken < entries
            && let Some((_, weight)) = self.waiting.front()
            && (*weight <= *left || at_least_one && taken == 0)
            && let Some((item, weight)) = self.waiting.pop_front()
        {
            *left = left.saturating_sub(weight);
            self.bytes -= weight;
            into.push(item);
            taken += 1;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_hands_back_and_a_closed_one_is_worked_off() {
        let lane = Lane::new(3, 100);
        lane.offer(Side::Second, 1, 60).unwrap();
        assert!(matches!(lane.offer(Side::Second, 2, 50), Err(Refused::Full(2))), "bytes are bounded");
        lane.offer(Side::Second, 3, 40).unwrap();
        lane.offer(Side::Second, 4, 0).unwrap();
        assert!(matches!(lane.offer(Side::Second, 5, 0), Err(Refused::Full(5))), "entries are bounded");
        lane.close();
        assert!(matches!(lane.offer(Side::Second, 6, 0), Err(Refused::Closed(6))));
        let mut got = Vec::new();
        assert_eq!(lane.take(10, 60, Patience::Endless, &mut got), Taken::Some);
        assert_eq!(got, [1], "the second would have passed the bound of bytes");
        assert_eq!(lane.take(1, 1_000, Patience::Endless, &mut got), Taken::Some);
        assert_eq!(lane.take(1, 1_000, Patience::None, &mut got), Taken::Some);
        assert_eq!(got, [1, 3, 4]);
        assert_eq!(lane.take(1, 1_000, Patience::Endless, &mut got), Taken::Closed);
    }

    #[test]
    fn one_item_beyond_the_bound_passes_alone() {
        let lane = Lane::new(3, 10);
        lane.offer(Side::Second, 1, 50).unwrap();
        assert!(matches!(lane.offer(Side::Second, 2, 1), Err(Refused::Full(2))));
        let mut got = Vec::new();
        lane.take(1, 10, Patience::None, &mut got);
        lane.offer(Side::Second, 2, 1).unwrap();
    }

    #[test]
    fn who_waits_is_woken() {
        let lane = std::sync::Arc::new(Lane::new(10, 10));
        let worker = std::thread::spawn({
            let lane = lane.clone();
            move || {
                let mut got = Vec::new();
                while lane.take(1, 1, Patience::Endless, &mut got) != Taken::Closed {}
                got
            }
        });
        for n in 0..5 {
            lane.offer(Side::Second, n, 0).unwrap();
        }
        lane.close();
        assert_eq!(worker.join().unwrap(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_first_side_goes_first_and_leaves_the_second_a_share() {
        let lane = Lane::new(100, 100);
        for n in 0..20 {
            lane.offer(Side::Second, 100 + n, 0).unwrap();
            lane.offer(Side::First, n, 0).unwrap();
        }
        let mut got = Vec::new();
        lane.take(16, 100, Patience::None, &mut got);
        assert_eq!(got, (0..14).chain([100, 101]).collect::<Vec<_>>());
        got.clear();
        lane.take(16, 100, Patience::None, &mut got);
        assert_eq!(got, (14..20).chain(102..112).collect::<Vec<_>>());
    }

    #[test]
    fn who_waits_for_a_time_comes_back_without_anything() {
        let lane = Lane::<u8>::new(1, 1);
        let wait = Patience::For(Duration::from_millis(1));
        assert_eq!(lane.take(1, 1, wait, &mut Vec::new()), Taken::Nothing);
    }
}
