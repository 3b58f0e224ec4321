//! A client comes into a namespace: anew, or as who it was.
//!
//! Whoever comes back shows the secret that it was given, and where it stood. If everything since is still there,
//! it gets its rooms again and reads on from that place; otherwise it is somebody new, and hears so by another
//! secret. The secret also says where it was given, for who has heard of nothing since.

use std::sync::Arc;

use deskbell_core::access::Identity;
use deskbell_core::class::Shape;
use deskbell_core::cursor::Cursor;
use deskbell_core::ids::{ChannelName, PublicId};
use deskbell_core::log::Want;
use deskbell_core::position::Position;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::session::SessionId;
use deskbell_wire::socketio::packet::ROOT;
use deskbell_wire::socketio::{Shown, encode};
use serde_json::json;

use super::super::Shard;
use super::super::hello::Keys;
use super::super::mailbox::{Claim, Letter};
use super::super::session::Moved;
use super::super::subscribe::Begin;
use super::super::waiting::Waiting;
use super::Inside;
use super::rooms::{Kind, Right, Room};
use crate::clock;
use crate::socketio::{Shows, View};

/// A wish to come in, while it waits for something.
#[derive(Debug)]
pub struct Entering {
    /// Where to.
    pub namespace: Box<str>,
    /// What the client shows, as JSON.
    pub data: Option<Box<str>>,
    /// Who it is by the token that it shows.
    pub identity: Option<Arc<Identity>>,
}

/// Where and as whom a client comes back.
struct Return {
    /// The rooms to be restored in this namespace.
    rooms: Vec<Room>,
    /// Where it stood.
    cursor: Cursor,
    /// The secret as it was shown.
    pid: String,
}

impl Shard {
    /// A wish to come in.
    pub(super) fn ask_to_enter(&mut self, slot: u32, namespace: &str, data: Option<&str>) {
        let entering = Entering { namespace: namespace.into(), data: data.map(Into::into), identity: None };
        if let Err(refusal) = self.charge(slot) {
            self.refuse_entry(slot, namespace, &refusal);
            return;
        }
        self.enter_namespace(slot, entering, Keys::Known);
    }

    /// Judges a wish to come in.
    pub(in super::super) fn enter_namespace(&mut self, slot: u32, mut entering: Entering, keys: Keys) {
        if self.is_for_operators(&entering.namespace) && !self.is_portico_page(slot) {
            return self.enter_as_operator(slot, &entering);
        }
        let terms = self.socketio_terms(slot);
        let one_alone = self.is_portico_page(slot);
        if !terms.has(&entering.namespace) || one_alone && *entering.namespace != *ROOT {
            self.turn_away(slot, &entering.namespace, "Invalid namespace", None);
            return;
        }
        let shown = Shown::read(entering.data.as_deref());
        let (token, pid) = (shown.token.map(String::from), shown.pid.map(String::from));
        if let Some(token) = token {
            match self.judge_site(slot, &token, keys) {
                Some(Ok(identity)) if self.may_become(slot, &identity) => entering.identity = Some(identity),
                Some(Ok(_)) => {
                    let sentence = "this connection is another user's; open a new one for this token";
                    self.refuse_entry(slot, &entering.namespace, &Refusal::new(Code::Denied, sentence));
                    return;
                }
                // In development a token may be anything; the client says later who it is.
                Some(Err(_)) if terms.trusting => {}
                Some(Err(refusal)) => {
                    self.refuse_entry(slot, &entering.namespace, &refusal);
                    return;
                }
                None => {
                    self.wait_for(slot, Waiting::Entering(Box::new(entering)));
                    return;
                }
            }
        }
        let back = pid.and_then(|pid| self.open_pid(slot, &pid)).map(|(session, _)| session);
        match back.filter(|session| self.may_take_up(slot, *session)) {
            None => self.let_in(slot, &entering, None),
            Some(session) => self.claim_for(slot, entering, session),
        }
    }

    /// A connection takes up one earlier session at most, with its first namespace.
    fn may_take_up(&mut self, slot: u32, session: SessionId) -> bool {
        let may = self.socketio_terms(slot).recovery != Some(false);
        let is_own = self.clients.get(slot).is_some_and(|client| client.session.id == session);
        may && !is_own && self.talker(slot).is_some_and(|talker| talker.inside.is_empty())
    }

    fn claim_for(&mut self, slot: u32, entering: Entering, session: SessionId) {
        let app = self.clients.get(slot).map_or(0, |client| usize::from(client.app));
        let claim = Claim { session, app, client: self.handle(slot) };
        match self.hub.directory.home(session) {
            None => self.let_in(slot, &entering, None),
            Some(home) if home == self.number => {
                let moved = self.release(&claim);
                self.let_in(slot, &entering, moved);
            }
            Some(home) => {
                self.wait_for(slot, Waiting::Returning(Box::new(entering)));
                self.hub.mailboxes[usize::from(home)].answer(Letter::Claim(claim));
            }
        }
    }

    fn wait_for(&mut self, slot: u32, waiting: Waiting) {
        if let Some(client) = self.clients.get_mut(slot) {
            client.waiting = Some(Box::new(waiting));
        }
    }

    /// Lets a client in, as who it was if everything since is there.
    pub(in super::super) fn let_in(&mut self, slot: u32, entering: &Entering, moved: Option<Moved>) {
        let Some(talker) = self.talker(slot) else { return };
        if !talker.spaces.let_in(&entering.namespace) {
            return;
        }
        // What happens once the client knows that it is in lies behind this place.
        self.come_to_now(slot);
        let comes_back = Shown::read(entering.data.as_deref()).pid.is_some();
        let Some(talker) = self.talker(slot) else { return };
        let offsets = *talker.offsets.get_or_insert(talker.takes[usize::from(comes_back)]);
        if let Some(identity) = entering.identity.clone() {
            self.take_identity(slot, identity);
        }
        let back = if offsets { self.come_back(slot, entering, moved) } else { None };
        let namespace: Arc<str> = (&*entering.namespace).into();
        if let Some(client) = self.clients.get_mut(slot) {
            client.transient = !offsets;
            if let Some(seat) = &mut client.seat {
                seat.is_used();
            }
            if let Some(talker) = client.socketio.as_deref_mut() {
                talker.inside.push(Inside { namespace: namespace.clone(), rooms: Vec::new() });
            }
        }
        let Some((public, session)) = self.clients.get(slot).map(|c| (c.session.public_id(), c.session.id))
        else {
            return;
        };
        let sid = public.to_string();
        let pid = match &back {
            Some(back) => Some(back.pid.clone()),
            None if offsets => Some(format!("{}.{}", self.hub.seals.resume_key(session), self.here(slot))),
            None => None,
        };
        self.utter(slot, |out| encode::connected(&namespace, &sid, pid.as_deref(), out));
        self.flush(slot);
        if self.is_portico_page(slot) {
            return self.enter_as_page(slot);
        }
        let since = back.as_ref().map(|back| back.cursor.at);
        self.fill_rooms(slot, &namespace, back);
        self.look_for_missed(slot, &namespace, since);
        self.look_at_life(slot);
    }

    /// What everybody is in, who it is, and what it had.
    fn fill_rooms(&mut self, slot: u32, namespace: &Arc<str>, back: Option<Return>) {
        let stood = back.as_ref().map(|back| back.cursor);
        let cursor = stood.map(|stood| self.go_back_to(slot, namespace, stood));
        if cursor.is_none() {
            self.begin_here(slot, namespace);
        }
        let everybody = self.socketio_terms(slot).everybody(namespace);
        if let Ok(channel) = everybody {
            let begin = self.begin_at(slot, cursor, &channel);
            // There is nothing to do where the app has too many manners: the client has no room then either.
            let view = View { namespace: namespace.clone(), shows: Shows::Itself };
            let _ = self.show(slot, &channel, view, begin, None);
        }
        for room in back.into_iter().flat_map(|back| back.rooms) {
            match (self.take_room(slot, &room, cursor), stood) {
                (Ok(()), Some(stood)) if room.kind == Kind::Echo => {
                    self.go_on_in_echo(slot, &room, stood.at);
                }
                (Ok(()), _) => {}
                // Whoever has become somebody else knows that it lost the rooms of the other.
                (Err(_), _) if self.is_foreign(slot, &room.name) => {}
                (Err(refusal), _) => {
                    self.refuse_room(slot, namespace, None, Some(&room.name), &refusal);
                }
            }
        }
        if let Some(cursor) = cursor {
            self.enter_own_room_again(slot, namespace, cursor);
        }
        self.join_own_rooms(slot, namespace);
        self.flush(slot);
    }

    /// Where a channel begins for a client that stood at a cursor.
    pub(super) fn begin_at(&self, slot: u32, cursor: Option<Cursor>, channel: &ChannelName) -> Begin {
        let (Some(cursor), Some(app)) = (cursor, self.app_of_talker(slot)) else { return Begin::Now };
        let latest = app.log.with(|log| log.class(channel.as_str()).shape) == Shape::Latest;
        Begin::After(cursor.place_of(channel, latest))
    }

    /// The connection reads again from where one of its namespaces stood, and from the beginning of a change in which
    /// it was cut; what each namespace has had of it is left out. The answer is where this one reads from.
    fn go_back_to(&mut self, slot: u32, namespace: &Arc<str>, stood: Cursor) -> Cursor {
        let Some(client) = self.clients.get(slot) else { return stood };
        let here = self.cohort(usize::from(client.app), slot).at;
        let stands = client.catching.as_ref().map_or(here, |catching| catching.at);
        let is_first = client.session.subs.is_empty();
        let begin = stood.at.before_its_change();
        if is_first {
            self.fall_behind(slot, begin);
        } else {
            self.stay_where_they_are(slot, stands);
            self.fall_behind(slot, begin.no_further_than(&stands));
        }
        let Some(client) = self.clients.get_mut(slot) else { return stood };
        let (Some(catching), Some(talker)) = (client.catching.as_mut(), client.socketio.as_deref()) else {
            return stood;
        };
        catching.shown.had.note(namespace, stood);
        for other in talker.inside.iter().filter(|other| other.namespace != *namespace) {
            catching.shown.had.note(&other.namespace, stands.into());
        }
        Cursor { at: begin, ..stood }
    }

    /// What the other namespaces hear is not read from further back because of one more.
    fn stay_where_they_are(&mut self, slot: u32, stands: Position) {
        for (channel, start) in self.sub_list(slot) {
            if start.after.is_none() {
                self.note_start(slot, &channel, |start| (start.after, start.asked) = (Some(stands), true));
            }
        }
    }

    /// The place of whoever begins now, whatever the other namespaces of its connection still read.
    fn here(&self, slot: u32) -> Arc<str> {
        let app = self.clients.get(slot).map_or(0, |client| usize::from(client.app));
        self.cohort(app, slot).cursor(&self.hub.apps[app].cursors)
    }

    /// A namespace that is entered anew has no part in what the others still read.
    fn begin_here(&mut self, slot: u32, namespace: &Arc<str>) {
        let Some(client) = self.clients.get(slot) else { return };
        let here = self.cohort(usize::from(client.app), slot).at;
        if let Some(catching) = self.clients.get_mut(slot).and_then(|client| client.catching.as_mut()) {
            catching.shown.had.note(namespace, here.into());
        }
    }

    /// Makes the client who it was, if it can read on from where it stood.
    fn come_back(&mut self, slot: u32, entering: &Entering, moved: Option<Moved>) -> Option<Return> {
        let shown = Shown::read(entering.data.as_deref());
        let pid = shown.pid?.into_owned();
        let (session, given) = self.open_pid(slot, &pid)?;
        let app = usize::from(self.clients.get(slot)?.app);
        let cursor = match shown.offset {
            Some(offset) => self.hub.apps[app].cursors.open(&offset)?,
            None => given,
        };
        let is_own = self.clients.get(slot)?.session.id == session;
        let same = |moved: &Moved| {
            let own = self.clients.get(slot).map(|client| &client.session.identity);
            own.is_some_and(|own| own.user_id().is_none() || own.principal == moved.identity.principal)
        };
        let rooms = match &moved {
            // What was given to somebody is not for the next one.
            Some(moved) if moved.id == session && !same(moved) => {
                moved.rooms.iter().filter(|room| room.right == Right::Rules).cloned().collect()
            }
            Some(moved) if moved.id == session => moved.rooms.clone(),
            None if is_own => self.talker(slot)?.owed.clone(),
            _ => return None,
        };
        let (here, elsewhere): (Vec<Room>, Vec<Room>) =
            rooms.into_iter().partition(|room| *room.namespace == *entering.namespace);
        if here.is_empty() || !self.has_all_since(slot, &entering.namespace, &here, &cursor) {
            return None;
        }
        if let Some(moved) = moved {
            // What the connection proves is newer than what the session remembers.
            let known =
                self.clients.get(slot).is_some_and(|client| client.session.identity.user_id().is_some());
            self.become_session(slot, moved, known);
        }
        self.talker(slot)?.owed = elsewhere;
        let rooms = here.into_iter().filter(|room| room.kind != Kind::Namespace).collect();
        Some(Return { rooms, cursor, pid })
    }

    /// Is everything of these rooms still there?
    fn has_all_since(&self, slot: u32, namespace: &str, rooms: &[Room], cursor: &Cursor) -> bool {
        let Some(client) = self.clients.get(slot) else { return false };
        let terms = self.socketio_terms(slot);
        let mut channels: Vec<ChannelName> = terms.everybody(namespace).into_iter().collect();
        for room in rooms.iter().filter(|room| room.kind != Kind::Namespace) {
            channels.extend(self.sources(slot, room).into_iter().map(|(channel, _)| channel));
        }
        let wants: Vec<Want> = channels.into_iter().map(Want::plain).collect();
        self.dry_read(usize::from(client.app), &cursor.at, &wants).is_empty()
    }

    /// The session and the place that a secret names.
    fn open_pid(&self, slot: u32, pid: &str) -> Option<(SessionId, Cursor)> {
        let (resume, cursor) = pid.split_once('.')?;
        let session = self.hub.seals.open_resume(resume)?;
        Some((session, self.app_of_talker(slot)?.cursors.open(cursor)?))
    }

    /// Does not let a client in, and says why in our own words.
    pub(super) fn refuse_entry(&mut self, slot: u32, namespace: &str, refusal: &Refusal) {
        self.hub.metrics.refused(refusal.code);
        let data = json!({ "code": refusal.code.as_str() }).to_string();
        self.turn_away(slot, namespace, &refusal.message, Some(&data));
    }

    pub(super) fn turn_away(&mut self, slot: u32, namespace: &str, message: &str, data: Option<&str>) {
        let now = self.now;
        let Some(talker) = self.talker(slot) else { return };
        talker.spaces.turn_away(namespace, now);
        self.utter(slot, |out| encode::refused(namespace, message, data, out));
        self.look_at_life(slot);
    }

    /// Shows a client out of all of its namespaces: its library does not come back by itself, as it would after
    /// the mere end of its connection.
    pub(in super::super) fn show_out(&mut self, slot: u32) {
        let now = self.now;
        let Some(talker) = self.talker(slot) else { return };
        let inside: Vec<Arc<str>> = talker.inside.iter().map(|inside| inside.namespace.clone()).collect();
        for namespace in &inside {
            talker.spaces.show_out(namespace, now);
        }
        for namespace in &inside {
            self.utter(slot, |out| encode::disconnected(namespace, out));
        }
        self.flush(slot);
    }

    /// What was kept for a client is no longer whole: it comes back as somebody new.
    pub(in super::super) fn begin_anew(&mut self, slot: u32) {
        self.leave_session(slot);
        if let Some(client) = self.clients.get_mut(slot) {
            client.transient = true;
            client.session.id = SessionId(clock::random_u64());
            client.session.public.push(PublicId(clock::random_u64()));
        }
        self.enter_session(slot);
        self.close(slot, super::super::depart::code::TRY_AGAIN, "reset: load anew, something was missed");
    }
}
