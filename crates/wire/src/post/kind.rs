//! What is asked for, as far as the route or the type of the frame says it.

use deskbell_core::ids::{ConversationId, EventId, UserId};

/// One thing that can be asked of inboxes and conversations, with the name of what it is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Put a notification into inboxes. It is called so, if the request has no name for it.
    Notify(EventId),
    /// Mark some as read.
    Read,
    /// Mark all as read.
    ReadAll,
    /// Delete some, or the one that the path names.
    Delete(Option<u64>),
    /// Delete all.
    Clear,
    /// Want something else than before.
    Prefer,
    /// Begin a conversation.
    Create,
    /// Take somebody into it.
    Add(ConversationId, UserId),
    /// Take somebody out of it, or leave.
    Remove(ConversationId, Option<UserId>),
    /// Say something in it.
    Send(ConversationId),
    /// Have read what was said in it.
    Mark(ConversationId),
}

impl Kind {
    /// The fields that a body of it may have.
    pub const fn fields(&self) -> &'static [&'static str] {
        match self {
            Self::Notify(_) => &["user", "users", "type", "title", "body", "data", "id", "ways"],
            Self::Read | Self::Delete(None) => &["numbers"],
            Self::ReadAll => &["up_to"],
            Self::Delete(Some(_)) | Self::Clear | Self::Remove(..) => &[],
            Self::Prefer => &["otherwise", "types", "quiet"],
            Self::Create => &["id", "title", "data", "members"],
            Self::Add(..) => &["from"],
            Self::Send(_) => &["data", "id"],
            Self::Mark(_) => &["number"],
        }
    }

    /// Does it concern a user beside whom its body or its path names, so that a backend must say whom?
    pub const fn concerns_a_user(&self) -> bool {
        !matches!(self, Self::Notify(_) | Self::Create | Self::Add(..) | Self::Remove(..))
    }

    /// What it is done to, as text: a part of what an idempotency key was used for.
    pub fn about(&self) -> String {
        match self {
            Self::Delete(Some(number)) => number.to_string(),
            Self::Add(id, user) | Self::Remove(id, Some(user)) => format!("{id}/{user}"),
            Self::Remove(id, None) | Self::Send(id) | Self::Mark(id) => id.to_string(),
            _ => String::new(),
        }
    }
}
