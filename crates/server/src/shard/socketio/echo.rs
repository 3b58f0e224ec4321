//! Channels of Laravel Echo's connector: public ones by the rules, private and presence ones by the rules or by
//! the site, which is asked as it asks its own users.

use deskbell_core::access::Action;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventName};
use deskbell_core::log::{Log, Members};
use deskbell_core::position::Position;
use deskbell_core::presence::Presence;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::pusher::{Guard, Member, code};
use deskbell_wire::socketio::echo::{self, Asked};

use super::super::Shard;
use super::super::cohort::cohort_of;
use super::super::subscribe::Begin;
use super::super::waiting::Answer;
use super::rooms::{Kind, Right, Room};
use super::site::Told;
use crate::hub::Whisper;
use crate::socketio::{NotApproved, Shows, View};

impl Shard {
    /// A connector's event.
    pub(super) fn take_echo(
        &mut self,
        slot: u32,
        namespace: &str,
        id: Option<u64>,
        asked: Result<Asked<'_>, Refusal>,
    ) {
        let outcome = match asked {
            Ok(Asked::Subscribe { channel, headers }) => {
                self.subscribe_echo(slot, &channel, namespace, headers);
                return;
            }
            Ok(Asked::Unsubscribe { channel }) => {
                self.leave_echo(slot, &of_echo(namespace, &channel, Right::Rules));
                Ok(())
            }
            Ok(Asked::Whisper { channel, event, data }) => {
                self.whisper_echo(slot, namespace, &channel, &event, data)
            }
            Err(refusal) => Err(refusal),
        };
        self.outcome(slot, namespace, id, outcome.as_ref().copied());
    }

    fn subscribe_echo(&mut self, slot: u32, channel: &str, namespace: &str, headers: Option<&str>) {
        let room = of_echo(namespace, channel, Right::Rules);
        let Err(refused) = self.may_have_echo(slot, &room) else {
            let own = self.own_member(slot);
            self.begin_echo(slot, &room, own);
            return;
        };
        let guarded = matches!(
            ChannelName::parse(channel).map(|name| Guard::of(name.as_str()) == Guard::Public),
            Ok(false)
        );
        let backend = self.socketio_terms(slot).backend.clone();
        let Some(backend) = backend.filter(|_| guarded) else {
            self.refuse_echo(slot, channel, code_of(&refused), &refused);
            return;
        };
        let cookie = self.talker(slot).and_then(|talker| talker.cookie.clone());
        let headers = headers.map(str::to_owned);
        let Some((_, _, answer)) = self.owe(slot) else { return };
        self.hub.runtime.spawn(async move {
            let outcome = backend.approves(&room.name, headers.as_deref(), cookie.as_deref()).await;
            answer(Answer::Told(Box::new(Told::Approved { room, outcome })));
        });
    }

    /// The site has said whether a client may have a channel.
    pub(super) fn approved(&mut self, slot: u32, room: &Room, outcome: Result<Option<String>, NotApproved>) {
        let member = match outcome {
            Ok(None) => Ok(None),
            Ok(Some(data)) => {
                Member::read(&data).map(Some).map_err(|refusal| NotApproved { status: 500, refusal })
            }
            Err(no) => Err(no),
        };
        match member {
            Ok(member) => {
                let member = member.or_else(|| self.own_member(slot));
                self.begin_echo(slot, &Room { right: Right::Given, ..room.clone() }, member);
            }
            Err(no) => self.refuse_echo(slot, &room.name, no.status, &no.refusal),
        }
    }

    /// May a client have a channel of this kind, as far as the rules say? What the site gave stays given.
    pub(super) fn may_have_echo(&self, slot: u32, room: &Room) -> Result<Option<Position>, Refusal> {
        let channel = ChannelName::parse(&room.name)?;
        if room.right == Right::Given {
            return Ok(None);
        }
        match Guard::of(channel.as_str()) {
            Guard::Public => self.is_open(slot, &channel).map(|()| None),
            Guard::Presence => {
                self.may(slot, Action::Presence, &channel)?;
                self.admitted(slot, &channel)
            }
            Guard::Private => self.admitted(slot, &channel),
            Guard::Encrypted | Guard::User(_) => {
                Err(Refusal::new(Code::Denied, "this connector has no channels of this kind"))
            }
        }
    }

    /// Sets a channel going. Who has it already hears the same answer again.
    fn begin_echo(&mut self, slot: u32, room: &Room, member: Option<Member>) {
        let begun = self.try_begin_echo(slot, room, member);
        if let Err(refusal) = begun {
            self.refuse_echo(slot, &room.name, code_of(&refusal), &refusal);
        }
    }

    fn try_begin_echo(&mut self, slot: u32, room: &Room, member: Option<Member>) -> Result<(), Refusal> {
        let channel = ChannelName::parse(&room.name)?;
        let is_presence = Guard::of(channel.as_str()) == Guard::Presence;
        self.flush(slot);
        let own = member.clone();
        if is_presence && !self.is_in_room(slot, room) {
            let member = member.ok_or_else(|| {
                Refusal::new(Code::Unauthorized, "a presence channel is for somebody who is known")
            })?;
            self.enter_as_member(slot, &channel, &member)?;
        }
        let Some(app) = self.clients.get(slot).map(|client| usize::from(client.app)) else { return Ok(()) };
        let (there, head) = self.level(app, cohort_of(slot), |log: &Log| {
            let there = log.presence(channel.as_str()).cloned().unwrap_or_default();
            (is_presence.then(|| roster(&there, own.as_ref())), log.head())
        });
        if !self.is_in_room(slot, room) {
            let view = View { namespace: room.namespace.clone(), shows: Shows::Echo };
            self.show(slot, &channel, view, Begin::Now, None)?;
            if is_presence {
                self.note_start(slot, &channel, |start| start.members = Members::Listed(head));
            }
            if let Some(inside) = self.talker(slot).and_then(|talker| talker.inside_mut(&room.namespace)) {
                inside.rooms.push(room.clone());
            }
        }
        if let Some(there) = there {
            self.utter(slot, |out| echo::here(channel.as_str(), &there, out));
        }
        self.flush(slot);
        Ok(())
    }

    /// Whoever has come back to a channel is there again, under its session's new generation, and knows who was
    /// there up to where it stood.
    pub(super) fn go_on_in_echo(&mut self, slot: u32, room: &Room, stood: Position) {
        let Ok(channel) = ChannelName::parse(&room.name) else { return };
        let note = self.note();
        let Some(client) = self.clients.get(slot) else { return };
        let entered = client.session.entered.iter().flat_map(|entered| entered.iter());
        let Some(presence) = entered.filter(|presence| presence.channel == channel).last() else { return };
        let Some(member) = presence.member.clone() else { return };
        let (holder, data) = (client.session.holder(), presence.data.clone());
        let log = &self.hub.apps[usize::from(client.app)].log;
        // There is no more room than before only if others took it; then the client is not seen.
        let _ = log.with(|log| log.enter(&channel, &member, holder, data, note));
        self.note_start(slot, &channel, |start| start.members = Members::Listed(stood));
    }

    /// Takes a client out of a channel.
    pub(super) fn leave_echo(&mut self, slot: u32, room: &Room) {
        if let Ok(channel) = ChannelName::parse(&room.name) {
            // Leaving a presence that the client is not in is no error.
            let _ = self.leave(slot, &channel);
        }
        self.leave_room(slot, room);
    }

    fn whisper_echo(
        &mut self,
        slot: u32,
        namespace: &str,
        channel: &str,
        event: &str,
        data: &str,
    ) -> Result<(), Refusal> {
        let name = ChannelName::parse(channel)?;
        if !Guard::of(channel).lets_clients_speak() {
            let sentence = "clients speak to each other on private and presence channels only";
            return Err(Refusal::new(Code::Denied, sentence));
        }
        if !self.is_in_room(slot, &of_echo(namespace, channel, Right::Rules)) {
            let sentence = "only who is subscribed may speak on a channel; subscribe first";
            return Err(Refusal::new(Code::NotSubscribed, sentence));
        }
        let (hub, now) = (self.hub.clone(), self.now);
        let Some(client) = self.clients.get(slot) else { return Ok(()) };
        let app = &hub.apps[usize::from(client.app)];
        if !app.pusher.load().client_events {
            let sentence = "clients may not speak to each other here; allow it with pusher.client_events";
            return Err(Refusal::new(Code::BadState, sentence));
        }
        let whisper = Whisper {
            channel: name,
            name: EventName::parse(event)?,
            data: Data::json(data.to_owned()),
            from: client.session.public_id(),
            by: None,
        };
        hub.whisper(app, whisper, now)
    }

    fn refuse_echo(&mut self, slot: u32, channel: &str, status: u16, refusal: &Refusal) {
        self.hub.metrics.refused(refusal.code);
        self.utter(slot, |out| echo::refused(channel, status, out));
    }

    /// A user as a member, where only a rule has let it in.
    fn own_member(&self, slot: u32) -> Option<Member> {
        let id = self.clients.get(slot)?.session.identity.user_id()?;
        let info = serde_json::json!({ "id": id }).to_string();
        Some(Member { id: id.to_owned(), info: info.into() })
    }
}

fn of_echo(namespace: &str, channel: &str, right: Right) -> Room {
    Room { namespace: namespace.into(), name: channel.into(), kind: Kind::Echo, right }
}

fn code_of(refusal: &Refusal) -> u16 {
    code::status_of(refusal.code)
}

/// Everybody who is there, as JSON.
fn roster(there: &Presence, own: Option<&Member>) -> String {
    let member = |id: &str, info: &[u8]| echo::member(id, &String::from_utf8_lossy(info));
    let all = there.members().map(|(id, one)| member(id, &one.data));
    // After a crash those who come are told together, a moment later.
    let own = own.filter(|own| there.get(&own.id).is_none()).map(|own| member(&own.id, &own.info));
    format!("[{}]", all.chain(own).collect::<Vec<_>>().join(","))
}
