//! Commands become acts, and acts become answers.

use bytes::Bytes;
use deskbell_core::access::Action;
use deskbell_core::ids::{ChannelName, EventId};
use deskbell_core::limits;
use deskbell_core::log::PresenceNote;
use deskbell_core::news::News;
use deskbell_core::presence::{Change, Presence};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::{Command, Notice, Publish};
use deskbell_wire::native::Reference;

use super::Shard;
use super::hello::Keys;
use super::mailbox::{Handle, Letter};
use super::session::Entered;
use super::waiting::{Answer, Waiting};
use crate::clock;
use crate::hub::Outcome;

impl Shard {
    /// Acts on one command.
    pub(super) fn act(&mut self, slot: u32, command: Command, reference: Reference) {
        let answer = match command {
            Command::Hello(hello) => {
                self.hello(slot, hello, reference, Keys::Known);
                return;
            }
            Command::Authenticate { token } => {
                self.authenticate(slot, token, reference, Keys::Known);
                return;
            }
            Command::Publish(publish) => {
                self.publish(slot, publish, reference);
                return;
            }
            Command::Subscribe { channel, since } => {
                self.subscribe(slot, &channel, since.as_deref(), &reference);
                return;
            }
            Command::Ledger(plea) => {
                self.plead(slot, *plea, reference);
                return;
            }
            Command::Availability(asked) => {
                self.look_up(slot, asked, reference);
                return;
            }
            Command::Post(plea) => {
                self.ask_post(slot, *plea, reference);
                return;
            }
            Command::Look(look) => {
                self.look_post(slot, look, reference);
                return;
            }
            Command::Typing(typing) => self.typing(slot, &typing),
            Command::Select(watched) => self.select(slot, watched),
            Command::Deselect(watched) => self.deselect(slot, &watched),
            Command::Ping => {
                self.say(slot, &Notice::Pong, &reference);
                return;
            }
            Command::Members { channel } => self.members(slot, &channel, &reference),
            Command::Unsubscribe { channel } => self.unsubscribe(slot, &channel),
            Command::Enter { channel, data } => self.enter(slot, &channel, data),
            Command::Leave { channel } => self.leave(slot, &channel),
        };
        match answer {
            Ok(true) => self.say(slot, &Notice::Ok, &reference),
            Ok(false) => {}
            Err(refusal) => self.say(slot, &Notice::Error(&refusal), &reference),
        }
    }

    fn publish(&mut self, slot: u32, publish: Publish, reference: Reference) {
        let handle = self.handle(slot);
        let Some(client) = self.clients.get_mut(slot) else { return };
        let (hub, now) = (self.hub.clone(), self.now);
        let app = &hub.apps[usize::from(client.app)];
        let identity = client.session.identity.clone();
        if let Err(refusal) = app.allows(&identity, Action::Publish, &publish.channel, now) {
            self.say(slot, &Notice::Error(&refusal), &reference);
            return;
        }
        let (mailbox, later) = (self.mailbox.clone(), reference.clone());
        let answered = hub.publish(app, &identity, publish, now, move |outcome: Outcome| {
            let result = outcome.map(|published| (published.id, published.at));
            let answer = Answer::Published { reference: later, result };
            mailbox.answer(Letter::Answer { client: handle, answer });
        });
        match answered {
            Some(outcome) => {
                self.say_published(slot, outcome.map(|published| (published.id, published.at)), &reference);
            }
            None => client.parked_frames += 1,
        }
    }

    fn say_published(
        &mut self,
        slot: u32,
        result: Result<(EventId, deskbell_core::position::Position), Refusal>,
        reference: &Reference,
    ) {
        let Some(client) = self.clients.get(slot) else { return };
        match result {
            Ok((id, at)) => {
                let cursor = self.hub.apps[usize::from(client.app)].seal(at);
                self.say(slot, &Notice::Published { id: &id, cursor: &cursor }, reference);
            }
            Err(refusal) => self.say(slot, &Notice::Error(&refusal), reference),
        }
    }

    /// What a frame waited for has come.
    pub(super) fn answered(&mut self, handle: Handle, answer: Answer) {
        if !self.is_here(handle) {
            return;
        }
        let slot = handle.slot;
        if answer.was_owed() {
            self.unpark(slot);
        }
        match answer {
            Answer::Published { reference, result } => {
                self.say_published(slot, result, &reference);
            }
            Answer::Ruled { reference, ruling } => {
                self.say_ruling(slot, &ruling, &reference);
            }
            Answer::Free { reference, found } => {
                self.say_free(slot, found, &reference);
            }
            Answer::Ran { reference, result } => {
                self.say_ran(slot, result, &reference);
            }
            Answer::Looked { reference, found } => {
                self.say_looked(slot, found, &reference);
            }
            Answer::Handled(result) => {
                self.say_handled(slot, result);
            }
            Answer::Missed(missed) => {
                self.say_missed(slot, missed);
            }
            Answer::Told(told) => {
                self.hear_told(slot, *told);
            }
            Answer::Applications(found) => {
                self.say_applications(slot, &found);
            }
            Answer::Page(answered) => {
                self.hear_for_page(slot, *answered);
            }
            Answer::Keys => {
                self.keys_came(slot);
            }
        }
        self.flush(slot);
        self.ready.push_back(slot);
    }

    /// Whoever waited for the keys of its token goes on.
    fn keys_came(&mut self, slot: u32) {
        let waiting = self.clients.get_mut(slot).and_then(|client| client.waiting.take());
        match waiting.map(|waiting| *waiting) {
            Some(Waiting::Keys { command, reference }) => match command {
                Command::Hello(hello) => self.hello(slot, hello, reference, Keys::Fetched),
                Command::Authenticate { token } => {
                    self.authenticate(slot, token, reference, Keys::Fetched);
                }
                other => self.act(slot, other, reference),
            },
            Some(Waiting::Entering(entering)) => {
                self.enter_namespace(slot, *entering, Keys::Fetched);
            }
            Some(Waiting::Proving(proving)) => {
                self.authenticate_site(slot, *proving, Keys::Fetched);
            }
            Some(Waiting::Session { .. } | Waiting::Returning(_)) | None => {}
        }
    }

    /// One frame less waits for its answer.
    fn unpark(&mut self, slot: u32) {
        if let Some(client) = self.clients.get_mut(slot) {
            client.parked_frames = client.parked_frames.saturating_sub(1);
        }
    }

    fn members(&mut self, slot: u32, channel: &ChannelName, reference: &Reference) -> Result<bool, Refusal> {
        let app = self.may(slot, Action::Presence, channel)?;
        let none = Presence::default();
        let members =
            self.hub.apps[app].log.with(|log| log.presence(channel.as_str()).cloned()).unwrap_or(none);
        let cursor = self.cursor(slot);
        self.say(slot, &Notice::Members { channel, members: &members, cursor: &cursor }, reference);
        Ok(false)
    }

    fn enter(&mut self, slot: u32, channel: &ChannelName, data: Bytes) -> Result<bool, Refusal> {
        let app = self.may(slot, Action::Presence, channel)?;
        if data.len() > limits::PRESENCE_DATA {
            return Err(Refusal::new(Code::TooLarge, "a member shows at most 4 KiB; show less"));
        }
        if !self.hub.apps[app].log.with(|log| log.class(channel.as_str()).presence) {
            return Err(Refusal::new(
                Code::Denied,
                "this channel has no presence; allow it with `presence = true` in [[channels]]",
            ));
        }
        if !self.is_subscribed(slot, channel) {
            return Err(Refusal::new(Code::NotSubscribed, "subscribe to the channel before you enter it"));
        }
        self.enter_as(slot, channel, data.clone())?;
        let Some(client) = self.clients.get_mut(slot) else { return Ok(false) };
        let entered = client.session.entered.get_or_insert_default();
        entered.retain(|e| e.channel != *channel);
        entered.push(Entered { channel: channel.clone(), data, member: None });
        Ok(true)
    }

    /// Writes a member into the log's presence under the session's present generation.
    pub(super) fn enter_as(&mut self, slot: u32, channel: &ChannelName, data: Bytes) -> Result<(), Refusal> {
        let Some(client) = self.clients.get(slot) else { return Ok(()) };
        let member = self.hub.seals.member_id(&client.session.identity.principal);
        let (holder, note) = (client.session.holder(), self.note());
        let log = &self.hub.apps[usize::from(client.app)].log;
        log.with(|log| log.enter(channel, &member, holder, data, note)).map(|_| ())
    }

    /// Leaves a channel's presence.
    // It answers as the other commands do.
    #[allow(clippy::unnecessary_wraps)]
    pub(super) fn leave(&mut self, slot: u32, channel: &ChannelName) -> Result<bool, Refusal> {
        let Some(client) = self.clients.get_mut(slot) else { return Ok(false) };
        let Some(entered) = client.session.entered.as_mut() else { return Ok(true) };
        let Some(place) = entered.iter().position(|e| e.channel == *channel) else { return Ok(true) };
        let presence = entered.swap_remove(place);
        if entered.is_empty() {
            client.session.entered = None;
        }
        self.leave_as(slot, &presence);
        Ok(true)
    }

    /// Takes the session out of a channel's presence in the log.
    pub(super) fn leave_as(&mut self, slot: u32, presence: &Entered) {
        let Some(client) = self.clients.get(slot) else { return };
        let own = || self.hub.seals.member_id(&client.session.identity.principal);
        let member = presence.member.as_deref().map_or_else(own, str::to_owned);
        let (holder, note) = (client.session.holder(), self.note());
        let app = &self.hub.apps[usize::from(client.app)];
        let change = app.log.with(|log| log.leave(&presence.channel, &member, holder, note));
        if change == Change::Left && presence.channel.as_str().starts_with("presence-") {
            self.hub.hooks.tell(app, self.now, || News::Went(presence.channel.clone(), member.into()));
        }
    }

    pub(super) fn note(&self) -> PresenceNote {
        PresenceNote { id: EventId::from_random(clock::random_bytes()), now: self.now }
    }

    /// The app, if the client may do this here.
    pub(super) fn may(&self, slot: u32, action: Action, channel: &ChannelName) -> Result<usize, Refusal> {
        let Some(client) = self.clients.get(slot) else {
            return Err(Refusal::new(Code::Unavailable, "the connection is over; connect again"));
        };
        let app = usize::from(client.app);
        self.hub.apps[app].allows(&client.session.identity, action, channel, self.now)?;
        Ok(app)
    }
}
