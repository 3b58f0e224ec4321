//! Rows into the index of events, with one statement for each of its tables.

use std::collections::BTreeMap;

use deskbell_core::class::is_ledger_fed;
use deskbell_core::ids::AppId;

use super::session::Session;
use crate::store::failure::Failure;
use crate::store::index::Filed;

/// Files events, in order and by channel.
pub(in crate::store) fn file(
    session: &Session,
    app: AppId,
    channels: &[&[Filed<'_>]],
) -> Result<(), Failure> {
    let app = app.0.cast_signed();
    let first: Vec<&Filed<'_>> = channels.iter().filter_map(|filed| filed.first()).collect();
    let names: Vec<&str> = first.iter().map(|filed| filed.event.channel).collect();
    let firsts: Vec<i64> = first.iter().map(|filed| filed.coordinate).collect();
    session.change(
        "INSERT INTO channels (app, name, id, floor) SELECT $1::bigint, name, id, forgotten
         FROM unnest($2::text[], $3::bigint[]) AS new (name, id) JOIN apps ON apps.app = $1
         ON CONFLICT (app, name) DO NOTHING",
        &[&app, &names, &firsts],
    )?;
    let found =
        session.query("SELECT name, id FROM channels WHERE app = $1 AND name = ANY($2)", &[&app, &names])?;
    let ids: BTreeMap<&str, i64> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
    let (mut of, mut coordinates) = (Vec::new(), Vec::new());
    let mut latest: BTreeMap<(i64, &str), i64> = BTreeMap::new();
    for filed in channels.iter().copied().flatten() {
        let Some(id) = ids.get(filed.event.channel) else { continue };
        of.push(*id);
        coordinates.push(filed.coordinate);
        // A stream has no newest value that would stand for the others.
        if !is_ledger_fed(filed.event.channel) {
            latest.insert((*id, filed.event.key_or_name()), filed.coordinate);
        }
    }
    session.change(
        "INSERT INTO feed (app, channel, coordinate)
         SELECT $1::bigint, * FROM unnest($2::bigint[], $3::bigint[])",
        &[&app, &of, &coordinates],
    )?;
    let of: Vec<i64> = latest.keys().map(|(id, _)| *id).collect();
    let keys: Vec<&str> = latest.keys().map(|(_, key)| *key).collect();
    let coordinates: Vec<i64> = latest.into_values().collect();
    session.change(
        "INSERT INTO latest (app, channel, key, coordinate)
         SELECT $1::bigint, * FROM unnest($2::bigint[], $3::text[], $4::bigint[])
         ON CONFLICT (app, channel, key) DO UPDATE SET coordinate = excluded.coordinate",
        &[&app, &of, &keys, &coordinates],
    )?;
    Ok(())
}
