//! What a clean stop writes down and the next start takes out again, once.
//!
//! It is only true if nothing happened in between. So it counts only after a stop that was clean
//! to the end, and it is deleted in the transaction that reads it: a second start finds nothing.

use deskbell_core::ids::AppId;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::failure::Failure;

/// Which of an app's two notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Log,
    Sessions,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Sessions => "sessions",
        }
    }
}

pub(super) fn save(connection: &Connection, app: AppId, what: What, body: &str) -> Result<(), Failure> {
    connection.execute(
        "INSERT OR REPLACE INTO carried (app, what, body) VALUES (?1, ?2, ?3)",
        (app.0.cast_signed(), what.as_str(), body),
    )?;
    Ok(())
}

pub(super) fn take(connection: &mut Connection, app: AppId, what: What) -> Result<Option<String>, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let body = transaction
        .query_row(
            "DELETE FROM carried WHERE app = ?1 AND what = ?2 RETURNING body",
            (app.0.cast_signed(), what.as_str()),
            |row| row.get(0),
        )
        .optional()?;
    transaction.commit()?;
    Ok(body)
}

/// At the start: keeps the notes of a clean stop, drops those of any other end. Says which it was.
pub(super) fn begin(connection: &mut Connection) -> Result<bool, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let clean = transaction.query_row("SELECT clean FROM installation", [], |row| row.get(0))?;
    if clean {
        transaction.execute("UPDATE installation SET clean = 0", [])?;
    } else {
        transaction.execute("DELETE FROM carried", [])?;
    }
    transaction.commit()?;
    Ok(clean)
}

/// At the end of a clean stop.
pub(super) fn end(connection: &Connection) -> Result<(), Failure> {
    connection.execute("UPDATE installation SET clean = 1", [])?;
    Ok(())
}
