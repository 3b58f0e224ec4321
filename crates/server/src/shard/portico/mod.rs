//! What pages of the Portico dialect ask: each message is judged by what the installation allows, and becomes an act
//! on the same sessions, channels and log that all other clients use.
//!
//! | file | what |
//! |---|---|
//! | `mod` | messages come in, and what is said to a page goes out |
//! | [`enter`] | a page comes, with a session or without one, and goes on where it stood |
//! | [`rooms`] | rooms of sessions and entities, and what pages say in them |
//! | [`alive`] | signs of life, and how far a page has come for certain |

mod alive;
mod enter;
mod rooms;

use deskbell_core::limits::Millis;
use deskbell_core::position::Position;
use deskbell_core::refusal::Refusal;
use deskbell_core::vocabulary::Notice;
use deskbell_wire::portico::applications::{self, Applications, Missing};
use deskbell_wire::portico::asked::Asked;
use deskbell_wire::portico::message::{Added, Message};
use deskbell_wire::portico::pulse::{Pulse, Rhythm};
use deskbell_wire::portico::relays::{Verdict, Wish, judge};
use deskbell_wire::portico::said::{self, Why};
use deskbell_wire::portico::{EVERYONE, Session, Stamp, decode};

use super::mailbox::Letter;
use super::waiting::Answer;
use super::{Shard, flag};
use crate::clock;
use crate::portico;

/// What a client of this dialect has.
#[derive(Debug)]
pub struct Visit {
    /// Its session.
    session: Option<Session>,
    /// It was asked for one.
    was_asked: bool,
    /// Its signs of life.
    pulse: Pulse,
    /// When it is looked at next.
    alarm: Millis,
    /// Where it goes on, in each room that it enters.
    since: Option<Position>,
    /// It has everything up to here for certain.
    sure: Position,
    /// Where it stood when it was last asked for a sign that would prove that.
    pinged: Position,
}

impl Visit {
    fn new(rhythm: Rhythm, at: Position, now: Millis) -> Self {
        Self {
            session: None,
            was_asked: false,
            pulse: Pulse::new(rhythm, now),
            alarm: 0,
            since: None,
            sure: at,
            pinged: at,
        }
    }
}

impl Shard {
    /// Takes one message in. What is no JSON object harms nothing.
    pub(super) fn take_portico(&mut self, slot: u32, text: &str) {
        match decode(text) {
            None => drop(self.charge(slot)),
            // The answer to a sign of life costs less than its refusal would.
            Some(Ok(Asked::Ping { id, heartbeat })) => {
                let random = clock::random_u64();
                self.tell_portico(slot, |stamp| {
                    said::pong(id.as_deref(), heartbeat.as_deref(), random, stamp)
                });
            }
            Some(Ok(Asked::Pong)) => {}
            Some(asked) => match self.charge(slot).and(asked) {
                Ok(asked) => self.act_for_portico(slot, asked),
                Err(no) => self.refuse_portico(slot, &no),
            },
        }
    }

    fn act_for_portico(&mut self, slot: u32, asked: Asked) {
        let done = match asked {
            Asked::TellOthers(message) => self.tell_everybody(slot, &message, Hears::Others),
            Asked::TellAll(message) => self.tell_everybody(slot, &message, Hears::All),
            Asked::UserInfo { user } => {
                self.know_user(slot, user);
                Ok(())
            }
            Asked::PartialApplications => {
                self.look_up_applications(slot);
                Ok(())
            }
            Asked::Subscribe(entity) => self.enter_entity(slot, &entity),
            Asked::Unsubscribe(entity) => {
                self.drop_sub(slot, &entity.room);
                self.tell_portico(slot, |stamp| said::unsubscribed(&entity, stamp));
                Ok(())
            }
            Asked::TellRoom { room, message } => self.tell_room(slot, &room, &message),
            Asked::TellTabs(message) => self.tell_tabs(slot, &message),
            Asked::TellEntity { entity, message } => self.tell_entity(slot, &entity, &message),
            Asked::UpdateSession(id) => self.update_session(slot, id),
            Asked::Ping { .. } | Asked::Pong => Ok(()),
        };
        match done {
            Ok(()) => {}
            Err(No::Why(why)) => self.tell_portico(slot, |stamp| said::no(why, stamp)),
            Err(No::Refusal(no)) => self.refuse_portico(slot, &no),
        }
    }

    fn tell_everybody(&mut self, slot: u32, message: &Message, hears: Hears) -> Result<(), No> {
        let Some(terms) = self.portico_terms(slot) else { return Ok(()) };
        if judge(terms.mode, Wish::TellEverybody) != Verdict::Yes {
            return Err(No::Why(Why::NoRelays));
        }
        let added = Added::default().from(self.session_of(slot)).at(terms.stamp(self.now));
        let text = message.with(&added);
        self.pass_on(slot, EVERYONE, &text, hears)
    }

    /// A page says which user it is. Without a proof that is a label, and opens nothing.
    fn know_user(&mut self, slot: u32, user: i64) {
        let Some(terms) = self.portico_terms(slot) else { return };
        let own = self.clients.get(slot).and_then(|client| client.session.identity.user_id());
        let is_proven = own.is_some_and(|own| own == user.to_string());
        let outcome = match judge(terms.mode, Wish::BeUser) {
            Verdict::Proof if !is_proven => Err(Refusal::new(
                deskbell_core::refusal::Code::Unauthorized,
                "User information needs a token that proves it; connect with one",
            )),
            _ => Ok(()),
        };
        self.tell_portico(slot, |stamp| said::user_info(user, outcome.as_ref().copied(), stamp));
    }

    fn look_up_applications(&mut self, slot: u32) {
        let (handle, mailbox, hub) = (self.handle(slot), self.mailbox.clone(), self.hub.clone());
        let Some(id) = self.session_of(slot).map(|session| session.id.clone()) else {
            let none = Missing::NoSession;
            self.tell_portico(slot, |stamp| applications::answer(None, Err(&none), stamp));
            return;
        };
        let Some(client) = self.clients.get_mut(slot) else { return };
        client.parked_frames += 1;
        let app = usize::from(client.app);
        self.hub.runtime.spawn(async move {
            let found = portico::applications::look_up(&hub, app, &id).await;
            let answer = Answer::Applications(Box::new(found));
            mailbox.answer(Letter::Answer { client: handle, answer });
        });
    }

    /// The applications that a page has asked for are here.
    pub(super) fn say_applications(&mut self, slot: u32, found: &Result<Applications, Missing>) {
        let id = self.session_of(slot).map(|session| session.id.clone());
        self.tell_portico(slot, |stamp| applications::answer(id.as_ref(), found.as_ref(), stamp));
    }

    /// What other dialects say as a notice, as far as this one has words for it.
    pub(super) fn notify_portico(&mut self, slot: u32, notice: &Notice<'_>) {
        match notice {
            Notice::Error(refusal) => self.refuse_portico(slot, refusal),
            Notice::Closing { .. } => self.tell_portico(slot, said::reconnect_required),
            _ => {}
        }
    }

    fn refuse_portico(&mut self, slot: u32, no: &Refusal) {
        self.hub.metrics.refused(no.code);
        self.tell_portico(slot, |stamp| said::error(no, stamp));
    }

    /// Adds a frame to the replies of the page that is being served.
    fn tell_portico(&mut self, slot: u32, frame: impl FnOnce(Stamp<'_>) -> String) {
        let (Some(terms), Some(client)) = (self.portico_terms(slot), self.clients.get(slot)) else { return };
        // Over Socket.IO nothing is said to a page before it has come into its namespace.
        if client.portico.is_none() {
            return;
        }
        let json = frame(terms.stamp(self.now));
        client.variant.written(json.as_bytes(), &mut self.out);
    }

    fn portico_terms(&self, slot: u32) -> Option<std::sync::Arc<portico::Terms>> {
        let client = self.clients.get(slot)?;
        Some(self.hub.apps[usize::from(client.app)].portico.load_full())
    }

    fn portico(&self, slot: u32) -> Option<&Visit> {
        self.clients.get(slot)?.portico.as_deref()
    }

    fn portico_mut(&mut self, slot: u32) -> Option<&mut Visit> {
        self.clients.get_mut(slot)?.portico.as_deref_mut()
    }

    fn session_of(&self, slot: u32) -> Option<&Session> {
        self.portico(slot)?.session.as_ref()
    }

    /// Where a connection stands now.
    fn stands_at(&self, slot: u32) -> Option<Position> {
        let client = self.clients.get(slot)?;
        let here = self.cohort(usize::from(client.app), slot).at;
        Some(client.catching.as_ref().map_or(here, |catching| catching.at))
    }

    /// Something that a page was owed is gone: it comes back, and loads its state anew.
    pub(super) fn begin_portico_anew(&mut self, slot: u32) {
        let at = self.stands_at(slot);
        if let (Some(page), Some(at)) = (self.portico_mut(slot), at) {
            (page.sure, page.pinged, page.since) = (at, at, None);
        }
    }

    /// Is a page there that speaks this dialect, and no goodbye said?
    fn is_portico(&self, slot: u32) -> bool {
        self.portico(slot).is_some() && !self.flagged(slot, flag::GONE | flag::CLOSING)
    }
}

/// Who hears what a page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hears {
    /// Everybody else.
    Others,
    /// It, too.
    All,
}

/// Why a page's wish is not done.
#[derive(Debug)]
enum No {
    /// In this dialect's own words.
    Why(Why),
    /// For a reason that only we have.
    Refusal(Refusal),
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}
