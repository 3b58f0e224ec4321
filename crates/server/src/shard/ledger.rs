//! What clients ask of the ledger: the frame waits under its ref, and the answer comes back as a letter.

use std::sync::Arc;

use deskbell_core::access::{Action, Identity};
use deskbell_core::cursor::Cursor;
use deskbell_core::ids::{ChannelName, Principal, ResourceId};
use deskbell_core::refusal::Refusal;
use deskbell_core::reservation::{Onlooker, Plea};
use deskbell_core::selection::Viewer;
use deskbell_core::vocabulary::{Availability, Notice, Slot};
use deskbell_wire::ledger::write_members;
use deskbell_wire::native::Reference;
use serde::Serialize;

use super::Shard;
use super::mailbox::{Handle, Letter};
use super::waiting::Answer;
use crate::ledger::{self, Found};
use crate::selections;
use crate::store::Ruling;

impl Shard {
    /// Asks the ledger for a client.
    pub(super) fn plead(&mut self, slot: u32, plea: Plea, reference: Reference) {
        let ties = self.tuning.holds_end_with_connections;
        let Some((app, identity, answer)) = self.owe(slot) else { return };
        let hub = self.hub.clone();
        let app = &hub.apps[app];
        ledger::ask(&hub, app, ledger::actor(app, identity, ties), plea, move |ruling| {
            answer(Answer::Ruled { reference, ruling: Box::new(ruling) });
        });
    }

    /// Notes that a client is owed an answer. Gives its app, who it is, and the way back to it.
    pub(super) fn owe(
        &mut self,
        slot: u32,
    ) -> Option<(usize, Arc<Identity>, impl FnOnce(Answer) + Send + use<>)> {
        let handle = self.handle(slot);
        let mailbox = self.mailbox.clone();
        let client = self.clients.get_mut(slot)?;
        client.parked_frames += 1;
        let answer = move |answer| mailbox.answer(Letter::Answer { client: handle, answer });
        Some((usize::from(client.app), client.session.identity.clone(), answer))
    }

    /// The ledger has ruled.
    pub(super) fn say_ruling(&mut self, slot: u32, ruling: &Ruling, reference: &Reference) {
        let Some(client) = self.clients.get(slot) else { return };
        let ruled = match ruling {
            Ok(ruled) => ruled,
            Err(refused) => {
                self.hub.metrics.refused(refused.refusal.code);
                self.say(slot, &Notice::Refused(refused), reference);
                return;
            }
        };
        let hub = self.hub.clone();
        let app = &hub.apps[usize::from(client.app)];
        let actor = ledger::actor(app, client.session.identity.clone(), true);
        let onlooker = Onlooker { now: ledger::told_at(ruled), ..ledger::onlooker(&hub, &actor) };
        // A provider may call its bookings off: the one step that there is a frame for.
        self.say_seen(slot, &onlooker.reply(&ruled.reply, true), ruled.at, reference);
    }

    /// Looks up what is free for a client.
    pub(super) fn look_up(&mut self, slot: u32, asked: Availability, reference: Reference) {
        if let Err(refusal) = self.may_look(slot, &asked.resource) {
            self.say(slot, &Notice::Error(&refusal), &reference);
            return;
        }
        let Some((app, _, answer)) = self.owe(slot) else { return };
        let hub = self.hub.clone();
        ledger::free(&hub, &hub.apps[app], asked, move |found| {
            answer(Answer::Free { reference, found: found.map(Box::new) });
        });
    }

    /// Whoever may subscribe to a resource's free times may look at them.
    fn may_look(&self, slot: u32, resource: &ResourceId) -> Result<usize, Refusal> {
        let channel = ChannelName::parse(&format!("slots:{resource}"))?;
        self.may(slot, Action::Subscribe, &channel)
    }

    /// What is free was seen.
    pub(super) fn say_free(&mut self, slot: u32, found: Result<Box<Found>, Refusal>, reference: &Reference) {
        match found.and_then(|found| found.show()) {
            Ok((shown, at)) => self.say_seen(slot, &shown, at, reference),
            Err(refusal) => self.say(slot, &Notice::Error(&refusal), reference),
        }
    }

    /// Says members of an answer, and where a reader stands who has what they tell of.
    pub(super) fn say_seen(
        &mut self,
        slot: u32,
        members: &impl Serialize,
        at: impl Into<Cursor>,
        reference: &Reference,
    ) {
        let Some(client) = self.clients.get(slot) else { return };
        let cursor = self.hub.apps[usize::from(client.app)].seal(at);
        let members = write_members(members);
        self.say(slot, &Notice::Ledger { members: &members, cursor: &cursor }, reference);
    }

    /// A connection of the client's principal has begun.
    pub(super) fn attend(&self, slot: u32) {
        let Some(client) = self.clients.get(slot) else { return };
        let principal = &client.session.identity.principal;
        // A backend's holds are tied to nothing.
        if *principal != Principal::Backend {
            self.hub.attendance.enter(client.app, principal, self.now);
        }
    }

    /// It has ended.
    pub(super) fn stay_away(&self, slot: u32) {
        let Some(client) = self.clients.get(slot) else { return };
        self.hub.attendance.leave(client.app, &client.session.identity.principal, self.now);
    }

    /// The client is somebody else from here on, or the same with another proof.
    pub(super) fn be(&mut self, slot: u32, identity: Arc<Identity>) {
        let same = |now: &Identity| now.principal == identity.principal;
        let Some(client) = self.clients.get(slot) else { return };
        let moves = !same(&client.session.identity);
        if moves {
            self.stay_away(slot);
        }
        if let Some(client) = self.clients.get_mut(slot) {
            client.session.identity = identity;
        }
        if moves {
            self.attend(slot);
        }
    }

    /// The client looks at a time.
    pub(super) fn select(&mut self, slot: u32, watched: Slot) -> Result<bool, Refusal> {
        let app = self.may_look(slot, &watched.resource)?;
        selections::select(&self.hub, app, self.viewer(slot), watched, self.now)?;
        if let Some(client) = self.clients.get_mut(slot) {
            client.selects = true;
        }
        Ok(true)
    }

    /// It does not any more.
    pub(super) fn deselect(&mut self, slot: u32, watched: &Slot) -> Result<bool, Refusal> {
        let app = self.may_look(slot, &watched.resource)?;
        selections::deselect(&self.hub, app, self.viewer(slot), watched, self.now);
        Ok(true)
    }

    /// A connection that ends looks at nothing.
    pub(super) fn look_away(&mut self, slot: u32) {
        let viewer = self.viewer(slot);
        let Some(client) = self.clients.get_mut(slot) else { return };
        if std::mem::take(&mut client.selects) {
            let app = usize::from(client.app);
            selections::gone(&self.hub, app, viewer, self.now);
        }
    }

    fn viewer(&self, slot: u32) -> Viewer {
        let Handle { shard, slot, stamp } = self.handle(slot);
        Viewer(u128::from(shard) << 64 | u128::from(slot) << 32 | u128::from(stamp))
    }
}
