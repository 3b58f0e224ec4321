//! What WordPress says, and the debug page.

use std::sync::Arc;

use axum::extract::{FromRequest as _, Request, State};
use axum::response::Response;
use deskbell_core::limits::SECOND;
use deskbell_core::refusal::Refusal;
use deskbell_wire::appointease::broadcast;

use super::super::answer;
use super::super::asked::{Anybody, Asked, Site};
use super::super::problem::Problem;
use super::{failed, stopped, terms, text};
use crate::appointease::notices;
use crate::clock;
use crate::hub::Hub;

/// Something has happened in WordPress.
pub async fn broadcast(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    match Site::from_request(request, &hub).await {
        Ok(Site(asked)) => {
            // WordPress sends it and goes: it counts whether somebody waits for the answer or not.
            let taken = hub.runtime.clone().spawn(async move { take(&hub, &asked).await }).await;
            match taken.unwrap_or_else(|_| Err(stopped())) {
                Ok(json) => answer::json(json),
                Err(refusal) => failed(&refusal),
            }
        }
        Err(problem) => failed(problem.refusal()),
    }
}

async fn take(hub: &Arc<Hub>, asked: &Asked) -> Result<String, Refusal> {
    let terms = terms(hub, asked)?;
    let told = broadcast::read(text(&asked.body)?, &terms.grid)?;
    notices::take(hub, &hub.apps[asked.app], &told).await?;
    hub.metrics.published.inc();
    Ok(broadcast::answer(clock::now_ms() / SECOND))
}

/// Who is connected, and what they look at. Addresses are whole only for whoever shows the secret.
pub async fn debug(State(hub): State<Arc<Hub>>, asked: Anybody) -> Result<Response, Problem> {
    let asked = asked.0;
    asked.query.only(&["token"])?;
    let terms = terms(&hub, &asked)?;
    let panel = hub.apps[asked.app].appointease.panel();
    let panel = if terms.trusting || asked.is_backend() { panel } else { panel.masked() };
    Ok(answer::json(panel.page(clock::now_ms())))
}
