//! What a channel keeps: its class, found by name pattern.

use std::sync::Arc;

use crate::limits::{self, Millis};
use crate::pattern::Pattern;
use crate::position::fnv;

/// What the names of the channels begin with that the ledger feeds. They are durable streams whatever
/// the rules say, because what was promised over them must be there after a crash.
pub const LEDGER_FED: [&str; 7] =
    ["slots:", "booking:", "user:", "provider:", "staff:", "conversation:", "webhook:"];

/// What the names of the channels begin with that say what somebody does at the moment. Nobody is owed it.
const EPHEMERAL: [&str; 3] = ["selections:", "typing:", "#appointease"];

/// What the names of the channels begin with whose newest event a Pusher client is given when it
/// subscribes.
pub const CACHED: [&str; 4] = ["cache-", "private-cache-", "private-encrypted-cache-", "presence-cache-"];

/// Is the newest event of this channel kept for whoever comes?
pub fn is_cached(channel: &str) -> bool {
    CACHED.iter().any(|prefix| channel.starts_with(prefix))
}

/// Does the ledger feed this channel?
///
/// ```
/// assert!(deskbell_core::class::is_ledger_fed("slots:room-1"));
/// assert!(!deskbell_core::class::is_ledger_fed("slots"));
/// ```
pub fn is_ledger_fed(channel: &str) -> bool {
    LEDGER_FED.iter().any(|prefix| channel.starts_with(prefix))
}

/// What is owed to a reader of the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Every event, in order.
    Stream,
    /// Only the newest value of each key.
    Latest,
    /// Nothing to whom was not there: typing, selections.
    Ephemeral,
}

/// How much of the past a channel keeps. The first bound that is reached counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Events (keys, for `latest`).
    pub events: usize,
    /// Bytes of events.
    pub bytes: usize,
    /// Age of an event.
    pub age: Millis,
}

/// The class of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// What is owed.
    pub shape: Shape,
    /// Kept in the ledger (and acknowledged only when it is safe there) instead of in memory.
    pub durable: bool,
    /// Subscribers may enter, and see who is here.
    pub presence: bool,
    /// How much of the past is kept in memory; for durable channels a cache of the ledger.
    pub retention: Retention,
}

impl Class {
    /// A class with the defaults of its shape.
    pub fn of_shape(shape: Shape) -> Self {
        let retention = match shape {
            Shape::Stream => Retention {
                events: limits::HISTORY_EVENTS,
                bytes: limits::HISTORY_BYTES,
                age: limits::HISTORY_AGE,
            },
            Shape::Latest => Retention {
                events: limits::LATEST_KEYS,
                bytes: limits::HISTORY_BYTES,
                age: limits::LATEST_AGE,
            },
            Shape::Ephemeral => Retention { events: 0, bytes: 0, age: 0 },
        };
        Self { shape, durable: false, presence: false, retention }
    }
}

/// All class rules of an app; the first pattern that fits decides.
#[derive(Debug, Clone)]
pub struct Classes {
    rules: Vec<(Pattern, Arc<Class>)>,
    otherwise: Arc<Class>,
    longest: [Millis; 2],
}

impl Classes {
    /// Rules in order, and the class of every channel that none of them names.
    ///
    /// Before them stand those of the channels that the ledger feeds, of selections and of typing. A rule with
    /// the very pattern of one of them says how much is kept of it, and who is present there.
    ///
    /// ```
    /// use deskbell_core::class::{Classes, Shape};
    /// let classes = Classes::default();
    /// assert!(classes.of("slots:room-1").durable);
    /// assert_eq!(classes.of("selections:room-1").shape, Shape::Ephemeral);
    /// assert!(!classes.of("news").durable);
    /// ```
    pub fn new(rules: Vec<(Pattern, Class)>, otherwise: Class) -> Self {
        let rules = with_our_own(rules);
        let longest = [Shape::Stream, Shape::Latest].map(|shape| {
            let all = rules.iter().map(|(_, class)| class).chain([&otherwise]);
            let of_shape = all.filter(|class| class.shape == shape && !class.durable);
            of_shape.map(|class| class.retention.age).max().unwrap_or(0)
        });
        let rules = rules.into_iter().map(|(pattern, class)| (pattern, Arc::new(class))).collect();
        Self { rules, otherwise: Arc::new(otherwise), longest }
    }

    /// Says which channels are kept how (not how much of them), as a number that also a later start
    /// can compare.
    pub fn kinds(&self) -> u64 {
        let kind = |name: &str, class: &Class| format!("{name} {:?} {}\n", class.shape, class.durable);
        let rules = self.rules.iter().map(|(pattern, class)| kind(pattern.as_str(), class));
        fnv(rules.chain([kind("", &self.otherwise)]).collect::<String>().as_bytes())
    }

    /// The longest age that any memory channel of this shape keeps.
    pub fn longest_age(&self, shape: Shape) -> Millis {
        match shape {
            Shape::Stream => self.longest[0],
            Shape::Latest => self.longest[1],
            Shape::Ephemeral => 0,
        }
    }

    /// The class of a channel.
    pub fn of(&self, channel: &str) -> &Arc<Class> {
        self.rules
            .iter()
            .find(|(pattern, _)| pattern.matches(channel, None))
            .map_or(&self.otherwise, |(_, c)| c)
    }
}

/// Puts the rules before all others that are not for a configuration to change.
fn with_our_own(mut rules: Vec<(Pattern, Class)>) -> Vec<(Pattern, Class)> {
    let mut own = Vec::with_capacity(LEDGER_FED.len() + EPHEMERAL.len() + rules.len());
    for prefix in LEDGER_FED.into_iter().chain(EPHEMERAL) {
        let text = format!("{prefix}*");
        let Ok(pattern) = Pattern::parse(&text) else { continue };
        let wished = rules.iter().position(|(pattern, _)| pattern.as_str() == text);
        let mut class = wished.map(|place| rules.remove(place).1);
        if is_ledger_fed(prefix) {
            let class = class.get_or_insert_with(|| Class::of_shape(Shape::Stream));
            (class.shape, class.durable) = (Shape::Stream, true);
        }
        own.push((pattern, class.unwrap_or_else(|| Class::of_shape(Shape::Ephemeral))));
    }
    own.extend(rules);
    own
}

impl Default for Classes {
    fn default() -> Self {
        Self::new(Vec::new(), Class::of_shape(Shape::Stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_cannot_take_the_ledgers_channels_out_of_the_ledger() {
        let rule = |pattern: &str, events| {
            let mut class = Class::of_shape(Shape::Latest);
            class.retention.events = events;
            (Pattern::parse(pattern).unwrap(), class)
        };
        let rules = vec![rule("*", 1), rule("user:7", 2), rule("user:*", 3), rule("selections:*", 4)];
        let classes = Classes::new(rules, Class::of_shape(Shape::Stream));
        let of = |name: &str| {
            let class = classes.of(name);
            (class.shape, class.durable, class.retention.events)
        };
        assert_eq!(of("user:7"), (Shape::Stream, true, 3));
        assert_eq!(of("slots:7"), (Shape::Stream, true, limits::HISTORY_EVENTS));
        assert_eq!(of("selections:7"), (Shape::Latest, false, 4));
        assert_eq!(of("news"), (Shape::Latest, false, 1));
    }
}
