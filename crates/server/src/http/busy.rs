//! Busy times of a resource from somewhere else: `/v1/resources/{id}/busy`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use deskbell_core::calendar::{Span, TimeZone};
use deskbell_core::ids::{ReservationId, ResourceId, SourceName};
use deskbell_core::limits::Millis;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::ics;
use deskbell_wire::ledger::{named, time};
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::answer;
use super::asked::{Asked, Backend, idempotency_key};
use super::ledger::commands::{Answered, plead_for};
use super::ledger::look;
use super::ledger::read::one_resource;
use super::problem::{Problem, bad_field};
use crate::hub::Hub;
use crate::store::{Look, Seen};
use crate::{calendars, clock};

/// The source of busy times for whoever names none.
const USUAL: &str = "busy";

#[derive(Serialize)]
struct Shown<'a> {
    resource: &'a ResourceId,
    source: &'a str,
    as_of: Millis,
    busy: Vec<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    position: u64,
}

/// Replaces what a source said of when the resource is busy.
pub async fn put(State(hub): State<Arc<Hub>>, Path(id): Path<String>, asked: Backend) -> Answered {
    let asked = &asked.0;
    asked.query.only(&["source", "as_of"])?;
    let (resource, source) = whose(&id, asked)?;
    let now = clock::now_ms();
    let found = one_resource(&hub, asked.app, &resource).await?;
    let found = found.ok_or_else(|| {
        Problem::new(Code::NotFound, "there is no such resource; make it with PUT /v1/resources/ID")
    })?;
    let (spans, as_of) = said(asked, &found.time_zone, now)?;
    let named = asked.query.get("as_of").map(|text| time::of_query("as_of", text)).transpose()?;
    let as_of = as_of.or(named).unwrap_or(now);
    let key = idempotency_key(&asked.headers)?;
    plead_for(&hub, asked, calendars::block(&resource, source, as_of, &spans, key)).await
}

fn whose(id: &str, asked: &Asked) -> Result<(ResourceId, SourceName), Refusal> {
    let resource = ResourceId::parse(id).map_err(|no| named("id", no))?;
    let name = asked.query.get("source").unwrap_or(USUAL);
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.len() > 40 || !name.chars().all(fits) {
        return Err(bad_field("source", "has at most 40 letters, digits, - and _"));
    }
    let source = calendars::source(&resource, name)?;
    Ok((resource, source))
}

/// A calendar or a list, by its content type.
fn said(asked: &Asked, zone: &TimeZone, now: Millis) -> Result<(Vec<Span>, Option<Millis>), Refusal> {
    let kind = asked.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.trim_start().to_ascii_lowercase().starts_with("text/calendar") {
        return Ok((calendars::times(&ics::read(&asked.body)?, zone, now)?, None));
    }
    let busy = ics::list(&asked.body)?;
    Ok((busy.spans, busy.as_of))
}

/// Tells what a source blocks, and how old that is.
pub async fn get(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    asked: Backend,
) -> Result<Response, Problem> {
    let asked = &asked.0;
    asked.query.only(&["source"])?;
    let (resource, source) = whose(&id, asked)?;
    let name = asked.query.get("source").unwrap_or(USUAL);
    let sighting = look(&hub, asked.app, Look::Reservation(ReservationId::of_source(&source))).await?;
    let found = match &sighting.seen {
        Seen::Reservation(Some(found)) => found.block.as_ref().map(|block| (found, block.as_of)),
        _ => None,
    };
    let checked = hub.calendars.checked(asked.app, &source);
    if found.is_none() && checked.is_none() {
        let sentence = "nobody said when this resource is busy; send it with PUT on the same path";
        return Err(Problem::new(Code::NotFound, sentence));
    }
    let claims = found.iter().flat_map(|(found, _)| &found.claims);
    let checked = checked.unwrap_or_default();
    let stored = found.as_ref().map_or(0, |(_, as_of)| *as_of);
    Ok(answer::of(&Shown {
        resource: &resource,
        source: name,
        // What was found unchanged is true since then.
        as_of: checked.at.unwrap_or(0).max(stored),
        busy: claims.map(|granted| granted.claim.span()).collect(),
        trouble: checked.trouble,
        position: sighting.position,
    }))
}
