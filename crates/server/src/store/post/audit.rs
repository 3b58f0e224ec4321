//! Do inboxes and conversations fit together, for the doctor?

use deskbell_core::ids::AppId;
use deskbell_core::post::{Inbox, Member};

use super::{load, user as user_id};
use crate::store::database::{Database, Next};
use crate::store::failure::Failure;
use crate::store::ledger::rows;
use crate::store::verify::Verdict;

pub(in crate::store) fn audit(db: &Database, app: i64, verdict: &mut Verdict) -> Result<(), Failure> {
    let app = AppId(app.cast_unsigned());
    inboxes(db, app, verdict)?;
    conversations(db, app, verdict)
}

/// The kept count is the number of unread rows, whatever marks say.
fn inboxes(db: &Database, app: AppId, verdict: &mut Verdict) -> Result<(), Failure> {
    let owners = db.all("SELECT owner, oldest FROM inboxes WHERE app = ?1", &[app.into()], |row| {
        Ok((user_id(row.text(0)?)?, row.maybe_int(1)?.map(i64::cast_unsigned)))
    })?;
    for (user, oldest) in owners {
        let Ok(inbox) = load::inbox(db, app, &user) else {
            verdict.problem(|| format!("the inbox of {user} cannot be read"));
            continue;
        };
        let mut found = Found::default();
        db.each(
            "SELECT number, at, read FROM notifications WHERE app = ?1 AND owner = ?2",
            &[app.into(), user.as_str().into()],
            |row| {
                found.count(&inbox, row.unsigned(0)?, row.unsigned(1)?, row.flag(2)?);
                Ok(Next::Go)
            },
        )?;
        if found.unread != inbox.unread || found.beyond > 0 {
            let (said, Found { unread, beyond, .. }) = (inbox.unread, &found);
            verdict.problem(|| {
                format!(
                    "the inbox of {user} says {said} unread, and there are {unread}; {beyond} are too new"
                )
            });
        }
        if oldest != inbox.oldest || found.oldest.is_some_and(|at| oldest.is_none_or(|oldest| oldest > at)) {
            verdict.problem(|| format!("the inbox of {user} does not say how old its oldest row is"));
        }
        if inbox.read_up_to > inbox.newest || inbox.gone_up_to > inbox.newest {
            verdict.problem(|| format!("the inbox of {user} has a mark beyond its newest notification"));
        }
    }
    Ok(())
}

/// What the rows of one inbox say.
#[derive(Debug, Default)]
struct Found {
    unread: u64,
    beyond: u64,
    oldest: Option<u64>,
}

impl Found {
    fn count(&mut self, inbox: &Inbox, number: u64, at: u64, marked: bool) {
        self.unread += u64::from(number > inbox.gone_up_to && !inbox.is_read(number, marked));
        self.beyond += u64::from(number > inbox.newest);
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
    }
}

/// Members are of a conversation and have read what there is, and no message is beyond its marks.
fn conversations(db: &Database, app: AppId, verdict: &mut Verdict) -> Result<(), Failure> {
    db.each(
        "SELECT members.conversation, members.member, members.body, conversations.newest FROM members
         LEFT JOIN conversations ON conversations.app = members.app AND conversations.id = members.conversation
         WHERE members.app = ?1",
        &[app.into()],
        |row| {
            let newest = row.maybe_int(3)?.map(i64::cast_unsigned);
            let read = rows::body::<Member>(row, 2).map(|member| member.read.max(member.from));
            if !read.is_ok_and(|read| newest.is_some_and(|newest| read <= newest)) {
                let (id, user) = (row.text(0)?, row.text(1)?);
                verdict.problem(|| format!("the membership of {user:?} does not fit conversation {id}"));
            }
            Ok(Next::Go)
        },
    )?;
    let stray = db.number(
        "SELECT count(*) FROM messages LEFT JOIN conversations
         ON conversations.app = messages.app AND conversations.id = messages.conversation
         WHERE messages.app = ?1 AND (newest IS NULL OR number > newest OR number <= gone_up_to)",
        &[app.into()],
    )?;
    if stray > 0 {
        verdict.problem(|| format!("{stray} messages are of no conversation, or beyond its marks"));
    }
    Ok(())
}
