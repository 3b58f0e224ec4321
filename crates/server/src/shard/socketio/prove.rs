//! Who a client is: by the token that it sends with `authenticate`, or by what its connection has shown.

use std::sync::Arc;

use deskbell_core::access::Identity;
use deskbell_core::ids::UserId;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::socketio::marketplace::asked;

use super::super::Shard;
use super::super::hello::Keys;
use super::super::mailbox::Letter;
use super::super::waiting::{Answer, Waiting};
use crate::identity::Verdict;

/// An `authenticate`, while it waits for keys.
#[derive(Debug, Clone)]
pub struct Proving {
    /// In which namespace it was said.
    pub namespace: Box<str>,
    /// The number under which an answer is expected.
    pub id: Option<u64>,
    /// The proof.
    pub token: Option<String>,
    /// Who the client says it is.
    pub user: Option<String>,
    /// Which role it says it has.
    pub role: Option<String>,
}

impl Shard {
    /// A client says who it is.
    pub(in super::super) fn authenticate_site(&mut self, slot: u32, proving: Proving, keys: Keys) {
        let judged = match &proving.token {
            None => None,
            Some(token) => match self.judge_site(slot, token, keys) {
                Some(judged) => Some(judged),
                None => {
                    if let Some(client) = self.clients.get_mut(slot) {
                        client.waiting = Some(Box::new(Waiting::Proving(Box::new(proving))));
                    }
                    return;
                }
            },
        };
        let proven = self.prove(slot, &proving, judged);
        match proven.and_then(|identity| self.is_meant(slot, &proving, identity)) {
            Ok(identity) => self.become_known(slot, &proving, identity),
            Err(refusal) => self.fail_proof(slot, &proving.namespace, proving.id, &refusal),
        }
    }

    /// Whose proof is it? Where the client sends none, or something that is no token at all, what its connection
    /// has shown counts: pages send a word of their own beside the cookie that proves them.
    fn prove(
        &self,
        slot: u32,
        proving: &Proving,
        judged: Option<Result<Arc<Identity>, Refusal>>,
    ) -> Result<Arc<Identity>, Refusal> {
        let trusting = self.socketio_terms(slot).trusting;
        let no_token = proving.token.as_deref().is_none_or(|token| !is_token_shaped(token));
        let missing = || {
            let sentence = "send the token that your site has signed, as `token` or with the connection";
            Refusal::new(Code::Unauthorized, sentence)
        };
        let refusal = match judged {
            Some(Ok(identity)) => return Ok(identity),
            Some(Err(refusal)) => refusal,
            None => missing(),
        };
        let shown = self.clients.get(slot).map(|client| client.session.identity.clone());
        let shown = shown.filter(|shown| shown.user_id().is_some() && !shown.is_over(self.now));
        let as_said = proving.user.as_deref().filter(|_| trusting).and_then(|user| UserId::parse(user).ok());
        match (shown, as_said) {
            (Some(shown), None) if no_token => Ok(shown),
            (_, Some(user)) => {
                let roles = proving.role.iter().cloned().collect();
                Ok(Arc::new(Identity { roles, ..Identity::user(user) }))
            }
            _ => Err(refusal),
        }
    }

    /// The proof must be of who the client says it is, and this connection must be that user's.
    fn is_meant(
        &self,
        slot: u32,
        proving: &Proving,
        identity: Arc<Identity>,
    ) -> Result<Arc<Identity>, Refusal> {
        let differs = |sentence: &'static str| Err(Refusal::new(Code::Denied, sentence));
        if proving.user.as_deref().is_some_and(|user| identity.user_id() != Some(user)) {
            return differs("`userId` is not the user of the token; send the one that the token names");
        }
        let has = |role: &String| identity.roles.iter().any(|own| own.eq_ignore_ascii_case(role));
        if proving.role.as_ref().is_some_and(|role| !has(role)) {
            return differs("`role` is no role of the token; send one that the token names");
        }
        if !self.may_become(slot, &identity) {
            return differs("this connection is another user's; open a new one for this token");
        }
        Ok(identity)
    }

    fn become_known(&mut self, slot: u32, proving: &Proving, identity: Arc<Identity>) {
        let user = identity.user_id().unwrap_or_default().to_owned();
        self.come_to_now(slot);
        let role = proving.role.clone().or_else(|| identity.roles.first().cloned());
        self.take_identity(slot, identity);
        self.recheck_rooms(slot);
        let namespaces: Vec<Arc<str>> = self
            .talker(slot)
            .map(|talker| talker.inside.iter().map(|inside| inside.namespace.clone()).collect())
            .unwrap_or_default();
        for namespace in &namespaces {
            self.join_own_rooms(slot, namespace);
        }
        self.outcome(slot, &proving.namespace, proving.id, Ok(()));
        self.tell(slot, &proving.namespace, "authenticated", asked::authenticated(&user, role.as_deref()));
        self.look_for_missed(slot, &proving.namespace.clone().into(), None);
    }

    /// Says that a proof did not hold, under all the names that clients listen to.
    pub(super) fn fail_proof(&mut self, slot: u32, namespace: &str, id: Option<u64>, refusal: &Refusal) {
        self.outcome(slot, namespace, id, Err(refusal));
        for name in asked::AUTH_ERRORS {
            self.tell(slot, namespace, name, asked::auth_error(refusal));
        }
    }

    /// Decides about a token; `None` while its keys are fetched.
    pub(super) fn judge_site(
        &self,
        slot: u32,
        token: &str,
        keys: Keys,
    ) -> Option<Result<Arc<Identity>, Refusal>> {
        let client = self.clients.get(slot)?;
        let (app, handle) = (usize::from(client.app), self.handle(slot));
        match self.hub.apps[app].judge_site(token, self.now) {
            Verdict::Known(identity) => Some(Ok(Arc::new(identity))),
            Verdict::Unknown(refusal) => Some(Err(refusal)),
            Verdict::NeedsKeys { otherwise, .. } if keys == Keys::Fetched => Some(Err(otherwise)),
            Verdict::NeedsKeys { key_id, .. } => {
                let (hub, mailbox) = (self.hub.clone(), self.mailbox.clone());
                self.hub.runtime.spawn(async move {
                    hub.apps[app].verifier.refreshed(key_id.as_deref()).await;
                    mailbox.answer(Letter::Answer { client: handle, answer: Answer::Keys });
                });
                None
            }
        }
    }
}

fn is_token_shaped(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}
