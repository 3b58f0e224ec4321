//! Subscriptions begin where their clients stand, as far as these may read, and end when they ask for it.

use std::cmp::Ordering;

use deskbell_core::access::{Action, From};
use deskbell_core::class::Shape;
use deskbell_core::ids::ChannelName;
use deskbell_core::log::{Members, ResetReason, Want};
use deskbell_core::position::{Epoch, Position, ledger};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::Reference;

use super::client::Whose;
use super::cohort::cohort_of;
use super::{Shard, flag};

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Begin {
    /// With what happens from now on; `latest` channels with the values that are there.
    Now,
    /// Where the client says it stands.
    After(Position),
    /// The client gave a cursor that nobody here made.
    Unreadable,
}

impl Shard {
    /// A `subscribe` command.
    pub(super) fn subscribe(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        since: Option<&str>,
        reference: &Reference,
    ) {
        match self.try_subscribe(slot, channel, since, reference) {
            Ok(()) => {}
            Err(refusal) => self.say(slot, &Notice::Error(&refusal), reference),
        }
    }

    fn try_subscribe(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        since: Option<&str>,
        reference: &Reference,
    ) -> Result<(), Refusal> {
        self.come_to_now(slot);
        let begin = self.begin(slot, channel, since);
        if self.is_subscribed(slot, channel) {
            if begin == Begin::Now {
                let cursor = self.cursor(slot);
                self.say(slot, &Notice::Subscribed { channel, recovered: true, cursor: &cursor }, reference);
                return Ok(());
            }
            self.drop_sub(slot, channel);
        }
        let from = self.admit(slot, channel)?;
        self.add_sub(slot, channel);
        let recovered = self.start_sub(slot, channel, begin, from, Whose::Channel(channel.clone()));
        let cursor = self.cursor(slot);
        self.say(slot, &Notice::Subscribed { channel, recovered, cursor: &cursor }, reference);
        if begin == Begin::Unreadable {
            self.say_reset(slot, channel, ResetReason::Foreign, &cursor);
        }
        Ok(())
    }

    /// Whatever was acknowledged before a client begins "now" lies before its beginning, so its cohort
    /// takes in what the log has by now.
    pub(super) fn come_to_now(&mut self, slot: u32) {
        let Some(app) = self.clients.get(slot).map(|client| usize::from(client.app)) else { return };
        // Its replies so far stand before what this hands out.
        self.flush(slot);
        self.deliver_to(app, cohort_of(slot));
    }

    pub(super) fn begin(&self, slot: u32, channel: &ChannelName, since: Option<&str>) -> Begin {
        let Some(text) = since else { return Begin::Now };
        let Some(client) = self.clients.get(slot) else { return Begin::Now };
        let app = &self.hub.apps[usize::from(client.app)];
        let latest = app.log.with(|log| log.class(channel.as_str()).shape) == Shape::Latest;
        app.cursors
            .open(text)
            .map_or(Begin::Unreadable, |cursor| Begin::After(cursor.place_of(channel, latest)))
    }

    /// May the client subscribe, and from where on may it read?
    pub(super) fn admit(&self, slot: u32, channel: &ChannelName) -> Result<Option<Position>, Refusal> {
        self.may(slot, Action::Subscribe, channel)?;
        let Some(client) = self.clients.get(slot) else { return Ok(None) };
        if client.session.subs.len() >= self.tuning.subscriptions {
            return Err(Refusal::new(
                Code::LimitReached,
                format!("a session has at most {} subscriptions; drop one first", self.tuning.subscriptions),
            ));
        }
        self.admitted(slot, channel)
    }

    /// From where on a client may read that may read.
    pub(super) fn admitted(&self, slot: u32, channel: &ChannelName) -> Result<Option<Position>, Refusal> {
        let Some(client) = self.clients.get(slot) else { return Ok(None) };
        let app = &self.hub.apps[usize::from(client.app)];
        let allowed = app.allows(&client.session.identity, Action::Subscribe, channel, self.now)?;
        let from = match allowed.from {
            None => return Ok(None),
            // What the ledger feeds is compared by ledger position alone.
            Some(From::Row(row)) => return Ok(Some(Position::start(Epoch(0), ledger::end(row), 0))),
            Some(From::Cursor(from)) => from,
        };
        match app.cursors.open(&from) {
            Some(cursor) => Ok(Some(cursor.at)),
            None => Err(Refusal::new(
                Code::Denied,
                "the grant's `from` is no cursor of this app; take it from a publish's answer",
            )),
        }
    }

    /// Sets a new subscription going from its beginning, but not before where its grant starts. Says
    /// whether everything since is there. `whose` is what is late if the beginning is.
    pub(super) fn start_sub(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        begin: Begin,
        from: Option<Position>,
        whose: Whose,
    ) -> bool {
        let Some(client) = self.clients.get(slot) else { return false };
        let app = usize::from(client.app);
        let here = self.cohort(app, slot).at;
        let stands = client.catching.as_ref().map_or(here, |catching| catching.at);
        let class = self.hub.apps[app].log.with(|log| log.class(channel.as_str()));
        let values = class.shape == Shape::Latest;
        // What memory had before this life of the log is gone, and hidden with it.
        let from = from.filter(|from| class.durable || from.epoch == here.epoch);
        let begin = match (begin, from) {
            (Begin::After(at), Some(from)) if is_later(&from, &at, class.durable, here.epoch) => {
                Begin::After(from)
            }
            // Values from before the grant are its past as well.
            (Begin::Now | Begin::Unreadable, Some(from))
                if values || is_later(&from, &here, class.durable, here.epoch) =>
            {
                Begin::After(from)
            }
            (begin, _) => begin,
        };
        match begin {
            Begin::After(at) => match compare(&at, &stands, class.durable, here.epoch) {
                Ordering::Equal => {}
                Ordering::Less => self.fall_behind_on(slot, whose, at),
                Ordering::Greater => {
                    // It waits there until everybody has come as far.
                    self.note_start(slot, channel, |start| (start.after, start.asked) = (Some(at), true));
                    self.fall_behind_if_live(slot, stands);
                }
            },
            Begin::Now | Begin::Unreadable if values => {
                let first = self.hub.apps[app].log.with(|log| log.start_of(channel.as_str()));
                self.note_start(slot, channel, |start| start.after = Some(first));
                self.fall_behind_on(slot, whose, Position::start(here.epoch, 0, 0));
            }
            Begin::Now | Begin::Unreadable if stands != here => {
                self.note_start(slot, channel, |start| (start.after, start.asked) = (Some(here), true));
            }
            Begin::Now | Begin::Unreadable => {}
        }
        if self.watches(slot, channel) {
            let members = self.list_of(slot, begin, here.epoch);
            self.note_start(slot, channel, |start| start.members = members);
            self.fall_behind_if_live(slot, stands);
        }
        match begin {
            Begin::After(at) => self.dry_read(app, &at, &[Want::plain(channel.clone())]).is_empty(),
            Begin::Now | Begin::Unreadable => false,
        }
    }

    /// How far the client's member list goes.
    fn list_of(&self, slot: u32, begin: Begin, epoch: Epoch) -> Members {
        match begin {
            // A poll's answer holds a list and the cursor behind it together. Elsewhere a cut may have
            // come between the two, so a cursor alone proves no list.
            Begin::After(at) if self.flagged(slot, flag::POLL) && at.epoch == epoch => Members::Listed(at),
            _ => Members::Unknown,
        }
    }

    fn fall_behind_if_live(&mut self, slot: u32, at: Position) {
        if !self.flagged(slot, flag::CATCHING) {
            self.fall_behind(slot, at);
        }
    }

    /// An `unsubscribe` command.
    pub(super) fn unsubscribe(&mut self, slot: u32, channel: &ChannelName) -> Result<bool, Refusal> {
        if !self.is_subscribed(slot, channel) {
            return Err(Refusal::new(Code::NotSubscribed, "there is no such subscription to drop"));
        }
        self.leave(slot, channel)?;
        self.drop_sub(slot, channel);
        Ok(true)
    }
}

fn is_later(one: &Position, other: &Position, durable: bool, epoch: Epoch) -> bool {
    compare(one, other, durable, epoch) == Ordering::Greater
}

/// Compares two places in the coordinate that counts for a channel. A memory place of another life
/// of the log than the present one lies before all of this life.
pub(super) fn compare(one: &Position, other: &Position, durable: bool, epoch: Epoch) -> Ordering {
    if durable {
        return one.ledger.cmp(&other.ledger);
    }
    let place = |at: &Position| (at.epoch == epoch).then_some(at.seq);
    match (place(one), place(other)) {
        // Two places of former lives have no order; the read tells both that they are over.
        (None, None) if one.epoch != other.epoch => Ordering::Less,
        (one, other) => one.cmp(&other),
    }
}
