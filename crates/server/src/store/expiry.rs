//! Deletes what is too old, in slices small enough that a commit behind one hardly waits.

use deskbell_core::ids::AppId;
use deskbell_core::limits::{self, DAY, Millis};
use deskbell_core::position::ledger;
use deskbell_core::reservation::State;

use super::codec::{self, Seen};
use super::database::{Database, Next};
use super::failure::Failure;
use super::index::CHUNK;
use super::ledger::rows::state_number;
use super::post;
use super::tables::Tables;

/// Rows of one slice.
const ROWS: usize = 64;
/// Events after which a slice ends early, because rows may hold many.
const EVENTS: usize = 256;
/// Idempotency keys of one slice; each is one small delete.
const KEYS: i64 = 128;
/// Other small rows of one slice.
const SMALL: usize = 128;
/// Days for which claims are kept that nobody can make any more: whoever looks at yesterday sees them.
const PAST_DAYS: u64 = 2;

/// One pass over all apps.
#[derive(Debug)]
pub(super) struct Expiry {
    /// Rows before this time go.
    rows: Millis,
    /// Keys before this time go.
    keys: Millis,
    /// Strikes whose last one lies before this time go.
    strikes: Millis,
    /// Claims of days before this one go.
    day: u64,
    /// Apps up to here are done.
    app: Option<i64>,
    /// Claims of resources up to here are done, of the app that is not.
    resource: String,
    /// Reservations and waits that the last slice deleted.
    gone: Vec<(AppId, String)>,
    /// The time.
    now: Millis,
    /// Inboxes or conversations are not what they were.
    post: bool,
}

/// How far expiry has come in one app.
struct Floors {
    app: i64,
    rows: i64,
    keys: i64,
    /// Rows from here on stay whatever their age: the newest, because it says where the positions go
    /// on, and what is not in the index yet.
    end: i64,
}

impl Expiry {
    /// Rows stay at least as long as their keys, because a retry is answered from its row.
    pub(super) fn new(now: Millis, durable_age: Millis) -> Self {
        let rows = now.saturating_sub(durable_age.max(limits::IDEMPOTENCY));
        Self {
            rows,
            keys: now.saturating_sub(limits::IDEMPOTENCY),
            strikes: now.saturating_sub(limits::STRIKE_WINDOW),
            day: (now / DAY).saturating_sub(PAST_DAYS),
            app: None,
            resource: String::new(),
            gone: Vec::new(),
            now,
            post: false,
        }
    }

    /// The last slice changed inboxes or conversations, which whoever knows them by heart must know anew.
    pub(super) fn take_post(&mut self) -> bool {
        std::mem::take(&mut self.post)
    }

    /// What the last slice deleted, for whoever knows it by heart.
    pub(super) fn take_gone(&mut self) -> Vec<(AppId, String)> {
        std::mem::take(&mut self.gone)
    }

    /// Deletes one slice. Says whether there is more to do.
    pub(super) fn slice(&mut self, tables: &mut Tables) -> Result<bool, Failure> {
        self.gone.clear();
        let Some(app) = self.app_after(&tables.db)? else { return Ok(false) };
        // Rows leave the index with their deletion, so they must be in it before.
        tables.index(app, CHUNK)?;
        let Some(floors) = floors(&tables.db, app)? else { return Ok(false) };
        let keys_done = self.expire_keys(&tables.db, &floors)?;
        let rows_done = self.expire_rows(&tables.db, &floors)?;
        if keys_done
            && rows_done
            && self.expire_strikes(&tables.db, &floors)?
            && self.expire_claims(&tables.db, &floors)?
            && self.expire_post(&tables.db, app)?
        {
            self.app = Some(floors.app);
            self.resource.clear();
        }
        Ok(true)
    }

    fn expire_strikes(&self, db: &Database, floors: &Floors) -> Result<bool, Failure> {
        let gone = db.execute(
            "DELETE FROM strikes WHERE app = ?1 AND (principal, resource) IN
                 (SELECT principal, resource FROM strikes WHERE app = ?1 AND at <= ?2 LIMIT ?3)",
            &[floors.app.into(), self.strikes.into(), (SMALL as i64).into()],
        )?;
        Ok(gone < SMALL)
    }

    fn expire_post(&mut self, db: &Database, app: AppId) -> Result<bool, Failure> {
        let found = post::expiry::slice(db, app, self.now)?;
        self.post |= found;
        Ok(!found)
    }

    /// Deletes claims of the past, resource by resource. Holds keep theirs, by which they are found.
    fn expire_claims(&mut self, db: &Database, floors: &Floors) -> Result<bool, Failure> {
        db.execute(
            "UPDATE apps SET claims_floor = ?2 WHERE app = ?1 AND claims_floor < ?2",
            &[floors.app.into(), self.day.into()],
        )?;
        for _ in 0..ROWS {
            let next = db.first(
                "SELECT resource FROM claims WHERE app = ?1 AND resource > ?2 ORDER BY resource LIMIT 1",
                &[floors.app.into(), (&self.resource).into()],
                |row| Ok(row.text(0)?.to_owned()),
            )?;
            let Some(resource) = next else { return Ok(true) };
            let gone = db.execute(
                "DELETE FROM claims WHERE app = ?1 AND resource = ?2 AND (day, start, reservation, nth) IN
                     (SELECT day, start, reservation, nth FROM claims
                      WHERE app = ?1 AND resource = ?2 AND day < ?3 AND by <> 0 LIMIT ?4)",
                &[floors.app.into(), (&resource).into(), self.day.into(), (SMALL as i64).into()],
            )?;
            if gone == SMALL {
                return Ok(false);
            }
            self.resource = resource;
        }
        Ok(false)
    }

    /// The next app.
    fn app_after(&self, db: &Database) -> Result<Option<AppId>, Failure> {
        let question = "SELECT app FROM apps WHERE ?1 IS NULL OR app > ?1 ORDER BY app LIMIT 1";
        db.first(question, &[self.app.into()], |row| Ok(AppId(row.unsigned(0)?)))
    }

    fn expire_keys(&self, db: &Database, floors: &Floors) -> Result<bool, Failure> {
        let from = floors.keys.max(floors.rows);
        let question = "SELECT position, at, key_hash FROM changes WHERE app = ?1 AND position > ?2
             ORDER BY position LIMIT ?3";
        let (mut floor, mut looked_at) = (from, 0);
        db.each(question, &[floors.app.into(), from.into(), KEYS.into()], |row| {
            if row.unsigned(1)? > self.keys {
                return Ok(Next::Stop);
            }
            (floor, looked_at) = (row.int(0)?, looked_at + 1);
            delete_key(db, floors.app, floor, row.maybe_bytes(2)?)?;
            Ok(Next::Go)
        })?;
        if looked_at > 0 {
            db.execute("UPDATE apps SET keys_floor = ?2 WHERE app = ?1", &[floors.app.into(), floor.into()])?;
        }
        Ok(looked_at < KEYS)
    }

    fn expire_rows(&mut self, db: &Database, floors: &Floors) -> Result<bool, Failure> {
        let (mut floor, mut events, mut done) = (floors.rows, 0, false);
        for _ in 0..ROWS {
            let old = Old::next(db, floors, floor)?.filter(|row| row.at.cast_unsigned() <= self.rows);
            let Some(old) = old else {
                done = true;
                break;
            };
            floor = old.position;
            events += old.delete(db, floors.app, &mut self.gone)?;
            if events >= EVENTS {
                break;
            }
        }
        if floor > floors.rows {
            db.execute("UPDATE apps SET floor = ?2 WHERE app = ?1", &[floors.app.into(), floor.into()])?;
        }
        Ok(done)
    }
}

fn floors(db: &Database, app: AppId) -> Result<Option<Floors>, Failure> {
    let question = "SELECT app, floor, keys_floor, indexed,
             (SELECT max(position) FROM changes WHERE changes.app = apps.app)
         FROM apps WHERE app = ?1";
    db.first(question, &[app.into()], |row| {
        let (head, indexed) = (row.maybe_int(4)?, row.int(3)?);
        let end = head.unwrap_or(0).min(indexed + 1);
        Ok(Floors { app: row.int(0)?, rows: row.int(1)?, keys: row.int(2)?, end })
    })
}

/// A row that may be old enough to go.
struct Old {
    position: i64,
    at: i64,
    key: Option<Vec<u8>>,
    events: Vec<u8>,
}

impl Old {
    /// The row after a position, unless it has to stay.
    fn next(db: &Database, floors: &Floors, after: i64) -> Result<Option<Self>, Failure> {
        let question = "SELECT position, at, key_hash, events FROM changes
             WHERE app = ?1 AND position > ?2 AND position < ?3 ORDER BY position LIMIT 1";
        db.first(question, &[floors.app.into(), after.into(), floors.end.into()], |row| {
            let key = row.maybe_bytes(2)?.map(<[u8]>::to_vec);
            Ok(Self { position: row.int(0)?, at: row.int(1)?, key, events: row.bytes(3)?.to_vec() })
        })
    }

    /// Deletes the row and what hangs on it. Says how many events it held.
    fn delete(&self, db: &Database, app: i64, gone: &mut Vec<(AppId, String)>) -> Result<usize, Failure> {
        let seen = codec::look(&self.events)?;
        delete_key(db, app, self.position, self.key.as_deref())?;
        for (place, event) in seen.iter().enumerate() {
            let coordinate = ledger::event(self.position.cast_unsigned(), place).cast_signed();
            delete_event(db, app, coordinate, event)?;
            if let Some(id) = event.channel.strip_prefix("booking:")
                && delete_ended(db, app, self.position, id)?
            {
                gone.push((AppId(app.cast_unsigned()), id.to_owned()));
            }
        }
        db.execute(
            "DELETE FROM changes WHERE app = ?1 AND position = ?2",
            &[app.into(), self.position.into()],
        )?;
        Ok(seen.len())
    }
}

/// With the last row that tells of it goes a hold that ended as one, and an entry of a waitlist that is
/// over. Bookings stay. Says whether there was one.
fn delete_ended(db: &Database, app: i64, position: i64, id: &str) -> Result<bool, Failure> {
    let (released, expired) = (state_number(State::Released), state_number(State::Expired));
    let reservations = db.execute(
        "DELETE FROM reservations WHERE app = ?1 AND id = ?2 AND version <= ?3 AND state IN (?4, ?5)",
        &[app.into(), id.into(), position.into(), released.into(), expired.into()],
    )?;
    let waits = db.execute(
        "DELETE FROM waits WHERE app = ?1 AND id = ?2 AND version <= ?3 AND state >= 2",
        &[app.into(), id.into(), position.into()],
    )?;
    Ok(reservations + waits > 0)
}

/// A key that was used anew belongs to another row and stays.
fn delete_key(db: &Database, app: i64, position: i64, key: Option<&[u8]>) -> Result<(), Failure> {
    let Some(key) = key else { return Ok(()) };
    let statement = "DELETE FROM keys WHERE app = ?1 AND key_hash = ?2 AND position = ?3";
    db.execute(statement, &[app.into(), key.into(), position.into()]).map(drop)
}

fn delete_event(db: &Database, app: i64, coordinate: i64, event: &Seen<'_>) -> Result<(), Failure> {
    let channel = db.first(
        "UPDATE channels SET floor = CASE WHEN floor < ?3 THEN ?3 ELSE floor END
         WHERE app = ?1 AND name = ?2 RETURNING id",
        &[app.into(), event.channel.into(), coordinate.into()],
        |row| row.int(0),
    )?;
    let Some(channel) = channel else {
        return Err(Failure::Damaged(format!("the channel {} has events and no row", event.channel)));
    };
    let place = [app.into(), channel.into(), coordinate.into()];
    db.execute("DELETE FROM feed WHERE app = ?1 AND channel = ?2 AND coordinate = ?3", &place)?;
    db.execute(
        "DELETE FROM latest WHERE app = ?1 AND channel = ?2 AND key = ?3 AND coordinate = ?4",
        &[app.into(), channel.into(), event.key_or_name().into(), coordinate.into()],
    )?;
    let others = "SELECT 1 FROM feed WHERE app = ?1 AND channel = ?2 LIMIT 1";
    if !db.exists(others, &[app.into(), channel.into()])? {
        forget_channel(db, app, event.channel)?;
    }
    Ok(())
}

/// A channel without events loses its row; the floor of all channels without a row rises to its
/// own, as in the log.
fn forget_channel(db: &Database, app: i64, name: &str) -> Result<(), Failure> {
    let deleted = "DELETE FROM channels WHERE app = ?1 AND name = ?2 RETURNING floor";
    let floor = db.number(deleted, &[app.into(), name.into()])?;
    db.execute(
        "UPDATE apps SET forgotten = CASE WHEN forgotten < ?2 THEN ?2 ELSE forgotten END WHERE app = ?1",
        &[app.into(), floor.into()],
    )?;
    Ok(())
}
