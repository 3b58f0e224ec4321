//! Writes what was decided about inboxes and conversations into the tables: the difference and nothing else.

use std::sync::Arc;

use deskbell_core::ids::{AppId, ConversationId, EventId, UserId};
use deskbell_core::post::{Conversation, Inbox, Message, Unsaved};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::store::database::Database;
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
pub(in crate::store) fn save(db: &Database, app: AppId, unsaved: &Unsaved) -> Result<(), Failure> {
    for (user, inbox) in &unsaved.inboxes {
        put_inbox(db, app, user, inbox)?;
    }
    put_notifications(db, app, unsaved)?;
    for (old, new) in unsaved.conversations.values() {
        put_conversation(db, app, old.as_deref(), new)?;
        put_members(db, app, old.as_deref(), new)?;
    }
    for (conversation, message) in &unsaved.messages {
        put_message(db, app, conversation, message)?;
    }
    for (conversation, number) in &unsaved.gone_messages {
        db.execute(
            "DELETE FROM messages WHERE app = ?1 AND conversation = ?2 AND number = ?3",
            &[app.into(), conversation.as_str().into(), (*number).into()],
        )?;
    }
    Ok(())
}

/// Writes an inbox.
pub(super) fn put_inbox(db: &Database, app: AppId, user: &UserId, inbox: &Inbox) -> Result<(), Failure> {
    let (oldest, body) = (inbox.oldest.map(u64::cast_signed), rows::json(inbox)?);
    db.execute(
        "INSERT INTO inboxes (app, owner, oldest, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (app, owner) DO UPDATE SET oldest = excluded.oldest, body = excluded.body",
        &[app.into(), user.as_str().into(), oldest.into(), (&body).into()],
    )?;
    Ok(())
}

fn put_notifications(db: &Database, app: AppId, unsaved: &Unsaved) -> Result<(), Failure> {
    // Most of a batch says the same to many.
    let mut written: Option<(*const _, String)> = None;
    for (user, new) in &unsaved.notifications {
        let content = Arc::as_ptr(&new.content);
        if written.as_ref().is_none_or(|(known, _)| *known != content) {
            written = Some((content, rows::json(&*new.content)?));
        }
        let body = written.as_ref().map_or("", |(_, body)| body.as_str());
        let (user, topic) = (user.as_str(), new.content.topic.as_str());
        db.execute(
            "INSERT INTO notifications (app, owner, number, at, topic, read, body)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
            &[app.into(), user.into(), new.number.into(), new.at.into(), topic.into(), body.into()],
        )?;
    }
    for (statement, those) in [
        ("UPDATE notifications SET read = 1 WHERE app = ?1 AND owner = ?2 AND number = ?3", &unsaved.read),
        ("DELETE FROM notifications WHERE app = ?1 AND owner = ?2 AND number = ?3", &unsaved.gone),
    ] {
        for (user, number) in those {
            db.execute(statement, &[app.into(), user.as_str().into(), (*number).into()])?;
        }
    }
    Ok(())
}

fn put_conversation(
    db: &Database,
    app: AppId,
    old: Option<&Conversation>,
    new: &Conversation,
) -> Result<(), Failure> {
    // A conversation in which nothing was said has nothing that could be too old.
    let oldest = (new.newest > 0).then_some(new.last_at.cast_signed());
    let id = new.id.as_str();
    if old.is_some() {
        db.execute(
            "UPDATE conversations SET last_at = ?3, newest = ?4, gone_up_to = ?5,
             oldest = coalesce(oldest, ?6) WHERE app = ?1 AND id = ?2",
            &[
                app.into(),
                id.into(),
                new.last_at.into(),
                new.newest.into(),
                new.gone_up_to.into(),
                oldest.into(),
            ],
        )?;
        return Ok(());
    }
    let body = rows::json(&Kept { title: new.title.clone(), data: new.data.clone() })?;
    db.execute(
        "INSERT INTO conversations (app, id, created, last_at, newest, gone_up_to, oldest, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            app.into(),
            id.into(),
            new.created.into(),
            new.last_at.into(),
            new.newest.into(),
            new.gone_up_to.into(),
            oldest.into(),
            (&body).into(),
        ],
    )?;
    Ok(())
}

fn put_members(
    db: &Database,
    app: AppId,
    old: Option<&Conversation>,
    new: &Conversation,
) -> Result<(), Failure> {
    let id = new.id.as_str();
    let before = |user: &UserId| old.and_then(|old| old.members.get(user));
    for (user, member) in new.members.iter().filter(|(user, member)| before(user) != Some(*member)) {
        let body = rows::json(member)?;
        db.execute(
            "INSERT INTO members (app, conversation, member, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (app, conversation, member) DO UPDATE SET body = excluded.body",
            &[app.into(), id.into(), user.as_str().into(), (&body).into()],
        )?;
    }
    let left = old.into_iter().flat_map(|old| old.members.keys());
    for user in left.filter(|user| !new.members.contains_key(*user)) {
        db.execute(
            "DELETE FROM members WHERE app = ?1 AND conversation = ?2 AND member = ?3",
            &[app.into(), id.into(), user.as_str().into()],
        )?;
    }
    Ok(())
}

fn put_message(
    db: &Database,
    app: AppId,
    conversation: &ConversationId,
    message: &Message,
) -> Result<(), Failure> {
    let Message { number, at, id, from, data } = message;
    let body = rows::json(&Said { id: id.clone(), from: from.clone(), data: data.clone() })?;
    db.execute(
        "INSERT INTO messages (app, conversation, number, at, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[app.into(), conversation.as_str().into(), (*number).into(), (*at).into(), (&body).into()],
    )?;
    Ok(())
}
