//! What is told of a change: one event for each audience, with only what that audience may see.
//!
//! | channel | who reads it | what it sees |
//! |---|---|---|
//! | `slots:{resource}` | everybody | how much is free when, never by whom |
//! | `booking:{id}` | whoever was given the id | the reservation or the wait, without any person |
//! | `user:{id}` | the holder | its own, with e-mail address and `meta` |
//! | `provider:{id}` | who serves there | the same with the holder |
//! | `staff:{app}` | staff | everything |

use std::collections::{HashSet, VecDeque};

use serde::Serialize;
use serde_json::value::RawValue;

use super::model::{Claim, Reservation, State, Wait};
use super::outcome::{Change, Told};
use super::slice::{Key, Slice, Touched};
use super::steps::Segment;
use crate::calendar::Span;
use crate::event::{Data, Draft, Event};
use crate::ids::{AppId, ChannelName, EventId, EventName, ExternalRef, Principal, ResourceId, UserId};
use crate::limits::{self, Millis};
use crate::mac;

/// What a change's events have in common.
#[derive(Debug)]
pub struct Announcement {
    app: AppId,
    now: Millis,
    change: String,
    /// What is being told, so that its events for several audiences can be known for the same.
    about: usize,
    drafts: Vec<Draft>,
}

/// A reservation as an audience sees it.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    /// Its id.
    pub id: &'a str,
    /// Where it stands.
    pub state: State,
    /// What it claims.
    pub claims: Vec<&'a Claim>,
    /// The ledger position of its last change. It would tell others how much is booked here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
    /// The offer of a waitlist that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<&'a str>,
    /// What the host's database calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<&'a ExternalRef>,
    /// The person's e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// What the site wants to know with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<&'a RawValue>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<&'a Principal>,
    /// The fence of its grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
}

/// How much of a reservation somebody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// No person.
    Nobody,
    /// One's own.
    Own,
    /// Whose it is.
    Holder,
    /// Everything.
    Everything,
}

impl<'a> View<'a> {
    /// What somebody with this sight sees.
    pub fn of(reservation: &'a Reservation, sight: Sight) -> Self {
        Self {
            id: reservation.id.as_str(),
            state: reservation.state,
            claims: reservation.claims.iter().map(|granted| &granted.claim).collect(),
            version: Some(reservation.version).filter(|_| sight >= Sight::Holder),
            expires_at: reservation.expires_at,
            offer: reservation.offer.as_ref().map(crate::ids::WaitId::as_str),
            external_ref: reservation.external_ref.as_ref().filter(|_| sight >= Sight::Own),
            email: reservation.email.as_deref().filter(|_| sight >= Sight::Own),
            meta: reservation.meta.as_deref().filter(|_| sight >= Sight::Own),
            holder: Some(&reservation.holder).filter(|_| sight >= Sight::Holder),
            fence: Some(reservation.fence).filter(|_| sight >= Sight::Everything),
        }
    }
}

/// An entry of a waitlist as an audience sees it.
#[derive(Debug, Serialize)]
pub struct WaitView<'a> {
    id: &'a str,
    state: &'a str,
    any_of: &'a [Vec<Claim>],
    #[serde(skip_serializing_if = "Option::is_none")]
    offer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a Principal>,
}

impl<'a> WaitView<'a> {
    /// What somebody with this sight sees.
    pub fn of(wait: &'a Wait, sight: Sight) -> Self {
        Self {
            id: wait.id.as_str(),
            state: wait.state.as_str(),
            any_of: &wait.any_of,
            offer: wait.offer.as_ref().map(crate::ids::ReservationId::as_str),
            principal: Some(&wait.principal).filter(|_| sight >= Sight::Holder),
        }
    }
}

#[derive(Serialize)]
struct OfReservation<'a> {
    reservation: View<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct OfWait<'a> {
    wait: WaitView<'a>,
}

#[derive(Serialize)]
struct OfSlots<'a> {
    resource: &'a ResourceId,
    segments: Vec<Segment>,
}

#[derive(Serialize)]
struct OfResource<'a> {
    resource: &'a ResourceId,
}

impl Announcement {
    /// Begins one for a change. `seed` is that of the change's [`Moment`](super::Moment).
    pub fn new(app: AppId, now: Millis, seed: [u8; 16]) -> Self {
        use base64::Engine as _;
        // The seed itself would give away the ids that are made of it.
        let tag = mac::tag(&seed, &[b"change"]);
        let change = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&tag[..12]);
        Self { app, now, change, about: 0, drafts: Vec::new() }
    }

    /// The events, next to each other in the log under the change's id.
    pub fn into_drafts(self) -> Vec<Draft> {
        self.drafts
    }

    /// What is told from here on is about something else than what was told before.
    pub(crate) fn begin(&mut self) {
        self.about += 1;
    }

    /// Tells what a change says of reservations, waits and resources.
    pub fn tell(&mut self, change: &Change, slice: &Slice) {
        for told in &change.told {
            self.about += 1;
            match told {
                Told::Reservation { what, id, why } => {
                    let newest = change.reservations.iter().rev().find(|new| new.id == *id);
                    if let Some(newest) = newest {
                        self.reservation(what.as_str(), newest, why.as_deref(), slice);
                    }
                }
                Told::Wait { wait, free } => self.wait(wait, *free),
                Told::Resource(resource) => self.reset_slots(resource),
            }
        }
    }

    fn reservation(&mut self, name: &str, reservation: &Reservation, why: Option<&str>, slice: &Slice) {
        let of = |sight, why| OfReservation { reservation: View::of(reservation, sight), why };
        if reservation.block.is_none() {
            // What staff writes as a reason is for staff.
            self.push(&format!("booking:{}", reservation.id), name, &of(Sight::Nobody, None));
            if let Principal::User(user) = &reservation.holder {
                self.push(&format!("user:{user}"), name, &of(Sight::Own, None));
            }
            for provider in providers(reservation, slice) {
                self.push(&format!("provider:{provider}"), name, &of(Sight::Holder, None));
            }
        }
        self.push(&format!("staff:{}", self.app), name, &of(Sight::Everything, why));
    }

    fn wait(&mut self, wait: &Wait, free: bool) {
        let name = match wait.state.as_str() {
            _ if free => "waitlist.free",
            "waiting" => "waitlist.joined",
            "offered" => "waitlist.offered",
            "accepted" => "waitlist.accepted",
            "lapsed" => "waitlist.lapsed",
            _ => "waitlist.left",
        };
        self.push(&format!("booking:{}", wait.id), name, &OfWait { wait: WaitView::of(wait, Sight::Nobody) });
        if let Principal::User(user) = &wait.principal {
            self.push(&format!("user:{user}"), name, &OfWait { wait: WaitView::of(wait, Sight::Own) });
        }
        let staff = format!("staff:{}", self.app);
        self.push(&staff, name, &OfWait { wait: WaitView::of(wait, Sight::Everything) });
    }

    /// Tells everybody who shows a resource's free times to load them anew.
    pub fn reset_slots(&mut self, resource: &ResourceId) {
        self.push(&format!("slots:{resource}"), "slots.reset", &OfResource { resource });
    }

    /// Tells what is free now where a resource's usage changed. Where the days are not known it says so, and
    /// never that everything is free.
    pub fn slots(&mut self, touched: &Touched, slice: &Slice) {
        for (id, span) in touched {
            self.about += 1;
            let Some(resource) = slice.resource(id) else { continue };
            let known = |day| slice.knows(&Key::Day(id.clone(), day));
            if span.length() > limits::SLOTS_WINDOW || !span.days().all(known) {
                self.reset_slots(id);
                continue;
            }
            let pieces: Vec<_> = span.days().flat_map(|day| slice.day(id, day)).cloned().collect();
            let segments = resource.shown(&pieces, *span, self.now);
            let data = OfSlots { resource: id, segments };
            self.push(&format!("slots:{id}"), "slots.delta", &data);
        }
    }

    /// One event. A name that is no channel's (a user id with a blank) has no listeners either.
    pub(crate) fn push(&mut self, channel: &str, name: &str, data: &impl Serialize) {
        let Ok(channel) = ChannelName::parse(channel) else { return };
        let (Ok(name), Ok(bytes)) = (EventName::parse(name), serde_json::to_vec(data)) else { return };
        let id = format!("{}.{}.{}", self.change, self.about, self.drafts.len());
        let Ok(id) = EventId::parse(&id) else { return };
        self.drafts.push(Draft::message(Event { id, channel, name, data: Data::json(bytes), at: self.now }));
    }
}

fn providers(reservation: &Reservation, slice: &Slice) -> Vec<UserId> {
    let resources = reservation.claims.iter().filter_map(|granted| slice.resource(&granted.claim.resource));
    let mut providers: Vec<UserId> = resources.filter_map(|resource| resource.provider.clone()).collect();
    providers.sort_unstable();
    providers.dedup();
    providers
}

/// Usage that changed and was not told yet, so that what changes often is told together.
///
/// The first change of a resource is told at once; those of the next moments are gathered.
#[derive(Debug, Default)]
pub struct Owed {
    /// Of resources that were told of a moment ago.
    gathered: Touched,
    /// Of the others.
    ready: Touched,
    /// Resources that were told of a moment ago, in this order.
    told: VecDeque<(Millis, ResourceId)>,
    known: HashSet<ResourceId>,
}

impl Owed {
    /// Notes where usage changed.
    pub fn add(&mut self, touched: Touched) {
        for (resource, span) in touched {
            let owed = if self.known.contains(&resource) { &mut self.gathered } else { &mut self.ready };
            join(owed, resource, span);
        }
    }

    /// What was to be told was not: it is owed as if nobody had been told anything lately.
    pub fn add_untold(&mut self, touched: Touched) {
        self.told.retain(|(_, resource)| !touched.contains_key(resource));
        for (resource, span) in touched {
            self.known.remove(&resource);
            let gathered = self.gathered.remove(&resource);
            join(&mut self.ready, resource, gathered.map_or(span, |other| other.hull(span)));
        }
    }

    /// What is to be told now.
    pub fn take_due(&mut self, now: Millis) -> Touched {
        while let Some((at, _)) = self.told.front()
            && at.saturating_add(limits::SLOTS_JOIN) <= now
            && let Some((_, resource)) = self.told.pop_front()
        {
            self.known.remove(&resource);
            if let Some(span) = self.gathered.remove(&resource) {
                join(&mut self.ready, resource, span);
            }
        }
        let due = std::mem::take(&mut self.ready);
        for resource in due.keys() {
            self.told.push_back((now, resource.clone()));
            self.known.insert(resource.clone());
        }
        due
    }

    /// When something is to be told that nobody asks for.
    pub fn next(&self) -> Option<Millis> {
        if !self.ready.is_empty() {
            return Some(0);
        }
        let (at, _) = self.told.iter().find(|(_, resource)| self.gathered.contains_key(resource))?;
        Some(at.saturating_add(limits::SLOTS_JOIN))
    }
}

fn join(owed: &mut Touched, resource: ResourceId, span: Span) {
    owed.entry(resource).and_modify(|all| *all = all.hull(span)).or_insert(span);
}
