//! The part of inboxes and conversations that decisions are made on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::model::{Conversation, Inbox, Message, Notification};
use super::outcome::Change;
use crate::ids::{ConversationId, UserId};

/// Something that a decision must know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A user's inbox; an empty one, where it has none.
    Inbox(UserId),
    /// Is there this notification, and was it read by itself?
    Mark(UserId, u64),
    /// The same of every notification that is newer than this one.
    MarksBehind(UserId, u64),
    /// A conversation with its members.
    Conversation(ConversationId),
    /// In how many conversations a user is.
    Conversations(UserId),
    /// How many memberships there are in all.
    Memberships,
}

/// What of one inbox's notifications is known.
#[derive(Debug, Default)]
struct Marks {
    /// Nothing: there is none. Otherwise: was it read by itself?
    known: BTreeMap<u64, Option<bool>>,
    /// Everything that is newer than this is known.
    behind: Option<u64>,
}

/// What is known, with what was decided and is not saved.
#[derive(Debug, Default)]
pub struct Slice {
    inboxes: HashMap<UserId, Arc<Inbox>>,
    marks: HashMap<UserId, Marks>,
    conversations: HashMap<ConversationId, Option<Arc<Conversation>>>,
    joined: HashMap<UserId, usize>,
    memberships: Option<usize>,
    unsaved: Unsaved,
}

/// The difference to what the store has.
#[derive(Debug, Default)]
pub struct Unsaved {
    /// Inboxes as they are now.
    pub inboxes: HashMap<UserId, Arc<Inbox>>,
    /// New notifications.
    pub notifications: Vec<(UserId, Notification)>,
    /// Notifications that were read by themselves. They may be new ones.
    pub read: BTreeSet<(UserId, u64)>,
    /// Notifications to delete. They may be new ones.
    pub gone: BTreeSet<(UserId, u64)>,
    /// Conversations as the store has them, and as they are now.
    pub conversations: HashMap<ConversationId, (Option<Arc<Conversation>>, Arc<Conversation>)>,
    /// New messages.
    pub messages: Vec<(ConversationId, Message)>,
    /// Messages to delete. They may be new ones.
    pub gone_messages: BTreeSet<(ConversationId, u64)>,
}

impl Unsaved {
    /// The store has all of it.
    pub fn is_empty(&self) -> bool {
        // Whatever changes a notification or a message changes its inbox or its conversation too.
        self.inboxes.is_empty() && self.conversations.is_empty()
    }
}

/// Inboxes and conversations that are kept from one batch to the next, some hundred bytes each. Beyond it they
/// are dropped, and what is needed is loaded anew.
const KEPT: usize = 20_000;

impl Slice {
    /// An inbox, if it is known.
    pub fn inbox(&self, user: &UserId) -> Option<&Arc<Inbox>> {
        self.inboxes.get(user)
    }

    /// Is there this notification, and was it read by itself? Nothing, where that is not known.
    pub fn mark(&self, user: &UserId, number: u64) -> Option<Option<bool>> {
        let marks = self.marks.get(user)?;
        let known = marks.known.get(&number).copied();
        known.or_else(|| marks.behind.filter(|behind| number > *behind).map(|_| None))
    }

    /// The same of every notification that is newer than one: those that are there, in order.
    pub fn marks_behind(&self, user: &UserId, number: u64) -> Option<Vec<(u64, bool)>> {
        let marks = self.marks.get(user)?;
        marks.behind.filter(|behind| *behind <= number)?;
        let there = marks.known.range(number + 1..).filter_map(|(number, mark)| Some((*number, (*mark)?)));
        Some(there.collect())
    }

    /// A conversation, if it is known whether there is one.
    pub fn conversation(&self, id: &ConversationId) -> Option<Option<&Arc<Conversation>>> {
        self.conversations.get(id).map(Option::as_ref)
    }

    /// In how many conversations a user is, if it is known.
    pub fn joined(&self, user: &UserId) -> Option<usize> {
        self.joined.get(user).copied()
    }

    /// How many memberships there are, if it is known.
    pub const fn memberships(&self) -> Option<usize> {
        self.memberships
    }

    /// Knows an inbox from now on.
    pub fn put_inbox(&mut self, user: &UserId, inbox: Inbox) {
        self.inboxes.insert(user.clone(), Arc::new(inbox));
    }

    /// Knows a notification from now on. What was decided about it since it was saved stands.
    pub fn put_mark(&mut self, user: &UserId, number: u64, mark: Option<bool>) {
        self.marks.entry(user.clone()).or_default().known.entry(number).or_insert(mark);
    }

    /// Knows every notification behind one from now on.
    pub fn put_marks_behind(&mut self, user: &UserId, number: u64, there: Vec<(u64, bool)>) {
        for (number, mark) in there {
            self.put_mark(user, number, Some(mark));
        }
        let marks = self.marks.entry(user.clone()).or_default();
        marks.behind = Some(marks.behind.map_or(number, |behind| behind.min(number)));
    }

    /// Knows a conversation from now on, or that there is none.
    pub fn put_conversation(&mut self, id: &ConversationId, conversation: Option<Conversation>) {
        self.conversations.insert(id.clone(), conversation.map(Arc::new));
    }

    /// Knows in how many conversations a user is.
    pub fn put_joined(&mut self, user: &UserId, count: usize) {
        self.joined.insert(user.clone(), count);
    }

    /// Knows how many memberships there are.
    pub fn put_memberships(&mut self, count: usize) {
        self.memberships = Some(count);
    }

    /// Takes a change in: the next decision sees it, and it is to be saved.
    pub fn apply(&mut self, change: &Change) {
        for (user, inbox) in &change.inboxes {
            let inbox = Arc::new(inbox.clone());
            self.inboxes.insert(user.clone(), inbox.clone());
            self.unsaved.inboxes.insert(user.clone(), inbox);
        }
        for (user, notification) in &change.notifications {
            self.set_mark(user, notification.number, Some(false));
            self.unsaved.notifications.push((user.clone(), notification.clone()));
        }
        for (user, number) in &change.read {
            self.set_mark(user, *number, Some(true));
            self.unsaved.read.insert((user.clone(), *number));
        }
        for (user, number) in &change.gone {
            self.set_mark(user, *number, None);
            self.unsaved.gone.insert((user.clone(), *number));
        }
        self.apply_conversation(change);
    }

    fn apply_conversation(&mut self, change: &Change) {
        let Some(new) = &change.conversation else { return };
        let (id, new) = (new.id.clone(), Arc::new(new.clone()));
        let old = self.conversations.insert(id.clone(), Some(new.clone())).flatten();
        match self.unsaved.conversations.get_mut(&id) {
            Some((_, unsaved)) => *unsaved = new,
            None => {
                self.unsaved.conversations.insert(id.clone(), (old, new));
            }
        }
        self.unsaved.messages.extend(change.message.iter().map(|message| (id.clone(), message.clone())));
        self.unsaved.gone_messages.extend(change.gone_message.map(|number| (id, number)));
        for membership in &change.memberships {
            let begins = membership.from_row.is_some();
            let count =
                |count: &mut usize| *count = if begins { *count + 1 } else { count.saturating_sub(1) };
            self.joined.get_mut(&membership.user).into_iter().for_each(count);
            self.memberships.iter_mut().for_each(count);
        }
    }

    fn set_mark(&mut self, user: &UserId, number: u64, mark: Option<bool>) {
        self.marks.entry(user.clone()).or_default().known.insert(number, mark);
    }

    /// What is to be saved.
    pub const fn unsaved(&self) -> &Unsaved {
        &self.unsaved
    }

    /// The store has it. What is kept is what most commands need.
    pub fn saved(&mut self) {
        self.unsaved = Unsaved::default();
        self.marks.clear();
        if self.inboxes.len() + self.conversations.len() + self.joined.len() > KEPT {
            *self = Self { memberships: self.memberships, ..Self::default() };
        }
    }
}
