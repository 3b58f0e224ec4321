//! What there is in inboxes and conversations, from one moment of the file.

use std::sync::Arc;

use deskbell_core::ids::{AppId, ConversationId, EventId, Topic, UserId};
use deskbell_core::limits::{self, Millis};
use deskbell_core::post::{Conversation, Inbox};
use serde::Serialize;
use serde_json::value::RawValue;

use super::save::Said;
use super::{conversation as conversation_id, load};
use crate::store::database::{Database, Next};
use crate::store::failure::Failure;
use crate::store::ledger::rows;

/// What somebody wants to see, once it is known who it is and that it may.
#[derive(Debug, Clone)]
pub enum PostLook {
    /// An inbox without its notifications.
    Inbox(UserId),
    /// A page of its notifications, the newest first.
    Notifications {
        /// Whose.
        user: UserId,
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
        user: UserId,
        /// So many are left out.
        skip: usize,
        /// How many.
        limit: usize,
    },
    /// One conversation.
    Conversation(ConversationId),
    /// What was said in one, the newest first, as far as a member may read it; all of it for nobody in particular.
    Messages {
        /// Which.
        id: ConversationId,
        /// Whose eyes.
        user: Option<UserId>,
        /// Before this message.
        before: Option<u64>,
        /// How many.
        limit: usize,
    },
}

/// What was seen.
#[derive(Debug, Clone)]
pub enum PostSeen {
    /// An inbox.
    Inbox(Arc<Inbox>),
    /// A page of it.
    Notifications(Arc<Inbox>, NotificationPage),
    /// Conversations, and how many to leave out of the next page.
    Conversations(Vec<Conversation>, Option<usize>),
    /// One conversation, if it is there.
    Conversation(Option<Arc<Conversation>>),
    /// A page of messages, if the conversation is there.
    Messages(Option<(Arc<Conversation>, MessagePage)>),
}

/// A page of notifications.
#[derive(Debug, Clone, Serialize)]
pub struct NotificationPage {
    /// The newest first.
    pub notifications: Vec<ShownNotification>,
    /// What the next page is before, where there may be more. A page that looked through many others in vain
    /// may be short, or empty, and yet have a next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A notification as its user sees it.
#[derive(Debug, Clone, Serialize)]
pub struct ShownNotification {
    /// Its place in the inbox.
    pub number: u64,
    /// When it came.
    pub at: Millis,
    /// It was read.
    pub read: bool,
    /// What it says.
    #[serde(flatten)]
    pub content: deskbell_core::post::Content,
}

/// A page of messages.
#[derive(Debug, Clone, Serialize)]
pub struct MessagePage {
    /// The newest first.
    pub messages: Vec<ShownMessage>,
    /// What the next page is before, where there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A message as members see it.
#[derive(Debug, Clone, Serialize)]
pub struct ShownMessage {
    /// Its place in the conversation.
    pub number: u64,
    /// When it was said.
    pub at: Millis,
    /// What whoever said it calls it.
    pub id: EventId,
    /// By whom; the site itself, where nobody is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<UserId>,
    /// What was said.
    pub data: Box<RawValue>,
}

/// Looks.
pub(in crate::store) fn see(db: &Database, app: AppId, look: &PostLook) -> Result<PostSeen, Failure> {
    Ok(match look {
        PostLook::Inbox(user) => PostSeen::Inbox(Arc::new(load::inbox(db, app, user)?)),
        PostLook::Notifications { user, before, limit, unread, topic } => {
            let inbox = load::inbox(db, app, user)?;
            let wanted = Wanted { before: *before, limit: *limit, unread: *unread, topic: topic.as_ref() };
            let page = notifications(db, app, user, &inbox, &wanted)?;
            PostSeen::Notifications(Arc::new(inbox), page)
        }
        PostLook::Conversations { user, skip, limit } => {
            let (found, next) = conversations(db, app, user, *skip, *limit)?;
            PostSeen::Conversations(found, next)
        }
        PostLook::Conversation(id) => PostSeen::Conversation(load::conversation(db, app, id)?.map(Arc::new)),
        PostLook::Messages { id, user, before, limit } => {
            let Some(found) = load::conversation(db, app, id)? else {
                return Ok(PostSeen::Messages(None));
            };
            let member = user.as_ref().map(|user| found.members.get(user));
            let from = match member {
                None => 0,
                // Whoever is no member reads nothing, whatever was found out before.
                Some(None) => found.newest,
                Some(Some(member)) => member.from,
            };
            let page = messages(db, app, &found, from.max(found.gone_up_to), (*before, *limit))?;
            PostSeen::Messages(Some((Arc::new(found), page)))
        }
    })
}

/// Which notifications are wanted.
struct Wanted<'a> {
    before: Option<u64>,
    limit: usize,
    unread: bool,
    topic: Option<&'a Topic>,
}

fn notifications(
    db: &Database,
    app: AppId,
    user: &UserId,
    inbox: &Inbox,
    wanted: &Wanted<'_>,
) -> Result<NotificationPage, Failure> {
    // What the mark covers is read, so nobody looks for unread ones there.
    let floor = if wanted.unread { inbox.gone_up_to.max(inbox.read_up_to) } else { inbox.gone_up_to };
    let before = wanted.before.unwrap_or(u64::MAX).min(inbox.newest + 1);
    let mut page = NotificationPage { notifications: Vec::new(), next: None };
    let (mut looked_at, mut last) = (0, before);
    db.each(
        "SELECT number, at, read, topic, body FROM notifications
         WHERE app = ?1 AND owner = ?2 AND number > ?3 AND number < ?4 ORDER BY number DESC LIMIT ?5",
        &[
            app.into(),
            user.as_str().into(),
            floor.into(),
            before.into(),
            // One more than is looked at says whether there is more.
            (limits::PAGE_LOOKS as u64 + 1).into(),
        ],
        |row| {
            if page.notifications.len() >= wanted.limit || looked_at >= limits::PAGE_LOOKS {
                page.next = Some(last);
                return Ok(Next::Stop);
            }
            looked_at += 1;
            last = row.unsigned(0)?;
            let read = inbox.is_read(last, row.flag(2)?);
            let topic = row.text(3)?;
            if (wanted.unread && read) || wanted.topic.is_some_and(|wanted| wanted.as_str() != topic) {
                return Ok(Next::Go);
            }
            let (at, content) = (row.unsigned(1)?, rows::body(row, 4)?);
            page.notifications.push(ShownNotification { number: last, at, read, content });
            Ok(Next::Go)
        },
    )?;
    Ok(page)
}

/// A user has a bounded number of them, so they are sorted here.
fn conversations(
    db: &Database,
    app: AppId,
    user: &UserId,
    skip: usize,
    limit: usize,
) -> Result<(Vec<Conversation>, Option<usize>), Failure> {
    let mut ids: Vec<(u64, String)> = db.all(
        "SELECT last_at, id FROM members JOIN conversations
         ON conversations.app = members.app AND conversations.id = members.conversation
         WHERE members.app = ?1 AND members.member = ?2",
        &[app.into(), user.as_str().into()],
        |row| Ok((row.unsigned(0)?, row.text(1)?.to_owned())),
    )?;
    ids.sort_unstable_by(|one, other| other.cmp(one));
    let next = (ids.len() > skip + limit).then_some(skip + limit);
    let mut found = Vec::new();
    for (_, id) in ids.into_iter().skip(skip).take(limit) {
        found.extend(load::conversation(db, app, &conversation_id(&id)?)?);
    }
    Ok((found, next))
}

fn messages(
    db: &Database,
    app: AppId,
    conversation: &Conversation,
    floor: u64,
    (before, limit): (Option<u64>, usize),
) -> Result<MessagePage, Failure> {
    let before = before.unwrap_or(u64::MAX).min(conversation.newest + 1);
    let mut messages: Vec<ShownMessage> = db.all(
        "SELECT number, at, body FROM messages
         WHERE app = ?1 AND conversation = ?2 AND number > ?3 AND number < ?4 ORDER BY number DESC LIMIT ?5",
        &[
            app.into(),
            conversation.id.as_str().into(),
            floor.into(),
            before.into(),
            (limit as u64 + 1).into(),
        ],
        |row| {
            let Said { id, from, data } = rows::body(row, 2)?;
            Ok(ShownMessage { number: row.unsigned(0)?, at: row.unsigned(1)?, id, from, data })
        },
    )?;
    let more = messages.len() > limit;
    messages.truncate(limit);
    let next = messages.last().filter(|_| more).map(|last| last.number);
    Ok(MessagePage { messages, next })
}
