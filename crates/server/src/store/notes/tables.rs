//! The SQL of the notes.

use bytes::Bytes;
use deskbell_core::event::Draft;
use deskbell_core::ids::AppId;
use deskbell_core::limits;
use deskbell_core::position::ledger;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::super::codec;
use super::super::failure::Failure;
use super::super::tables::head;
use super::{Fate, Found, Letter, Note, Question, Rows, Which};

/// Writes a note, within the transaction of whoever calls.
pub(in crate::store) fn write(connection: &Connection, note: &Note) -> Result<u64, Failure> {
    match note {
        Note::Endpoint { app, name, kept, died, delivered } => {
            let body = serde_json::to_string(kept).map_err(|error| Failure::Damaged(error.to_string()))?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO endpoints (app, name, body) VALUES (?1, ?2, ?3)")?
                .execute((app.0.cast_signed(), name, body))?;
            for letter in died {
                bury(connection, *app, name, letter)?;
            }
            for at in delivered {
                connection
                    .prepare_cached(
                        "DELETE FROM letters WHERE app = ?1 AND endpoint = ?2 AND coordinate = ?3",
                    )?
                    .execute((app.0.cast_signed(), name, at.cast_signed()))?;
            }
            if died.is_empty() { Ok(0) } else { drop_oldest(connection, *app, name) }
        }
        Note::Letters { app, name, which, fate } => decide(connection, *app, name, which.as_deref(), *fate),
        Note::Rotate { app, subject } => {
            let generation: i64 = connection
                .prepare_cached(
                    "INSERT INTO links (app, subject, generation) VALUES (?1, ?2, 1)
                     ON CONFLICT (app, subject) DO UPDATE SET generation = generation + 1
                     RETURNING generation",
                )?
                .query_row((app.0.cast_signed(), subject), |row| row.get(0))?;
            Ok(generation.cast_unsigned())
        }
    }
}

fn bury(connection: &Connection, app: AppId, name: &str, letter: &Letter) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO letters
             (app, endpoint, coordinate, id, kind, lane, body, died, attempts, why, due)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute((
            app.0.cast_signed(),
            name,
            letter.at.cast_signed(),
            &letter.id,
            &letter.kind,
            &letter.lane,
            &letter.body,
            letter.died.cast_signed(),
            letter.attempts,
            &letter.why,
            letter.due,
        ))?;
    Ok(())
}

/// Keeps the newest letters of an endpoint; says how many went.
fn drop_oldest(connection: &Connection, app: AppId, name: &str) -> Result<u64, Failure> {
    let gone = connection
        .prepare_cached(
            "DELETE FROM letters WHERE app = ?1 AND endpoint = ?2 AND coordinate IN
                 (SELECT coordinate FROM letters WHERE app = ?1 AND endpoint = ?2
                  ORDER BY coordinate DESC LIMIT -1 OFFSET ?3)",
        )?
        .execute((app.0.cast_signed(), name, limits::DEAD_LETTERS as i64))?;
    Ok(gone as u64)
}

fn decide(
    connection: &Connection,
    app: AppId,
    name: &str,
    which: Option<&[u64]>,
    fate: Fate,
) -> Result<u64, Failure> {
    let (all, one) = match fate {
        Fate::Resent => (
            "UPDATE letters SET due = 1 WHERE app = ?1 AND endpoint = ?2",
            "UPDATE letters SET due = 1 WHERE app = ?1 AND endpoint = ?2 AND coordinate = ?3",
        ),
        // What is being tried again belongs to its attempt.
        Fate::Discarded => (
            "DELETE FROM letters WHERE app = ?1 AND endpoint = ?2 AND due = 0",
            "DELETE FROM letters WHERE app = ?1 AND endpoint = ?2 AND coordinate = ?3 AND due = 0",
        ),
    };
    let app = app.0.cast_signed();
    let Some(which) = which else {
        return Ok(connection.prepare_cached(all)?.execute((app, name))? as u64);
    };
    let mut count = 0;
    for at in which {
        count += connection.prepare_cached(one)?.execute((app, name, at.cast_signed()))?;
    }
    Ok(count as u64)
}

/// Reads what was asked for, from one moment of the file.
pub(in crate::store) fn answer(connection: &mut Connection, question: &Question) -> Result<Found, Failure> {
    let transaction = connection.transaction()?;
    match question {
        Question::Endpoint(app, name) => endpoint(&transaction, *app, name),
        Question::Rows { app, after, rows, bytes } => {
            self::rows(&transaction, *app, *after, (*rows, *bytes)).map(Found::Rows)
        }
        Question::Events(app, coordinates) => events(&transaction, *app, coordinates).map(Found::Events),
        Question::Letters { app, name, after, limit, which } => {
            letters(&transaction, *app, name, (*after, *limit, *which))
        }
        Question::Generation(app, subject) => {
            let found: Option<i64> = transaction
                .prepare_cached("SELECT generation FROM links WHERE app = ?1 AND subject = ?2")?
                .query_row((app.0.cast_signed(), subject), |row| row.get(0))
                .optional()?;
            Ok(Found::Generation(found.unwrap_or(0).cast_unsigned()))
        }
    }
}

fn endpoint(connection: &Connection, app: AppId, name: &str) -> Result<Found, Failure> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM endpoints WHERE app = ?1 AND name = ?2")?
        .query_row((app.0.cast_signed(), name), |row| row.get(0))
        .optional()?;
    let damaged = |error| Failure::Damaged(format!("the note of webhook {name}: {error}"));
    let kept = body.map(|body| serde_json::from_str(&body).map_err(damaged)).transpose()?;
    Ok(Found::Endpoint(kept, head(connection, app)?.row))
}

fn rows(connection: &Connection, app: AppId, after: u64, most: (usize, usize)) -> Result<Rows, Failure> {
    let number = app.0.cast_signed();
    let floor: Option<i64> = connection
        .prepare_cached("SELECT floor FROM apps WHERE app = ?1")?
        .query_row([number], |row| row.get(0))
        .optional()?;
    let mut found = Rows {
        rows: Vec::new(),
        floor: floor.unwrap_or(0).cast_unsigned(),
        head: head(connection, app)?.row,
    };
    let mut statement = connection.prepare_cached(
        "SELECT position, events FROM changes WHERE app = ?1 AND position > ?2 ORDER BY position LIMIT ?3",
    )?;
    let mut rows = statement.query((number, ledger::whole_row(after).cast_signed(), most.0 as i64))?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let events = Bytes::from(row.get::<_, Vec<u8>>(1)?);
        bytes += events.len();
        if bytes > most.1 && !found.rows.is_empty() {
            break;
        }
        let drafts =
            codec::look(&events)?.iter().map(|seen| seen.draft(&events)).collect::<Result<_, _>>()?;
        found.rows.push((row.get::<_, i64>(0)?.cast_unsigned(), drafts));
    }
    Ok(found)
}

fn events(connection: &Connection, app: AppId, coordinates: &[u64]) -> Result<Vec<(u64, Draft)>, Failure> {
    let mut found = Vec::with_capacity(coordinates.len());
    for at in coordinates {
        let row = ledger::row(*at);
        let events: Option<Vec<u8>> = connection
            .prepare_cached("SELECT events FROM changes WHERE app = ?1 AND position = ?2")?
            .query_row((app.0.cast_signed(), row.cast_signed()), |row| row.get(0))
            .optional()?;
        let Some(events) = events.map(Bytes::from) else { continue };
        let seen = codec::look(&events)?;
        if let Some(seen) = seen.get((*at - ledger::event(row, 0)) as usize) {
            found.push((*at, seen.draft(&events)?));
        }
    }
    Ok(found)
}

fn letters(
    connection: &Connection,
    app: AppId,
    name: &str,
    (after, limit, which): (u64, usize, Which),
) -> Result<Found, Failure> {
    let app = app.0.cast_signed();
    let question = match which {
        Which::All => {
            "SELECT coordinate, id, kind, lane, body, died, attempts, why, due FROM letters
             WHERE app = ?1 AND endpoint = ?2 AND coordinate > ?3 ORDER BY coordinate LIMIT ?4"
        }
        Which::Due => {
            "SELECT coordinate, id, kind, lane, body, died, attempts, why, due FROM letters
             WHERE app = ?1 AND endpoint = ?2 AND coordinate > ?3 AND due = 1 ORDER BY coordinate LIMIT ?4"
        }
    };
    let mut statement = connection.prepare_cached(question)?;
    let found = statement.query_map((app, name, after.cast_signed(), limit as i64), letter)?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let total: i64 = connection
        .prepare_cached("SELECT count(*) FROM letters WHERE app = ?1 AND endpoint = ?2")?
        .query_row((app, name), |row| row.get(0))?;
    Ok(Found::Letters(found, total.cast_unsigned()))
}

fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    Ok(Letter {
        at: row.get::<_, i64>(0)?.cast_unsigned(),
        id: row.get(1)?,
        kind: row.get(2)?,
        lane: row.get(3)?,
        body: row.get(4)?,
        died: row.get::<_, i64>(5)?.cast_unsigned(),
        attempts: row.get(6)?,
        why: row.get(7)?,
        due: row.get(8)?,
    })
}
