//! What a resource shall be, as it stands in a body.

use deskbell_core::calendar::{Hours, TimeZone};
use deskbell_core::ids::ResourceId;
use deskbell_core::limits;
use deskbell_core::refusal::Refusal;
use deskbell_core::reservation::{Policy, ResourceWish};

use super::parts::user;
use crate::native::fields::{Fields, bad_field};

/// Reads the whole of a resource: what is not said is as usual.
pub fn wish(id: ResourceId, fields: &mut Fields<'_>) -> Result<ResourceWish, Refusal> {
    let capacity = fields.number("capacity")?.unwrap_or(1);
    let capacity = u32::try_from(capacity).ok().filter(|units| *units <= limits::CAPACITY);
    Ok(ResourceWish {
        id,
        capacity: capacity.ok_or_else(|| bad_field("capacity", "is 0 to 1,000,000"))?,
        before: fields.number("before_ms")?.unwrap_or(0),
        after: fields.number("after_ms")?.unwrap_or(0),
        time_zone: time_zone(fields)?,
        hours: hours(fields)?,
        provider: user(fields, "provider")?,
        policy: policy(fields)?,
    })
}

fn time_zone(fields: &mut Fields<'_>) -> Result<TimeZone, Refusal> {
    let zone = fields.text("time_zone")?;
    TimeZone::parse(zone.as_deref().unwrap_or("UTC"))
        .map_err(|no| Refusal::new(no.code, format!("`time_zone`: {}", no.message)))
}

fn hours(fields: &mut Fields<'_>) -> Result<Hours, Refusal> {
    match fields.present("hours") {
        None => Ok(Hours::default()),
        Some(raw) => Hours::from_json(raw.get())
            .map_err(|no| Refusal::new(no.code, format!("`hours`: {}", no.message))),
    }
}

fn policy(fields: &mut Fields<'_>) -> Result<Policy, Refusal> {
    let Some(raw) = fields.present("policy") else { return Ok(Policy::default()) };
    serde_json::from_str(raw.get()).map_err(|error| {
        // The reader's own words repeat the value, which may be long.
        let why: String = error.to_string().chars().take(160).flat_map(char::escape_debug).collect();
        bad_field("policy", &format!("cannot be read: {why}"))
    })
}
