//! What somebody wants of inboxes and conversations.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::model::Content;
use super::preference::{Preferences, Ways};
use crate::access::Identity;
use crate::ids::{ConversationId, EventId, Principal, Topic, UserId};
use crate::refusal::{Code, Refusal};
use crate::reservation::Actor;

/// One command. It is decided as a whole: all of it happens, or nothing.
#[derive(Debug, Clone)]
pub struct Command {
    /// Who asks.
    pub actor: Actor,
    /// For what.
    pub act: Act,
}

/// From where on a new member reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// What is said from now on.
    Now,
    /// Everything that was ever said.
    Start,
}

/// Whether a notification is told so that something rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As each user prefers at this hour.
    Rings,
    /// It waits: it is kept and counted, as in quiet hours. Its users have heard of it already, or will when they
    /// come back.
    Silent,
}

/// What somebody asks for. `of` is the user whom it concerns, where that is not whoever asks; naming somebody
/// needs the secret.
#[derive(Debug, Clone)]
pub enum Act {
    /// Put a notification into inboxes.
    Notify {
        /// Whose, each once.
        users: Vec<UserId>,
        /// What it says.
        content: Arc<Content>,
        /// On which ways it goes, as far as each user wants it.
        ways: Ways,
        /// Whether it rings.
        tone: Tone,
    },
    /// Mark some notifications as read.
    Read {
        /// Whose.
        of: Option<UserId>,
        /// Which.
        numbers: Vec<u64>,
    },
    /// Mark all of them as read.
    ReadAll {
        /// Whose.
        of: Option<UserId>,
        /// Up to this one; all that there are, where none is named.
        up_to: Option<u64>,
    },
    /// Delete some notifications.
    Delete {
        /// Whose.
        of: Option<UserId>,
        /// Which.
        numbers: Vec<u64>,
    },
    /// Delete all of them.
    Clear {
        /// Whose.
        of: Option<UserId>,
    },
    /// Want something else than before.
    Prefer {
        /// Who.
        of: Option<UserId>,
        /// What.
        preferences: Box<Preferences>,
    },
    /// Begin a conversation.
    Create {
        /// What it is called in channels; the server makes a name, where there is none.
        id: Option<ConversationId>,
        /// What it is called by people.
        title: Option<Arc<str>>,
        /// What the site keeps with it.
        data: Option<Box<RawValue>>,
        /// Who is in it, each once.
        members: Vec<UserId>,
    },
    /// Take somebody into a conversation.
    Add {
        /// Which.
        id: ConversationId,
        /// Whom.
        user: UserId,
        /// What of it the new member reads.
        from: Beginning,
    },
    /// Take somebody out of a conversation, or leave it.
    Remove {
        /// Which.
        id: ConversationId,
        /// Whom; whoever asks, where nobody is named.
        user: Option<UserId>,
    },
    /// Say something.
    Send {
        /// Where.
        id: ConversationId,
        /// Who; for backends, which speak for the site where nobody is named.
        of: Option<UserId>,
        /// What whoever says it calls it.
        message: Option<EventId>,
        /// What.
        data: Box<RawValue>,
    },
    /// Have read what was said.
    Mark {
        /// Where.
        id: ConversationId,
        /// Who.
        of: Option<UserId>,
        /// Up to which message; all of them, where none is named.
        number: Option<u64>,
    },
}

impl Act {
    /// The word for it: the scope of its idempotency keys.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Notify { .. } => "notify",
            Self::Read { .. } => "read",
            Self::ReadAll { .. } => "read_all",
            Self::Delete { .. } => "delete",
            Self::Clear { .. } => "clear",
            Self::Prefer { .. } => "prefer",
            Self::Create { .. } => "create_conversation",
            Self::Add { .. } => "add_member",
            Self::Remove { .. } => "remove_member",
            Self::Send { .. } => "send",
            Self::Mark { .. } => "mark",
        }
    }
}

/// What somebody asks for, before it is known who.
#[derive(Debug, Clone)]
pub struct Plea {
    /// For what.
    pub act: Act,
    /// The idempotency key, where one was given.
    pub key: Option<EventId>,
    /// A hash of what was asked for, so that the same key for something else is noticed.
    pub body: u64,
}

impl PartialEq for Plea {
    fn eq(&self, other: &Self) -> bool {
        // Opaque JSON knows no equality of its own; its debug form has every byte of it.
        format!("{self:?}") == format!("{other:?}")
    }
}

impl Eq for Plea {}

/// What somebody wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// How much is unread, and what is preferred.
    Inbox {
        /// Whose.
        of: Option<UserId>,
    },
    /// A page of notifications, the newest first.
    Notifications {
        /// Whose.
        of: Option<UserId>,
        /// Older than this one.
        before: Option<u64>,
        /// How many.
        limit: usize,
        /// Only those that are not read.
        unread: bool,
        /// Only those of this type.
        topic: Option<Topic>,
    },
    /// A user's conversations, the one with the newest message first.
    Conversations {
        /// Whose.
        of: Option<UserId>,
        /// So many are left out.
        skip: usize,
        /// How many.
        limit: usize,
    },
    /// One conversation.
    Conversation {
        /// Which.
        id: ConversationId,
        /// As this user sees it; the whole of it for whoever manages it.
        of: Option<UserId>,
    },
    /// What was said in a conversation, the newest first.
    Messages {
        /// Which.
        id: ConversationId,
        /// As this user may read it; the whole of it for whoever manages it.
        of: Option<UserId>,
        /// Before this message.
        before: Option<u64>,
        /// How many.
        limit: usize,
    },
}

/// The user whom something concerns: whoever asks, or whom a backend names.
pub fn whose(who: &Identity, named: Option<&UserId>) -> Result<UserId, Refusal> {
    match (&who.principal, named) {
        (Principal::User(own), None) => Ok(own.clone()),
        (Principal::User(own), Some(named)) if own == named => Ok(own.clone()),
        (Principal::Backend, Some(named)) => Ok(named.clone()),
        (Principal::Backend, None) => {
            Err(Refusal::new(Code::BadField, "`user` is missing; a backend says for whom it asks"))
        }
        (Principal::User(_), Some(_)) => {
            let sentence = "only a backend asks for somebody else; leave `user` out to mean yourself";
            Err(Refusal::new(Code::Denied, sentence))
        }
        (Principal::Visitor(_), _) => {
            Err(Refusal::new(Code::Denied, "only users have an inbox and conversations; send a token first"))
        }
    }
}
