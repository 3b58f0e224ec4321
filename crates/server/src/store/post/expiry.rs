//! What is too old leaves inboxes and conversations, some rows at a time.

use deskbell_core::ids::AppId;
use deskbell_core::limits::{self, Millis};
use deskbell_core::post::{Standing, fall_off};

use super::{load, save, user as user_id};
use crate::store::database::Database;
use crate::store::failure::Failure;

/// Rows of one slice.
const ROWS: usize = 128;

/// Deletes some of what is too old at `now`. Says whether it found anything, after which there may be more, and
/// whoever knows inboxes or conversations by heart knows them no more.
pub(in crate::store) fn slice(db: &Database, app: AppId, now: Millis) -> Result<bool, Failure> {
    Ok(expire_inbox(db, app, now.saturating_sub(limits::NOTIFICATION_AGE))?
        || expire_conversation(db, app, now.saturating_sub(limits::MESSAGE_AGE))?)
}

fn expire_inbox(db: &Database, app: AppId, cutoff: Millis) -> Result<bool, Failure> {
    let found = db.first(
        "SELECT owner FROM inboxes WHERE app = ?1 AND oldest IS NOT NULL AND oldest <= ?2
         ORDER BY oldest LIMIT 1",
        &[app.into(), cutoff.into()],
        |row| user_id(row.text(0)?),
    )?;
    let Some(user) = found else { return Ok(false) };
    let mut inbox = load::inbox(db, app, &user)?;
    let mut oldest = db.all(
        "SELECT number, at, read FROM notifications WHERE app = ?1 AND owner = ?2 ORDER BY number LIMIT ?3",
        &[app.into(), user.as_str().into(), (ROWS as u64 + 1).into()],
        |row| Ok(Standing { number: row.unsigned(0)?, at: row.unsigned(1)?, marked: row.flag(2)? }),
    )?;
    let more = oldest.len() > ROWS;
    oldest.truncate(ROWS);
    let gone = fall_off(&mut inbox, &oldest, more, cutoff);
    if let Some(last) = gone.last() {
        db.execute(
            "DELETE FROM notifications WHERE app = ?1 AND owner = ?2 AND number <= ?3",
            &[app.into(), user.as_str().into(), (*last).into()],
        )?;
    }
    save::put_inbox(db, app, &user, &inbox)?;
    Ok(true)
}

fn expire_conversation(db: &Database, app: AppId, cutoff: Millis) -> Result<bool, Failure> {
    let found = db.first(
        "SELECT id, gone_up_to FROM conversations WHERE app = ?1 AND oldest IS NOT NULL AND oldest <= ?2
         ORDER BY oldest LIMIT 1",
        &[app.into(), cutoff.into()],
        |row| Ok((row.text(0)?.to_owned(), row.unsigned(1)?)),
    )?;
    let Some((id, gone_up_to)) = found else { return Ok(false) };
    let oldest = db.all(
        "SELECT number, at FROM messages WHERE app = ?1 AND conversation = ?2 ORDER BY number LIMIT ?3",
        &[app.into(), (&id).into(), (ROWS as u64).into()],
        |row| Ok((row.unsigned(0)?, row.unsigned(1)?)),
    )?;
    let gone = oldest.iter().take_while(|(_, at)| *at <= cutoff).last().map_or(0, |(number, _)| *number);
    db.execute(
        "DELETE FROM messages WHERE app = ?1 AND conversation = ?2 AND number <= ?3",
        &[app.into(), (&id).into(), gone.into()],
    )?;
    db.execute(
        "UPDATE conversations SET gone_up_to = ?3,
         oldest = (SELECT at FROM messages WHERE app = ?1 AND conversation = ?2 ORDER BY number LIMIT 1)
         WHERE app = ?1 AND id = ?2",
        &[app.into(), (&id).into(), gone.max(gone_up_to).into()],
    )?;
    Ok(true)
}
