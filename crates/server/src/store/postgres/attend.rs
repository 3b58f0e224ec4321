//! Which holders are connected where: a lease of each process in the database. Whoever has left one process
//! and is connected to another one has not departed.

use deskbell_core::ids::{AppId, Principal};
use deskbell_core::limits::Millis;

use super::session::Session;
use crate::store::failure::Failure;

/// How long a lease counts without being renewed. A process that is killed or frozen keeps nobody for longer.
const LEASE: Millis = 10_000;

/// Renews the leases of those who are here, and ends all others of this process. Gives those whose lease of another
/// process is over, which has died or hangs: somebody has to look whether they have departed.
pub(in crate::store) fn renew(
    session: &Session,
    process: &str,
    here: &[(AppId, Principal)],
) -> Result<Vec<(AppId, Principal)>, Failure> {
    let apps: Vec<i64> = here.iter().map(|(app, _)| app.0.cast_signed()).collect();
    let principals: Vec<String> = here.iter().map(|(_, principal)| principal.to_string()).collect();
    let left = session.query(
        "WITH here AS (SELECT * FROM unnest($2::bigint[], $3::text[]) AS here (app, principal)),
         gone AS (DELETE FROM attendance WHERE until < now_ms()
             OR process = $1 AND (app, principal) NOT IN (SELECT app, principal FROM here)
             RETURNING app, principal, process),
         renewed AS (
             INSERT INTO attendance (app, principal, process, until)
             SELECT app, principal, $1, now_ms() + $4 FROM here
             ON CONFLICT (app, principal, process) DO UPDATE SET until = excluded.until)
         SELECT app, principal FROM gone WHERE process <> $1",
        &[&process.as_bytes(), &apps, &principals, &LEASE.cast_signed()],
    )?;
    let one = |row: &tokio_postgres::Row| {
        let principal = Principal::parse(row.get(1)).ok()?;
        Some((AppId(row.get::<_, i64>(0).cast_unsigned()), principal))
    };
    Ok(left.iter().filter_map(one).collect())
}

/// Is somebody connected to another process?
pub(in crate::store) fn is_elsewhere(
    session: &Session,
    process: &str,
    app: AppId,
    principal: &Principal,
) -> Result<bool, Failure> {
    let found = session.query(
        "SELECT 1 FROM attendance WHERE app = $1 AND principal = $2 AND process <> $3 AND until > now_ms()",
        &[&app.0.cast_signed(), &principal.to_string(), &process.as_bytes()],
    )?;
    Ok(!found.is_empty())
}
