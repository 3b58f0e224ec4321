//! Who is there, which session it is, and where it stands: the first frame of a client.

use std::sync::Arc;

use deskbell_core::access::{Action, Identity};
use deskbell_core::class::Shape;
use deskbell_core::cursor::Cursor;
use deskbell_core::ids::{ChannelName, Principal};
use deskbell_core::log::{Members, ResetReason};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::{Command, Hello, Notice};
use deskbell_wire::native::Reference;

use super::client::Whose;
use super::mailbox::{Claim, Handle, Letter};
use super::session::{Moved, Start};
use super::subscribe::Begin;
use super::waiting::{Answer, Waiting};
use super::{Shard, flag};
use crate::identity::Verdict;

/// What became of a channel of a hello.
enum Confirmed {
    /// It is subscribed.
    Subscribed {
        /// Everything since the cursor is there.
        recovered: bool,
    },
    /// It is not.
    Refused(Refusal),
}

/// May a token wait for keys?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// Yes, those that are known may be old.
    Known,
    /// It has waited: a key that is still not known does not exist.
    Fetched,
}

/// How a token was judged.
enum Judged {
    /// This is who it names.
    Known(Arc<Identity>),
    /// The command waits for keys.
    Waits,
    /// No.
    Refused(Refusal),
}

impl Shard {
    /// A `hello`: judged, then brought together with the session that it names.
    pub(super) fn hello(&mut self, slot: u32, hello: Hello, reference: Reference, keys: Keys) {
        let identity = match &hello.token {
            None => None,
            Some(token) => {
                match self.judge(slot, token, || Command::Hello(hello.clone()), &reference, keys) {
                    Judged::Known(identity) => Some(identity),
                    Judged::Waits => return,
                    Judged::Refused(refusal) => {
                        self.say(slot, &Notice::Error(&refusal), &reference);
                        return;
                    }
                }
            }
        };
        let session = hello.resume.as_deref().and_then(|key| self.hub.seals.open_resume(key));
        let Some(session) = session else {
            self.finish_hello(slot, hello, identity, None, &reference);
            return;
        };
        let app = self.clients.get(slot).map_or(0, |client| usize::from(client.app));
        match self.hub.directory.home(session) {
            None => self.finish_hello(slot, hello, identity, None, &reference),
            Some(home) if home == self.number => {
                let moved = self.release(&Claim { session, app, client: self.handle(slot) });
                self.finish_hello(slot, hello, identity, moved, &reference);
            }
            Some(home) => {
                let claim = Letter::Claim(Claim { session, app, client: self.handle(slot) });
                if let Some(client) = self.clients.get_mut(slot) {
                    client.waiting = Some(Box::new(Waiting::Session { hello, identity, reference }));
                }
                self.hub.mailboxes[usize::from(home)].answer(claim);
            }
        }
    }

    /// Another shard wants a session of ours.
    pub(super) fn give_up(&mut self, claim: &Claim) {
        let session = self.release(claim).map(Box::new);
        let client = claim.client;
        self.hub.mailboxes[usize::from(client.shard)].answer(Letter::Moved { client, session });
    }

    /// The session that a hello here waited for.
    pub(super) fn take_over(&mut self, handle: Handle, moved: Option<Moved>) {
        let slot = handle.slot;
        self.hub.metrics.moved.inc_by(moved.is_some().into());
        let client = self.clients.get_mut(slot).filter(|client| client.stamp == handle.stamp);
        let waiting = client.and_then(|client| client.waiting.take());
        match waiting.map(|waiting| *waiting) {
            Some(Waiting::Session { hello, identity, reference }) => {
                self.finish_hello(slot, hello, identity, moved, &reference);
            }
            Some(Waiting::Returning(entering)) => self.let_in(slot, &entering, moved),
            _ => {
                // The client went away meanwhile; its session waits here for the next one.
                if let Some(moved) = moved {
                    self.park_moved(moved);
                }
                return;
            }
        }
        self.flush(slot);
        self.ready.push_back(slot);
    }

    fn finish_hello(
        &mut self,
        slot: u32,
        hello: Hello,
        identity: Option<Arc<Identity>>,
        moved: Option<Moved>,
        reference: &Reference,
    ) {
        self.come_to_now(slot);
        let resumed = moved.is_some();
        let mut wanted: Vec<(ChannelName, Start)> = self.sub_list(slot);
        for (channel, _) in &wanted {
            self.drop_sub(slot, channel);
        }
        if let Some(identity) = identity.clone() {
            self.take_identity(slot, identity);
        }
        if let Some(moved) = moved {
            wanted.clone_from(&moved.subs);
            self.become_session(slot, moved, identity.is_some());
        }
        if !hello.channels.is_empty() {
            wanted = hello.channels.iter().map(|channel| named(channel, &wanted)).collect();
        }
        self.resubscribe(slot, &hello, &wanted, resumed, reference);
        self.enter_again(slot);
    }

    /// The session's presences go on under its new generation; those that it has no subscription or
    /// no right for any more end, so that nobody is left behind.
    fn enter_again(&mut self, slot: u32) {
        let entered = self.clients.get(slot).and_then(|client| client.session.entered.as_deref().cloned());
        for presence in entered.into_iter().flatten() {
            let channel = &presence.channel;
            let stays =
                self.is_subscribed(slot, channel) && self.may(slot, Action::Presence, channel).is_ok();
            if !stays || self.enter_as(slot, channel, presence.data).is_err() {
                // Leaving is never refused.
                let _ = self.leave(slot, channel);
            }
        }
    }

    /// Welcomes the client and sets its subscriptions going from where it stands.
    fn resubscribe(
        &mut self,
        slot: u32,
        hello: &Hello,
        wanted: &[(ChannelName, Start)],
        resumed: bool,
        reference: &Reference,
    ) {
        let Some(app) = self.clients.get(slot).map(|client| usize::from(client.app)) else { return };
        let here = self.cohort(app, slot).at;
        let opened = hello.cursor.as_deref().map(|text| self.hub.apps[app].cursors.open(text));
        let cursor = opened.flatten();
        let stands = cursor.map_or(here, |cursor| cursor.at);
        let unreadable = hello.cursor.is_some() && cursor.is_none();
        if let Some(client) = self.clients.get_mut(slot) {
            client.catching = None;
            self.flags[slot as usize] &= !flag::CATCHING;
        }
        if cursor.is_some() {
            self.fall_behind(slot, stands);
        }
        let outcomes: Vec<Confirmed> = wanted
            .iter()
            .map(|(channel, start)| self.take_up(slot, channel, cursor, unreadable, start))
            .collect();
        // Said only now, because every cursor from here on tells what is still owed.
        let sealed = self.cursor(slot);
        self.welcome(slot, &sealed, resumed, reference);
        for ((channel, _), outcome) in wanted.iter().zip(outcomes) {
            match outcome {
                Confirmed::Subscribed { recovered } => {
                    let subscribed = Notice::Subscribed { channel, recovered, cursor: &sealed };
                    self.say(slot, &subscribed, &Reference::none());
                    if unreadable {
                        self.say_reset(slot, channel, ResetReason::Foreign, &sealed);
                    }
                }
                Confirmed::Refused(refusal) if refusal.code == Code::LimitReached => {
                    self.say(slot, &Notice::Error(&refusal), reference);
                }
                Confirmed::Refused(_) => self.say_reset(slot, channel, ResetReason::Denied, &sealed),
            }
        }
    }

    /// Sets one channel of a hello going.
    fn take_up(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        cursor: Option<Cursor>,
        unreadable: bool,
        start: &Start,
    ) -> Confirmed {
        let from = match self.admit(slot, channel) {
            Ok(from) => from,
            Err(refusal) => return Confirmed::Refused(refusal),
        };
        self.add_sub(slot, channel);
        let Some(client) = self.clients.get(slot) else { return Confirmed::Subscribed { recovered: false } };
        let app = usize::from(client.app);
        let class = self.hub.apps[app].log.with(|log| log.class(channel.as_str()));
        let latest = class.shape == Shape::Latest;
        let begin = begin(cursor, unreadable, channel, latest, start);
        let late = cursor.and_then(|cursor| cursor.late());
        // The values of all `latest` channels are one exception of the cursor.
        let whose = match late {
            _ if !latest => Whose::Channel(channel.clone()),
            Some(late) if !late.is_of_latest() => Whose::Channel(channel.clone()),
            _ => Whose::Latest,
        };
        let recovered = self.start_sub(slot, channel, begin, from, whose);
        if let (Members::Listed(list), Some(Cursor { at, .. })) = (start.members, cursor)
            && at.epoch == list.epoch
            && at.seq > list.seq
        {
            // It has something that was sent behind its member list, so the list goes on by its changes.
            self.note_start(slot, channel, |start| start.members = Members::Listed(at));
        }
        Confirmed::Subscribed { recovered }
    }

    /// The connection's fresh session makes place for the one it came back for.
    pub(super) fn become_session(&mut self, slot: u32, moved: Moved, identified: bool) {
        self.forsake_presence(slot);
        self.leave_session(slot);
        let now = self.now;
        let Some(client) = self.clients.get(slot) else { return };
        let own = client.session.identity.clone();
        self.be(slot, moved.identity);
        let Some(client) = self.clients.get_mut(slot) else { return };
        let session = &mut client.session;
        session.id = moved.id;
        session.generation = moved.generation;
        session.public = moved.public;
        session.entered = (!moved.entered.is_empty()).then(|| Box::new(moved.entered));
        client.transient = false;
        if identified || client.session.identity.is_over(now) {
            // Whoever was present under the session's old name goes on under its own.
            self.take_identity(slot, own);
        }
        self.enter_session(slot);
        self.set_expiry(slot);
    }

    /// An `authenticate` command.
    pub(super) fn authenticate(&mut self, slot: u32, token: String, reference: Reference, keys: Keys) {
        let again = || Command::Authenticate { token: token.clone() };
        let refusal = match self.judge(slot, &token, again, &reference, keys) {
            Judged::Waits => return,
            Judged::Refused(refusal) => Some(refusal),
            Judged::Known(identity) if self.may_become(slot, &identity) => {
                self.take_identity(slot, identity);
                self.recheck(slot);
                None
            }
            Judged::Known(_) => Some(Refusal::new(
                Code::Denied,
                "this connection belongs to another user; open a new connection for this token",
            )),
        };
        match refusal {
            None => self.say(slot, &Notice::Ok, &reference),
            Some(refusal) => self.say(slot, &Notice::Error(&refusal), &reference),
        }
    }

    /// A visitor may become a user, a user stays who it is.
    pub(super) fn may_become(&self, slot: u32, identity: &Identity) -> bool {
        let Some(client) = self.clients.get(slot) else { return false };
        match &client.session.identity.principal {
            Principal::Visitor(_) => true,
            principal => *principal == identity.principal,
        }
    }

    pub(super) fn take_identity(&mut self, slot: u32, identity: Arc<Identity>) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let was = client.session.identity.principal.clone();
        let entered = client.session.entered.clone().unwrap_or_default();
        if was != identity.principal {
            // Whoever was present as a visitor is present under the new name from here on.
            for presence in entered.iter() {
                self.leave_as(slot, presence);
            }
        }
        self.be(slot, identity);
        for presence in entered.iter() {
            let _ = self.enter_as(slot, &presence.channel, presence.data.clone());
        }
        self.set_expiry(slot);
    }

    fn judge(
        &mut self,
        slot: u32,
        token: &str,
        again: impl FnOnce() -> Command,
        reference: &Reference,
        keys: Keys,
    ) -> Judged {
        let handle = self.handle(slot);
        let Some(client) = self.clients.get_mut(slot) else { return Judged::Waits };
        let app = usize::from(client.app);
        match self.hub.apps[app].verifier.check(token, self.now) {
            Verdict::Known(identity) => Judged::Known(Arc::new(identity)),
            Verdict::Unknown(refusal) => Judged::Refused(refusal),
            Verdict::NeedsKeys { otherwise, .. } if keys == Keys::Fetched => Judged::Refused(otherwise),
            Verdict::NeedsKeys { key_id, .. } => {
                client.waiting =
                    Some(Box::new(Waiting::Keys { command: again(), reference: reference.clone() }));
                let (hub, mailbox) = (self.hub.clone(), self.mailbox.clone());
                self.hub.runtime.spawn(async move {
                    hub.apps[app].verifier.refreshed(key_id.as_deref()).await;
                    mailbox.answer(Letter::Answer { client: handle, answer: Answer::Keys });
                });
                Judged::Waits
            }
        }
    }
}

fn named(channel: &ChannelName, known: &[(ChannelName, Start)]) -> (ChannelName, Start) {
    let start = known.iter().find(|(name, _)| name == channel).map(|(_, start)| start.clone());
    (channel.clone(), start.unwrap_or_default())
}

/// Where a channel of a hello begins.
fn begin(
    cursor: Option<Cursor>,
    unreadable: bool,
    channel: &ChannelName,
    latest: bool,
    start: &Start,
) -> Begin {
    let Some(cursor) = cursor else {
        return if unreadable { Begin::Unreadable } else { Begin::Now };
    };
    let place = cursor.place_of(channel, latest);
    match start.after {
        Some(after) if start.asked && place == cursor.at && after.covers(&place) => Begin::After(after),
        _ => Begin::After(place),
    }
}
