//! Deletes what is too old, in slices small enough that a commit behind one hardly waits.

use deskbell_core::ids::AppId;
use deskbell_core::limits::{self, DAY, Millis};
use deskbell_core::position::ledger;
use deskbell_core::reservation::State;
use rusqlite::OptionalExtension as _;

use super::codec::{self, Seen};
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
        let Some(app) = self.app_after(tables)? else { return Ok(false) };
        // Rows leave the index with their deletion, so they must be in it before.
        tables.index(app, CHUNK)?;
        let Some(floors) = floors(tables, app)? else { return Ok(false) };
        let keys_done = self.expire_keys(tables, &floors)?;
        let rows_done = self.expire_rows(tables, &floors)?;
        if keys_done
            && rows_done
            && self.expire_strikes(tables, &floors)?
            && self.expire_claims(tables, &floors)?
            && self.expire_post(tables, app)?
        {
            self.app = Some(floors.app);
            self.resource.clear();
        }
        Ok(true)
    }

    fn expire_strikes(&self, tables: &Tables, floors: &Floors) -> Result<bool, Failure> {
        let gone = tables
            .connection
            .prepare_cached(
                "DELETE FROM strikes WHERE app = ?1 AND (principal, resource) IN
                     (SELECT principal, resource FROM strikes WHERE app = ?1 AND at <= ?2 LIMIT ?3)",
            )?
            .execute((floors.app, self.strikes.cast_signed(), SMALL as i64))?;
        Ok(gone < SMALL)
    }

    fn expire_post(&mut self, tables: &Tables, app: AppId) -> Result<bool, Failure> {
        let found = post::expiry::slice(&tables.connection, app, self.now)?;
        self.post |= found;
        Ok(!found)
    }

    /// Deletes claims of the past, resource by resource. Holds keep theirs, by which they are found.
    fn expire_claims(&mut self, tables: &Tables, floors: &Floors) -> Result<bool, Failure> {
        tables
            .connection
            .prepare_cached("UPDATE apps SET claims_floor = ?2 WHERE app = ?1 AND claims_floor < ?2")?
            .execute((floors.app, self.day.cast_signed()))?;
        for _ in 0..ROWS {
            let next: Option<String> = tables
                .connection
                .prepare_cached(
                    "SELECT resource FROM claims WHERE app = ?1 AND resource > ?2 ORDER BY resource LIMIT 1",
                )?
                .query_row((floors.app, &self.resource), |row| row.get(0))
                .optional()?;
            let Some(resource) = next else { return Ok(true) };
            let gone = tables
                .connection
                .prepare_cached(
                    "DELETE FROM claims WHERE app = ?1 AND resource = ?2 AND (day, start, reservation, nth) IN
                         (SELECT day, start, reservation, nth FROM claims
                          WHERE app = ?1 AND resource = ?2 AND day < ?3 AND by <> 0 LIMIT ?4)",
                )?
                .execute((floors.app, &resource, self.day.cast_signed(), SMALL as i64))?;
            if gone == SMALL {
                return Ok(false);
            }
            self.resource = resource;
        }
        Ok(false)
    }

    /// The next app.
    fn app_after(&self, tables: &Tables) -> Result<Option<AppId>, Failure> {
        let found: Option<i64> = tables
            .connection
            .prepare_cached("SELECT app FROM apps WHERE ?1 IS NULL OR app > ?1 ORDER BY app LIMIT 1")?
            .query_row([self.app], |row| row.get(0))
            .optional()?;
        Ok(found.map(|app| AppId(app.cast_unsigned())))
    }

    fn expire_keys(&self, tables: &Tables, floors: &Floors) -> Result<bool, Failure> {
        let from = floors.keys.max(floors.rows);
        let mut next = tables.connection.prepare_cached(
            "SELECT position, at, key_hash FROM changes WHERE app = ?1 AND position > ?2
             ORDER BY position LIMIT ?3",
        )?;
        let mut rows = next.query((floors.app, from, KEYS))?;
        let (mut floor, mut looked_at) = (from, 0);
        while let Some(row) = rows.next()? {
            let (position, at, key): (i64, i64, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if at.cast_unsigned() > self.keys {
                break;
            }
            (floor, looked_at) = (position, looked_at + 1);
            delete_key(tables, floors.app, position, key.as_deref())?;
        }
        if looked_at > 0 {
            tables
                .connection
                .prepare_cached("UPDATE apps SET keys_floor = ?2 WHERE app = ?1")?
                .execute((floors.app, floor))?;
        }
        Ok(looked_at < KEYS)
    }

    fn expire_rows(&mut self, tables: &mut Tables, floors: &Floors) -> Result<bool, Failure> {
        let (mut floor, mut events, mut done) = (floors.rows, 0, false);
        for _ in 0..ROWS {
            let old = Old::next(tables, floors, floor)?.filter(|row| row.at.cast_unsigned() <= self.rows);
            let Some(old) = old else {
                done = true;
                break;
            };
            floor = old.position;
            events += old.delete(tables, floors.app, &mut self.gone)?;
            if events >= EVENTS {
                break;
            }
        }
        if floor > floors.rows {
            tables
                .connection
                .prepare_cached("UPDATE apps SET floor = ?2 WHERE app = ?1")?
                .execute((floors.app, floor))?;
        }
        Ok(done)
    }
}

fn floors(tables: &Tables, app: AppId) -> Result<Option<Floors>, Failure> {
    let found = tables
        .connection
        .prepare_cached(
            "SELECT app, floor, keys_floor, indexed,
                    (SELECT max(position) FROM changes WHERE changes.app = apps.app)
             FROM apps WHERE app = ?1",
        )?
        .query_row([app.0.cast_signed()], |row| {
            let head: Option<i64> = row.get(4)?;
            let indexed: i64 = row.get(3)?;
            let end = head.unwrap_or(0).min(indexed + 1);
            Ok(Floors { app: row.get(0)?, rows: row.get(1)?, keys: row.get(2)?, end })
        })
        .optional()?;
    Ok(found)
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
    fn next(tables: &Tables, floors: &Floors, after: i64) -> Result<Option<Self>, Failure> {
        let row = tables
            .connection
            .prepare_cached(
                "SELECT position, at, key_hash, events FROM changes
                 WHERE app = ?1 AND position > ?2 AND position < ?3 ORDER BY position LIMIT 1",
            )?
            .query_row((floors.app, after, floors.end), |row| {
                Ok(Self { position: row.get(0)?, at: row.get(1)?, key: row.get(2)?, events: row.get(3)? })
            })
            .optional()?;
        Ok(row)
    }

    /// Deletes the row and what hangs on it. Says how many events it held.
    fn delete(
        &self,
        tables: &mut Tables,
        app: i64,
        gone: &mut Vec<(AppId, String)>,
    ) -> Result<usize, Failure> {
        let seen = codec::look(&self.events)?;
        delete_key(tables, app, self.position, self.key.as_deref())?;
        for (place, event) in seen.iter().enumerate() {
            let coordinate = ledger::event(self.position.cast_unsigned(), place).cast_signed();
            delete_event(tables, app, coordinate, event)?;
            if let Some(id) = event.channel.strip_prefix("booking:")
                && delete_ended(tables, app, self.position, id)?
            {
                gone.push((AppId(app.cast_unsigned()), id.to_owned()));
            }
        }
        tables
            .connection
            .prepare_cached("DELETE FROM changes WHERE app = ?1 AND position = ?2")?
            .execute((app, self.position))?;
        Ok(seen.len())
    }
}

/// With the last row that tells of it goes a hold that ended as one, and an entry of a waitlist that is
/// over. Bookings stay. Says whether there was one.
fn delete_ended(tables: &Tables, app: i64, position: i64, id: &str) -> Result<bool, Failure> {
    let (released, expired) = (state_number(State::Released), state_number(State::Expired));
    let reservations = tables
        .connection
        .prepare_cached(
            "DELETE FROM reservations WHERE app = ?1 AND id = ?2 AND version <= ?3 AND state IN (?4, ?5)",
        )?
        .execute((app, id, position, released, expired))?;
    let waits = tables
        .connection
        .prepare_cached("DELETE FROM waits WHERE app = ?1 AND id = ?2 AND version <= ?3 AND state >= 2")?
        .execute((app, id, position))?;
    Ok(reservations + waits > 0)
}

/// A key that was used anew belongs to another row and stays.
fn delete_key(tables: &Tables, app: i64, position: i64, key: Option<&[u8]>) -> Result<(), Failure> {
    let Some(key) = key else { return Ok(()) };
    tables
        .connection
        .prepare_cached("DELETE FROM keys WHERE app = ?1 AND key_hash = ?2 AND position = ?3")?
        .execute((app, key, position))?;
    Ok(())
}

fn delete_event(tables: &Tables, app: i64, coordinate: i64, event: &Seen<'_>) -> Result<(), Failure> {
    let connection = &tables.connection;
    let channel: i64 = connection
        .prepare_cached(
            "UPDATE channels SET floor = max(floor, ?3) WHERE app = ?1 AND name = ?2 RETURNING id",
        )?
        .query_row((app, event.channel, coordinate), |row| row.get(0))?;
    connection
        .prepare_cached("DELETE FROM feed WHERE app = ?1 AND channel = ?2 AND coordinate = ?3")?
        .execute((app, channel, coordinate))?;
    connection
        .prepare_cached(
            "DELETE FROM latest WHERE app = ?1 AND channel = ?2 AND key = ?3 AND coordinate = ?4",
        )?
        .execute((app, channel, event.key_or_name(), coordinate))?;
    let left = connection
        .prepare_cached("SELECT 1 FROM feed WHERE app = ?1 AND channel = ?2 LIMIT 1")?
        .exists((app, channel))?;
    if !left {
        forget_channel(tables, app, event.channel)?;
    }
    Ok(())
}

/// A channel without events loses its row; the floor of all channels without a row rises to its
/// own, as in the log.
fn forget_channel(tables: &Tables, app: i64, name: &str) -> Result<(), Failure> {
    let floor: i64 = tables
        .connection
        .prepare_cached("DELETE FROM channels WHERE app = ?1 AND name = ?2 RETURNING floor")?
        .query_row((app, name), |row| row.get(0))?;
    tables
        .connection
        .prepare_cached("UPDATE apps SET forgotten = max(forgotten, ?2) WHERE app = ?1")?
        .execute((app, floor))?;
    Ok(())
}
