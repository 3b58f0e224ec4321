//! What there is in inboxes and conversations, and the cursor from which its changes follow.

use std::sync::Arc;

use deskbell_core::ids::{Principal, UserId};
use deskbell_core::position::{Position, ledger};
use deskbell_core::post::{Conversation, Look, Preferences, ShownConversation, can_manage, can_see, whose};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::Actor;
use serde::Serialize;

use super::nowhere;
use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::store::{Look as StoreLook, MessagePage, NotificationPage, PostLook, PostSeen, Seen, Sighting};

/// What was found, before it is shown.
#[derive(Debug)]
pub struct Found {
    actor: Actor,
    /// Whose eyes look; nobody's in particular, where whoever manages it looks.
    eyes: Option<UserId>,
    head: Position,
    sighting: Sighting,
}

/// What is shown of it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// An inbox without its notifications.
    Inbox {
        /// How much is not read.
        unread: u64,
        /// The number of the newest notification that there ever was.
        newest: u64,
        /// What is preferred.
        preferences: Preferences,
    },
    /// A page of it.
    Notifications {
        /// The page.
        #[serde(flatten)]
        page: NotificationPage,
        /// How much of the whole inbox is not read.
        unread: u64,
        /// The number of the newest.
        newest: u64,
    },
    /// Conversations.
    Conversations {
        /// The one with the newest message first.
        conversations: Vec<ShownConversation>,
        /// How many to skip for the next page.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<usize>,
    },
    /// One conversation.
    Conversation {
        /// It.
        conversation: Box<ShownConversation>,
    },
    /// A page of messages.
    Messages {
        /// The page.
        #[serde(flatten)]
        page: MessagePage,
        /// The number of the newest message.
        newest: u64,
        /// How much of the whole conversation is not read, where somebody in particular looks.
        #[serde(skip_serializing_if = "Option::is_none")]
        unread: Option<u64>,
    },
}

/// Looks. `heard` hears what was found on a thread of the store, and hands it on.
///
/// The head of the log is read first: what comes into the log meanwhile is told again behind the cursor, and
/// nothing is missed.
pub fn look(
    hub: &Hub,
    app: &App,
    actor: Actor,
    look: Look,
    heard: impl FnOnce(Result<Found, Refusal>) + Send + 'static,
) {
    let (eyes, look) = match seen_as(&actor, look) {
        Ok(both) => both,
        Err(refusal) => return heard(Err(refusal)),
    };
    let head = app.log.with(|log| log.head());
    let found = move |sighting: Result<Sighting, Refusal>| {
        heard(sighting.map(|sighting| Found { actor, eyes, head, sighting }));
    };
    hub.store.look(app.id, StoreLook::Post(look), Box::new(found));
}

/// Whose eyes look, and at what.
fn seen_as(actor: &Actor, look: Look) -> Result<(Option<UserId>, PostLook), Refusal> {
    let identity = &actor.identity;
    let own = |of: &Option<UserId>| whose(identity, of.as_ref());
    // A backend that names nobody sees all of a conversation; so does whom a rule lets manage it.
    let eyes = |of: &Option<UserId>, id| match (&identity.principal, of) {
        (Principal::Backend, None) => Ok(None),
        (Principal::User(_), None) if can_manage(identity, &actor.rules, id, clock::now_ms()) => Ok(None),
        _ => own(of).map(Some),
    };
    Ok(match look {
        Look::Inbox { of } => {
            let user = own(&of)?;
            (Some(user.clone()), PostLook::Inbox(user))
        }
        Look::Notifications { of, before, limit, unread, topic } => {
            let user = own(&of)?;
            (Some(user.clone()), PostLook::Notifications { user, before, limit, unread, topic })
        }
        Look::Conversations { of, skip, limit } => {
            let user = own(&of)?;
            (Some(user.clone()), PostLook::Conversations { user, skip, limit })
        }
        Look::Conversation { id, of } => (eyes(&of, &id)?, PostLook::Conversation(id)),
        Look::Messages { id, of, before, limit } => {
            let user = eyes(&of, &id)?;
            (user.clone(), PostLook::Messages { id, user, before, limit })
        }
    })
}

impl Found {
    /// What is shown of it, and where a reader stands who has it.
    pub fn show(self) -> Result<(Shown, Position), Refusal> {
        let mut at = self.head;
        (at.ledger, at.ledger_check) = (ledger::end(self.sighting.position), self.sighting.check);
        let Seen::Post(seen) = &self.sighting.seen else {
            let sentence = "the store answered another question; report this, and try again";
            return Err(Refusal::new(Code::Unavailable, sentence));
        };
        let shown = match seen {
            PostSeen::Inbox(inbox) => Shown::Inbox {
                unread: inbox.unread,
                newest: inbox.newest,
                preferences: inbox.preferences.clone(),
            },
            PostSeen::Notifications(inbox, page) => {
                Shown::Notifications { page: page.clone(), unread: inbox.unread, newest: inbox.newest }
            }
            PostSeen::Conversations(found, next) => Shown::Conversations {
                conversations: found.iter().map(|one| self.shown(one)).collect(),
                next: *next,
            },
            PostSeen::Conversation(found) => {
                let found = self.visible(found.as_ref())?;
                Shown::Conversation { conversation: Box::new(self.shown(found)) }
            }
            PostSeen::Messages(found) => {
                let (conversation, page) = found.as_ref().ok_or_else(nowhere)?;
                let found = self.visible(Some(conversation))?;
                Shown::Messages { page: page.clone(), newest: found.newest, unread: self.shown(found).unread }
            }
        };
        Ok((shown, at))
    }

    fn shown(&self, conversation: &Conversation) -> ShownConversation {
        let own = match &self.actor.identity.principal {
            Principal::User(own) => Some(own),
            Principal::Backend | Principal::Visitor(_) => None,
        };
        ShownConversation::of(conversation, self.eyes.as_ref().or(own))
    }

    fn visible<'a>(&self, found: Option<&'a Arc<Conversation>>) -> Result<&'a Conversation, Refusal> {
        let found = found.ok_or_else(nowhere)?;
        let seen = match &self.eyes {
            Some(user) => found.members.contains_key(user),
            None => can_see(&self.actor.identity, &self.actor.rules, found, clock::now_ms()),
        };
        if seen { Ok(found) } else { Err(nowhere()) }
    }
}
