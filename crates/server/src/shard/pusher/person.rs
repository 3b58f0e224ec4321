//! Users who sign in, and those who hear of their coming and going.
//!
//! A signed-in user is present in a channel of its own, which no client can name. Whoever watches it is
//! subscribed there: so "online" is the first of its connections and "offline" the last, over all shards.

use std::sync::Arc;

use deskbell_core::access::Identity;
use deskbell_core::ids::{ChannelName, UserId};
use deskbell_core::log::Log;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::pusher::proof::App as Signer;
use deskbell_wire::pusher::{SignIn, User, code, encode, name};

use super::super::Shard;
use super::super::cohort::cohort_of;

impl Shard {
    /// A client says who it is. A signature that does not hold ends the connection.
    pub(super) fn sign_in(&mut self, slot: u32, wish: &SignIn) {
        let user = match self.proven_user(slot, wish) {
            Ok(user) => user,
            Err(refusal) => {
                self.hub.metrics.refused(refusal.code);
                self.write(slot, &encode::error(code::UNAUTHORIZED, &refusal.message, None));
                self.flush(slot);
                self.close(slot, code::UNAUTHORIZED, "the user was not accepted");
                return;
            }
        };
        match self.user_of(slot).map(|known| known.id == user.member.id) {
            Some(false) => {
                let sentence = "this connection is another user's; open a new one for this user";
                self.refuse(slot, &Refusal::new(Code::Denied, sentence), None);
            }
            Some(true) => self.write(slot, &encode::signed_in(&wish.data)),
            None => self.become_user(slot, user, &wish.data),
        }
    }

    fn proven_user(&self, slot: u32, wish: &SignIn) -> Result<User, Refusal> {
        let app = self.app_of(slot)?;
        let secret = app.secret.expose();
        let signer = Signer { key: &app.key, secret: secret.as_bytes() };
        signer.user(&wish.auth, &self.socket_of(slot), &wish.data)?;
        User::read(&wish.data)
    }

    fn become_user(&mut self, slot: u32, user: User, data: &str) {
        let Ok(id) = UserId::parse(&user.member.id) else { return };
        self.be(slot, Arc::new(Identity::user(id)));
        self.write(slot, &encode::signed_in(data));
        if user.too_many {
            let sentence = "more users are watched than may be; the first 100 are";
            self.write(slot, &encode::error(code::WATCHES_TOO_MANY, sentence, None));
        }
        if let Some(client) = self.clients.get_mut(slot) {
            client.speaker.get_or_insert_default().user = Some(user.member.clone());
        }
        if let Some(own) = channel_of(&user.member.id) {
            // It shows nothing: that it is there is all.
            let shown = deskbell_wire::pusher::Member { info: bytes::Bytes::new(), ..user.member };
            let _ = self.enter_as_member(slot, &own, &shown);
        }
        self.watch(slot, &user.watches);
    }

    /// Follows the coming and going of users, and tells who is there now.
    fn watch(&mut self, slot: u32, users: &[String]) {
        let channels: Vec<ChannelName> = users.iter().filter_map(|user| channel_of(user)).collect();
        let Some(app) = self.clients.get(slot).map(|client| usize::from(client.app)) else { return };
        if channels.is_empty() {
            return;
        }
        self.flush(slot);
        let (there, head) = self.level(app, cohort_of(slot), |log: &Log| {
            let is_there =
                |channel: &ChannelName| log.presence(channel.as_str()).is_some_and(|there| !there.is_empty());
            (channels.iter().map(is_there).collect::<Vec<bool>>(), log.head())
        });
        for channel in &channels {
            self.list(slot, channel, true);
            self.start_here(slot, channel, Some(head));
        }
        if let Some(client) = self.clients.get_mut(slot) {
            client.speaker.get_or_insert_default().watches += channels.len();
        }
        let with = |wanted: bool| -> Vec<&str> {
            let pairs = users.iter().zip(&there);
            pairs.filter(|(_, there)| **there == wanted).map(|(user, _)| user.as_str()).collect()
        };
        let (online, offline) = (with(true), with(false));
        let lists = [("online", &online[..]), ("offline", &offline[..])];
        let told: Vec<_> = lists.into_iter().filter(|(_, users)| !users.is_empty()).collect();
        self.write(slot, &encode::watchlist(&told));
        self.flush(slot);
    }
}

/// The channel of a user's own, in which it is seen.
fn channel_of(user: &str) -> Option<ChannelName> {
    ChannelName::parse(&format!("{}{user}", name::WATCH)).ok()
}
