//! Brings parts of inboxes and conversations from the tables into a slice.

use std::collections::BTreeMap;

use deskbell_core::ids::{AppId, ConversationId, UserId};
use deskbell_core::post::{Conversation, Inbox, Key, Member, Membership, Slice};
use rusqlite::{Connection, OptionalExtension as _};

use super::save::Kept;
use super::{conversation as conversation_id, user as user_id};
use crate::store::failure::Failure;
use crate::store::ledger::load::all;
use crate::store::ledger::rows;

/// Loads what is asked for. What is not there is known to be not there afterwards.
pub(in crate::store) fn load(
    connection: &Connection,
    app: AppId,
    slice: &mut Slice,
    keys: &[Key],
) -> Result<(), Failure> {
    for key in keys {
        match key {
            Key::Inbox(user) => slice.put_inbox(user, inbox(connection, app, user)?),
            Key::Mark(user, number) => slice.put_mark(user, *number, mark(connection, app, user, *number)?),
            Key::MarksBehind(user, number) => {
                let there = marks_behind(connection, app, user, *number)?;
                slice.put_marks_behind(user, *number, there);
            }
            Key::Conversation(id) => slice.put_conversation(id, conversation(connection, app, id)?),
            Key::Conversations(user) => slice.put_joined(user, joined(connection, app, user)?),
            Key::Memberships => slice.put_memberships(count(connection, app)?),
        }
    }
    Ok(())
}

pub(in crate::store) fn inbox(connection: &Connection, app: AppId, user: &UserId) -> Result<Inbox, Failure> {
    let mut statement = connection.prepare_cached("SELECT body FROM inboxes WHERE app = ?1 AND user = ?2")?;
    let mut found = statement.query((app.0.cast_signed(), user.as_str()))?;
    Ok(match found.next()? {
        Some(row) => rows::body(row, 0)?,
        None => Inbox::default(),
    })
}

fn mark(connection: &Connection, app: AppId, user: &UserId, number: u64) -> Result<Option<bool>, Failure> {
    Ok(connection
        .prepare_cached("SELECT read FROM notifications WHERE app = ?1 AND user = ?2 AND number = ?3")?
        .query_row((app.0.cast_signed(), user.as_str(), number.cast_signed()), |row| row.get(0))
        .optional()?)
}

fn marks_behind(
    connection: &Connection,
    app: AppId,
    user: &UserId,
    number: u64,
) -> Result<Vec<(u64, bool)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT number, read FROM notifications WHERE app = ?1 AND user = ?2 AND number > ?3",
    )?;
    let found = statement.query((app.0.cast_signed(), user.as_str(), number.cast_signed()))?;
    all(found, |row| Ok((rows::unsigned(row, 0)?, row.get(1)?)))
}

/// A conversation with its members.
pub(in crate::store) fn conversation(
    connection: &Connection,
    app: AppId,
    id: &ConversationId,
) -> Result<Option<Conversation>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT created, last_at, newest, gone_up_to, body FROM conversations WHERE app = ?1 AND id = ?2",
    )?;
    let mut found = statement.query((app.0.cast_signed(), id.as_str()))?;
    let Some(row) = found.next()? else { return Ok(None) };
    let Kept { title, data } = rows::body(row, 4)?;
    Ok(Some(Conversation {
        id: id.clone(),
        title,
        data,
        created: rows::unsigned(row, 0)?,
        last_at: rows::unsigned(row, 1)?,
        newest: rows::unsigned(row, 2)?,
        gone_up_to: rows::unsigned(row, 3)?,
        members: members(connection, app, id)?,
    }))
}

fn members(
    connection: &Connection,
    app: AppId,
    id: &ConversationId,
) -> Result<BTreeMap<UserId, Member>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT user, body FROM members WHERE app = ?1 AND conversation = ?2")?;
    let found = statement.query((app.0.cast_signed(), id.as_str()))?;
    let members = all(found, |row| Ok((user_id(&row.get::<_, String>(0)?)?, rows::body(row, 1)?)))?;
    Ok(members.into_iter().collect())
}

/// In how many conversations a user is.
fn joined(connection: &Connection, app: AppId, user: &UserId) -> Result<usize, Failure> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM members WHERE app = ?1 AND user = ?2")?
        .query_row((app.0.cast_signed(), user.as_str()), |row| row.get(0))?;
    Ok(count.cast_unsigned() as usize)
}

fn count(connection: &Connection, app: AppId) -> Result<usize, Failure> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM members WHERE app = ?1")?
        .query_row([app.0.cast_signed()], |row| row.get(0))?;
    Ok(count.cast_unsigned() as usize)
}

/// Every membership of an app, for whoever keeps them in memory.
pub(in crate::store) fn memberships(connection: &Connection, app: AppId) -> Result<Vec<Membership>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT conversation, user, body FROM members WHERE app = ?1")?;
    let found = statement.query([app.0.cast_signed()])?;
    all(found, |row| {
        let member: Member = rows::body(row, 2)?;
        Ok(Membership {
            conversation: conversation_id(&row.get::<_, String>(0)?)?,
            user: user_id(&row.get::<_, String>(1)?)?,
            from_row: Some(member.from_row),
        })
    })
}
