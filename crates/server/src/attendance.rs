//! Who is connected, over all shards, transports and tabs: holds that were made over a connection end when
//! their principal has been without any for the grace.
//!
//! Every connection is counted, because a hold may be made on any of them; only principals with such a
//! hold are ever given a time. A lock guards each part of the table, and none is held while another is
//! taken.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use deskbell_core::ids::Principal;
use deskbell_core::limits::Millis;
use tokio::sync::Notify;

/// Parts of the table, so that shards hardly ever wait for each other.
const PARTS: usize = 16;

type Who = (u16, Principal);

/// Who is connected, and who holds something by it.
#[derive(Debug)]
pub struct Attendance {
    connected: [Mutex<HashMap<Who, u32>>; PARTS],
    /// Principals with tied holds, and since when they have been without a connection.
    tied: Mutex<HashMap<Who, Option<Millis>>>,
    /// Somebody new was given a time.
    pub changed: Notify,
}

/// How many are connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Present {
    /// Users, each once.
    pub users: usize,
    /// Connections, those of visitors too.
    pub connections: usize,
}

impl Default for Attendance {
    fn default() -> Self {
        Self {
            connected: std::array::from_fn(|_| Mutex::default()),
            tied: Mutex::default(),
            changed: Notify::new(),
        }
    }
}

impl Attendance {
    /// One more connection of somebody.
    pub fn enter(&self, app: u16, principal: &Principal, now: Millis) {
        let who = (app, principal.clone());
        *self.part(&who).entry(who.clone()).or_default() += 1;
        let was_tied = self.tied().get_mut(&who).map(|since| *since = None).is_some();
        if was_tied {
            self.look_again(who, now);
        }
    }

    /// One less.
    pub fn leave(&self, app: u16, principal: &Principal, now: Millis) {
        let who = (app, principal.clone());
        {
            let mut part = self.part(&who);
            let Some(count) = part.get_mut(&who) else { return };
            *count -= 1;
            if *count > 0 {
                return;
            }
            part.remove(&who);
            // A table that a herd has made large is made small again when it has gone.
            if part.capacity() > 1_024 && part.len() < part.capacity() / 8 {
                part.shrink_to_fit();
            }
        }
        self.begin_grace(&who, now);
    }

    /// Somebody has a hold that ends with its last connection. Whoever has none already gets the grace
    /// from now on.
    pub fn tie(&self, app: usize, principal: &Principal, now: Millis) {
        let who = (app as u16, principal.clone());
        self.tied().entry(who.clone()).or_insert(None);
        self.look_again(who, now);
    }

    /// Is somebody connected?
    pub fn is_here(&self, app: usize, principal: &Principal) -> bool {
        let who = (app as u16, principal.clone());
        self.part(&who).contains_key(&who)
    }

    /// How many are connected to an app. It walks through all of them, so it is for whoever asks now and then.
    pub fn count(&self, app: usize) -> Present {
        let mut present = Present::default();
        for part in &self.connected {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            for ((_, principal), count) in part.iter().filter(|((of, _), _)| usize::from(*of) == app) {
                present.users += usize::from(matches!(principal, Principal::User(_)));
                present.connections += *count as usize;
            }
        }
        present
    }

    /// When the grace of the first of them is over.
    pub fn next(&self, grace: Millis) -> Option<Millis> {
        self.tied().values().flatten().min().map(|since| since.saturating_add(grace))
    }

    /// Takes out those whose grace is over, and who have not come back.
    pub fn departed(&self, grace: Millis, now: Millis) -> Vec<(usize, Principal)> {
        let over = |since: &Option<Millis>| since.is_some_and(|since| since.saturating_add(grace) <= now);
        let due: Vec<Who> =
            self.tied().iter().filter(|(_, since)| over(since)).map(|(who, _)| who.clone()).collect();
        let mut gone = Vec::new();
        for who in due {
            if self.part(&who).contains_key(&who) {
                // Another tab was opened while the last but one was closed.
                self.tied().insert(who.clone(), None);
                self.look_again(who, now);
            } else {
                self.tied().remove(&who);
                gone.push((usize::from(who.0), who.1));
            }
        }
        gone
    }

    /// The count may have changed between two steps of another thread; whoever writes a time last looks
    /// at it once more.
    fn look_again(&self, who: Who, now: Millis) {
        let here = self.part(&who).contains_key(&who);
        if !here {
            self.begin_grace(&who, now);
        }
    }

    fn begin_grace(&self, who: &Who, now: Millis) {
        let begun = self.tied().get_mut(who).is_some_and(|since| *since.get_or_insert(now) == now);
        if begun {
            self.changed.notify_one();
        }
    }

    fn part(&self, who: &Who) -> MutexGuard<'_, HashMap<Who, u32>> {
        // Whoever chose names that share a part would gain nothing: the tables inside are random.
        let part = BuildHasherDefault::<DefaultHasher>::default().hash_one(who) as usize % PARTS;
        // Counting is one step; a panic elsewhere leaves nothing half done in it.
        self.connected[part].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tied(&self) -> MutexGuard<'_, HashMap<Who, Option<Millis>>> {
        self.tied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_of_all_connections_counts() {
        let attendance = Attendance::default();
        let who = Principal::Visitor(7);
        attendance.enter(0, &who, 0);
        attendance.enter(0, &who, 0);
        attendance.tie(0, &who, 100);
        attendance.leave(0, &who, 200);
        assert_eq!(attendance.next(60), None, "a tab is left");
        attendance.leave(0, &who, 300);
        assert_eq!(attendance.next(60), Some(360));
        assert_eq!(attendance.departed(60, 359), []);
        attendance.enter(0, &who, 0);
        assert_eq!((attendance.next(60), attendance.departed(60, 400)), (None, vec![]), "it came back");
        attendance.leave(0, &who, 500);
        assert_eq!(attendance.departed(60, 560), [(0, who)]);
        assert_eq!(attendance.next(60), None, "nobody departs twice");
    }

    #[test]
    fn without_a_tied_hold_nobody_is_given_a_time() {
        let attendance = Attendance::default();
        attendance.enter(0, &Principal::Visitor(7), 0);
        attendance.leave(0, &Principal::Visitor(7), 100);
        assert_eq!(attendance.next(60), None);
        assert!(attendance.connected.iter().all(|part| part.lock().unwrap().is_empty()));
    }

    #[test]
    fn whoever_is_gone_when_its_hold_is_granted_has_the_grace_from_then_on() {
        let attendance = Attendance::default();
        attendance.tie(1, &Principal::Visitor(7), 100);
        attendance.tie(1, &Principal::Visitor(7), 130);
        assert_eq!(attendance.departed(60, 159), []);
        assert_eq!(attendance.departed(60, 160), [(1, Principal::Visitor(7))]);
    }

    #[test]
    fn a_user_with_many_tabs_is_one_user() {
        let attendance = Attendance::default();
        let ann = Principal::User(deskbell_core::ids::UserId::parse("ann").unwrap());
        for (app, who) in [(0, &ann), (0, &ann), (0, &Principal::Visitor(7)), (1, &ann)] {
            attendance.enter(app, who, 0);
        }
        assert_eq!(attendance.count(0), Present { users: 1, connections: 3 });
        attendance.leave(0, &ann, 0);
        assert_eq!(attendance.count(0), Present { users: 1, connections: 2 });
        attendance.leave(0, &ann, 0);
        assert_eq!(attendance.count(0), Present { users: 0, connections: 1 });
        assert_eq!(attendance.count(2), Present::default());
    }

    #[test]
    fn apps_do_not_share_their_principals() {
        let attendance = Attendance::default();
        attendance.enter(0, &Principal::Visitor(7), 0);
        attendance.tie(1, &Principal::Visitor(7), 100);
        assert_eq!(attendance.departed(60, 160), [(1, Principal::Visitor(7))]);
    }
}
