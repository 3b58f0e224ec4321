//! Makes from the settings what the server agrees to in the Portico dialect.

use std::time::Duration;

use deskbell_core::calendar::TimeZone;
use deskbell_wire::portico::pulse::Rhythm;
use deskbell_wire::portico::relays::Mode;
use deskbell_wire::webhook::Secret;

use super::{StartError, outward};
use crate::app::Apps;
use crate::config::{ApplicationsFrom, Settings};
use crate::portico::applications::Source;
use crate::portico::{Applications, Terms, spool};
use crate::store::{Opened, Shared};

/// The terms of every app.
pub fn terms(settings: &Settings) -> Result<Terms, StartError> {
    let wish = &settings.portico;
    let mode = match (settings.dev, wish.relays) {
        (true, _) => Mode::Dev,
        (false, true) => Mode::Relays,
        (false, false) => Mode::Normal,
    };
    let zone = TimeZone::parse(&wish.time_zone)
        .map_err(|no| StartError(format!("portico.time_zone: {}", no.message)))?;
    Ok(Terms { mode, zone })
}

/// Gives the apps the places of pages that went with the run before.
pub fn adopt_pages(opened: &mut Opened, apps: &Apps) -> Result<(), StartError> {
    for app in apps.iter() {
        let Some(json) = opened.take_pages(app.id).map_err(StartError::new)? else { continue };
        match serde_json::from_str(&json) {
            Ok(carried) => app.away.adopt(carried),
            Err(error) => tracing::warn!(%error, "where pages stood in the last run cannot be read"),
        }
    }
    Ok(())
}

/// How often pages are asked for a sign of life.
pub fn rhythm(settings: &Settings) -> Rhythm {
    let wish = &settings.portico;
    Rhythm { server_ping: wish.server_ping_ms, room_ping: wish.room_ping_ms, silence: wish.silence_ms }
}

/// The folder from which files are told, if there is one.
pub fn spool(settings: &Settings, apps: &Apps) -> Result<Option<spool::Plan>, StartError> {
    spool_with(settings, |id| outward::app(id, apps))
}

/// The same with another way to find an app, for where none runs.
pub fn spool_with(
    settings: &Settings,
    app: impl Fn(Option<u64>) -> Result<usize, String>,
) -> Result<Option<spool::Plan>, StartError> {
    let Some(wish) = &settings.portico.spool else { return Ok(None) };
    let owners = wish.owners.iter().map(|owner| user_number(owner)).collect::<Result<_, _>>()?;
    let app = app(settings.portico.app).map_err(|why| StartError(format!("portico.app {why}")))?;
    let scan = Duration::from_millis(wish.scan_ms);
    Ok(Some(spool::Plan { folder: wish.folder.clone(), owners, scan, app }))
}

/// The number of a user of this machine.
fn user_number(name: &str) -> Result<u32, StartError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    let unknown = || {
        StartError(format!("portico.spool_owners: there is no user {name} in /etc/passwd; write its number"))
    };
    number.ok_or_else(unknown)
}

/// Where a session's applications come from.
pub fn applications(settings: &Settings) -> Result<Applications, StartError> {
    let wish = &settings.portico;
    let missing = |key: &str| StartError(format!("portico.{key} is missing; portico.applications needs it"));
    let source = match &wish.applications {
        ApplicationsFrom::Ledger => Source::Ledger,
        ApplicationsFrom::Postgres { url, query } => {
            if url.expose().is_empty() {
                return Err(missing("database"));
            }
            if query.is_empty() {
                return Err(missing("query"));
            }
            Source::Postgres { place: Shared(url.expose().to_owned()), query: query.clone() }
        }
        ApplicationsFrom::Callback { url, .. } if url.is_empty() => return Err(missing("callback")),
        ApplicationsFrom::Callback { url, secret } => {
            let secret = secret.as_ref().map(|secret| Secret::parse(secret.expose())).transpose();
            Source::Callback {
                address: outward::address(url, None)
                    .map_err(|why| StartError(format!("portico.callback {why}")))?,
                secret: secret
                    .map_err(|why| StartError(format!("portico.callback_secret has a bad secret: {why}")))?,
            }
        }
    };
    Ok(Applications::new(source, Duration::from_millis(wish.applications_timeout_ms)))
}
