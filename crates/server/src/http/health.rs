//! How the server is: for load balancers, for Prometheus, for operators.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{FromRequest, Request, State};
use axum::response::Response;
use deskbell_core::refusal::Code;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Value, json};

use super::answer;
use super::asked::Backend;
use super::problem::Problem;
use crate::hub::Hub;

/// The process lives.
pub async fn live() -> &'static str {
    "ok\n"
}

/// The process takes work.
pub async fn ready(State(hub): State<Arc<Hub>>) -> Result<&'static str, Problem> {
    if hub.draining.load(Ordering::Relaxed) {
        return Err(Problem::new(Code::Draining, "the server is stopping; send new clients elsewhere"));
    }
    if !hub.store.is_writing() {
        let sentence = "the store has stopped writing; look for the reason in the log and restart";
        return Err(Problem::new(Code::Unavailable, sentence));
    }
    if !hub.store.is_reachable() {
        let sentence = "the ledger's database does not answer; memory channels go on, holds wait for it";
        return Err(Problem::new(Code::Unavailable, sentence));
    }
    Ok("ready\n")
}

/// The counters for Prometheus.
pub async fn metrics(State(hub): State<Arc<Hub>>, request: Request) -> Result<Response, Problem> {
    let (enabled, public) = {
        let front = hub.front.load();
        (front.metrics_enabled, front.metrics_public)
    };
    if !enabled {
        return Err(Problem::new(Code::NotFound, "metrics are switched off; set metrics.enabled"));
    }
    if !public {
        Backend::from_request(request, &hub).await?.0.query.only(&[])?;
    }
    let mut response = Response::new(hub.metrics.render().into());
    let text = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The same as JSON, and the asking app's own numbers.
pub async fn stats(State(hub): State<Arc<Hub>>, asked: Backend) -> Result<Response, Problem> {
    asked.0.query.only(&[])?;
    let mut stats = hub.metrics.stats();
    let app = asked.app(&hub);
    let (channels, seq) = app.log.with(|log| (log.channels().count(), log.head().seq));
    if let Value::Object(members) = &mut stats {
        members.insert("sessions".to_owned(), hub.directory.count().into());
        members.insert("shards".to_owned(), hub.mailboxes.len().into());
        let hooks = hub.webhooks.of_app(app.index).map(|one| (one.hook().name.clone(), json!(one.shown())));
        members.insert("webhooks".to_owned(), Value::Object(hooks.collect()));
        members.extend(hub.redis.shown().map(|shown| ("redis".to_owned(), json!(shown))));
        members.insert("app".to_owned(), json!({ "id": app.id.0, "channels": channels, "seq": seq }));
    }
    Ok(answer::of(&stats))
}

/// What the API is, for programs.
pub async fn openapi() -> Response {
    answer::json(super::OPENAPI)
}
