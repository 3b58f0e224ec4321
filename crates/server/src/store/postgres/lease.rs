//! What only one of several processes does at a time: a lease by name, in the database's time. Nobody leads;
//! whoever asks first when a lease is over has it. It is over as soon as the connection is gone over which it was
//! renewed, which is at once where a process is killed; one that hangs keeps its connection, and has its time.

use deskbell_core::ids::AppId;
use deskbell_core::limits::{Millis, SECOND};

use super::session::Session;
use crate::store::failure::Failure;
use crate::store::notes::{LeaseWish, Turn};

/// How long a lease counts without being renewed.
pub(in crate::store) const LEASE: Millis = 10 * SECOND;

/// What stands in the table for what another process asked of the one that has the lease.
const GO_ON: &str = "go on";
const REST: &str = "rest";

/// Does what a process wants of a lease.
pub(in crate::store) fn wish(
    session: &Session,
    process: &str,
    app: AppId,
    name: &str,
    wish: LeaseWish,
) -> Result<Turn, Failure> {
    let (app, process) = (app.0.cast_signed(), process.as_bytes());
    match wish {
        LeaseWish::Hold => hold(session, process, app, name),
        LeaseWish::Free => {
            let free = "UPDATE leases SET until = 0 WHERE app = $1 AND name = $2 AND process = $3";
            session.change(free, &[&app, &name, &process]).map(|_| Turn::Elsewhere)
        }
        LeaseWish::LetGoOn | LeaseWish::LetRest => {
            let said = if wish == LeaseWish::LetGoOn { GO_ON } else { REST };
            let say = "UPDATE leases SET wish = $3 WHERE app = $1 AND name = $2";
            session.change(say, &[&app, &name, &said]).map(|_| Turn::Elsewhere)
        }
    }
}

fn hold(session: &Session, process: &[u8], app: i64, name: &str) -> Result<Turn, Failure> {
    session.change(
        "INSERT INTO leases (app, name, process, pid, until) VALUES ($1, $2, $3, 0, 0) ON CONFLICT DO NOTHING",
        &[&app, &name, &process],
    )?;
    // It waits for whoever changes the row, so that no wish is overlooked.
    let found = session.query(
        "UPDATE leases SET process = $3, pid = pg_backend_pid(), until = now_ms() + $4
         WHERE app = $1 AND name = $2 AND (process = $3 OR until <= now_ms()
             OR NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pg_stat_activity.pid = leases.pid))
         RETURNING wish",
        &[&app, &name, &process, &LEASE.cast_signed()],
    )?;
    Ok(match found.first().map(|row| row.get::<_, Option<&str>>(0)) {
        None => Turn::Elsewhere,
        Some(Some(GO_ON)) => Turn::HereToGoOn,
        Some(Some(REST)) => Turn::HereToRest,
        Some(_) => Turn::Here,
    })
}

/// Whoever writes under a lease must have it still. What was wished is done with what is written now.
pub(in crate::store) fn check(
    session: &Session,
    process: &str,
    app: AppId,
    name: &str,
    is_off: bool,
) -> Result<(), Failure> {
    let done = if is_off { REST } else { GO_ON };
    let held = session.change(
        "UPDATE leases SET wish = nullif(wish, $4) WHERE app = $1 AND name = $2 AND process = $3",
        &[&app.0.cast_signed(), &name, &process.as_bytes(), &done],
    )?;
    if held == 0 {
        return Err(Failure::Contended(format!("another process has taken {name} over")));
    }
    Ok(())
}
