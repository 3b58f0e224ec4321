//! Rooms. A room is a channel, and it may also show other channels in its own words.
//!
//! A client has one subscription for each channel, however many rooms of however many namespaces show it; in
//! which words it is told stands in the subscription as a number.

use std::sync::Arc;

use deskbell_core::cursor::Cursor;
use deskbell_core::ids::{ChannelName, ReservationId};
use deskbell_core::position::Position;
use deskbell_core::projection::Dialect;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::room::{self, Belongs};
use deskbell_wire::socketio::marketplace::asked;
use serde::{Deserialize, Serialize};

use super::super::client::Whose;
use super::super::frames::Variant;
use super::super::lens::earlier;
use super::super::subscribe::Begin;
use super::super::{Shard, flag};
use crate::socketio::{Manner, Shows, Telling, View};

/// A room of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Of which namespace.
    pub namespace: Arc<str>,
    /// Its name; none for the namespace itself.
    pub name: Arc<str>,
    /// What it is.
    pub kind: Kind,
    /// Why the client may have it.
    pub right: Right,
}

/// What a client is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The namespace itself.
    Namespace,
    /// A room.
    Room,
    /// A channel of Laravel Echo's connector.
    Echo,
}

/// Why a client may have a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Its name and the rules say so, as often as they are asked.
    Rules,
    /// It was given to this user: by the ledger or by the site's backend.
    Given,
}

impl Room {
    /// A namespace.
    pub fn itself(namespace: &Arc<str>) -> Self {
        Self { name: "".into(), kind: Kind::Namespace, ..Self::named(namespace, "") }
    }

    /// A room that the rules decide about.
    pub fn named(namespace: &Arc<str>, name: &str) -> Self {
        Self { namespace: namespace.clone(), name: name.into(), kind: Kind::Room, right: Right::Rules }
    }

    fn is(&self, other: &Self) -> bool {
        (&self.name, self.kind) == (&other.name, other.kind)
    }
}

/// What the room of a booking begins with.
const BOOKING: &str = "booking_";

impl Shard {
    /// A client wants to be in a room.
    pub(super) fn join_room(&mut self, slot: u32, namespace: &str, id: Option<u64>, name: &str) {
        let room = Room::named(&namespace.into(), name);
        self.come_to_now(slot);
        match self.take_room(slot, &room, None) {
            Ok(()) => self.outcome(slot, namespace, id, Ok(())),
            Err(refusal) => match self.booking_of(slot, name, &refusal) {
                Some(booking) => self.ask_whose(slot, room, id, booking, refusal),
                None => self.refuse_room(slot, namespace, id, Some(name), &refusal),
            },
        }
    }

    /// The booking whose parties may have a room that the rules do not open.
    fn booking_of(&self, slot: u32, name: &str, refusal: &Refusal) -> Option<ReservationId> {
        let known = self.clients.get(slot)?.session.identity.user_id().is_some();
        let id = name.strip_prefix(BOOKING).filter(|_| known && refusal.code == Code::Denied)?;
        ReservationId::parse(id).ok()
    }

    /// Says that a client does not get a room, also where it waits for no answer.
    pub(super) fn refuse_room(
        &mut self,
        slot: u32,
        namespace: &str,
        id: Option<u64>,
        room: Option<&str>,
        refusal: &Refusal,
    ) {
        self.outcome(slot, namespace, id, Err(refusal));
        self.tell(slot, namespace, asked::ROOM_ERROR, asked::room_error(room, refusal));
    }

    /// Puts a client into a room, from where it stood, or from where its cohort has come. Who is in it stays so.
    pub(super) fn take_room(
        &mut self,
        slot: u32,
        room: &Room,
        cursor: Option<Cursor>,
    ) -> Result<(), Refusal> {
        let from = self.may_have_room(slot, room)?;
        if self.is_in_room(slot, room) {
            return Ok(());
        }
        let most = self.tuning.subscriptions;
        let rooms: usize =
            self.talker(slot).map_or(0, |talker| talker.inside.iter().map(|inside| inside.rooms.len()).sum());
        // Its own room is entered for it, and it has one in each namespace at most.
        if rooms >= most && room::of_connection(&room.name).is_none() {
            let sentence = format!("a connection is in at most {most} rooms; leave one first");
            return Err(Refusal::new(Code::LimitReached, sentence));
        }
        for (channel, shows) in self.sources(slot, room) {
            let begin = self.begin_at(slot, cursor, &channel);
            let view = View { namespace: room.namespace.clone(), shows };
            self.show(slot, &channel, view, begin, from)?;
        }
        if let Some(inside) = self.talker(slot).and_then(|talker| talker.inside_mut(&room.namespace)) {
            inside.rooms.push(room.clone());
        }
        Ok(())
    }

    /// Takes a client out of a room. Whoever is in none of that name is told the same.
    pub(super) fn leave_room(&mut self, slot: u32, room: &Room) {
        let Some(inside) = self.talker(slot).and_then(|talker| talker.inside_mut(&room.namespace)) else {
            return;
        };
        let Some(place) = inside.rooms.iter().position(|own| own.is(room)) else { return };
        inside.rooms.swap_remove(place);
        for (channel, shows) in self.sources(slot, room) {
            // A reload may have brought another table since, so every telling of this channel here ends.
            self.hide(slot, &channel, |view| {
                view.namespace == room.namespace
                    && match (&view.shows, &shows) {
                        (Shows::Rows(_), Shows::Rows(_)) => true,
                        (one, other) => one == other,
                    }
            });
        }
    }

    /// Takes a client out of all rooms of a namespace.
    pub(super) fn leave_namespace(&mut self, slot: u32, namespace: &str) {
        let rooms =
            self.talker(slot).and_then(|talker| talker.inside(namespace)).map(|inside| inside.rooms.clone());
        for room in rooms.into_iter().flatten().filter(|room| room.kind == Kind::Echo) {
            self.leave_echo(slot, &room);
        }
        if let Some(talker) = self.talker(slot) {
            talker.inside.retain(|inside| &*inside.namespace != namespace);
            talker.questions.retain(|place| &*place.namespace != namespace);
        }
        for (channel, _) in self.sub_list(slot) {
            self.hide(slot, &channel, |view| &*view.namespace == namespace);
        }
    }

    /// Whoever is known is in its own rooms.
    pub(super) fn join_own_rooms(&mut self, slot: u32, namespace: &Arc<str>) {
        let Some(client) = self.clients.get(slot) else { return };
        for name in room::of(&client.session.identity) {
            // A name that no channel can have is no room.
            let _ = self.take_room(slot, &Room::named(namespace, &name), None);
        }
    }

    /// Rules or an identity have changed: rooms that the client may not have any more are taken from it. Whoever is
    /// away is judged when it comes back, because it would not hear of it now.
    pub(in super::super) fn recheck_rooms(&mut self, slot: u32) {
        if self.flagged(slot, flag::GONE) {
            return;
        }
        let rooms = self.talker(slot).map(|talker| talker.rooms()).unwrap_or_default();
        for room in rooms.iter().filter(|room| room.kind != Kind::Namespace) {
            if !self.is_in_room(slot, room) {
                continue;
            }
            if let Err(refusal) = self.may_have_room(slot, room) {
                self.leave_room(slot, room);
                self.refuse_room(slot, &room.namespace, None, Some(&room.name), &refusal);
            }
        }
        self.flush(slot);
    }

    /// Is this by its name a room of somebody else?
    pub(super) fn is_foreign(&self, slot: u32, name: &str) -> bool {
        let session = self.clients.get(slot).map(|client| &client.session);
        session.is_some_and(|one| room::belongs(name, &one.identity, &one.public) == Belongs::Foreign)
    }

    pub(super) fn is_in_room(&mut self, slot: u32, room: &Room) -> bool {
        let inside = self.talker(slot).and_then(|talker| talker.inside(&room.namespace));
        inside.is_some_and(|inside| inside.rooms.iter().any(|own| own.is(room)))
    }

    /// May it have the room, and from where on may it read what is said there?
    fn may_have_room(&self, slot: u32, room: &Room) -> Result<Option<Position>, Refusal> {
        let Some(client) = self.clients.get(slot) else { return Ok(None) };
        let identity = &client.session.identity;
        if room.kind == Kind::Echo {
            return self.may_have_echo(slot, room);
        }
        let channel = self.socketio_terms(slot).channel(&room.namespace, &room.name)?;
        match room::belongs(&room.name, identity, &client.session.public) {
            Belongs::Own if room::of_connection(&room.name).is_some() => Ok(None),
            Belongs::Own if !identity.is_over(self.now) => Ok(None),
            Belongs::Foreign => Err(Refusal::new(
                Code::Denied,
                "this is a room of somebody else; `authenticate` as who it belongs to",
            )),
            Belongs::Rules if room.right == Right::Given && !identity.is_over(self.now) => Ok(None),
            Belongs::Own | Belongs::Rules => self.admitted(slot, &channel),
        }
    }

    /// The channels behind a room: its own, and those that it shows in its words.
    pub(super) fn sources(&self, slot: u32, room: &Room) -> Vec<(ChannelName, Shows)> {
        let Some(app) = self.app_of_talker(slot) else { return Vec::new() };
        if room.kind == Kind::Echo {
            return ChannelName::parse(&room.name)
                .into_iter()
                .map(|channel| (channel, Shows::Echo))
                .collect();
        }
        let own = app.socketio.load().channel(&room.namespace, &room.name).into_iter();
        let table = app.projections.load_full();
        let shown = table.resolve(Dialect::SocketIo, &room.name).into_iter().map(|source| {
            let telling = Telling { table: table.clone(), rows: source.rows };
            (source.channel, Shows::Rows(telling))
        });
        own.map(|channel| (channel, Shows::Itself)).chain(shown).collect()
    }

    /// Shows a channel to a client in one more way.
    pub(super) fn show(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        view: View,
        begin: Begin,
        from: Option<Position>,
    ) -> Result<(), Refusal> {
        let offsets = self.talker(slot).is_some_and(|talker| talker.offsets == Some(true));
        let Some(app) = self.app_of_talker(slot) else { return Ok(()) };
        let before = self.words_of(slot, channel).and_then(|words| app.words.manner(words));
        // Whoever sees who is in a channel hears of it from here on.
        let watches = view.shows == Shows::Echo && channel.as_str().starts_with("presence-");
        let mut views = before.as_ref().map(|manner| manner.views.clone()).unwrap_or_default();
        views.push(view);
        let words = app.words.number(Manner { offsets, views })?;
        if before.is_some() {
            self.change_words(slot, channel, words);
            if let Begin::After(at) = begin {
                self.note_start(slot, channel, |start| start.after = earlier(start.after, Some(at)));
            }
            return Ok(());
        }
        self.list_as(slot, channel, Variant::SocketIo(words), watches);
        self.start_sub(slot, channel, begin, from, Whose::Channel(channel.clone()));
        Ok(())
    }

    /// Shows a channel to a client in fewer ways, or not at all any more.
    fn hide(&mut self, slot: u32, channel: &ChannelName, which: impl Fn(&View) -> bool) {
        let Some(app) = self.app_of_talker(slot) else { return };
        let Some(manner) = self.words_of(slot, channel).and_then(|words| app.words.manner(words)) else {
            return;
        };
        let views: Vec<View> = manner.views.iter().filter(|view| !which(view)).cloned().collect();
        if views.len() == manner.views.len() {
            return;
        }
        let words = if views.is_empty() {
            None
        } else {
            app.words.number(Manner { offsets: manner.offsets, views }).ok()
        };
        match words {
            Some(words) => self.change_words(slot, channel, words),
            None => self.drop_sub(slot, channel),
        }
    }
}
