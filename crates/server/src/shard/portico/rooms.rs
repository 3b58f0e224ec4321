//! Rooms of sessions and entities. A room is a channel of the same name.

use deskbell_core::access::Action;
use deskbell_core::access::Identity;
use deskbell_core::event::Data;
use deskbell_core::ids::ChannelName;
use deskbell_core::position::Position;
use deskbell_core::projection::{Dialect, Source};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Publish;
use deskbell_wire::native::Reference;
use deskbell_wire::portico::asked::Entity;
use deskbell_wire::portico::message::{Added, Message};
use deskbell_wire::portico::relays::{Mode, Verdict, Wish, judge};
use deskbell_wire::portico::said::{self, Room, Why};

use super::super::Shard;
use super::super::client::Whose;
use super::super::lens::{Lens, PLAIN, Sight};
use super::super::mailbox::Letter;
use super::super::subscribe::Begin;
use super::super::waiting::Answer;
use super::{Hears, No};
use crate::hub::Outcome;

/// What the rooms of entities begin with.
const ENTITY: &str = "entity_";

impl Shard {
    /// A page wants to hear of an entity.
    pub(super) fn enter_entity(&mut self, slot: u32, entity: &Entity) -> Result<(), No> {
        if !self.is_subscribed(slot, &entity.room) {
            self.may_enter(slot, &entity.room)?;
            let rooms = self.sub_list(slot).len();
            if rooms >= self.tuning.subscriptions {
                let most = self.tuning.subscriptions;
                let sentence = format!("a page is in at most {most} rooms; leave one first");
                return Err(Refusal::new(Code::LimitReached, sentence).into());
            }
            self.come_to_now(slot);
            self.hear(slot, entity.room.as_str());
            self.see_behind_entity(slot, &entity.room);
        }
        let size = self.size_of(slot, entity.room.as_str());
        self.tell_portico(slot, |stamp| said::entity_room_joined(entity, size, stamp));
        self.tell_portico(slot, |stamp| said::subscribed(entity, stamp));
        Ok(())
    }

    fn may_enter(&self, slot: u32, room: &ChannelName) -> Result<(), Refusal> {
        let mode = self.portico_terms(slot).map_or(Mode::Normal, |terms| terms.mode);
        match judge(mode, Wish::EnterEntity) {
            Verdict::Yes => Ok(()),
            _ => self.may(slot, Action::Subscribe, room).map(drop),
        }
    }

    /// A page has something to say in a room that it names.
    pub(super) fn tell_room(&mut self, slot: u32, room: &str, message: &Message) -> Result<(), No> {
        if self.session_of(slot).is_some_and(|session| session.id.room() == room) {
            return self.tell_tabs(slot, message);
        }
        let channel = ChannelName::parse(room).ok().filter(|_| room.starts_with(ENTITY));
        let Some(channel) = channel.filter(|channel| self.is_subscribed(slot, channel)) else {
            return Err(No::Why(Why::NotInRoom));
        };
        self.may_tell(slot, &channel)?;
        self.say_in(slot, &channel, message)
    }

    /// A page has something to say in the room of an entity. To one in which it is not, only where everything is open.
    pub(super) fn tell_entity(&mut self, slot: u32, entity: &Entity, message: &Message) -> Result<(), No> {
        let Some(terms) = self.portico_terms(slot) else { return Ok(()) };
        if self.is_subscribed(slot, &entity.room) {
            self.may_tell(slot, &entity.room)?;
        } else if judge(terms.mode, Wish::TellForeignRoom) != Verdict::Yes {
            return Err(No::Why(Why::NotInRoom));
        }
        self.say_in(slot, &entity.room, message)
    }

    fn may_tell(&self, slot: u32, room: &ChannelName) -> Result<(), Refusal> {
        let mode = self.portico_terms(slot).map_or(Mode::Normal, |terms| terms.mode);
        match judge(mode, Wish::TellOwnRoom) {
            Verdict::Yes => Ok(()),
            _ => self.may(slot, Action::Publish, room).map(drop),
        }
    }

    fn say_in(&mut self, slot: u32, room: &ChannelName, message: &Message) -> Result<(), No> {
        let Some(terms) = self.portico_terms(slot) else { return Ok(()) };
        let added = Added::default().from(self.session_of(slot)).at(terms.stamp(self.now));
        let text = message.with(&added);
        self.pass_on(slot, room.as_str(), &text, Hears::Others)
    }

    /// A page has something to say to the other tabs of its session.
    pub(super) fn tell_tabs(&mut self, slot: u32, message: &Message) -> Result<(), No> {
        let Some(terms) = self.portico_terms(slot) else { return Ok(()) };
        let Some(session) = self.session_of(slot) else { return Err(No::Why(Why::NotInRoom)) };
        let room = session.id.room();
        let added = Added::default()
            .text("type", "room_message")
            .text("roomId", &room)
            .from(Some(session))
            .at(terms.stamp(self.now));
        let text = message.with(&added);
        self.pass_on(slot, &room, &text, Hears::Others)
    }

    /// Publishes what a page says. It was judged already.
    pub(super) fn pass_on(&mut self, slot: u32, channel: &str, text: &str, hears: Hears) -> Result<(), No> {
        let (channel, message) = (ChannelName::parse(channel)?, Message::read(text)?);
        let (handle, mailbox, hub) = (self.handle(slot), self.mailbox.clone(), self.hub.clone());
        let Some(client) = self.clients.get_mut(slot) else { return Ok(()) };
        let except = (hears == Hears::Others).then(|| client.session.public_id());
        let (name, data) = (message.name(), Data::json(message.text().to_owned()));
        let publish = Publish { channel, name, data, id: None, key: None, except };
        let identity = client.session.identity.clone();
        let app = &hub.apps[usize::from(client.app)];
        let later = move |outcome: Outcome| {
            let result = outcome.map(|published| (published.id, published.at));
            let answer = Answer::Published { reference: Reference::none(), result };
            mailbox.answer(Letter::Answer { client: handle, answer });
        };
        match hub.publish(app, &identity, publish, self.now, later) {
            Some(outcome) => outcome.map(drop).map_err(No::from),
            None => {
                client.parked_frames += 1;
                Ok(())
            }
        }
    }

    /// Subscribes a page to a room of its own, and to what is shown there of the log. The room was proven, so that what
    /// the operator has put there is for whoever is in it.
    pub(super) fn hear_own(&mut self, slot: u32, room: &str) {
        let Ok(name) = ChannelName::parse(room) else { return };
        if !self.is_subscribed(slot, &name) {
            self.hear(slot, room);
            self.see_behind(slot, &name, |_| true);
        }
    }

    /// Subscribes a page to a channel: from where it goes on, or from now.
    pub(super) fn hear(&mut self, slot: u32, channel: &str) {
        let Ok(channel) = ChannelName::parse(channel) else { return };
        if self.is_subscribed(slot, &channel) {
            return;
        }
        let begin = self.portico(slot).and_then(|page| page.since).or_else(|| self.stands_at(slot));
        self.list(slot, &channel, false);
        if let Some(at) = begin {
            self.start_sub(slot, &channel, Begin::After(at), None, Whose::Channel(channel.clone()));
        }
    }

    /// What the room of an entity shows of the ledger: no more than everybody may see.
    fn see_behind_entity(&mut self, slot: u32, room: &ChannelName) {
        let Some(client) = self.clients.get(slot) else { return };
        let (hub, now, app) = (self.hub.clone(), self.now, usize::from(client.app));
        let visitor = Identity::visitor(0);
        self.see_behind(slot, room, |source| {
            hub.apps[app].allows(&visitor, Action::Subscribe, &source.channel, now).is_ok()
        });
    }

    /// What a room shows of the log by the table of projections, in this dialect's words.
    fn see_behind(&mut self, slot: u32, room: &ChannelName, may: impl Fn(&Source) -> bool) {
        let Some(client) = self.clients.get(slot) else { return };
        let table = self.hub.apps[usize::from(client.app)].projections.load_full();
        let sources = table.resolve(Dialect::Portico, room.as_str()).into_iter();
        let lenses: Vec<Lens> = sources
            .filter(|source| may(source))
            .map(|Source { channel: source, rows }| {
                let sight = Sight::Rows(table.clone(), rows);
                Lens { shown: room.clone(), source, sight }
            })
            .collect();
        for lens in lenses {
            self.look_through(slot, lens);
        }
        self.begin_as_shown(slot, room);
    }

    /// The page goes on from an older place than where it stands, if there is one. What it has subscribed to in the
    /// meantime stays where it is, but for what everybody is told.
    pub(super) fn go_back(&mut self, slot: u32, since: Option<Position>) {
        let (Some(since), Some(stands)) = (since, self.stands_at(slot)) else { return };
        if let Some(page) = self.portico_mut(slot) {
            (page.since, page.sure, page.pinged) = (Some(since), since, since);
        }
        if since.covers(&stands) {
            return;
        }
        for (channel, _) in self.sub_list(slot) {
            if channel.as_str().starts_with(ENTITY) {
                self.note_start(slot, &channel, |start| (start.after, start.asked) = (Some(stands), true));
                self.begin_as_shown(slot, &channel);
            }
        }
        self.fall_behind(slot, since);
    }

    /// The rooms of a page as it is told of them.
    pub(super) fn rooms_of(&self, slot: u32) -> Vec<Room> {
        let own = self.session_of(slot).map(|session| session.id.room());
        let entities = self.entities_of(slot).into_iter().map(|room| room.to_string());
        own.into_iter().chain(entities).map(|id| Room { size: self.size_of(slot, &id), id }).collect()
    }

    /// The rooms of entities that a page is in.
    pub(super) fn entities_of(&self, slot: u32) -> Vec<ChannelName> {
        let Some(client) = self.clients.get(slot) else { return Vec::new() };
        let channels = &self.views[usize::from(client.app)].channels;
        let plain = client.session.subs.iter().filter(|sub| sub.lens == PLAIN);
        let names = plain.map(|sub| channels.get(sub.channel).name.clone());
        names.filter(|name| name.as_str().starts_with(ENTITY)).collect()
    }

    /// How many are in a room, over all shards.
    pub(super) fn size_of(&self, slot: u32, room: &str) -> usize {
        let Some(client) = self.clients.get(slot) else { return 0 };
        self.hub.apps[usize::from(client.app)].occupancy.of(room)
    }

    /// Rules have changed: whoever lost the right to an entity's room is told and taken out of it.
    pub(in super::super) fn recheck_portico(&mut self, slot: u32) {
        for room in self.entities_of(slot) {
            if let Err(no) = self.may_enter(slot, &room) {
                self.drop_sub(slot, &room);
                self.tell_portico(slot, |stamp| said::error(&no, stamp));
            }
        }
        self.flush(slot);
    }
}
