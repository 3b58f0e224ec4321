//! In which words clients are told of an entry.
//!
//! One connection may have several namespaces, and one channel may be a room in some of them and be shown by
//! another room in its own words. How one connection is told of one channel is its *manner*. Manners are few and
//! shared by many clients, so each has a number, under which the frames stand beside the entry.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use deskbell_core::event::{Data, Entry, Kind};
use deskbell_core::projection::{Table, Told};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::socketio::{Prepared, echo};

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

/// What a client was shown of the last change, so that it is shown nothing twice.
#[derive(Debug, Default)]
pub struct Heard(Vec<(Arc<str>, Told)>);

impl Heard {
    fn of(&mut self, namespace: &Arc<str>) -> &mut Told {
        let place = self.0.iter().position(|(known, _)| known == namespace).unwrap_or_else(|| {
            self.0.push((namespace.clone(), Told::default()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }
}

impl Manner {
    /// Does it show one thing that another channel may show as well?
    pub fn retells(&self) -> bool {
        self.views.iter().any(|view| matches!(view.shows, Shows::Rows(_)))
    }

    /// The frames of an entry, for a WebSocket; often one, sometimes none.
    pub fn frames(&self, entry: &Entry, offset: &str, heard: &mut Heard) -> Bytes {
        let offset = self.offsets.then_some(offset);
        let mut frames: Vec<Bytes> = Vec::new();
        for view in &self.views {
            let event = &entry.event;
            match &view.shows {
                Shows::Echo if entry.kind.is_presence() => {
                    frames.extend(echo::changes(entry).iter().map(|said| said.frame().clone()));
                }
                // Who is in a room is nothing that this dialect tells.
                _ if !matches!(entry.kind, Kind::Message | Kind::Whisper) => {}
                Shows::Itself => {
                    let said = Prepared::event(&view.namespace, event.name.as_str(), &event.data, offset);
                    frames.extend(said.map(|said| said.frame().clone()));
                }
                Shows::Echo => {
                    let said = echo::event(event.channel.as_str(), event.name.as_str(), &event.data, offset);
                    frames.extend(said.map(|said| said.frame().clone()));
                }
                Shows::Rows(telling) => {
                    for shown in telling.table.project(&telling.rows, event) {
                        if !heard.of(&view.namespace).is_first(&event.id, &shown.name) {
                            continue;
                        }
                        let data = Data::json(shown.data);
                        let said = Prepared::event(&view.namespace, shown.name.as_str(), &data, offset);
                        frames.extend(said.map(|said| said.frame().clone()));
                    }
                }
            }
        }
        match frames.len() {
            1 => frames.swap_remove(0),
            _ => frames.concat().into(),
        }
    }
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
