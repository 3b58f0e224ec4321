//! Writes what was decided about inboxes and conversations into the tables: the difference and nothing else.

use std::sync::Arc;

use deskbell_core::ids::{AppId, ConversationId, EventId, UserId};
use deskbell_core::post::{Conversation, Inbox, Message, Unsaved};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::store::failure::Failure;
use crate::store::ledger::rows;

/// What a conversation's body holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Box<RawValue>>,
}

/// What a message's body holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<UserId>,
    pub(super) data: Box<RawValue>,
}

/// Writes the difference.
pub(in crate::store) fn save(connection: &Connection, app: AppId, unsaved: &Unsaved) -> Result<(), Failure> {
    let table = Table { connection, app: app.0.cast_signed() };
    for (user, inbox) in &unsaved.inboxes {
        table.put_inbox(user, inbox)?;
    }
    table.put_notifications(unsaved)?;
    for (old, new) in unsaved.conversations.values() {
        table.put_conversation(old.as_deref(), new)?;
        table.put_members(old.as_deref(), new)?;
    }
    for (conversation, message) in &unsaved.messages {
        table.put_message(conversation, message)?;
    }
    for (conversation, number) in &unsaved.gone_messages {
        connection
            .prepare_cached("DELETE FROM messages WHERE app = ?1 AND conversation = ?2 AND number = ?3")?
            .execute((table.app, conversation.as_str(), number.cast_signed()))?;
    }
    Ok(())
}

/// Writes an inbox.
pub(super) fn put_inbox(
    connection: &Connection,
    app: AppId,
    user: &UserId,
    inbox: &Inbox,
) -> Result<(), Failure> {
    Table { connection, app: app.0.cast_signed() }.put_inbox(user, inbox)
}

/// One app's rows.
struct Table<'a> {
    connection: &'a Connection,
    app: i64,
}

impl Table<'_> {
    fn put_inbox(&self, user: &UserId, inbox: &Inbox) -> Result<(), Failure> {
        self.connection
            .prepare_cached(
                "INSERT INTO inboxes (app, user, oldest, body) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET oldest = excluded.oldest, body = excluded.body",
            )?
            .execute((self.app, user.as_str(), inbox.oldest.map(u64::cast_signed), rows::json(inbox)?))?;
        Ok(())
    }

    fn put_notifications(&self, unsaved: &Unsaved) -> Result<(), Failure> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO notifications (app, user, number, at, topic, read, body)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
        )?;
        // Most of a batch says the same to many.
        let mut written: Option<(*const _, String)> = None;
        for (user, new) in &unsaved.notifications {
            let content = Arc::as_ptr(&new.content);
            if written.as_ref().is_none_or(|(known, _)| *known != content) {
                written = Some((content, rows::json(&*new.content)?));
            }
            let body = written.as_ref().map_or("", |(_, body)| body.as_str());
            let (number, at) = (new.number.cast_signed(), new.at.cast_signed());
            insert.execute((self.app, user.as_str(), number, at, new.content.topic.as_str(), body))?;
        }
        for (user, number) in &unsaved.read {
            self.connection
                .prepare_cached(
                    "UPDATE notifications SET read = 1 WHERE app = ?1 AND user = ?2 AND number = ?3",
                )?
                .execute((self.app, user.as_str(), number.cast_signed()))?;
        }
        for (user, number) in &unsaved.gone {
            self.connection
                .prepare_cached("DELETE FROM notifications WHERE app = ?1 AND user = ?2 AND number = ?3")?
                .execute((self.app, user.as_str(), number.cast_signed()))?;
        }
        Ok(())
    }

    fn put_conversation(&self, old: Option<&Conversation>, new: &Conversation) -> Result<(), Failure> {
        // A conversation in which nothing was said has nothing that could be too old.
        let begins = (new.newest > 0).then_some(new.last_at.cast_signed());
        if old.is_some() {
            self.connection
                .prepare_cached(
                    "UPDATE conversations SET last_at = ?3, newest = ?4, gone_up_to = ?5,
                     oldest = coalesce(oldest, ?6) WHERE app = ?1 AND id = ?2",
                )?
                .execute((
                    self.app,
                    new.id.as_str(),
                    new.last_at.cast_signed(),
                    new.newest.cast_signed(),
                    new.gone_up_to.cast_signed(),
                    begins,
                ))?;
            return Ok(());
        }
        let body = rows::json(&Kept { title: new.title.clone(), data: new.data.clone() })?;
        self.connection
            .prepare_cached(
                "INSERT INTO conversations (app, id, created, last_at, newest, gone_up_to, oldest, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                self.app,
                new.id.as_str(),
                new.created.cast_signed(),
                new.last_at.cast_signed(),
                new.newest.cast_signed(),
                new.gone_up_to.cast_signed(),
                begins,
                body,
            ))?;
        Ok(())
    }

    fn put_members(&self, old: Option<&Conversation>, new: &Conversation) -> Result<(), Failure> {
        let before = |user: &UserId| old.and_then(|old| old.members.get(user));
        for (user, member) in new.members.iter().filter(|(user, member)| before(user) != Some(*member)) {
            self.connection
                .prepare_cached(
                    "INSERT INTO members (app, conversation, user, body) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET body = excluded.body",
                )?
                .execute((self.app, new.id.as_str(), user.as_str(), rows::json(member)?))?;
        }
        let left = old.into_iter().flat_map(|old| old.members.keys());
        for user in left.filter(|user| !new.members.contains_key(*user)) {
            self.connection
                .prepare_cached("DELETE FROM members WHERE app = ?1 AND conversation = ?2 AND user = ?3")?
                .execute((self.app, new.id.as_str(), user.as_str()))?;
        }
        Ok(())
    }

    fn put_message(&self, conversation: &ConversationId, message: &Message) -> Result<(), Failure> {
        let Message { number, at, id, from, data } = message;
        let body = rows::json(&Said { id: id.clone(), from: from.clone(), data: data.clone() })?;
        self.connection
            .prepare_cached(
                "INSERT INTO messages (app, conversation, number, at, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((self.app, conversation.as_str(), number.cast_signed(), at.cast_signed(), body))?;
        Ok(())
    }
}
