//! What a clean stop writes down and the next start takes out again, once.
//!
//! It is only true if nothing happened in between. So it counts only after a stop that was clean
//! to the end, and it is deleted in the transaction that reads it: a second start finds nothing.

use deskbell_core::ids::AppId;

use super::database::Database;
use super::failure::Failure;

/// Which of an app's notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Log,
    Sessions,
    Pages,
}

impl What {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Sessions => "sessions",
            Self::Pages => "pages",
        }
    }
}

pub(super) fn save(db: &Database, app: AppId, what: What, body: &str) -> Result<(), Failure> {
    db.execute(
        "INSERT INTO carried (app, what, body) VALUES (?1, ?2, ?3)
         ON CONFLICT (app, what) DO UPDATE SET body = excluded.body",
        &[app.into(), what.as_str().into(), body.into()],
    )?;
    Ok(())
}

pub(super) fn take(db: &Database, app: AppId, what: What) -> Result<Option<String>, Failure> {
    let question = "DELETE FROM carried WHERE app = ?1 AND what = ?2 RETURNING body";
    db.write(|db| db.first(question, &[app.into(), what.as_str().into()], |row| Ok(row.text(0)?.to_owned())))
}

/// At the start: keeps the notes of a clean stop, drops those of any other end. Says which it was.
pub(super) fn begin(db: &Database) -> Result<bool, Failure> {
    db.write(|db| {
        let clean = db.number("SELECT clean FROM installation", &[])? != 0;
        if clean {
            db.execute("UPDATE installation SET clean = 0", &[])?;
        } else {
            db.execute("DELETE FROM carried", &[])?;
        }
        Ok(clean)
    })
}

/// At the end of a clean stop.
pub(super) fn end(db: &Database) -> Result<(), Failure> {
    db.execute("UPDATE installation SET clean = 1", &[]).map(drop)
}
