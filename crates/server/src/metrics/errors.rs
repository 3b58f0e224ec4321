//! What went wrong, in the classes that applications know: `errors` in `/v1/stats`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use deskbell_core::limits::{Millis, SECOND};
use deskbell_core::refusal::Code;
use deskbell_wire::socketio::marketplace::errors::Class;
use serde_json::{Value, json};

/// Seconds that are recent.
const RECENT: usize = 60;

/// How often what went wrong.
#[derive(Debug)]
pub struct Errors {
    counts: [AtomicU64; Class::ALL.len()],
    recent: Mutex<Recent>,
}

/// One count for each of the last seconds.
#[derive(Debug)]
struct Recent {
    /// The second, and how many there were in it.
    seconds: [(u64, u64); RECENT],
}

impl Default for Errors {
    fn default() -> Self {
        let recent = Recent { seconds: [(0, 0); RECENT] };
        Self { counts: std::array::from_fn(|_| AtomicU64::new(0)), recent: Mutex::new(recent) }
    }
}

impl Errors {
    /// One more.
    pub fn count(&self, code: Code, now: Millis) {
        self.counts[place(Class::of(code))].fetch_add(1, Ordering::Relaxed);
        let second = now / SECOND;
        let seat = &mut self.recent().seconds[second as usize % RECENT];
        if seat.0 != second {
            *seat = (second, 0);
        }
        seat.1 += 1;
    }

    /// The numbers, under the names that applications know.
    pub fn shown(&self, now: Millis) -> Value {
        let counts: Vec<(Class, u64)> = Class::ALL
            .into_iter()
            .map(|class| (class, self.counts[place(class)].load(Ordering::Relaxed)))
            .collect();
        let retryable =
            counts.iter().filter(|(class, _)| class.is_retryable()).map(|(_, count)| count).sum::<u64>();
        // Of classes that are as frequent the first counts; without any error none is the most common.
        let common = counts.iter().rev().filter(|(_, count)| *count > 0).max_by_key(|(_, count)| count);
        json!({
            "totalErrors": counts.iter().map(|(_, count)| count).sum::<u64>(),
            "recentErrors": self.recent().since(now / SECOND),
            "retryableErrors": retryable,
            "mostCommonError": common.map(|(class, _)| class.as_str()),
        })
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        // Counting is one step; a panic elsewhere leaves nothing half done in it.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    fn since(&self, now: u64) -> u64 {
        let recent = |second: u64| second <= now && now - second < RECENT as u64;
        self.seconds.iter().filter(|(second, _)| recent(*second)).map(|(_, count)| count).sum()
    }
}

const fn place(class: Class) -> usize {
    class as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_place_of_its_own() {
        for (at, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(place(class), at);
        }
    }

    #[test]
    fn errors_are_counted_by_class_and_forgotten_as_recent() {
        let errors = Errors::default();
        let none =
            json!({"totalErrors": 0, "recentErrors": 0, "retryableErrors": 0, "mostCommonError": null});
        assert_eq!(errors.shown(1_000_000), none);
        errors.count(Code::Denied, 1_000_000);
        errors.count(Code::Unavailable, 1_000_500);
        errors.count(Code::BadOrigin, 1_030_000);
        let shown = errors.shown(1_030_000);
        let expected = json!({"totalErrors": 3, "recentErrors": 3, "retryableErrors": 1, "mostCommonError": "AUTHORIZATION_ERROR"});
        assert_eq!(shown, expected);
        assert_eq!(errors.shown(1_059_999)["recentErrors"], 3, "a minute has not passed");
        assert_eq!(errors.shown(1_060_000)["recentErrors"], 1, "the first second is over");
        assert_eq!(errors.shown(1_090_000)["recentErrors"], 0);
        errors.count(Code::Denied, 1_090_000);
        assert_eq!(errors.shown(1_090_000)["recentErrors"], 1, "a second's place is taken by a later one");
        assert_eq!(errors.shown(1_090_000)["totalErrors"], 4);
    }
}
