//! What is due: signs of life, expiry, rotation, grace.

use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::Reference;

use super::depart::code;
use super::timers::{Alarm, What};
use super::{Shard, flag};

impl Shard {
    /// Rings what is due.
    pub(super) fn ring_alarms(&mut self) {
        let mut alarms = std::mem::take(&mut self.alarms);
        self.timers.due(self.now, &mut alarms);
        for alarm in alarms.drain(..) {
            self.ring_alarm(alarm);
        }
        self.alarms = alarms;
    }

    fn ring_alarm(&mut self, Alarm { slot, stamp, what }: Alarm) {
        if self.clients.get(slot).is_none_or(|client| client.stamp != stamp) {
            return;
        }
        let gone = self.flagged(slot, flag::GONE);
        match what {
            What::Life if !gone => self.check_life(slot),
            What::Pulse if !gone => self.check_portico(slot),
            What::Poll if !gone => self.answer_poll(slot),
            What::Expiry if !gone => self.check_expiry(slot),
            What::Rotate | What::Linger if !gone => self.doom(slot),
            What::Away if !gone => self.check_away(slot),
            What::Drain if !gone => self.drain_client(slot),
            What::Grace if gone => self.forsake_presence(slot),
            What::Forget if gone => self.forget(slot),
            _ => {}
        }
    }

    fn check_life(&mut self, slot: u32) {
        if self.is_stuck(slot, self.tuning.stalled) {
            self.hub.metrics.slow_closed.inc();
            // A goodbye would only queue behind what it does not read.
            self.doom(slot);
            return;
        }
        if self.clients.get(slot).is_some_and(|client| client.socketio.is_some()) {
            self.engine_alarm(slot);
            return;
        }
        if self.clients.get(slot).is_some_and(|client| client.portico.is_some()) {
            self.check_portico(slot);
            return;
        }
        let Some(client) = self.clients.get(slot) else { return };
        let (variant, silent) = (client.variant, self.now.saturating_sub(client.heard));
        if variant.is_pusher() && self.is_silent_pusher(slot, silent) {
            return;
        }
        if !variant.is_pusher() && variant.is_websocket() && silent > self.tuning.silence {
            self.close(slot, code::SILENT, "silent: no sign of life; come back and resume");
            return;
        }
        // A socket that is blocked shows by its backlog whether the client lives.
        if !self.flagged(slot, flag::BLOCKED)
            && (!variant.is_websocket() || silent >= self.tuning.heartbeat / 2)
        {
            let cursor = self.cursor(slot);
            let mut out = std::mem::take(&mut self.out);
            variant.heartbeat(&cursor, &mut out);
            self.out = out;
            self.flush(slot);
        }
        self.watch_life(slot);
    }

    /// Looks at a client's signs of life after a while: when its dialect's next time is over, or a sign of ours
    /// is due.
    pub(super) fn watch_life(&mut self, slot: u32) {
        let Some(client) = self.clients.get(slot) else { return };
        if client.portico.is_some() {
            self.watch_portico(slot);
            return;
        }
        let after = if client.variant.is_pusher() {
            let (asks, answers) = (self.tuning.pusher_activity, self.tuning.pusher_pong);
            let silent = self.now.saturating_sub(client.heard);
            // Whoever was asked now may be silent again before its time to answer would be over.
            let next = if silent < asks { asks - silent } else { answers.min(asks) };
            next.min(self.tuning.heartbeat)
        } else {
            self.tuning.heartbeat
        };
        self.set_alarm(slot, after, What::Life);
    }

    /// Sets the alarm for the end of the identity's proof.
    pub(super) fn set_expiry(&mut self, slot: u32) {
        let expires = self.clients.get(slot).and_then(|client| client.session.identity.expires_at);
        if let Some(at) = expires {
            let after = (at + limits::TOKEN_GRACE).saturating_sub(self.now);
            self.set_alarm(slot, after, What::Expiry);
        }
    }

    fn check_expiry(&mut self, slot: u32) {
        let Some(client) = self.clients.get(slot) else { return };
        if !client.session.identity.is_over(self.now) {
            // It was renewed meanwhile, and has an alarm of its own.
            return;
        }
        let no = Refusal::new(Code::TokenExpired, "the token has expired; connect again with a new one");
        self.say(slot, &Notice::Error(&no), &Reference::none());
        self.flush(slot);
        self.close(slot, code::EXPIRED, "token_expired: connect again with a new token");
    }
}
