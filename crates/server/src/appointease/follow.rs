//! What happens in the ledger becomes news for those who watch a slot.
//!
//! One task for each app reads the log, as a shard does, and tells what concerns employees. A date that somebody
//! watches is looked at anew when it may have changed, so that what is told is what the ledger has.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use deskbell_core::calendar::Date;
use deskbell_core::event::SharedEntry;
use deskbell_core::ids::{Principal, ResourceId};
use deskbell_core::limits::{self, Millis, SECOND};
use deskbell_core::log::Pull;
use deskbell_core::reservation::{Claim, Span};
use deskbell_core::slotted::{Grid, employee_of};
use deskbell_wire::appointease::Slot;
use deskbell_wire::appointease::poll::What;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::news::{self, News};
use super::{acts, site};
use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::store::{Look, Seen};

/// Employees that are looked through at once after a start.
const PAGE: usize = 500;

/// Follows the ledger of every app as long as it is there.
pub fn start(hub: &Arc<Hub>) {
    for index in 0..hub.apps.count() {
        start_one(hub, index);
    }
}

/// The same for one app, which was added since.
pub fn start_one(hub: &Arc<Hub>, index: usize) {
    let follower = Follower { hub: hub.clone(), index, replaced: HashSet::new(), told: BTreeMap::new() };
    hub.runtime.spawn(follower.run());
    hub.runtime.spawn(expire_looks(hub.clone(), index));
}

/// Tells of looks that nobody has said again.
async fn expire_looks(hub: Arc<Hub>, index: usize) {
    let mut seconds = tokio::time::interval(std::time::Duration::from_millis(SECOND));
    let app = &hub.apps[index];
    while app.is_there() {
        seconds.tick().await;
        let now = clock::now_ms();
        for changed in app.appointease.expire(now) {
            news::tell_looks(&hub, app, &changed, None, now);
        }
    }
}

struct Follower {
    hub: Arc<Hub>,
    index: usize,
    /// Slots whose hold has ended only to be replaced by another of the same holder.
    replaced: HashSet<(ResourceId, Millis)>,
    /// What was told last of the dates that are watched, so that nothing is told twice.
    told: BTreeMap<(ResourceId, Date), Vec<String>>,
}

/// What is told of a reservation to the staff, as far as it concerns its slots.
#[derive(Deserialize)]
struct Told {
    reservation: Reserved,
    #[serde(default)]
    why: Option<String>,
}

#[derive(Deserialize)]
struct Reserved {
    claims: Vec<Claim>,
    holder: Principal,
}

/// What is told of a resource's usage.
#[derive(Deserialize)]
struct Usage {
    resource: ResourceId,
    #[serde(default)]
    segments: Vec<Bounds>,
}

#[derive(Deserialize)]
struct Bounds {
    start: Millis,
    end: Millis,
}

/// Dates that may have changed: of one employee within a span, or all that are watched.
type Touched = BTreeSet<(ResourceId, Date)>;

impl Follower {
    async fn run(mut self) {
        self.recall().await;
        let mut rows = self.app().rows.subscribe();
        let mut next = self.app().appointease.from;
        let mut entries = Vec::new();
        // An app that is added again under its number has the same log, and a follower of its own.
        while self.app().is_there() {
            let (pull, end) =
                self.app().log.with(|log| (log.pull(next, limits::PULL, &mut entries), log.ring_end().0));
            let mut touched = Touched::new();
            next = match pull {
                Pull::Next(place) => place,
                Pull::FellOff => {
                    touched.extend(self.app().appointease.watched(None));
                    end
                }
            };
            if let Some(terms) = self.app().appointease.terms.load_full() {
                entries.iter().for_each(|entry| self.take(entry, &terms.grid, &mut touched));
                self.tell_dates(touched, &terms.grid).await;
            }
            entries.clear();
            if next == end && rows.changed().await.is_err() {
                return;
            }
        }
    }

    fn app(&self) -> &App {
        &self.hub.apps[self.index]
    }

    /// Employees from before the start count as well.
    async fn recall(&self) {
        let mut after: Option<ResourceId> = None;
        loop {
            let (tell, told) = oneshot::channel();
            let look = Look::Resources { after: after.clone(), limit: PAGE };
            self.hub.store.look(self.app().id, look, Box::new(move |seen| drop(tell.send(seen))));
            let Ok(Ok(sighting)) = told.await else { return };
            let Seen::Resources(found) = sighting.seen else { return };
            let Some(last) = found.last() else { return };
            after = Some(last.id.clone());
            let employees = found.iter().filter(|one| employee_of(&one.id).is_some());
            site::locked(&self.app().appointease.known).extend(employees.map(|one| one.id.clone()));
        }
    }

    /// Takes one entry in.
    fn take(&mut self, entry: &SharedEntry, grid: &Grid, touched: &mut Touched) {
        let (channel, bytes) = (entry.event.channel.as_str(), &entry.event.data.bytes);
        if channel.starts_with("slots:employee:") {
            let Ok(usage) = serde_json::from_slice::<Usage>(bytes) else { return };
            touched.extend(self.touches(&usage, grid));
        } else if channel.starts_with("staff:") {
            let Ok(told) = serde_json::from_slice::<Told>(bytes) else { return };
            self.hear(entry.event.name.as_str(), &told, grid, entry.event.at);
        }
    }

    /// The dates that somebody watches out of those that a change touches.
    fn touches(&self, usage: &Usage, grid: &Grid) -> Vec<(ResourceId, Date)> {
        let mut watched = self.app().appointease.watched(Some(&usage.resource));
        let span = usage.segments.first().zip(usage.segments.last());
        if let Some((first, last)) = span {
            let span = Span { start: first.start, end: last.end };
            watched.retain(|(_, date)| grid.window(*date).overlaps(span));
        }
        watched
    }

    /// Something became of a reservation.
    fn hear(&mut self, name: &str, told: &Told, grid: &Grid, at: Millis) {
        let employees = told.reservation.claims.iter().filter(|claim| employee_of(&claim.resource).is_some());
        for claim in employees {
            let slot = (claim.resource.clone(), claim.start);
            match name {
                "hold.released" if told.why.as_deref() == Some("replaced") => {
                    self.replaced.insert(slot);
                }
                // The page has said that it is done: the slot is as taken as it was.
                "hold.granted" if self.replaced.remove(&slot) => {}
                "hold.granted" | "booking.confirmed" | "booking.requested" | "booking.rescheduled" => {
                    let by = self.hub.seals.member_id(&told.reservation.holder);
                    let news = News::taken(grid.wall(claim.start), by);
                    news::tell(&self.hub, self.app(), &claim.resource, &news, at);
                    self.update(
                        claim,
                        grid,
                        at,
                        if name == "hold.granted" { What::Processing } else { What::Taken },
                    );
                }
                "hold.released" | "hold.expired" | "hold.evicted" | "booking.declined"
                | "booking.cancelled" => {
                    self.update(claim, grid, at, What::Available);
                }
                _ => {}
            }
        }
    }

    /// What became of a slot, for those who poll.
    fn update(&self, claim: &Claim, grid: &Grid, at: Millis, what: fn(Slot) -> What) {
        if let Some(slot) = acts::slot_of(grid, claim) {
            self.app().appointease.update(what(slot), None, at);
        }
    }

    /// Looks at dates that may have changed, and tells what cannot be had on them now.
    async fn tell_dates(&mut self, touched: Touched, grid: &Grid) {
        if !self.told.is_empty() {
            let watched: Touched = self.app().appointease.watched(None).into_iter().collect();
            self.told.retain(|date, _| watched.contains(date));
        }
        for (resource, date) in touched {
            let (tell, told) = oneshot::channel();
            acts::unavailable(&self.hub, self.app(), resource.clone(), date, move |found| {
                drop(tell.send(found));
            });
            // A ledger that cannot be read has said so, and its next change is looked at again.
            let Ok(Ok(found)) = told.await else { continue };
            let times = acts::times(found, date, grid);
            let before = self.told.insert((resource.clone(), date), times.clone());
            if before.as_ref() == Some(&times) {
                continue;
            }
            let news = News::Unavailable { date: date.to_string(), times };
            news::tell(&self.hub, self.app(), &resource, &news, clock::now_ms());
        }
    }
}
