//! The SQL of the notes.

use bytes::Bytes;
use deskbell_core::event::Draft;
use deskbell_core::ids::AppId;
use deskbell_core::limits;
use deskbell_core::position::ledger;

use super::super::cached;
use super::super::codec;
use super::super::database::{Database, Next, Row};
use super::super::failure::Failure;
use super::super::postgres::lease;
use super::super::tables::head;
use super::super::tenants;
use super::{Fate, Found, Later, Letter, Note, Question, Rows, Standing, Turn, Which, news};

/// Writes a note of this process, within the transaction of whoever calls.
pub(in crate::store) fn write(db: &Database, process: &str, note: &Note) -> Result<u64, Failure> {
    match note {
        Note::Endpoint { app, name, kept, died, delivered, later, came } => {
            if let Some(session) = db.shared() {
                lease::check(session, process, *app, name, kept.off.is_some())?;
            }
            let body = serde_json::to_string(kept).map_err(|error| Failure::Damaged(error.to_string()))?;
            db.execute(
                "INSERT INTO endpoints (app, name, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT (app, name) DO UPDATE SET body = excluded.body",
                &[(*app).into(), name.into(), (&body).into()],
            )?;
            for (question, which) in [
                (
                    "INSERT INTO later (app, endpoint, hour, coordinate) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO NOTHING",
                    later,
                ),
                (
                    "DELETE FROM later WHERE app = ?1 AND endpoint = ?2 AND hour = ?3 AND coordinate = ?4",
                    came,
                ),
            ] {
                for Later { hour, at } in which {
                    db.execute(question, &[(*app).into(), name.into(), (*hour).into(), (*at).into()])?;
                }
            }
            for letter in died {
                bury(db, *app, name, letter)?;
            }
            for at in delivered {
                db.execute(
                    "DELETE FROM letters WHERE app = ?1 AND endpoint = ?2 AND coordinate = ?3",
                    &[(*app).into(), name.into(), (*at).into()],
                )?;
            }
            if died.is_empty() { Ok(0) } else { drop_oldest(db, *app, name) }
        }
        Note::Letters { app, name, which, fate } => decide(db, *app, name, which.as_deref(), *fate),
        Note::Rotate { app, subject } => {
            let generation = db.number(
                "INSERT INTO links (app, subject, generation) VALUES (?1, ?2, 1)
                 ON CONFLICT (app, subject) DO UPDATE SET generation = links.generation + 1
                 RETURNING generation",
                &[(*app).into(), subject.into()],
            )?;
            Ok(generation.cast_unsigned())
        }
        Note::News(owner, note) => news::write(db, owner, note).map(|()| 0),
        Note::Tenant(note) => tenants::write(db, note),
        Note::Lease { app, name, wish } => match db {
            // Nobody else serves what stands in a file.
            Database::Sqlite(_) => Ok(Turn::Here as u64),
            Database::Postgres(session) => Ok(lease::wish(session, process, *app, name, *wish)? as u64),
        },
    }
}

fn bury(db: &Database, app: AppId, name: &str, letter: &Letter) -> Result<(), Failure> {
    db.execute(
        "INSERT INTO letters
         (app, endpoint, coordinate, id, kind, lane, body, died, attempts, why, due)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (app, endpoint, coordinate) DO UPDATE SET died = excluded.died,
             attempts = excluded.attempts, why = excluded.why, due = excluded.due",
        &[
            app.into(),
            name.into(),
            letter.at.into(),
            (&letter.id).into(),
            (&letter.kind).into(),
            (&letter.lane).into(),
            letter.body.as_slice().into(),
            letter.died.into(),
            letter.attempts.into(),
            (&letter.why).into(),
            letter.due.into(),
        ],
    )?;
    Ok(())
}

/// Keeps the newest letters of an endpoint; says how many went.
fn drop_oldest(db: &Database, app: AppId, name: &str) -> Result<u64, Failure> {
    let most = limits::DEAD_LETTERS as u64;
    // The newest of those that are too many; where there is none, nothing goes.
    let last = db.first(
        "SELECT coordinate FROM letters WHERE app = ?1 AND endpoint = ?2
         ORDER BY coordinate DESC LIMIT 1 OFFSET ?3",
        &[app.into(), name.into(), most.into()],
        |row| row.int(0),
    )?;
    let Some(last) = last else { return Ok(0) };
    let gone = db.execute(
        "DELETE FROM letters WHERE app = ?1 AND endpoint = ?2 AND coordinate <= ?3",
        &[app.into(), name.into(), last.into()],
    )?;
    Ok(gone as u64)
}

fn decide(db: &Database, app: AppId, name: &str, which: Option<&[u64]>, fate: Fate) -> Result<u64, Failure> {
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
    let Some(which) = which else {
        return Ok(db.execute(all, &[app.into(), name.into()])? as u64);
    };
    let mut count = 0;
    for at in which {
        count += db.execute(one, &[app.into(), name.into(), (*at).into()])?;
    }
    Ok(count as u64)
}

/// Reads what was asked for, from one moment of the store.
pub(in crate::store) fn answer(db: &Database, question: &Question) -> Result<Found, Failure> {
    db.at_once(|db| match question {
        Question::Endpoint(app, name) => endpoint(db, *app, name),
        Question::Rows { app, after, rows, bytes } => {
            self::rows(db, *app, *after, (*rows, *bytes)).map(Found::Rows)
        }
        Question::Events(app, coordinates) => events(db, *app, coordinates).map(Found::Events),
        Question::Letters { app, name, after, limit, which } => {
            letters(db, *app, name, (*after, *limit, *which))
        }
        Question::Later { app, name, after, until, limit } => later(db, *app, name, (*after, *until), *limit),
        Question::Generation(app, subject) => {
            let question = "SELECT generation FROM links WHERE app = ?1 AND subject = ?2";
            let found = db.first(question, &[(*app).into(), subject.into()], |row| row.unsigned(0))?;
            Ok(Found::Generation(found.unwrap_or(0)))
        }
        Question::Tenants => tenants::all(db).map(Found::Tenants),
        Question::Head(app) => head(db, *app).map(|head| Found::Head(head.row, head.check)),
        Question::Cached(app, at, since) => cached::newest(db, *app, at, *since).map(Found::Cached),
    })
}

fn endpoint(db: &Database, app: AppId, name: &str) -> Result<Found, Failure> {
    let damaged = |error| Failure::Damaged(format!("the note of webhook {name}: {error}"));
    let kept = db.first(
        "SELECT body FROM endpoints WHERE app = ?1 AND name = ?2",
        &[app.into(), name.into()],
        |row| serde_json::from_str(row.text(0)?).map_err(damaged),
    )?;
    let values = [app.into(), name.into()];
    let count = "SELECT count(*) FROM later WHERE app = ?1 AND endpoint = ?2";
    let first = "SELECT hour FROM later WHERE app = ?1 AND endpoint = ?2 ORDER BY hour LIMIT 1";
    let later = db.number(count, &values)?.cast_unsigned();
    let hour = db.first(first, &values, |row| row.unsigned(0))?;
    Ok(Found::Endpoint(Standing { kept, head: head(db, app)?.row, later, hour }))
}

fn later(
    db: &Database,
    app: AppId,
    name: &str,
    (after, until): (Later, u64),
    limit: usize,
) -> Result<Found, Failure> {
    // One more than is asked for, which says when to ask again.
    let mut all = db.all(
        "SELECT hour, coordinate FROM later WHERE app = ?1 AND endpoint = ?2 AND (hour, coordinate) > (?3, ?4)
         ORDER BY hour, coordinate LIMIT ?5",
        &[app.into(), name.into(), after.hour.into(), after.at.into(), (limit as u64 + 1).into()],
        |row| Ok(Later { hour: row.unsigned(0)?, at: row.unsigned(1)? }),
    )?;
    let due = all.iter().take(limit).take_while(|later| later.hour <= until).count();
    let next = all.get(due).map(|later| later.hour);
    all.truncate(due);
    let mut found = Vec::with_capacity(all.len());
    for later in all {
        let draft = events(db, app, &[later.at])?.pop().map(|(_, draft)| draft);
        found.push((later, draft));
    }
    Ok(Found::Later(found, next))
}

fn rows(db: &Database, app: AppId, after: u64, most: (usize, usize)) -> Result<Rows, Failure> {
    let floor = db.first("SELECT floor FROM apps WHERE app = ?1", &[app.into()], |row| row.unsigned(0))?;
    let mut found = Rows { rows: Vec::new(), floor: floor.unwrap_or(0), head: head(db, app)?.row };
    let mut bytes = 0;
    db.each(
        "SELECT position, events FROM changes WHERE app = ?1 AND position > ?2 ORDER BY position LIMIT ?3",
        &[app.into(), ledger::whole_row(after).into(), (most.0 as u64).into()],
        |row| {
            let events = Bytes::copy_from_slice(row.bytes(1)?);
            bytes += events.len();
            if bytes > most.1 && !found.rows.is_empty() {
                return Ok(Next::Stop);
            }
            let drafts = codec::look(&events)?.into_iter().map(|seen| seen.draft(&events));
            found.rows.push((row.unsigned(0)?, drafts.collect::<Result<_, _>>()?));
            Ok(Next::Go)
        },
    )?;
    Ok(found)
}

fn events(db: &Database, app: AppId, coordinates: &[u64]) -> Result<Vec<(u64, Draft)>, Failure> {
    let mut found = Vec::with_capacity(coordinates.len());
    for at in coordinates {
        let number = ledger::row(*at);
        let events = db.first(
            "SELECT events FROM changes WHERE app = ?1 AND position = ?2",
            &[app.into(), number.into()],
            |row| Ok(Bytes::copy_from_slice(row.bytes(0)?)),
        )?;
        let Some(events) = events else { continue };
        let seen = codec::look(&events)?;
        if let Some(seen) = seen.get((*at - ledger::event(number, 0)) as usize) {
            found.push((*at, seen.draft(&events)?));
        }
    }
    Ok(found)
}

fn letters(
    db: &Database,
    app: AppId,
    name: &str,
    (after, limit, which): (u64, usize, Which),
) -> Result<Found, Failure> {
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
    let values = [app.into(), name.into(), after.into(), (limit as u64).into()];
    let found = db.all(question, &values, letter)?;
    let total = db.number(
        "SELECT count(*) FROM letters WHERE app = ?1 AND endpoint = ?2",
        &[app.into(), name.into()],
    )?;
    Ok(Found::Letters(found, total.cast_unsigned()))
}

fn letter(row: Row<'_>) -> Result<Letter, Failure> {
    Ok(Letter {
        at: row.unsigned(0)?,
        id: row.text(1)?.to_owned(),
        kind: row.text(2)?.to_owned(),
        lane: row.text(3)?.to_owned(),
        body: row.bytes(4)?.to_vec(),
        died: row.unsigned(5)?,
        attempts: row.small(6)?,
        why: row.text(7)?.to_owned(),
        due: row.flag(8)?,
    })
}
