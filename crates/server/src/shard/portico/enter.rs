//! A page comes, with a session or without one, and goes on where its session's pages stood.

use std::sync::atomic::Ordering;

use deskbell_core::ids::ChannelName;
use deskbell_wire::portico::relays::{Verdict, Wish, judge};
use deskbell_wire::portico::said::{self, Room, Why};
use deskbell_wire::portico::session::{Change, Hail, Kind};
use deskbell_wire::portico::{EVERYONE, Session, SessionId};

use super::super::Shard;
use super::{No, Visit};
use crate::portico::applications;

impl Shard {
    /// A page has connected. One that shows a session is in its room at once; one with other cookies is asked for
    /// one; one without any hears nothing until it speaks.
    pub(in super::super) fn open_portico(&mut self, slot: u32, hail: &Hail) {
        self.come_to_now(slot);
        let (now, rhythm) = (self.now, self.tuning.portico);
        let (Some(at), Some(terms)) = (self.stands_at(slot), self.portico_terms(slot)) else { return };
        let Some(client) = self.clients.get_mut(slot) else { return };
        client.portico = Some(Box::new(Visit::new(rhythm, at, now)));
        let (app, user) =
            (usize::from(client.app), client.session.identity.user_id().map(|id| format!("user_{id}")));
        self.hub.apps[app].pages.fetch_add(1, Ordering::Relaxed);
        let opens = |session: &Session| judge(terms.mode, Wish::open(&session.id)) == Verdict::Yes;
        let session = match hail {
            Hail::Session(session) if opens(session) => Some(session.clone()),
            Hail::Session(_) | Hail::Sessionless => {
                if let Some(page) = self.portico_mut(slot) {
                    page.was_asked = true;
                }
                self.tell_portico(slot, said::session_id_required);
                None
            }
            Hail::Silent => None,
        };
        self.hear(slot, EVERYONE);
        if let Some(user) = user {
            self.hear_own(slot, &user);
        }
        let Some(session) = session else { return };
        let own = self.enter_session_room(slot, session);
        let rooms = self.rooms_of(slot);
        self.tell_portico(slot, |stamp| said::session_room_joined(&own, stamp));
        self.tell_portico(slot, |stamp| said::connection_success(&own, &rooms, stamp));
    }

    /// A page names its session.
    pub(super) fn update_session(&mut self, slot: u32, id: SessionId) -> Result<(), No> {
        let Some(terms) = self.portico_terms(slot) else { return Ok(()) };
        if judge(terms.mode, Wish::open(&id)) != Verdict::Yes {
            return Err(No::Why(Why::BadSession));
        }
        let old = self.session_of(slot).cloned();
        let change = Change::of(old.as_ref().map(|old| &old.id), &id);
        let was_asked = self.portico(slot).is_some_and(|page| page.was_asked);
        if change != Change::None {
            if let Some(old) = &old {
                self.leave_session_room(slot, old);
            }
            let kind = old.map_or(Kind::Booking, |old| old.kind);
            let own = self.enter_session_room(slot, Session { id: id.clone(), kind });
            self.tell_portico(slot, |stamp| said::session_room_joined(&own, stamp));
        }
        let rooms = self.rooms_of(slot);
        self.tell_portico(slot, |stamp| said::session_updated(&id, change, was_asked, &rooms, stamp));
        Ok(())
    }

    /// Puts a page into its session's room, back to where one of that session's pages stood.
    fn enter_session_room(&mut self, slot: u32, session: Session) -> Room {
        let (now, window) = (self.now, self.tuning.resume_window);
        let room = session.id.room();
        if let Some(client) = self.clients.get(slot) {
            let app = &self.hub.apps[usize::from(client.app)];
            let since = app.away.come(&session.id, now, window);
            self.go_back(slot, since);
        }
        self.hear_own(slot, &room);
        if let Some(channel) = applications::channel(&session.id) {
            self.hear(slot, channel.as_str());
        }
        if let Some(page) = self.portico_mut(slot) {
            (page.session, page.was_asked) = (Some(session), false);
        }
        Room { size: self.size_of(slot, &room), id: room }
    }

    fn leave_session_room(&mut self, slot: u32, session: &Session) {
        let names = [ChannelName::parse(&session.id.room()).ok(), applications::channel(&session.id)];
        for channel in names.into_iter().flatten() {
            self.drop_sub(slot, &channel);
        }
    }

    /// The page goes: whoever comes next with its session goes on where it has come for certain.
    pub(in super::super) fn close_portico(&mut self, slot: u32) {
        let (now, window) = (self.now, self.tuning.resume_window);
        let Some(client) = self.clients.get_mut(slot) else { return };
        let Some(page) = client.portico.take() else { return };
        let app = &self.hub.apps[usize::from(client.app)];
        app.pages.fetch_sub(1, Ordering::Relaxed);
        let Some(session) = page.session else { return };
        // Whoever said goodbye had read what came before. Of the others nobody knows what still lay in the net.
        app.away.leave(&session.id, page.sure, now, window);
    }
}
