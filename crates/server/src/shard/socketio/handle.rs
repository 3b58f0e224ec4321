//! Events that the application's backend handles: of one client one after the other, in the order in which it said
//! them. So many of them wait as frames may; then the client is not read on from.

use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::ids::EventId;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::socketio::handler::{Said, body};
use deskbell_wire::socketio::{Args, encode};

use super::super::Shard;
use super::super::mailbox::Letter;
use super::super::waiting::Answer;
use crate::clock;
use crate::handlers::Handler;

/// An event on its way to a backend.
#[derive(Debug)]
pub struct Handled {
    handler: Arc<Handler>,
    namespace: Arc<str>,
    /// The number under which an answer is expected.
    id: Option<u64>,
    /// What the backend is sent, until it is sent.
    body: Vec<u8>,
}

impl Shard {
    /// Gives an event to whoever handles it.
    pub(super) fn hand_over(
        &mut self,
        slot: u32,
        namespace: &str,
        id: Option<u64>,
        (name, args, attachments): (&str, Args<'_>, &[Bytes]),
    ) {
        let Some(client) = self.clients.get(slot) else { return };
        let Some(handler) = self.hub.handlers.of(usize::from(client.app), namespace, name) else {
            let sentence = "nobody here knows this event; publish over HTTP, or let a backend handle it";
            return self.outcome(slot, namespace, id, Err(&Refusal::new(Code::UnknownType, sentence)));
        };
        let socket = client.session.public_id().to_string();
        let who = client.session.identity.clone();
        let wants_answer = id.is_some();
        let said =
            Said { namespace, event: name, args, attachments, socket: &socket, who: &who, wants_answer };
        let handled = Handled { handler, namespace: namespace.into(), id, body: body(&said) };
        if let Some(client) = self.clients.get_mut(slot) {
            client.parked_frames += 1;
        }
        let Some(talker) = self.talker(slot) else { return };
        talker.handled.push_back(handled);
        if talker.handled.len() == 1 {
            self.ask_backend(slot);
        }
    }

    /// Asks about the first of those that wait.
    fn ask_backend(&mut self, slot: u32) {
        let (hub, mailbox, handle) = (self.hub.clone(), self.mailbox.clone(), self.handle(slot));
        let Some(app) = self.clients.get(slot).map(|client| usize::from(client.app)) else { return };
        let Some(first) = self.talker(slot).and_then(|talker| talker.handled.front_mut()) else { return };
        let (handler, body) = (first.handler.clone(), std::mem::take(&mut first.body));
        self.hub.runtime.spawn(async move {
            let id = EventId::from_random(clock::random_bytes());
            let secret = hub.apps[app].secret.expose();
            let result = handler.ask(&secret, id.as_str(), body).await;
            mailbox.answer(Letter::Answer { client: handle, answer: Answer::Handled(result) });
        });
    }

    /// The backend has answered, or has not.
    pub(in super::super) fn say_handled(&mut self, slot: u32, result: Result<String, Refusal>) {
        let Some(Handled { namespace, id, .. }) = self.talker(slot).and_then(|t| t.handled.pop_front())
        else {
            return;
        };
        match (result, id) {
            (Ok(args), Some(id)) => self.utter(slot, |out| encode::ack(&namespace, id, &args, 0, out)),
            (Ok(_), None) => {}
            (Err(refusal), id) => self.outcome(slot, &namespace, id, Err(&refusal)),
        }
        self.ask_backend(slot);
    }
}
