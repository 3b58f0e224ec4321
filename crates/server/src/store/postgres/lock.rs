//! One writer of an app at a time, from whatever process: a batch begins by locking the app's one row. The
//! row says where the positions go on, and the database says what time it is.

use std::time::Duration;

use deskbell_core::ids::AppId;
use deskbell_core::limits::Millis;

use super::session::Session;
use crate::store::failure::Failure;
use crate::store::tables::Head;

/// Attempts to find out what became of a commit, with a growing pause before each: some ten seconds.
const ATTEMPTS: u32 = 8;
/// The first pause.
const PAUSE: Duration = Duration::from_millis(50);

/// What stands in the rows that were locked.
#[derive(Debug, Default)]
pub(in crate::store) struct Locked {
    /// The last row of each app.
    pub(in crate::store) heads: Vec<(AppId, Head)>,
    /// The database's time when the lock was there, and never before the last row.
    pub(in crate::store) now: Millis,
}

/// The outer question is asked when the inner one has its locks, so its time is not that of a wait.
const ALL: &str = "SELECT app, position, check_value, at, now_ms()
    FROM (SELECT app, position, check_value, at FROM apps ORDER BY app FOR UPDATE) AS locked";
const SOME: &str = "SELECT app, position, check_value, at, now_ms()
    FROM (SELECT app, position, check_value, at FROM apps WHERE app = ANY($1) ORDER BY app FOR UPDATE) AS locked";

/// Begins a transaction that writes for these apps, or for all.
pub(in crate::store) fn begin(session: &Session, apps: Option<&[AppId]>) -> Result<Locked, Failure> {
    session.begin("BEGIN")?;
    let Some(apps) = apps else { return Ok(locked(&session.query(ALL, &[])?)) };
    let wanted: Vec<i64> = apps.iter().map(|app| app.0.cast_signed()).collect();
    let found = session.query(SOME, &[&wanted])?;
    if found.len() == wanted.len() {
        return Ok(locked(&found));
    }
    session
        .change("INSERT INTO apps (app) SELECT unnest($1::bigint[]) ON CONFLICT DO NOTHING", &[&wanted])?;
    Ok(locked(&session.query(SOME, &[&wanted])?))
}

fn locked(rows: &[tokio_postgres::Row]) -> Locked {
    let mut locked = Locked::default();
    for row in rows {
        let number = |column: usize| row.get::<_, i64>(column).cast_unsigned();
        let head = Head { row: number(1), check: number(2) as u32, at: number(3) };
        locked.heads.push((AppId(number(0)), head));
        locked.now = locked.now.max(number(3)).max(number(4));
    }
    locked
}

/// The database's time.
pub(in crate::store) fn time(session: &Session) -> Result<Millis, Failure> {
    let found = session.query("SELECT now_ms()", &[])?;
    Ok(found.first().map_or(0, |row| row.get::<_, i64>(0)).cast_unsigned())
}

/// The connection was lost while it committed: did the commit happen? Its rows say so, once the server has
/// let go of the lock that the lost connection held.
pub(in crate::store) fn has_happened(
    session: &Session,
    app: AppId,
    position: u64,
    batch: [u8; 16],
) -> Result<bool, Failure> {
    let mut answer = Ok(false);
    for attempt in 0..ATTEMPTS {
        std::thread::sleep(PAUSE * 2_u32.pow(attempt.min(6)));
        answer = look(session, app, position, batch);
        if !matches!(answer, Err(Failure::Unreachable(_) | Failure::Contended(_))) {
            return answer;
        }
    }
    answer
}

fn look(session: &Session, app: AppId, position: u64, batch: [u8; 16]) -> Result<bool, Failure> {
    let looked = begin(session, Some(&[app])).and_then(|_| {
        session.query(
            "SELECT 1 FROM changes WHERE app = $1 AND position = $2 AND batch = $3",
            &[&app.0.cast_signed(), &position.cast_signed(), &batch.as_slice()],
        )
    });
    session.undo();
    Ok(!looked?.is_empty())
}
