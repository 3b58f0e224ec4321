//! The few routes that PorticoEstate's own server was meant to have: `/health`, `/wss/health` and `/wss-publish`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use deskbell_core::ids::{ChannelName, EventId};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::portico::{EVERYONE, http as bodies};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use tokio::sync::oneshot;

use super::answer;
use super::asked::{Site, idempotency_key};
use super::ledger::stopped;
use super::problem::Problem;
use crate::clock;
use crate::hub::Hub;
use crate::portico::publish_of;

/// How many pages are connected. A server that stops or cannot write says so by its status.
pub async fn health(State(hub): State<Arc<Hub>>) -> Response {
    let pages = hub.apps.iter().map(|app| app.pages.load(Ordering::Relaxed)).sum();
    let body = bodies::health(pages, hub.apps[0].portico.load().stamp(clock::now_ms()));
    let mut response = answer::json(body);
    if hub.draining.load(Ordering::Relaxed) || !hub.store.is_writing() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// Tells every page something. Where that fails, the answer has the form that this application's callers look at.
pub async fn publish(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    match tell(&hub, request).await {
        Ok(()) => answer::json(bodies::published()),
        Err(problem) => {
            let bad = problem.refusal().code == Code::BadMessage;
            let body = if bad { bodies::invalid() } else { bodies::failed(&problem.refusal().message) };
            let mut response = problem.into_response();
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *response.body_mut() = Body::from(body);
            response
        }
    }
}

async fn tell(hub: &Arc<Hub>, request: Request) -> Result<(), Problem> {
    let Site(asked) = Site::from_request(request, hub).await?;
    asked.query.only(&[])?;
    let id: Option<EventId> = idempotency_key(&asked.headers)?;
    let app = &hub.apps[asked.app];
    let now = clock::now_ms();
    let text = String::from_utf8_lossy(&asked.body);
    let message = bodies::publish(&text, app.portico.load().stamp(now));
    let message = message.ok_or_else(|| Refusal::new(Code::BadMessage, "send one JSON object"))?;
    // What did not seem to arrive is sent again by a file.
    let id = id.or_else(|| message.sent_as());
    let publish = publish_of(ChannelName::parse(EVERYONE)?, &message, id);
    let (tell, told) = oneshot::channel();
    let settled = hub.publish(app, &asked.identity, publish, now, move |outcome| drop(tell.send(outcome)));
    match settled {
        Some(outcome) => outcome?,
        None => told.await.map_err(|_| stopped())??,
    };
    hub.metrics.published.inc();
    Ok(())
}
