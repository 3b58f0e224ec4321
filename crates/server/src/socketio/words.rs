//! In which words clients are told of an entry.
//!
//! One connection may have several namespaces, and one channel may be a room in some of them and be shown by
//! another room in its own words. How one connection is told of one channel is its *manner*. Manners are few and
//! shared by many clients, so each has a number, under which the frames stand beside the entry.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use deskbell_core::projection::Table;
use deskbell_core::refusal::{Code, Refusal};

/// Ways in which Socket.IO clients of one app are told of a channel: namespaces and rows of projections, in the
/// combinations that occur. Each stands beside an entry's frames under a number of 16 bits, and there are some
/// others; no installation comes near it.
const MANNERS: usize = 60_000;

/// How a channel is shown in one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct View {
    /// The namespace.
    pub namespace: Arc<str>,
    /// What is shown of it there.
    pub shows: Shows,
}

/// What is shown of a channel's events.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shows {
    /// They themselves: the channel is a room.
    Itself,
    /// They themselves, as Laravel Echo's connector hears them.
    Echo,
    /// What a room shows of another channel, by the rows of a table of projections.
    Rows(Telling),
}

/// Some rows of one table. A reload brings another table, and this one is kept by whoever uses it.
#[derive(Debug, Clone)]
pub struct Telling {
    /// The table.
    pub table: Arc<Table>,
    /// Its rows, by their number.
    pub rows: Vec<u16>,
}

impl Telling {
    fn key(&self) -> (usize, &[u16]) {
        (Arc::as_ptr(&self.table).addr(), &self.rows)
    }
}

impl PartialEq for Telling {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Telling {}

impl PartialOrd for Telling {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Telling {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl std::hash::Hash for Telling {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// How one connection is told of one channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Manner {
    /// Each event also says where its reader stands.
    pub offsets: bool,
    /// In which namespaces, in a fixed order; never empty.
    pub views: Vec<View>,
}

/// The manners of an app and their numbers.
#[derive(Debug, Default)]
pub struct Words(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    list: Vec<Arc<Manner>>,
    numbers: HashMap<Arc<Manner>, u16>,
}

impl Words {
    /// The number of a manner.
    pub fn number(&self, mut manner: Manner) -> Result<u16, Refusal> {
        manner.views.sort();
        manner.views.dedup();
        if let Some(number) = self.read().numbers.get(&manner) {
            return Ok(*number);
        }
        // Whoever panicked while it held the lock has added a whole manner or none.
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.numbers.get(&manner) {
            return Ok(*number);
        }
        if known.list.len() >= MANNERS {
            let sentence =
                "there are too many different namespaces; use fewer, or restart after many reloads";
            return Err(Refusal::new(Code::LimitReached, sentence));
        }
        let number = known.list.len() as u16;
        let manner = Arc::new(manner);
        known.list.push(manner.clone());
        known.numbers.insert(manner, number);
        Ok(number)
    }

    /// The manner of a number.
    pub fn manner(&self, number: u16) -> Option<Arc<Manner>> {
        self.read().list.get(usize::from(number)).cloned()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(namespace: &str) -> View {
        View { namespace: namespace.into(), shows: Shows::Itself }
    }

    #[test]
    fn the_same_manner_has_the_same_number_however_it_came_about() {
        let words = Words::default();
        let number = |names: &[&str]| {
            let manner = Manner { offsets: false, views: names.iter().map(|name| view(name)).collect() };
            words.number(manner).unwrap()
        };
        let both = number(&["/", "/chat"]);
        assert_eq!(number(&["/chat", "/", "/chat"]), both);
        assert_ne!(number(&["/"]), both);
        assert_eq!(words.manner(both).unwrap().views.len(), 2);
        assert_eq!(words.manner(99), None);
    }
}
