//! Makes from the settings what the server agrees to in the Portico dialect.

use std::time::Duration;

use deskbell_core::calendar::TimeZone;
use deskbell_wire::portico::pulse::Rhythm;
use deskbell_wire::portico::relays::Mode;
use deskbell_wire::webhook::Secret;

use super::{StartError, outward};
use crate::config::{ApplicationsFrom, Settings};
use crate::portico::applications::Source;
use crate::portico::{Applications, Terms};
use crate::store::Shared;

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

/// How often pages are asked for a sign of life.
pub fn rhythm(settings: &Settings) -> Rhythm {
    let wish = &settings.portico;
    Rhythm { server_ping: wish.server_ping_ms, room_ping: wish.room_ping_ms, silence: wish.silence_ms }
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
