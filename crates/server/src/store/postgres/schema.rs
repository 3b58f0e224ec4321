//! The way from an empty or older database to this program's schema. Steps only go forward; each is one
//! transaction with its number, under a lock that all processes of the database share.

use super::session::Session;
use crate::store::failure::Failure;

/// Every step forward, with the version that the database has after it.
const STEPS: [(i64, &str); 4] = [
    (1, include_str!("schema/0001.sql")),
    (2, include_str!("schema/0002.sql")),
    (3, include_str!("schema/0003.sql")),
    (4, include_str!("schema/0004.sql")),
];
/// The version that this program reads and writes.
const KNOWN: i64 = STEPS[STEPS.len() - 1].0;
/// Two processes that start at once go one after the other. Any number does that nobody else uses.
const LOCK: i64 = 0x6465_736b_6265_6c6c;

/// Two claims of one time, where only one can be. `btree_gist` lets it compare texts.
const GUARD: &str = "DO $$ BEGIN
    CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public;
    IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'claims_alone') THEN
        ALTER TABLE deskbell.claims ADD CONSTRAINT claims_alone EXCLUDE USING gist
            (app WITH =, resource WITH =, int8range(start, \"end\") WITH &&) WHERE (alone)
            DEFERRABLE INITIALLY DEFERRED;
    END IF;
END $$";

/// Brings the database to this program's schema.
pub(in crate::store) fn migrate(session: &Session) -> Result<(), Failure> {
    session.begin("BEGIN")?;
    let done = steps(session).and_then(|()| session.commit());
    if done.is_err() {
        session.undo();
        return done;
    }
    guard(session);
    Ok(())
}

fn steps(session: &Session) -> Result<(), Failure> {
    lock(session)?;
    let found = version(session)?;
    if found > KNOWN {
        return Err(newer(found));
    }
    if found == 0 {
        session.run(
            "CREATE SCHEMA IF NOT EXISTS deskbell; CREATE TABLE deskbell.version (version bigint NOT NULL);
             INSERT INTO deskbell.version VALUES (0)",
        )?;
    }
    for (version, step) in STEPS.into_iter().filter(|(version, _)| *version > found) {
        session.run(step)?;
        session.run(&format!("UPDATE deskbell.version SET version = {version}"))?;
    }
    Ok(())
}

/// Holds back every other process that is at the same place, until the transaction ends.
pub(in crate::store) fn lock(session: &Session) -> Result<(), Failure> {
    session.run(&format!(
        "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = '120s';
        SELECT pg_advisory_xact_lock({LOCK})"
    ))
}

/// The version of the database; 0 where there is nothing yet.
fn version(session: &Session) -> Result<i64, Failure> {
    let found = session.query("SELECT to_regclass('deskbell.version') IS NOT NULL", &[])?;
    if !found.first().is_some_and(|row| row.get(0)) {
        return Ok(0);
    }
    let found = session.query("SELECT version FROM deskbell.version", &[])?;
    Ok(found.first().map_or(0, |row| row.get(0)))
}

/// Refuses a database that is not of this program's version.
pub(in crate::store) fn check(session: &Session) -> Result<(), Failure> {
    match version(session)? {
        KNOWN => Ok(()),
        found if found > KNOWN => Err(newer(found)),
        found => Err(Failure::Shared(format!(
            "the database is of the older version {found}; start the server once, which brings it forward"
        ))),
    }
}

fn newer(found: i64) -> Failure {
    Failure::Shared(format!(
        "the database was written by a newer deskbell (version {found}, this program knows {KNOWN}); start the \
         newer program, or restore a backup from before the upgrade"
    ))
}

/// The second guard. Without it the count before each commit remains.
fn guard(session: &Session) {
    let exists = "SELECT 1 FROM pg_constraint WHERE conname = 'claims_alone'";
    if session.query(exists, &[]).is_ok_and(|found| !found.is_empty()) {
        return;
    }
    // Of servers that start at once the second one finds it made.
    let made = session.begin("BEGIN").and_then(|()| lock(session)).and_then(|()| session.run(GUARD));
    if let Err(failure) = made.and_then(|()| session.commit()) {
        session.undo();
        tracing::warn!(
            %failure,
            "the database cannot exclude two claims of one time by itself; the count before each commit still \
             does. To have both, let the database's owner run: CREATE EXTENSION btree_gist"
        );
    }
}
