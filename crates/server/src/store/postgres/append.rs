//! New rows of `changes` and their keys: gathered while a batch is decided, written with one statement for
//! each table when it is.

use std::collections::HashMap;

use deskbell_core::ids::AppId;
use deskbell_core::limits::Millis;
use deskbell_core::log::Once;

use super::session::Session;
use crate::store::failure::Failure;
use crate::store::tables::Head;

/// Where idempotency keys are looked for before the database is asked: body, row, time.
type Known = HashMap<(AppId, u128), Key>;
/// What stands in the table for a key, or that nothing does.
pub(in crate::store) type Key = Option<(u64, u64, Millis)>;

/// What a batch has written so far.
#[derive(Debug, Default)]
pub(in crate::store) struct Pending {
    rows: Vec<Appended>,
    known: Known,
    /// The same in all rows of one commit.
    pub(in crate::store) batch: [u8; 16],
}

/// A row that is not in the database yet.
#[derive(Debug)]
pub(in crate::store) struct Appended {
    pub(in crate::store) app: AppId,
    pub(in crate::store) head: Head,
    pub(in crate::store) once: Option<Once>,
    pub(in crate::store) reply: Option<Vec<u8>>,
    pub(in crate::store) events: Vec<u8>,
    pub(in crate::store) touched: Option<Vec<u8>>,
}

impl Pending {
    pub(in crate::store) fn begin(&mut self, batch: [u8; 16]) {
        self.rows.clear();
        self.known.clear();
        self.batch = batch;
    }

    pub(in crate::store) fn push(&mut self, row: Appended) {
        if let Some(once) = row.once {
            self.known.insert((row.app, once.key), Some((once.body, row.head.row, row.head.at)));
        }
        self.rows.push(row);
    }

    /// The last row of the batch, by which its commit is known.
    pub(in crate::store) fn last(&self) -> Option<(AppId, u64)> {
        self.rows.last().map(|row| (row.app, row.head.row))
    }

    /// A row of this batch.
    pub(in crate::store) fn row(&self, app: AppId, row: u64) -> Option<&Appended> {
        self.rows.iter().find(|found| found.app == app && found.head.row == row)
    }

    /// What is known of a key, if anything is.
    pub(in crate::store) fn key(&self, app: AppId, key: u128) -> Option<Key> {
        self.known.get(&(app, key)).copied()
    }

    /// Asks for all keys of a batch at once.
    pub(in crate::store) fn foresee(
        &mut self,
        session: &Session,
        keys: &[(AppId, u128)],
    ) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        let apps: Vec<i64> = keys.iter().map(|(app, _)| app.0.cast_signed()).collect();
        let hashes: Vec<[u8; 16]> = keys.iter().map(|(_, key)| key.to_be_bytes()).collect();
        let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 16]>::as_slice).collect();
        let found = session.query(
            "SELECT app, key_hash, body_hash, position, at FROM keys
             JOIN unnest($1::bigint[], $2::bytea[]) AS wanted (app, key_hash) USING (app, key_hash)",
            &[&apps, &hashes],
        )?;
        self.known.extend(keys.iter().map(|key| (*key, None)));
        for row in found {
            let number = |column: usize| row.get::<_, i64>(column).cast_unsigned();
            let Ok(hash) = <[u8; 16]>::try_from(row.get::<_, &[u8]>(1)) else { continue };
            let key = (AppId(number(0)), u128::from_be_bytes(hash));
            self.known.insert(key, Some((number(2), number(3), number(4))));
        }
        Ok(())
    }

    /// Writes everything, and tells the other processes, who hear of it when it is committed.
    pub(in crate::store) fn flush(&self, session: &Session, process: &str) -> Result<(), Failure> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let apps: Vec<i64> = self.rows.iter().map(|row| row.app.0.cast_signed()).collect();
        let positions: Vec<i64> = self.rows.iter().map(|row| row.head.row.cast_signed()).collect();
        let times: Vec<i64> = self.rows.iter().map(|row| row.head.at.cast_signed()).collect();
        let hashes: Vec<Option<[u8; 16]>> =
            self.rows.iter().map(|row| row.once.map(|once| once.key.to_be_bytes())).collect();
        let hashes: Vec<Option<&[u8]>> =
            hashes.iter().map(|hash| hash.as_ref().map(|hash| &hash[..])).collect();
        let replies: Vec<Option<&[u8]>> = self.rows.iter().map(|row| row.reply.as_deref()).collect();
        let events: Vec<&[u8]> = self.rows.iter().map(|row| row.events.as_slice()).collect();
        let touched: Vec<Option<&[u8]>> = self.rows.iter().map(|row| row.touched.as_deref()).collect();
        let bodies: Vec<Option<i64>> =
            self.rows.iter().map(|row| row.once.map(|once| once.body.cast_signed())).collect();
        // The keys go with the rows: what the second part reads is what the first one was given.
        session.change(
            "WITH new (app, position, at, key_hash, reply, events, touched, body_hash) AS MATERIALIZED (
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[],
                                      $6::bytea[], $7::bytea[], $8::bigint[])),
             rows AS (
                 INSERT INTO changes (app, position, at, key_hash, reply, events, touched, batch)
                 SELECT app, position, at, key_hash, reply, events, touched, $9 FROM new)
             INSERT INTO keys (app, key_hash, body_hash, position, at)
             SELECT app, key_hash, body_hash, position, at FROM new WHERE key_hash IS NOT NULL
             ON CONFLICT (app, key_hash) DO UPDATE SET body_hash = excluded.body_hash,
                 position = excluded.position, at = excluded.at",
            &[
                &apps,
                &positions,
                &times,
                &hashes,
                &replies,
                &events,
                &touched,
                &bodies,
                &self.batch.as_slice(),
            ],
        )?;
        let mut heads: HashMap<i64, Head> = HashMap::new();
        heads.extend(self.rows.iter().map(|row| (row.app.0.cast_signed(), row.head)));
        let apps: Vec<i64> = heads.keys().copied().collect();
        let positions: Vec<i64> = heads.values().map(|head| head.row.cast_signed()).collect();
        let checks: Vec<i64> = heads.values().map(|head| i64::from(head.check)).collect();
        let times: Vec<i64> = heads.values().map(|head| head.at.cast_signed()).collect();
        session.query(
            "UPDATE apps SET position = new.position, check_value = new.check_value, at = new.at
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                 AS new (app, position, check_value, at)
             WHERE apps.app = new.app RETURNING pg_notify('deskbell', $5)",
            &[&apps, &positions, &checks, &times, &process],
        )?;
        Ok(())
    }
}
