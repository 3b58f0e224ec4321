//! Do inboxes and conversations fit together, for the doctor?

use deskbell_core::ids::AppId;
use deskbell_core::post::Inbox;
use rusqlite::Connection;

use super::{load, user as user_id};
use crate::store::failure::Failure;
use crate::store::ledger::rows;
use crate::store::verify::Verdict;

pub(in crate::store) fn audit(
    connection: &Connection,
    app: i64,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    inboxes(connection, app, verdict)?;
    conversations(connection, app, verdict)
}

/// The kept count is the number of unread rows, whatever marks say.
fn inboxes(connection: &Connection, app: i64, verdict: &mut Verdict) -> Result<(), Failure> {
    let mut statement = connection.prepare("SELECT user, oldest FROM inboxes WHERE app = ?1")?;
    let mut found = statement.query([app])?;
    while let Some(row) = found.next()? {
        let (user, oldest): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
        let Ok(inbox) = load::inbox(connection, AppId(app.cast_unsigned()), &user_id(&user)?) else {
            verdict.problem(|| format!("the inbox of {user:?} cannot be read"));
            continue;
        };
        let (unread, beyond, first): (i64, i64, Option<i64>) = connection
            .prepare_cached(
                "SELECT count(*) FILTER (WHERE read = 0 AND number > ?3 AND number > ?4),
                        count(*) FILTER (WHERE number > ?5), min(at)
                 FROM notifications WHERE app = ?1 AND user = ?2",
            )?
            .query_row(
                (
                    app,
                    &user,
                    inbox.read_up_to.cast_signed(),
                    inbox.gone_up_to.cast_signed(),
                    inbox.newest.cast_signed(),
                ),
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
        if unread.cast_unsigned() != inbox.unread || beyond > 0 {
            let said = inbox.unread;
            verdict.problem(|| {
                format!(
                    "the inbox of {user:?} says {said} unread, and there are {unread}; {beyond} are too new"
                )
            });
        }
        if oldest.map(i64::cast_unsigned) != inbox.oldest
            || first.is_some_and(|at| oldest.is_none_or(|o| o > at))
        {
            verdict.problem(|| format!("the inbox of {user:?} does not say how old its oldest row is"));
        }
        marks(&user, &inbox, verdict);
    }
    Ok(())
}

fn marks(user: &str, inbox: &Inbox, verdict: &mut Verdict) {
    if inbox.read_up_to > inbox.newest || inbox.gone_up_to > inbox.newest {
        verdict.problem(|| format!("the inbox of {user:?} has a mark beyond its newest notification"));
    }
}

/// Members are of a conversation, have read what there is, and no message is too new.
fn conversations(connection: &Connection, app: i64, verdict: &mut Verdict) -> Result<(), Failure> {
    let mut statement = connection.prepare(
        "SELECT members.conversation, members.user, members.body, conversations.newest FROM members
         LEFT JOIN conversations ON conversations.app = members.app AND conversations.id = members.conversation
         WHERE members.app = ?1",
    )?;
    let mut found = statement.query([app])?;
    while let Some(row) = found.next()? {
        let (id, user, newest): (String, String, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(3)?);
        let member: Result<deskbell_core::post::Member, _> = rows::body(row, 2);
        let fits = member.is_ok_and(|member| {
            newest.is_some_and(|newest| member.read.max(member.from) <= newest.cast_unsigned())
        });
        if !fits {
            verdict.problem(|| format!("the membership of {user:?} does not fit conversation {id}"));
        }
    }
    let stray: i64 = connection.query_row(
        "SELECT count(*) FROM messages LEFT JOIN conversations
         ON conversations.app = messages.app AND conversations.id = messages.conversation
         WHERE messages.app = ?1 AND (newest IS NULL OR number > newest OR number <= gone_up_to)",
        [app],
        |row| row.get(0),
    )?;
    if stray > 0 {
        verdict.problem(|| format!("{stray} messages are of no conversation, or beyond its marks"));
    }
    Ok(())
}
