//! Inboxes, notifications, conversations with their members, messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::preference::Preferences;
use crate::ids::{ConversationId, EventId, Topic, UserId};
use crate::limits::Millis;

/// What is kept of a user's inbox beside its notifications.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inbox {
    /// The number of the newest notification that there ever was. Numbers are dense.
    pub newest: u64,
    /// Everything up to here is read.
    pub read_up_to: u64,
    /// Everything up to here is gone, also where its row is still in a store.
    pub gone_up_to: u64,
    /// Notifications that are there and are not read.
    pub unread: u64,
    /// No notification that is in the store is older than this; nothing, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Millis>,
    /// What the user wants to hear of.
    #[serde(default)]
    pub preferences: Preferences,
}

impl Inbox {
    /// Is a notification read that was marked so, or not?
    pub const fn is_read(&self, number: u64, marked: bool) -> bool {
        number <= self.read_up_to || marked
    }

    /// Is there still a notification of this number, as far as the inbox itself knows?
    pub const fn may_have(&self, number: u64) -> bool {
        number > self.gone_up_to && number <= self.newest
    }
}

/// What a notification says: the same for everybody whom one command notifies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Content {
    /// What the publisher calls it.
    pub id: EventId,
    /// What it is about.
    #[serde(rename = "type")]
    pub topic: Topic,
    /// One line.
    pub title: Arc<str>,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Arc<str>>,
    /// What programs do with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

impl Content {
    /// Bytes that it takes for each user, with some for names and numbers.
    pub fn weight(&self) -> usize {
        let body = self.body.as_ref().map_or(0, |body| body.len());
        let data = self.data.as_ref().map_or(0, |data| data.get().len());
        256 + self.title.len() + body + data
    }
}

/// A new notification of an inbox.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Its place in the inbox.
    pub number: u64,
    /// When it came.
    pub at: Millis,
    /// What it says.
    pub content: Arc<Content>,
}

/// A row of an inbox, as far as falling off needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its place in the inbox.
    pub number: u64,
    /// When it came.
    pub at: Millis,
    /// It was read by itself.
    pub marked: bool,
}

/// Lets what came up to a time fall off an inbox, and says which of the rows are to be deleted.
///
/// `rows` are the oldest of the store, in order, and `more` says that it has others behind them. Those are looked
/// at next, whatever their age: they may have been cleared.
pub fn fall_off(inbox: &mut Inbox, rows: &[Standing], more: bool, cutoff: Millis) -> Vec<u64> {
    let mut gone = Vec::new();
    let mut oldest = more.then_some(0);
    for row in rows {
        let there = row.number > inbox.gone_up_to;
        if there && row.at > cutoff {
            oldest = Some(row.at);
            break;
        }
        if there {
            inbox.gone_up_to = row.number;
            if !inbox.is_read(row.number, row.marked) {
                inbox.unread = inbox.unread.saturating_sub(1);
            }
        }
        gone.push(row.number);
    }
    inbox.oldest = oldest;
    gone
}

/// People who talk to each other, on the channel `conversation:{id}`.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// What it is called.
    pub title: Option<Arc<str>>,
    /// What the site keeps with it.
    pub data: Option<Box<RawValue>>,
    /// When it was made.
    pub created: Millis,
    /// When something was said last; when it was made, where nothing was.
    pub last_at: Millis,
    /// The number of the newest message. Numbers are dense.
    pub newest: u64,
    /// Messages up to here can no longer be read back.
    pub gone_up_to: u64,
    /// Who is in it.
    pub members: BTreeMap<UserId, Member>,
}

/// Somebody in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Since when.
    pub joined: Millis,
    /// Events of ledger rows up to this one are not for it. 0 hides nothing.
    pub from_row: u64,
    /// Messages up to this one are not for it.
    pub from: u64,
    /// Messages up to this one it has read.
    pub read: u64,
}

impl Conversation {
    /// Messages that a member has not read.
    pub fn unread(&self, member: &Member) -> u64 {
        self.newest.saturating_sub(member.read.max(member.from).max(self.gone_up_to))
    }
}

/// Something that was said.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its place in the conversation.
    pub number: u64,
    /// When it was said.
    pub at: Millis,
    /// What whoever said it calls it.
    pub id: EventId,
    /// By whom; the site itself, where nobody is named.
    pub from: Option<UserId>,
    /// What was said.
    pub data: Box<RawValue>,
}
