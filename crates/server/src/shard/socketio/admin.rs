//! The namespace of the admin UI: who comes in is an operator, and hears numbers.

use std::sync::Arc;

use deskbell_core::rate::Rate;
use deskbell_wire::socketio::admin::{self, Login, NAMESPACE, WRONG};
use deskbell_wire::socketio::encode;

use super::super::Shard;
use super::super::subscribe::Begin;
use super::{Entering, Inside};
use crate::limiter::Purpose;
use crate::socketio::{Shows, View};

/// Attempts of one address: a person who mistypes has some, and a program that guesses has not enough.
const ATTEMPTS: Rate = Rate { per_second: 1, burst: 10 };

impl Shard {
    /// Is this the admin UI's namespace, and is there one?
    pub(super) fn is_for_operators(&self, namespace: &str) -> bool {
        namespace == NAMESPACE && self.hub.operator.is_some()
    }

    /// Lets an operator in, and nobody else.
    pub(super) fn enter_as_operator(&mut self, slot: u32, entering: &Entering) {
        let (hub, now) = (self.hub.clone(), self.now);
        let (Some(operator), Some(client)) = (&hub.operator, self.clients.get(slot)) else { return };
        if hub.limiter.take(Purpose::Login, client.peer, ATTEMPTS, now).is_err() {
            return self.turn_away(slot, NAMESPACE, WRONG, Some(r#"{"code":"rate_limited"}"#));
        }
        let session = match admin::login(entering.data.as_deref()) {
            Login::Password { name, password } if operator.is(&name, &password) => {
                Some(operator.session(now))
            }
            Login::Session(session) if operator.has(&session, now) => None,
            _ => return self.turn_away(slot, NAMESPACE, WRONG, Some(r#"{"code":"unauthorized"}"#)),
        };
        self.let_operator_in(slot, session);
    }

    fn let_operator_in(&mut self, slot: u32, session: Option<String>) {
        let terms = self.socketio_terms(slot);
        let Some(talker) = self.talker(slot) else { return };
        if !talker.spaces.let_in(NAMESPACE) {
            return;
        }
        talker.offsets.get_or_insert(false);
        let namespace: Arc<str> = NAMESPACE.into();
        talker.inside.push(Inside { namespace: namespace.clone(), rooms: Vec::new() });
        self.come_to_now(slot);
        let Some(client) = self.clients.get_mut(slot) else { return };
        if let Some(seat) = &mut client.seat {
            seat.is_used();
        }
        let sid = client.session.public_id().to_string();
        // The UI listens only once it is connected, so that comes first.
        self.utter(slot, |out| encode::connected(&namespace, &sid, None, out));
        if let Some(session) = session {
            self.tell(slot, &namespace, "session", serde_json::Value::from(session).to_string());
        }
        self.tell(slot, &namespace, "config", admin::CONFIG.to_owned());
        self.flush(slot);
        if let Ok(channel) = terms.everybody(&namespace) {
            // There is nothing to do where the app has too many manners: other clients have no room then either.
            let view = View { namespace, shows: Shows::Itself };
            let _ = self.show(slot, &channel, view, Begin::Now, None);
        }
        self.look_at_life(slot);
    }
}
