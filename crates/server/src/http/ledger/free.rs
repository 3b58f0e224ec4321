//! `GET /v1/resources/{id}/availability`: what is free, for whoever may subscribe to it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use deskbell_core::access::Action;
use deskbell_core::ids::{ChannelName, ResourceId};
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::Span;
use deskbell_core::vocabulary::Availability;
use deskbell_wire::ledger::{named, time, window};
use serde::Serialize;
use tokio::sync::oneshot;

use super::super::answer;
use super::super::asked::Anybody;
use super::super::problem::{Problem, bad_field};
use super::super::query::Query;
use super::{TOKEN, stopped};
use crate::clock;
use crate::hub::Hub;
use crate::ledger::{self, ShownFree};

#[derive(Serialize)]
struct Free {
    #[serde(flatten)]
    shown: ShownFree,
    cursor: String,
}

/// Answers with the segments of a window, and with the beginnings of a claim where one is named.
pub async fn free(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    asked: Anybody,
) -> Result<Response, Problem> {
    let (asked, app) = (&asked.0, &hub.apps[asked.0.app]);
    asked.query.only(&["from", "to", "duration", "step", "units", TOKEN])?;
    let resource = ResourceId::parse(&id).map_err(|no| named("id", no))?;
    let channel = ChannelName::parse(&format!("slots:{resource}"))?;
    app.allows(&asked.identity, Action::Subscribe, &channel, clock::now_ms())?;
    let question = question(resource, &asked.query)?;
    let (tell, told) = oneshot::channel();
    ledger::free(&hub, app, question, move |found| drop(tell.send(found)));
    let (shown, at) = told.await.map_err(|_| stopped())??.show()?;
    Ok(answer::of(&Free { shown, cursor: app.seal(at) }))
}

fn question(resource: ResourceId, query: &Query) -> Result<Availability, Refusal> {
    let at = |name: &str| {
        let text = query.get(name).ok_or_else(|| bad_field(name, "is missing; ask for a window of time"))?;
        time::of_query(name, text)
    };
    let number = |name: &str| -> Result<Option<u64>, Refusal> {
        let Some(text) = query.get(name) else { return Ok(None) };
        // Digits that do not fit are a number beyond every bound.
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        if digits {
            Ok(Some(text.parse().unwrap_or(u64::MAX)))
        } else {
            Err(bad_field(name, "must be a whole number"))
        }
    };
    let units = number("units")?.unwrap_or(1).min(u64::from(limits::CAPACITY) + 1);
    window(Availability {
        resource,
        window: Span { start: at("from")?, end: at("to")? },
        duration: number("duration")?,
        step: number("step")?,
        units: u32::try_from(units).map_err(|_| Refusal::new(Code::BadField, "`units` is 1 to 1,000,000"))?,
    })
}
