//! Where the pages of a session stood when they left, so that whoever comes back is told what it missed.
//!
//! These pages carry no cursor: a session's id is all that they show. So a place is kept for each page of it that has
//! gone, and whoever comes next with that id takes the oldest. A clean stop writes the places down; after any other end
//! nothing is known of anybody. Whoever comes without one soon after a start goes on from the beginning of the run.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use deskbell_core::limits::{self, Millis};
use deskbell_core::position::Position;
use deskbell_wire::portico::SessionId;
use serde::{Deserialize, Serialize};

/// The places of one app.
#[derive(Debug)]
pub struct Away {
    /// Where the log stood when this run began, and when that was.
    start: (Position, Millis),
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    of: HashMap<SessionId, VecDeque<Place>>,
    /// Who left, oldest first; some have come back since.
    order: VecDeque<(SessionId, Millis)>,
}

/// A place as a clean stop writes it down.
#[derive(Debug, Serialize, Deserialize)]
pub struct Carried {
    session: String,
    at: Position,
    left: Millis,
}

/// One page that has gone.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: Position,
    left: Millis,
}

impl Away {
    /// Of a run that begins here and now.
    pub fn new(at: Position, now: Millis) -> Self {
        Self { start: (at, now), places: Mutex::default() }
    }

    /// Every place, for the next start.
    pub fn carry(&self) -> Vec<Carried> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |(id, own): (&SessionId, &VecDeque<Place>)| {
            let session = id.expose().to_owned();
            own.iter()
                .map(|place| Carried { session: session.clone(), at: place.at, left: place.left })
                .collect::<Vec<_>>()
        };
        places.of.iter().flat_map(of).collect()
    }

    /// The places of the run before, which ended cleanly.
    pub fn adopt(&self, mut carried: Vec<Carried>) {
        carried.sort_by_key(|place| place.left);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for Carried { session, at, left } in carried {
            // What is no id was never one of ours.
            let Ok(id) = SessionId::parse(&session) else { continue };
            places.of.entry(id.clone()).or_default().push_back(Place { at, left });
            places.order.push_back((id, left));
        }
    }

    /// A page of a session goes, and has everything up to a place.
    pub fn leave(&self, id: &SessionId, at: Position, now: Millis, window: Millis) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.forget(now, window);
        let own = places.of.entry(id.clone()).or_default();
        if own.len() == limits::PORTICO_TABS {
            // The oldest of all tells whoever takes it the most, so the newest is left out.
            return;
        }
        own.push_back(Place { at, left: now });
        places.order.push_back((id.clone(), now));
    }

    /// Where a page of a session goes on that comes.
    pub fn come(&self, id: &SessionId, now: Millis, window: Millis) -> Option<Position> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.forget(now, window);
        let own = places.of.get_mut(id).and_then(VecDeque::pop_front);
        if places.of.get(id).is_some_and(VecDeque::is_empty) {
            places.of.remove(id);
        }
        let (start, began) = self.start;
        own.map(|place| place.at).or_else(|| (now < began + window).then_some(start))
    }
}

impl Places {
    /// Drops what is too old, and the oldest where there are too many.
    fn forget(&mut self, now: Millis, window: Millis) {
        while let Some((id, left)) = self.order.front() {
            if now < left + window && self.order.len() <= limits::PORTICO_AWAY {
                return;
            }
            if let Some(own) = self.of.get_mut(id) {
                own.retain(|place| place.left > *left);
                if own.is_empty() {
                    self.of.remove(id);
                }
            }
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use deskbell_core::position::Epoch;

    use super::*;

    const WINDOW: Millis = 120_000;

    fn place(seq: u64) -> Position {
        Position::start(Epoch(7), seq, 0)
    }

    fn id(text: &str) -> SessionId {
        SessionId::parse(text).unwrap()
    }

    /// A run that has begun long ago.
    fn away() -> Away {
        Away::new(place(0), 0)
    }

    #[test]
    fn whoever_comes_takes_the_oldest_place_of_its_session_and_nobody_elses() {
        let (away, now) = (away(), 10 * WINDOW);
        away.leave(&id("a"), place(1), now, WINDOW);
        away.leave(&id("a"), place(2), now + 1, WINDOW);
        assert_eq!(away.come(&id("b"), now + 2, WINDOW), None);
        assert_eq!(away.come(&id("a"), now + 2, WINDOW), Some(place(1)));
        assert_eq!(away.come(&id("a"), now + 2, WINDOW), Some(place(2)));
        assert_eq!(away.come(&id("a"), now + 2, WINDOW), None);
    }

    #[test]
    fn a_place_is_kept_for_the_window_and_no_longer() {
        let (away, now) = (away(), 10 * WINDOW);
        away.leave(&id("a"), place(1), now, WINDOW);
        away.leave(&id("b"), place(2), now, WINDOW);
        assert_eq!(away.come(&id("a"), now + WINDOW - 1, WINDOW), Some(place(1)));
        assert_eq!(away.come(&id("b"), now + WINDOW, WINDOW), None);
    }

    #[test]
    fn soon_after_a_start_everybody_begins_where_the_run_began() {
        let away = Away::new(place(40), 1_000);
        assert_eq!(away.come(&id("a"), 1_000 + WINDOW - 1, WINDOW), Some(place(40)));
        assert_eq!(away.come(&id("a"), 1_000 + WINDOW, WINDOW), None);
    }

    #[test]
    fn there_are_so_many_places_and_no_more() {
        let (away, now) = (away(), 10 * WINDOW);
        for nth in 0..limits::PORTICO_AWAY + 10 {
            away.leave(&id(&format!("s{nth}")), place(1), now, WINDOW);
        }
        assert!(away.places.lock().unwrap().order.len() <= limits::PORTICO_AWAY + 1);
        assert_eq!(away.come(&id("s0"), now, WINDOW), None);
        for _ in 0..limits::PORTICO_TABS + 10 {
            away.leave(&id("many"), place(1), now, WINDOW);
        }
        assert_eq!(away.places.lock().unwrap().of[&id("many")].len(), limits::PORTICO_TABS);
    }
}
