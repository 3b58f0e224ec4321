//! What became of a command.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::memberships::Membership;
use super::model::{Content, Conversation, Inbox, Member, Message, Notification};
use super::preference::Preferences;
use super::slice::Key;
use crate::ids::{ConversationId, UserId};
use crate::limits::Millis;
use crate::refusal::Refusal;

/// How a decision ended.
#[derive(Debug)]
pub enum Decision {
    /// All of this happens.
    Change(Box<Change>),
    /// It is so already.
    Same(Box<Reply>),
    /// These parts must be known first.
    NeedMore(Vec<Key>),
    /// No.
    Refused(Refusal),
}

/// What happens: each thing as it is afterwards.
#[derive(Debug, Default)]
pub struct Change {
    /// Inboxes.
    pub inboxes: Vec<(UserId, Inbox)>,
    /// New notifications.
    pub notifications: Vec<(UserId, Notification)>,
    /// Notifications that are read by themselves from now on.
    pub read: Vec<(UserId, u64)>,
    /// Notifications that are gone.
    pub gone: Vec<(UserId, u64)>,
    /// The conversation.
    pub conversation: Option<Conversation>,
    /// What was said in it.
    pub message: Option<Message>,
    /// The message of it that can no longer be read back.
    pub gone_message: Option<u64>,
    /// Who came into it and who left.
    pub memberships: Vec<Membership>,
    /// What is told.
    pub told: Vec<Told>,
    /// The answer.
    pub reply: Reply,
}

/// What is told of a change, before it is known who hears it.
#[derive(Debug)]
pub enum Told {
    /// A notification came.
    Notified {
        /// To whom.
        user: UserId,
        /// Its place.
        number: u64,
        /// How much is unread now.
        unread: u64,
        /// What it says.
        content: Arc<Content>,
        /// It came in quiet hours, or is to wait, so nothing shall ring.
        quiet: bool,
    },
    /// The site's webhook shall hear of a notification.
    Webhook {
        /// For whom it is.
        user: UserId,
        /// Its place in the inbox, if it has one.
        number: Option<u64>,
        /// What it says.
        content: Arc<Content>,
        /// Not before this time: quiet hours.
        not_before: Option<Millis>,
    },
    /// Some were read.
    Read {
        /// Whose.
        user: UserId,
        /// Which.
        numbers: Vec<u64>,
        /// How much is unread now.
        unread: u64,
    },
    /// Some were deleted.
    Deleted {
        /// Whose.
        user: UserId,
        /// Which.
        numbers: Vec<u64>,
        /// How much is unread now.
        unread: u64,
    },
    /// All were read.
    ReadAll {
        /// Whose.
        user: UserId,
        /// Up to this one.
        up_to: u64,
        /// How much is unread now.
        unread: u64,
    },
    /// All were deleted.
    Cleared {
        /// Whose.
        user: UserId,
        /// Up to this one.
        up_to: u64,
    },
    /// Other things are preferred.
    Preferred {
        /// By whom.
        user: UserId,
        /// What.
        preferences: Box<Preferences>,
    },
    /// Somebody is in the conversation now.
    Joined(UserId),
    /// Somebody is no longer in it.
    Left(UserId),
    /// Something was said in it.
    Said,
    /// A member has read up to here.
    Marked(UserId, Member),
}

/// The answer to a command. It holds nothing that whoever asked may not see.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Reply {
    /// Users whose inbox or webhook heard of the notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified: Option<u64>,
    /// How much is unread now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u64>,
    /// What is preferred now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferences: Option<Box<Preferences>>,
    /// The conversation, as whoever asked sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Box<ShownConversation>>,
    /// The number of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

/// A conversation as somebody sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownConversation {
    /// Its id.
    pub id: ConversationId,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Arc<str>>,
    /// What the site keeps with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    /// When it was made.
    pub created: Millis,
    /// When something was said last.
    pub last_at: Millis,
    /// The number of the newest message.
    pub newest: u64,
    /// How much of it the user has not read, where somebody in particular looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u64>,
    /// Who is in it.
    pub members: BTreeMap<UserId, ShownMember>,
}

/// A member as every other one sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownMember {
    /// Since when.
    pub joined: Millis,
    /// Up to which message it has read.
    pub read: u64,
}

impl ShownConversation {
    /// As a user sees it; as nobody in particular, where none is named.
    pub fn of(conversation: &Conversation, user: Option<&UserId>) -> Self {
        let me = user.and_then(|user| conversation.members.get(user));
        let shown = |(user, member): (&UserId, &Member)| {
            (user.clone(), ShownMember { joined: member.joined, read: member.read })
        };
        Self {
            id: conversation.id.clone(),
            title: conversation.title.clone(),
            data: conversation.data.clone(),
            created: conversation.created,
            last_at: conversation.last_at,
            newest: conversation.newest,
            unread: me.map(|me| conversation.unread(me)),
            members: conversation.members.iter().map(shown).collect(),
        }
    }
}
