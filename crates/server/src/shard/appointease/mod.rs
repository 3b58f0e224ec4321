//! What pages of the AppointEase dialect ask: each message becomes an act on the same ledger and the same log that all
//! other clients use, and gets its one direct answer.
//!
//! | file | what |
//! |---|---|
//! | `mod` | messages come in; whoever comes and goes |
//! | [`answers`] | what had to wait for the ledger |
//! | [`sees`] | what a page is shown of the log |

mod answers;
mod sees;

use std::sync::Arc;

use deskbell_core::calendar::Wall;
use deskbell_core::ids::{ChannelName, Principal, ResourceId};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::Claim;
use deskbell_core::slotted::Then;
use deskbell_wire::appointease::debug::{Client as Shown, Selection};
use deskbell_wire::appointease::hail::Who;
use deskbell_wire::appointease::{Asked, Day, Slot, asked, decode, said};
use deskbell_wire::websocket::Opcode;
use deskbell_wire::websocket::encode as websocket;

use super::Shard;
use super::lens::{Lens, Sight};
use super::mailbox::Handle;
use super::waiting::Answer;
use crate::app::App;
use crate::appointease::{Guest, Key, Terms, acts, news};
use crate::ledger;

pub use answers::Answered;
pub(super) use sees::pages_hear;

/// What a page has beside its session.
#[derive(Debug)]
pub struct Page {
    /// What it is called.
    who: Who,
    /// As whom the ledger's news name it.
    member: String,
    /// The slot that it watches: the last one that it named.
    watching: Option<Watched>,
    /// Where it is in the form, as JSON.
    step: Option<Box<str>>,
    /// Persons of whose appointments it is told, where it may be.
    follows: Vec<Arc<str>>,
}

/// A slot that a page watches.
#[derive(Debug)]
struct Watched {
    slot: Slot,
    resource: ResourceId,
    /// Its date and time, where it has such.
    wall: Option<Wall>,
}

/// Persons whose appointments one page follows: itself, and whom a developer's page tries out.
const FOLLOWED: usize = 5;

impl Shard {
    /// A page has come.
    pub(super) fn open_page(&mut self, slot: u32, who: Who) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(slot) else { return };
        let principal = client.session.identity.principal.clone();
        let member = self.hub.seals.member_id(&principal);
        let greeting = said::connection(&who, now);
        let page = Page { who, member, watching: None, step: None, follows: Vec::new() };
        client.page = Some(Box::new(page));
        // It is greeted when it hears: whoever has been greeted and sees somebody do something counts on hearing of it.
        self.come_to_now(slot);
        for channel in [news::PAGES, news::EVENTS] {
            if let Ok(channel) = ChannelName::parse(channel) {
                self.look_through(
                    slot,
                    Lens { shown: channel.clone(), source: channel, sight: Sight::Pages },
                );
            }
        }
        self.answer_page(slot, &greeting);
        if let Principal::User(user) = principal {
            self.follow_person(slot, user.as_str());
        }
        self.tell_panel(slot);
    }

    /// Its connection has ended.
    pub(super) fn close_page(&mut self, slot: u32) {
        let key = self.key_of_page(slot);
        let Some(client) = self.clients.get_mut(slot) else { return };
        let Some(page) = client.page.take() else { return };
        let (hub, now) = (self.hub.clone(), self.now);
        let app = &hub.apps[usize::from(client.app)];
        if let Some((watched, wall)) = page.watching.as_ref().and_then(|one| Some((one, one.wall?))) {
            app.appointease.unwatch(&watched.resource, wall.date());
        }
        page.follows.iter().for_each(|email| app.appointease.unfollow(email));
        for changed in app.appointease.gone(key) {
            news::tell_looks(&hub, app, &changed, None, now);
        }
    }

    /// Takes one message in.
    pub(super) fn take_page(&mut self, slot: u32, text: &str) {
        // What is no JSON got no answer ever.
        let Some(read) = decode(text) else { return };
        if let Err(refusal) = self.charge(slot) {
            self.refuse_page(slot, &refusal);
            return;
        }
        let answered = read.and_then(|asked| self.act_on_page(slot, asked));
        match answered {
            Ok(Some(frame)) => self.answer_page(slot, &frame),
            Ok(None) => {}
            Err(refusal) => self.refuse_page(slot, &refusal),
        }
    }

    /// Acts on a message. The answer is given now, or comes from the ledger.
    fn act_on_page(&mut self, slot: u32, asked: Asked) -> Result<Option<String>, Refusal> {
        let now = self.now;
        Ok(match asked {
            Asked::Ping { sent } => Some(said::pong(asked::latency(sent, now), now)),
            Asked::Session { step } => {
                let answer = said::session_tracked(step.as_deref(), now);
                self.step_of_page(slot, step);
                Some(answer)
            }
            Asked::Lock(wish) => return self.lock_slot(slot, wish).map(|()| None),
            Asked::Unlock { slot: wish, then } => return self.unlock_slot(slot, wish, then).map(|()| None),
            Asked::Select(wish) => {
                self.look_at(slot, &wish);
                Some(said::selection_confirmed(&wish, now))
            }
            Asked::Deselect(wish) => {
                self.look_from(slot, &wish);
                Some(said::deselection_confirmed(&wish, now))
            }
            Asked::Watch(wish) => {
                self.watch_slot(slot, Some(wish))?;
                None
            }
            Asked::Unwatch(wish) => {
                self.watch_slot(slot, None)?;
                Some(said::unwatch_confirmed(Some(&wish), now))
            }
            Asked::Availability(day) => return self.look_up_day(slot, day).map(|()| None),
            Asked::Debug => {
                self.look_at_locks(slot);
                None
            }
            Asked::Subscribe { email } => return self.subscribe_person(slot, email).map(|()| None),
            Asked::WatchAppointments { email } => return self.watch_person(slot, email).map(|()| None),
            Asked::UnwatchAppointments => {
                self.unfollow(slot);
                Some(said::unwatch_confirmed(None, now))
            }
            Asked::Told { event, appointment } => {
                Some(said::event_received(event, appointment.as_deref(), now))
            }
            Asked::Unknown(kind) => Some(said::unknown(&kind, now)),
        })
    }

    fn lock_slot(&mut self, slot: u32, wish: Slot) -> Result<(), Refusal> {
        let claim = self.claim_of(slot, &wish)?;
        self.step_of_page(slot, Some("6".into()));
        let ties = self.tuning.holds_end_with_connections;
        let email = self.email_of(slot);
        let Some((app, identity, answer)) = self.owe(slot) else { return Ok(()) };
        let hub = self.hub.clone();
        let app = &hub.apps[app];
        acts::lock(&hub, app, ledger::actor(app, identity, ties), claim, email, move |lock| {
            answer(Answer::Page(Box::new(Answered::Locked(wish, lock))));
        });
        Ok(())
    }

    fn unlock_slot(&mut self, slot: u32, wish: Slot, then: Then) -> Result<(), Refusal> {
        let claim = self.claim_of(slot, &wish)?;
        let step = if then == Then::Completed { "7" } else { "4" };
        self.step_of_page(slot, Some(step.into()));
        let ties = self.tuning.holds_end_with_connections;
        let Some((app, identity, answer)) = self.owe(slot) else { return Ok(()) };
        let hub = self.hub.clone();
        let app = &hub.apps[app];
        acts::unlock(&hub, app, ledger::actor(app, identity, ties), claim, then, move |done| {
            answer(Answer::Page(Box::new(Answered::Unlocked(wish, done))));
        });
        Ok(())
    }

    fn look_up_day(&mut self, slot: u32, day: Day) -> Result<(), Refusal> {
        let (resource, date) = (day.employee.resource()?, day.date()?);
        let Some((app, _, answer)) = self.owe(slot) else { return Ok(()) };
        let hub = self.hub.clone();
        acts::unavailable(&hub, &hub.apps[app], resource, date, move |found| {
            answer(Answer::Page(Box::new(Answered::Unavailable(day, date, found))));
        });
        Ok(())
    }

    fn look_at_locks(&mut self, slot: u32) {
        let Some((app, _, answer)) = self.owe(slot) else { return };
        let hub = self.hub.clone();
        acts::locks(&hub, &hub.apps[app], move |found| {
            answer(Answer::Page(Box::new(Answered::Locks(found))));
        });
    }

    /// What a slot claims on the site's grid.
    fn claim_of(&self, slot: u32, wish: &Slot) -> Result<Claim, Refusal> {
        wish.claim(&self.terms_of_page(slot)?.grid)
    }

    fn terms_of_page(&self, slot: u32) -> Result<Arc<Terms>, Refusal> {
        acts::terms(self.app_of_page(slot)?)
    }

    fn app_of_page(&self, slot: u32) -> Result<&App, Refusal> {
        let over = || Refusal::new(Code::Unavailable, "the connection is over; connect again");
        let client = self.clients.get(slot).ok_or_else(over)?;
        Ok(&self.hub.apps[usize::from(client.app)])
    }

    /// The page's own address, where it has proven one.
    fn email_of(&self, slot: u32) -> Option<Arc<str>> {
        match &self.clients.get(slot)?.session.identity.principal {
            Principal::User(user) => Some(user.as_str().into()),
            Principal::Backend | Principal::Visitor(_) => None,
        }
    }

    fn look_at(&mut self, slot: u32, wish: &Slot) {
        let Some(who) = self.page(slot).map(|page| page.who.clone()) else { return };
        let shown = Selection { slot: wish.clone(), who, since: self.now };
        let key = self.key_of_page(slot);
        self.tell_looks(slot, |app| app.appointease.look(key, shown));
    }

    fn look_from(&mut self, slot: u32, wish: &Slot) {
        self.tell_looks(slot, |app| app.appointease.look_away(wish));
    }

    fn tell_looks(&mut self, slot: u32, change: impl FnOnce(&App) -> (Day, Vec<String>)) {
        let Some(client) = self.clients.get(slot) else { return };
        let (hub, except) = (self.hub.clone(), client.session.public_id());
        let app = &hub.apps[usize::from(client.app)];
        news::tell_looks(&hub, app, &change(app), Some(except), self.now);
    }

    /// The page watches another slot from now on, or none.
    fn watch_slot(&mut self, slot: u32, wish: Option<Slot>) -> Result<(), Refusal> {
        let watched = wish.map(|wish| -> Result<Watched, Refusal> {
            let (resource, wall) = (wish.day.employee.resource()?, wish.wall().ok());
            Ok(Watched { slot: wish, resource, wall })
        });
        let watched = watched.transpose()?;
        let hub = self.hub.clone();
        let Some(client) = self.clients.get_mut(slot) else { return Ok(()) };
        let site = &hub.apps[usize::from(client.app)].appointease;
        if let Some((resource, wall)) = watched.as_ref().and_then(|one| Some((&one.resource, one.wall?))) {
            site.watch(resource, wall.date());
        }
        let Some(page) = client.page.as_deref_mut() else { return Ok(()) };
        let channel = watched.as_ref().map(|one| news::channel(&one.resource)).transpose()?;
        if let Some(before) = std::mem::replace(&mut page.watching, watched) {
            if let Some(wall) = before.wall {
                site.unwatch(&before.resource, wall.date());
            }
            let old = news::channel(&before.resource)?;
            self.drop_lenses(slot, |lens| lens.source == old);
        }
        if let Some(channel) = channel {
            self.show_page(slot, channel);
        }
        self.tell_panel(slot);
        Ok(())
    }

    /// The page is shown what a channel tells, from now on.
    fn show_page(&mut self, slot: u32, channel: ChannelName) {
        self.come_to_now(slot);
        self.look_through(slot, Lens { shown: channel.clone(), source: channel, sight: Sight::Page });
    }

    fn step_of_page(&mut self, slot: u32, step: Option<Box<str>>) {
        if let Some(page) = self.page_mut(slot) {
            page.step = step;
            self.tell_panel(slot);
        }
    }

    /// What the debug panel shows of this page.
    fn tell_panel(&self, slot: u32) {
        let (Ok(app), Some(page)) = (self.app_of_page(slot), self.page(slot)) else { return };
        let watching = page.watching.as_ref().map(|watched| watched.slot.clone());
        let client = Shown { who: page.who.clone(), watching, step: page.step.clone() };
        let guest = Guest { client, member: page.member.clone() };
        app.appointease.show(self.key_of_page(slot), guest);
    }

    fn key_of_page(&self, slot: u32) -> Key {
        let Handle { shard, slot, stamp } = self.handle(slot);
        u128::from(shard) << 64 | u128::from(slot) << 32 | u128::from(stamp)
    }

    fn page(&self, slot: u32) -> Option<&Page> {
        self.clients.get(slot)?.page.as_deref()
    }

    fn page_mut(&mut self, slot: u32) -> Option<&mut Page> {
        self.clients.get_mut(slot)?.page.as_deref_mut()
    }

    /// Is it a page of this dialect?
    pub(super) fn is_page(&self, slot: u32) -> bool {
        self.page(slot).is_some()
    }

    /// Tells a page "no"; the connection stays.
    pub(super) fn refuse_page(&mut self, slot: u32, refusal: &Refusal) {
        self.hub.metrics.refused(refusal.code);
        let frame = said::error(refusal, self.now);
        self.answer_page(slot, &frame);
    }

    /// Adds a message to the replies of the page that is being served.
    fn answer_page(&mut self, _slot: u32, frame: &str) {
        websocket::frame_into(&mut self.out, Opcode::Text, frame.as_bytes());
    }
}
