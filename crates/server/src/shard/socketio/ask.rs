//! Questions of a backend to the sockets here: an event under a number, and the answers that come under it.

use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::room;
use deskbell_wire::socketio::Args;
use deskbell_wire::socketio::encode::{self, Event};
use tokio::sync::oneshot;

use super::super::Shard;
use super::super::frames::Variant;
use crate::socketio::{Place, Question, Shows};

impl Shard {
    /// Puts a question to everybody here who is in its room. Whatever was published before comes first.
    pub(in super::super) fn put_question(&mut self, question: &Arc<Question>, done: oneshot::Sender<()>) {
        for (slot, namespace) in self.whom_to_ask(question) {
            self.come_to_now(slot);
            let Some(place) = question.place(&namespace) else { continue };
            let event = Event {
                namespace: &namespace,
                id: Some(question.number),
                name: question.name.as_str(),
                offset: None,
            };
            self.utter(slot, |out| encode::event(&event, &question.data, out));
            self.flush(slot);
            if let Some(talker) = self.talker(slot) {
                talker.note_question(place);
            }
        }
        // Whoever asked may have given up.
        let _ = done.send(());
    }

    /// Those who hear the room as it is, and in which namespaces. A socket's own room is its own before anything was
    /// told there.
    fn whom_to_ask(&self, question: &Question) -> Vec<(u32, Arc<str>)> {
        let (app, channel) = (&self.hub.apps[question.app], question.channel.as_str());
        let channels = &self.views[question.app].channels;
        let mut asked = Vec::new();
        for (kind, list) in channels.find(channel).into_iter().flat_map(|it| &channels.get(it).lists) {
            let Variant::SocketIo(words) = kind.variant else { continue };
            let manner = app.words.manner(words);
            let views = manner.iter().flat_map(|manner| &manner.views);
            for view in views.filter(|view| view.shows == Shows::Itself) {
                asked.extend(list.iter().map(|slot| (*slot, view.namespace.clone())));
            }
        }
        let name = channel.rsplit(';').next().unwrap_or_default();
        let own = room::of_connection(name).and_then(|id| self.public.get(&id)).copied();
        if let Some(slot) = own.filter(|slot| self.is_talker_of(*slot, question.app)) {
            let known: Vec<(u32, Arc<str>)> =
                self.shown_in(slot, &question.channel, name).into_iter().map(|it| (slot, it)).collect();
            asked.extend(known.into_iter().filter(|one| !asked.contains(one)).collect::<Vec<_>>());
        }
        let except = question.except.and_then(|id| self.public.get(&id));
        asked.retain(|(slot, _)| Some(slot) != except);
        asked
    }

    /// A client answers a question. What nobody waits for any more, or never asked, is heard by nobody, and what is
    /// said too fast neither.
    pub(super) fn take_answer(
        &mut self,
        slot: u32,
        namespace: &str,
        number: u64,
        (args, attachments): (Args<'_>, &[Bytes]),
    ) {
        if self.charge(slot).is_err() {
            return;
        }
        let Some(socket) = self.clients.get(slot).map(|client| client.session.public_id()) else { return };
        let Some(talker) = self.talker(slot) else { return };
        let is_it = |place: &Place| place.number == number && *place.namespace == *namespace;
        if let Some(at) = talker.questions.iter().position(is_it) {
            talker.questions.swap_remove(at).answer(socket, args.text(), attachments);
        }
    }
}
