//! Makes from the settings what an app agrees to in the AppointEase dialect, and which table of its site is followed.

use std::time::Duration;

use deskbell_core::calendar::TimeZone;
use deskbell_core::slotted::Grid;
use deskbell_wire::mysql::Address;

use super::{StartError, outward};
use crate::app::Apps;
use crate::appointease::Terms;
use crate::appointease::table::Plan;
use crate::config::Settings;

/// The zone of a site that says none, in development mode alone.
const USUAL: &str = "UTC";

/// The terms of every app; nothing, where the dialect is off.
pub fn terms(settings: &Settings) -> Result<Option<Terms>, StartError> {
    let wish = &settings.appointease;
    let Some(zone) = wish.time_zone.as_deref().or(settings.dev.then_some(USUAL)) else { return Ok(None) };
    let broken = |key: &str, why: &dyn std::fmt::Display| StartError(format!("appointease.{key}: {why}"));
    let zone = TimeZone::parse(zone).map_err(|why| broken("time_zone", &why))?;
    let grid = Grid::new(zone, wish.slot_ms).map_err(|why| broken("slot", &why))?;
    Ok(Some(Terms { grid, trusting: settings.dev }))
}

/// Is the dialect on?
pub fn is_open(settings: &Settings) -> bool {
    settings.dev || settings.appointease.time_zone.is_some()
}

/// The table of appointments that is followed, if there is one.
pub fn table(settings: &Settings, apps: &Apps) -> Result<Option<Plan>, StartError> {
    let wish = &settings.appointease;
    let Some(database) = &wish.database else { return Ok(None) };
    let address = Address::parse(database.expose(), &wish.table)
        .map_err(|why| StartError(format!("appointease.database: the address {why}")))?;
    let app = outward::app(wish.app, apps).map_err(|why| StartError(format!("appointease.app {why}")))?;
    Ok(Some(Plan { app, address, every: Duration::from_millis(wish.every_ms) }))
}
