//! What had to wait for the ledger: locks, free times, a person's appointments.

use std::sync::Arc;

use deskbell_core::calendar::Date;
use deskbell_core::ids::ChannelName;
use deskbell_core::projection::Dialect;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::slotted::Unavailable;
use deskbell_wire::appointease::{Day, Slot, debug, said};

use super::super::Shard;
use super::super::lens::{Lens, Sight};
use super::super::mailbox::Letter;
use super::super::waiting::Answer;
use super::FOLLOWED;
use crate::appointease::acts;
use crate::appointease::persons::{self, Appointments};

/// What a page's message waited for.
#[derive(Debug)]
pub enum Answered {
    /// A lock was decided.
    Locked(Slot, Result<acts::Lock, Refusal>),
    /// The end of one was.
    Unlocked(Slot, Result<(), Refusal>),
    /// It was looked which times cannot be had.
    Unavailable(Day, Date, Result<Unavailable, Refusal>),
    /// The same as news: nobody waits for it.
    Times(Day, Date, Result<Unavailable, Refusal>),
    /// The locks that there are, and how many.
    Locks(Result<(Vec<debug::Lock>, usize), Refusal>),
    /// A person's appointments.
    Appointments(Form, Arc<str>, Result<Appointments, Refusal>),
}

/// In which message a person's appointments are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As an answer to `subscribe`.
    Update,
    /// As an answer to `watch_appointments`.
    Data,
}

impl Answered {
    /// Did a message wait for it?
    pub fn was_owed(&self) -> bool {
        !matches!(self, Self::Times(..))
    }
}

impl Shard {
    /// The ledger has answered.
    pub(in super::super) fn hear_for_page(&mut self, slot: u32, answered: Answered) {
        let told = self.told_of(slot, answered);
        match told {
            Ok(frame) => self.answer_page(slot, &frame),
            Err(refusal) => self.refuse_page(slot, &refusal),
        }
    }

    fn told_of(&mut self, slot: u32, answered: Answered) -> Result<String, Refusal> {
        let now = self.now;
        Ok(match answered {
            Answered::Locked(wish, lock) => said::lock(&wish, lock?.locked, now),
            Answered::Unlocked(wish, done) => {
                done?;
                said::slot_unlocked(&wish, now)
            }
            Answered::Unavailable(day, date, found) | Answered::Times(day, date, found) => {
                let terms = self.terms_of_page(slot)?;
                said::availability(&day, &acts::times(found?, date, &terms.grid), now)
            }
            Answered::Locks(found) => self.panel_of(slot, found?)?,
            Answered::Appointments(form, email, found) => {
                let found = found?.or_newer(self.app_of_page(slot)?, &email);
                match form {
                    Form::Update => said::update(found.list(), now),
                    Form::Data => said::appointments_data(&email, found.list(), found.count, now),
                }
            }
        })
    }

    /// The debug panel. Only a developer sees whole addresses.
    fn panel_of(&self, slot: u32, (locks, locked): (Vec<debug::Lock>, usize)) -> Result<String, Refusal> {
        let terms = self.terms_of_page(slot)?;
        let panel = debug::Panel { locks, locked, ..self.app_of_page(slot)?.appointease.panel() };
        let panel = if terms.trusting { panel } else { panel.masked() };
        Ok(panel.info(self.now))
    }

    /// `subscribe`: a person's appointments, now and when they change.
    pub(super) fn subscribe_person(&mut self, slot: u32, email: Option<String>) -> Result<(), Refusal> {
        let own = self.email_of(slot);
        let named = email.as_deref();
        if named.is_none_or(|named| own.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(named))) {
            let own = own.ok_or_else(|| {
                let sentence =
                    "nobody is known here whose appointments these are; connect with a signed e-mail address";
                Refusal::new(Code::Denied, sentence)
            })?;
            self.look_up_person(slot, Form::Update, own);
            return Ok(());
        }
        let email: Arc<str> = email.unwrap_or_default().into();
        self.may_follow(slot, &email)?;
        self.follow_person(slot, &email);
        self.answer_page(slot, &said::subscribed(&email));
        self.look_up_person(slot, Form::Update, email);
        Ok(())
    }

    /// `watch_appointments`: the same in another message.
    pub(super) fn watch_person(&mut self, slot: u32, email: Option<String>) -> Result<(), Refusal> {
        let own = || {
            self.email_of(slot).ok_or_else(|| {
                Refusal::new(Code::BadField, "`email` is missing; say whose appointments you mean")
            })
        };
        let email: Arc<str> = email.map_or_else(own, |email| Ok(email.into()))?;
        self.may_follow(slot, &email)?;
        self.follow_person(slot, &email);
        self.look_up_person(slot, Form::Data, email);
        Ok(())
    }

    fn may_follow(&self, slot: u32, email: &str) -> Result<(), Refusal> {
        let terms = self.terms_of_page(slot)?;
        let Some(client) = self.clients.get(slot) else { return Ok(()) };
        acts::may_see(&terms, &client.session.identity.principal, email)
    }

    /// The page is told when a person's appointments change. Beyond a few persons it asks again.
    pub(super) fn follow_person(&mut self, slot: u32, email: &str) {
        let email: Arc<str> = email.to_ascii_lowercase().into();
        let Some(channel) = persons::channel(&email) else { return };
        let Some(page) = self.page_mut(slot) else { return };
        if page.follows.contains(&email) || page.follows.len() >= FOLLOWED {
            return;
        }
        page.follows.push(email.clone());
        // Before the channel is listened to: from then on no change is left out.
        if let Ok(app) = self.app_of_page(slot) {
            app.appointease.follow(&email);
        }
        self.show_page(slot, channel.clone());
        self.show_person(slot, &channel, &email);
    }

    /// What is published for an address, and what the table of projections shows there of the ledger.
    fn show_person(&mut self, slot: u32, shown: &ChannelName, email: &str) {
        let Some(client) = self.clients.get(slot) else { return };
        let table = self.hub.apps[usize::from(client.app)].projections.load_full();
        let rows = table.resolve(Dialect::AppointEase, email).into_iter();
        let rows = rows.map(|of| (of.channel, Sight::Rows(table.clone(), of.rows)));
        // Other ids of users are no names of this dialect, and may be those of channels for everybody.
        let own = ChannelName::parse(email).ok().filter(|_| email.contains('@'));
        let sights: Vec<_> = own.map(|channel| (channel, Sight::Same)).into_iter().chain(rows).collect();
        for (source, sight) in sights {
            self.look_through(slot, Lens { shown: shown.clone(), source, sight });
        }
    }

    /// The page is told of nobody's appointments any more.
    pub(super) fn unfollow(&mut self, slot: u32) {
        let Some(page) = self.page_mut(slot) else { return };
        let followed = std::mem::take(&mut page.follows);
        if let Ok(app) = self.app_of_page(slot) {
            followed.iter().for_each(|email| app.appointease.unfollow(email));
        }
        self.drop_lenses(slot, |lens| lens.shown.as_str().starts_with(persons::PREFIX));
    }

    fn look_up_person(&mut self, slot: u32, form: Form, email: Arc<str>) {
        let Some((app, _, answer)) = self.owe(slot) else { return };
        let hub = self.hub.clone();
        persons::look_up(&hub, &hub.apps[app], &email.clone(), move |found| {
            answer(Answer::Page(Box::new(Answered::Appointments(form, email, found))));
        });
    }

    /// The page could not keep up, and has passed over what is kept nowhere: it is told which times there are now. A
    /// person's appointments are a channel's value, and owed to it anyway.
    pub(in super::super) fn tell_page_what_is(&self, slot: u32) {
        let Some(page) = self.page(slot) else { return };
        let day = page.watching.as_ref().map(|watched| watched.slot.day.clone());
        let Some((day, Ok(app))) = day.map(|day| (day, self.app_of_page(slot))) else { return };
        let (Ok(resource), Ok(date)) = (day.employee.resource(), day.date()) else { return };
        let (handle, mailbox) = (self.handle(slot), self.mailbox.clone());
        acts::unavailable(&self.hub, app, resource, date, move |found| {
            let answer = Answer::Page(Box::new(Answered::Times(day, date, found)));
            mailbox.answer(Letter::Answer { client: handle, answer });
        });
    }
}
