//! The terms of one app, and what its pages do at the moment, over all shards.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use deskbell_core::calendar::Date;
use deskbell_core::ids::{EventId, ResourceId};
use deskbell_core::limits::{self, Millis};
use deskbell_core::pollers::Begun;
use deskbell_core::slotted::Grid;
use deskbell_wire::appointease::debug::{Client, LISTED, Panel, Selection};
use deskbell_wire::appointease::poll::What;
use deskbell_wire::appointease::{Day, Slot};
use tokio::sync::{oneshot, watch};

use super::updates::Updates;
use crate::clock;

/// What one app allows. A reload may change it.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How the site cuts its days into slots.
    pub grid: Grid,
    /// Whoever says who it is, is: for development alone.
    pub trusting: bool,
}

/// Names a connection of this process.
pub type Key = u128;

/// A connection as the debug panel shows it.
#[derive(Debug, Clone)]
pub struct Guest {
    /// What is shown of it.
    pub client: Client,
    /// As whom the ledger's news name it.
    pub member: String,
}

/// Reservations that may bear one name: those that were called off as well.
pub(super) const NAMESAKES: usize = 100;

/// One app's pages.
#[derive(Debug)]
pub struct Site {
    /// The terms; nothing, where the dialect is off.
    pub terms: ArcSwapOption<Terms>,
    /// The place in the ring of the log from which the ledger is followed.
    pub(super) from: u64,
    /// The days that somebody watches, with how many do.
    watched: Mutex<BTreeMap<(ResourceId, Date), usize>>,
    /// The persons whose appointments somebody follows, in small letters, with how many do.
    followed: Mutex<HashMap<String, usize>>,
    /// Employees that are known to be resources.
    pub(super) known: Mutex<HashSet<ResourceId>>,
    /// Whose turn it is to be decided by what the ledger has.
    pub(super) notices: tokio::sync::Mutex<()>,
    /// What those are told who poll.
    pub updates: Mutex<Updates>,
    /// The stamp of the newest update, for those who wait for the next one.
    pub newest: watch::Sender<Millis>,
    /// Polls that wait, each with its turn: a newer one of the same poller takes the place of an older.
    polls: Mutex<HashMap<String, (u64, oneshot::Sender<()>)>>,
    guests: Mutex<HashMap<Key, Guest>>,
    looks: Mutex<HashMap<Slot, Look>>,
}

/// Somebody looks at a slot: the last one who said so.
#[derive(Debug, Clone)]
struct Look {
    by: Key,
    shown: Selection,
}

/// A poll that waits.
#[derive(Debug)]
pub struct Polling<'a> {
    site: &'a Site,
    /// Who polls.
    pub who: String,
    /// From where it is told.
    pub begun: Begun,
    /// Ends when a newer one has taken its place.
    pub over: oneshot::Receiver<()>,
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        let mut polls = locked(&self.site.polls);
        if polls.get(&self.who).is_some_and(|(turn, _)| *turn == self.begun.turn) {
            polls.remove(&self.who);
        }
    }
}

/// A date of an employee whose looks have changed, and the times that are looked at now.
pub type Changed = (Day, Vec<String>);

impl Site {
    /// A site whose pages are told what happens from this place of the log on.
    pub fn new(terms: Option<Terms>, from: u64, now: Millis) -> Self {
        Self {
            terms: ArcSwapOption::from_pointee(terms),
            from,
            watched: Mutex::default(),
            followed: Mutex::default(),
            known: Mutex::default(),
            notices: tokio::sync::Mutex::default(),
            updates: Mutex::new(Updates::new(now)),
            newest: watch::Sender::new(now),
            polls: Mutex::default(),
            guests: Mutex::default(),
            looks: Mutex::default(),
        }
    }

    /// Something is told to those who poll; where it is about a person's appointment, to that person alone.
    pub fn update(&self, what: What, person: Option<String>, now: Millis) {
        let id = EventId::from_random(clock::random_bytes()).to_string();
        let at = locked(&self.updates).add(id, what, person, now);
        self.newest.send_replace(at);
    }

    /// Somebody polls. What it polled for before is over.
    pub fn poll(&self, who: &str, asked: Option<Millis>, now: Millis) -> Polling<'_> {
        let begun = locked(&self.updates).begin(who, asked, now);
        let (end, over) = oneshot::channel();
        locked(&self.polls).insert(who.to_owned(), (begun.turn, end));
        Polling { site: self, who: who.to_owned(), begun, over }
    }

    /// Somebody watches a day.
    pub fn watch(&self, resource: &ResourceId, date: Date) {
        *locked(&self.watched).entry((resource.clone(), date)).or_default() += 1;
    }

    /// It does no more.
    pub fn unwatch(&self, resource: &ResourceId, date: Date) {
        let mut watched = locked(&self.watched);
        let key = (resource.clone(), date);
        if let Some(count) = watched.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                watched.remove(&key);
            }
        }
    }

    /// The days of a resource that somebody watches; of all, where none is named.
    pub(super) fn watched(&self, resource: Option<&ResourceId>) -> Vec<(ResourceId, Date)> {
        let watched = locked(&self.watched);
        watched.keys().filter(|(known, _)| resource.is_none_or(|wanted| wanted == known)).cloned().collect()
    }

    /// Somebody follows a person's appointments.
    pub fn follow(&self, email: &str) {
        *locked(&self.followed).entry(email.to_owned()).or_default() += 1;
    }

    /// It does no more.
    pub fn unfollow(&self, email: &str) {
        let mut followed = locked(&self.followed);
        if let Some(count) = followed.get_mut(email) {
            *count -= 1;
            if *count == 0 {
                followed.remove(email);
            }
        }
    }

    /// Does anybody follow this person's appointments?
    pub(super) fn is_followed(&self, email: &str) -> bool {
        locked(&self.followed).contains_key(email)
    }

    /// All persons whose appointments somebody follows.
    pub(super) fn all_followed(&self) -> Vec<String> {
        locked(&self.followed).keys().cloned().collect()
    }

    /// A connection is here, or is shown otherwise from now on.
    pub fn show(&self, key: Key, guest: Guest) {
        locked(&self.guests).insert(key, guest);
    }

    /// It has ended. What it looked at, it does no more.
    pub fn gone(&self, key: Key) -> Vec<Changed> {
        locked(&self.guests).remove(&key);
        let mut looks = locked(&self.looks);
        let ended: Vec<Slot> =
            looks.iter().filter(|(_, look)| look.by == key).map(|(slot, _)| slot.clone()).collect();
        ended.iter().for_each(|slot| drop(looks.remove(slot)));
        let mut days: Vec<Day> = ended.into_iter().map(|slot| slot.day).collect();
        days.dedup();
        days.into_iter().map(|day| changed(&looks, day)).collect()
    }

    /// A connection looks at a slot. Beyond the bound it is not shown: it is a hint and no promise.
    pub fn look(&self, key: Key, shown: Selection) -> Changed {
        let mut looks = locked(&self.looks);
        let slot = shown.slot.clone();
        if looks.len() < limits::SELECTIONS || looks.contains_key(&slot) {
            looks.insert(slot.clone(), Look { by: key, shown });
        }
        changed(&looks, slot.day)
    }

    /// It does no more.
    pub fn look_away(&self, slot: &Slot) -> Changed {
        let mut looks = locked(&self.looks);
        looks.remove(slot);
        changed(&looks, slot.day.clone())
    }

    /// What nobody has said again is over.
    pub(super) fn expire(&self, now: Millis) -> Vec<Changed> {
        let mut looks = locked(&self.looks);
        let mut days: Vec<Day> = Vec::new();
        looks.retain(|slot, look| {
            let live = look.shown.since.saturating_add(limits::SELECTION) > now;
            if !live && !days.contains(&slot.day) {
                days.push(slot.day.clone());
            }
            live
        });
        days.into_iter().map(|day| changed(&looks, day)).collect()
    }

    /// Everything at this moment but locks, which are the ledger's.
    pub fn panel(&self) -> Panel {
        let guests = locked(&self.guests);
        let looks = locked(&self.looks);
        Panel {
            connected: guests.len(),
            selected: looks.len(),
            clients: guests.values().take(LISTED).map(|guest| guest.client.clone()).collect(),
            selections: looks.values().take(LISTED).map(|look| look.shown.clone()).collect(),
            ..Panel::default()
        }
    }

    /// What whoever the ledger's news name so is called here, if it is here.
    pub fn called(&self, member: &str) -> Option<deskbell_wire::appointease::hail::Who> {
        let guests = locked(&self.guests);
        guests.values().find(|guest| guest.member == member).map(|guest| guest.client.who.clone())
    }
}

fn changed(looks: &HashMap<Slot, Look>, day: Day) -> Changed {
    let mut times: Vec<String> =
        looks.keys().filter(|slot| slot.day == day).map(|slot| slot.time.to_string()).collect();
    times.sort_unstable();
    (day, times)
}

/// Each table is whole between two steps, and what a panic elsewhere leaves is at worst shown for too long.
pub fn locked<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
