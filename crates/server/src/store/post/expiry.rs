//! What is too old leaves inboxes and conversations, some rows at a time.

use deskbell_core::ids::AppId;
use deskbell_core::limits::{self, Millis};
use deskbell_core::post::{Standing, fall_off};
use rusqlite::{Connection, OptionalExtension as _};

use super::{load, save, user as user_id};
use crate::store::failure::Failure;
use crate::store::ledger::load::all;
use crate::store::ledger::rows;

/// Rows of one slice.
const ROWS: usize = 128;

/// Deletes some of what is too old at `now`. Says whether it found anything, after which there may be more, and
/// whoever knows inboxes or conversations by heart knows them no more.
pub(in crate::store) fn slice(connection: &Connection, app: AppId, now: Millis) -> Result<bool, Failure> {
    Ok(expire_inbox(connection, app, now.saturating_sub(limits::NOTIFICATION_AGE))?
        || expire_conversation(connection, app, now.saturating_sub(limits::MESSAGE_AGE))?)
}

fn expire_inbox(connection: &Connection, app: AppId, cutoff: Millis) -> Result<bool, Failure> {
    let found: Option<String> = connection
        .prepare_cached(
            "SELECT user FROM inboxes WHERE app = ?1 AND oldest IS NOT NULL AND oldest <= ?2
             ORDER BY oldest LIMIT 1",
        )?
        .query_row((app.0.cast_signed(), cutoff.cast_signed()), |row| row.get(0))
        .optional()?;
    let Some(text) = found else { return Ok(false) };
    let user = user_id(&text)?;
    let mut inbox = load::inbox(connection, app, &user)?;
    let mut statement = connection.prepare_cached(
        "SELECT number, at, read FROM notifications WHERE app = ?1 AND user = ?2 ORDER BY number LIMIT ?3",
    )?;
    let found = statement.query((app.0.cast_signed(), text.as_str(), ROWS as i64 + 1))?;
    let mut oldest: Vec<Standing> = all(found, |row| {
        Ok(Standing { number: rows::unsigned(row, 0)?, at: rows::unsigned(row, 1)?, marked: row.get(2)? })
    })?;
    let more = oldest.len() > ROWS;
    oldest.truncate(ROWS);
    let gone = fall_off(&mut inbox, &oldest, more, cutoff);
    if let Some(last) = gone.last() {
        connection
            .prepare_cached("DELETE FROM notifications WHERE app = ?1 AND user = ?2 AND number <= ?3")?
            .execute((app.0.cast_signed(), text.as_str(), last.cast_signed()))?;
    }
    save::put_inbox(connection, app, &user, &inbox)?;
    Ok(true)
}

fn expire_conversation(connection: &Connection, app: AppId, cutoff: Millis) -> Result<bool, Failure> {
    let number = app.0.cast_signed();
    let found: Option<String> = connection
        .prepare_cached(
            "SELECT id FROM conversations WHERE app = ?1 AND oldest IS NOT NULL AND oldest <= ?2
             ORDER BY oldest LIMIT 1",
        )?
        .query_row((number, cutoff.cast_signed()), |row| row.get(0))
        .optional()?;
    let Some(id) = found else { return Ok(false) };
    let gone: Option<i64> = connection
        .prepare_cached(
            "SELECT max(number) FROM (SELECT number, at FROM messages WHERE app = ?1 AND conversation = ?2
             ORDER BY number LIMIT ?3) WHERE at <= ?4",
        )?
        .query_row((number, &id, ROWS as i64, cutoff.cast_signed()), |row| row.get(0))?;
    connection
        .prepare_cached("DELETE FROM messages WHERE app = ?1 AND conversation = ?2 AND number <= ?3")?
        .execute((number, &id, gone.unwrap_or(0)))?;
    connection
        .prepare_cached(
            "UPDATE conversations SET gone_up_to = max(gone_up_to, ?3),
             oldest = (SELECT at FROM messages WHERE app = ?1 AND conversation = ?2 ORDER BY number LIMIT 1)
             WHERE app = ?1 AND id = ?2",
        )?
        .execute((number, &id, gone.unwrap_or(0)))?;
    Ok(true)
}
