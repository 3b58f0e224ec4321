//! A bounded queue between many threads that ask and one that works.
//!
//! It is bounded in entries and in bytes, never makes the asking side wait, and hands the working
//! side everything that gathered while it was busy: that is what makes one fsync serve many.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(super) struct Lane<T> {
    inside: Mutex<Inside<T>>,
    filled: Condvar,
    entries: usize,
    bytes: usize,
}

struct Inside<T> {
    waiting: VecDeque<(T, usize)>,
    bytes: usize,
    closed: bool,
    /// The working side waits, so that whoever brings something must wake it.
    asleep: bool,
}

/// Why a lane did not take something. It is handed back.
#[derive(Debug)]
pub(super) enum Refused<T> {
    Full(T),
    Closed(T),
}

/// What the working side found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Some,
    /// Nothing is there now; only for who does not wait.
    Nothing,
    /// Nothing is there and nothing will come.
    Closed,
}

impl<T> Lane<T> {
    pub(super) fn new(entries: usize, bytes: usize) -> Self {
        let inside = Inside { waiting: VecDeque::new(), bytes: 0, closed: false, asleep: false };
        Self { inside: Mutex::new(inside), filled: Condvar::new(), entries, bytes }
    }

    fn inside(&self) -> MutexGuard<'_, Inside<T>> {
        // No code that can panic runs under this lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in, or hands it back at once.
    pub(super) fn offer(&self, item: T, weight: usize) -> Result<(), Refused<T>> {
        let mut inside = self.inside();
        if inside.closed {
            return Err(Refused::Closed(item));
        }
        // A single item heavier than the bound passes when it is alone, or it never would.
        let too_heavy = inside.bytes + weight > self.bytes && !inside.waiting.is_empty();
        if inside.waiting.len() >= self.entries || too_heavy {
            return Err(Refused::Full(item));
        }
        inside.bytes += weight;
        inside.waiting.push_back((item, weight));
        let wake = std::mem::take(&mut inside.asleep);
        drop(inside);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes what waits, up to a bound but at least one, in the order in which it came.
    pub(super) fn take(&self, entries: usize, bytes: usize, wait: bool, into: &mut Vec<T>) -> Taken {
        let mut inside = self.inside();
        while inside.waiting.is_empty() {
            if inside.closed {
                return Taken::Closed;
            }
            if !wait {
                return Taken::Nothing;
            }
            inside.asleep = true;
            inside = self.filled.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        inside.asleep = false;
        let mut taken = 0;
        for _ in 0..entries {
            let Some((_, weight)) = inside.waiting.front() else { break };
            if taken > 0 && taken + weight > bytes {
                break;
            }
            let Some((item, weight)) = inside.waiting.pop_front() else { break };
            taken += weight;
            inside.bytes -= weight;
            into.push(item);
        }
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
            inside.bytes = 0;
            std::mem::take(&mut inside.waiting)
        };
        // Outside the lock: what is dropped may answer somebody who asks again at once.
        drop(dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_hands_back_and_a_closed_one_is_worked_off() {
        let lane = Lane::new(3, 100);
        lane.offer(1, 60).unwrap();
        assert!(matches!(lane.offer(2, 50), Err(Refused::Full(2))), "bytes are bounded");
        lane.offer(3, 40).unwrap();
        lane.offer(4, 0).unwrap();
        assert!(matches!(lane.offer(5, 0), Err(Refused::Full(5))), "entries are bounded");
        lane.close();
        assert!(matches!(lane.offer(6, 0), Err(Refused::Closed(6))));
        let mut got = Vec::new();
        assert_eq!(lane.take(10, 60, true, &mut got), Taken::Some);
        assert_eq!(got, [1], "the second would have passed the bound of bytes");
        assert_eq!(lane.take(1, 1_000, true, &mut got), Taken::Some);
        assert_eq!(lane.take(1, 1_000, false, &mut got), Taken::Some);
        assert_eq!(got, [1, 3, 4]);
        assert_eq!(lane.take(1, 1_000, true, &mut got), Taken::Closed);
    }

    #[test]
    fn one_item_beyond_the_bound_passes_alone() {
        let lane = Lane::new(3, 10);
        lane.offer(1, 50).unwrap();
        assert!(matches!(lane.offer(2, 1), Err(Refused::Full(2))));
        let mut got = Vec::new();
        lane.take(1, 10, false, &mut got);
        lane.offer(2, 1).unwrap();
    }

    #[test]
    fn who_waits_is_woken() {
        let lane = std::sync::Arc::new(Lane::new(10, 10));
        let worker = std::thread::spawn({
            let lane = lane.clone();
            move || {
                let mut got = Vec::new();
                while lane.take(1, 1, true, &mut got) != Taken::Closed {}
                got
            }
        });
        for n in 0..5 {
            lane.offer(n, 0).unwrap();
        }
        lane.close();
        assert_eq!(worker.join().unwrap(), [0, 1, 2, 3, 4]);
    }
}
