//! Brings parts of inboxes and conversations from the tables into a slice.

use std::collections::BTreeMap;

use deskbell_core::event::Event;
use deskbell_core::ids::{AppId, ConversationId, UserId};
use deskbell_core::post::{Conversation, Inbox, Key, Member, Membership, Slice};
use serde::Deserialize;

use super::save::Kept;
use super::{conversation as conversation_id, user as user_id};
use crate::store::database::Database;
use crate::store::failure::Failure;
use crate::store::ledger::rows;

/// Loads what is asked for. What is not there is known to be not there afterwards.
pub(in crate::store) fn load(
    db: &Database,
    app: AppId,
    slice: &mut Slice,
    keys: &[Key],
) -> Result<(), Failure> {
    for key in keys {
        match key {
            Key::Inbox(user) => slice.put_inbox(user, inbox(db, app, user)?),
            Key::Mark(user, number) => slice.put_mark(user, *number, mark(db, app, user, *number)?),
            Key::MarksBehind(user, number) => {
                let there = marks_behind(db, app, user, *number)?;
                slice.put_marks_behind(user, *number, there);
            }
            Key::Conversation(id) => slice.put_conversation(id, conversation(db, app, id)?),
            Key::Conversations(user) => slice.put_joined(user, joined(db, app, user)?),
            Key::Memberships => slice.put_memberships(count(db, app)?),
        }
    }
    Ok(())
}

pub(in crate::store) fn inbox(db: &Database, app: AppId, user: &UserId) -> Result<Inbox, Failure> {
    let found = db.first(
        "SELECT body FROM inboxes WHERE app = ?1 AND owner = ?2",
        &[app.into(), user.as_str().into()],
        |row| rows::body(row, 0),
    )?;
    Ok(found.unwrap_or_default())
}

fn mark(db: &Database, app: AppId, user: &UserId, number: u64) -> Result<Option<bool>, Failure> {
    db.first(
        "SELECT read FROM notifications WHERE app = ?1 AND owner = ?2 AND number = ?3",
        &[app.into(), user.as_str().into(), number.into()],
        |row| row.flag(0),
    )
}

fn marks_behind(db: &Database, app: AppId, user: &UserId, number: u64) -> Result<Vec<(u64, bool)>, Failure> {
    db.all(
        "SELECT number, read FROM notifications WHERE app = ?1 AND owner = ?2 AND number > ?3",
        &[app.into(), user.as_str().into(), number.into()],
        |row| Ok((row.unsigned(0)?, row.flag(1)?)),
    )
}

/// A conversation with its members.
pub(in crate::store) fn conversation(
    db: &Database,
    app: AppId,
    id: &ConversationId,
) -> Result<Option<Conversation>, Failure> {
    let found = db.first(
        "SELECT created, last_at, newest, gone_up_to, body FROM conversations WHERE app = ?1 AND id = ?2",
        &[app.into(), id.as_str().into()],
        |row| {
            let Kept { title, data } = rows::body(row, 4)?;
            Ok(Conversation {
                id: id.clone(),
                title,
                data,
                created: row.unsigned(0)?,
                last_at: row.unsigned(1)?,
                newest: row.unsigned(2)?,
                gone_up_to: row.unsigned(3)?,
                members: BTreeMap::new(),
            })
        },
    )?;
    let Some(mut conversation) = found else { return Ok(None) };
    conversation.members = members(db, app, id)?;
    Ok(Some(conversation))
}

fn members(db: &Database, app: AppId, id: &ConversationId) -> Result<BTreeMap<UserId, Member>, Failure> {
    let members = db.all(
        "SELECT member, body FROM members WHERE app = ?1 AND conversation = ?2",
        &[app.into(), id.as_str().into()],
        |row| Ok((user_id(row.text(0)?)?, rows::body(row, 1)?)),
    )?;
    Ok(members.into_iter().collect())
}

/// In how many conversations a user is.
fn joined(db: &Database, app: AppId, user: &UserId) -> Result<usize, Failure> {
    let question = "SELECT count(*) FROM members WHERE app = ?1 AND member = ?2";
    Ok(db.number(question, &[app.into(), user.as_str().into()])?.cast_unsigned() as usize)
}

fn count(db: &Database, app: AppId) -> Result<usize, Failure> {
    let question = "SELECT count(*) FROM members WHERE app = ?1";
    Ok(db.number(question, &[app.into()])?.cast_unsigned() as usize)
}

/// Every membership of an app, for whoever keeps them in memory.
pub(in crate::store) fn memberships(db: &Database, app: AppId) -> Result<Vec<Membership>, Failure> {
    db.all("SELECT conversation, member, body FROM members WHERE app = ?1", &[app.into()], |row| {
        let member: Member = rows::body(row, 2)?;
        Ok(Membership {
            conversation: conversation_id(row.text(0)?)?,
            user: user_id(row.text(1)?)?,
            from_row: Some(member.from_row),
        })
    })
}

/// Which membership an event tells of, if it tells that one began or ended.
pub(in crate::store) fn membership_told(event: &Event) -> Option<(ConversationId, UserId)> {
    #[derive(Deserialize)]
    struct Moved {
        user: UserId,
    }
    let id = event.channel.as_str().strip_prefix("conversation:")?;
    if !matches!(event.name.as_str(), "member.added" | "member.removed") {
        return None;
    }
    let moved: Moved = serde_json::from_slice(&event.data.bytes).ok()?;
    Some((ConversationId::parse(id).ok()?, moved.user))
}

/// A membership as it is now: begun, or ended where there is none.
pub(in crate::store) fn membership(
    db: &Database,
    app: AppId,
    conversation: ConversationId,
    user: UserId,
) -> Result<Membership, Failure> {
    let from_row = db.first(
        "SELECT body FROM members WHERE app = ?1 AND conversation = ?2 AND member = ?3",
        &[app.into(), conversation.as_str().into(), user.as_str().into()],
        |row| Ok(rows::body::<Member>(row, 0)?.from_row),
    )?;
    Ok(Membership { conversation, user, from_row })
}
