//! The routes of the AppointEase plugin: those that its pages ask where they have no WebSocket, and those by which its
//! WordPress tells what has happened.
//!
//! | part | what |
//! |---|---|
//! | [`pages`] | locks and free times |
//! | [`poll`] | the long poll |
//! | [`backend`] | what WordPress says, and the debug page |
//!
//! Answers and errors have the form that the plugin's own routes give them.

pub mod backend;
pub mod pages;
pub mod poll;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use deskbell_core::access::Identity;
use deskbell_core::ids::UserId;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::appointease::rest;
use deskbell_wire::signature::verify_email;
use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};
use tokio::sync::oneshot;

use super::answer;
use super::asked::{Asked, whole};
use super::auth;
use super::ledger::stopped;
use super::problem::Problem;
use super::query::Query;
use crate::app::App;
use crate::appointease::{Terms, acts};
use crate::clock;
use crate::hub::Hub;

/// May pages of any site read this? They hear nothing of anybody, and act as nobody.
pub fn is_open(path: &str) -> bool {
    matches!(path, "/debug" | "/wp-json/booking/v1/availability")
        || path.starts_with("/wp-json/appointease/v1/")
}

/// A request of a page: of somebody, or of a visitor. A page of another site is a visitor that nobody knows, whatever
/// its browser sends along.
#[derive(Debug)]
pub struct Visit {
    /// What was asked.
    asked: Asked,
    /// The cookie for a visitor who is new here.
    cookie: Option<HeaderValue>,
    /// What tells this poller from others, where it says nothing of itself.
    from: String,
}

impl FromRequest<Arc<Hub>> for Visit {
    type Rejection = Response;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Response> {
        visit(request, hub).await.map_err(|problem| failed(problem.refusal()))
    }
}

async fn visit(request: Request, hub: &Arc<Hub>) -> Result<Visit, Problem> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query())?;
    let peer = auth::peer(&parts);
    let mut guest = auth::guest(hub, &parts, &query).await?;
    let app = &hub.apps[guest.app];
    acts::terms(app)?;
    if guest.by_cookie && auth::check_page(hub, app, &parts).is_err() {
        guest.identity = Identity::visitor(clock::random_u64());
        guest.cookie = None;
    } else {
        auth::count_identity(hub, &guest)?;
    }
    if let Some(person) = person(app, &query)? {
        guest.identity = person;
    }
    let from = match &guest.cookie {
        Some(_) => peer.address.to_string(),
        None => guest.identity.principal.to_string(),
    };
    let body = whole(&parts.headers, body, hub.front.load().body, Duration::from_millis(limits::BODY_TIME));
    let body = body.await?;
    let asked = Asked::without_body((guest.app, guest.identity), peer.secure, query, parts.headers);
    Ok(Visit { asked: Asked { body, ..asked }, cookie: guest.cookie, from })
}

/// Whose address the query names, where that is proven or believed.
fn person(app: &App, query: &Query) -> Result<Option<Identity>, Refusal> {
    let Some(email) = query.get("email") else { return Ok(None) };
    let trusting = acts::terms(app)?.trusting;
    let user = match query.get("sig") {
        Some(sig) => {
            let secret = app.secret.expose();
            Some(verify_email(secret.as_bytes(), email, sig, clock::now_ms())?)
        }
        None if trusting => UserId::parse(&email.to_ascii_lowercase()).ok(),
        None => None,
    };
    Ok(user.map(Identity::user))
}

impl Visit {
    fn app<'a>(&self, hub: &'a Hub) -> &'a App {
        &hub.apps[self.asked.app]
    }

    /// The body as a text.
    fn text(&self) -> Result<&str, Refusal> {
        text(&self.asked.body)
    }

    /// An answer, or an error as WordPress writes it; with the cookie of whoever is new.
    fn answer(&self, answered: Result<String, Refusal>) -> Response {
        let mut response = match answered {
            Ok(json) => answer::json(json),
            Err(refusal) => failed(&refusal),
        };
        if let Some(cookie) = &self.cookie {
            response.headers_mut().append(SET_COOKIE, cookie.clone());
        }
        response
    }
}

fn text(body: &[u8]) -> Result<&str, Refusal> {
    str::from_utf8(body)
        .map_err(|_| Refusal::new(Code::BadMessage, "the body is no text; send JSON or a form in UTF-8"))
}

/// A refusal as WordPress writes errors.
fn failed(refusal: &Refusal) -> Response {
    let status = match refusal.code {
        Code::Conflict | Code::NotHolder => 409,
        Code::RateLimited | Code::LimitReached | Code::Quota => 429,
        code => code.http_status(),
    };
    let mut response = answer::json(Body::from(rest::failed(refusal)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    // For whoever counts refusals on the way out.
    response.extensions_mut().insert(refusal.code);
    response
}

/// Waits for what the store answers.
async fn told<T: Send + 'static>(ask: impl FnOnce(Tell<T>)) -> Result<T, Refusal> {
    let (tell, told) = oneshot::channel();
    // Whoever asked may have gone; then it was done for nobody.
    ask(Box::new(move |answer| drop(tell.send(answer))));
    told.await.map_err(|_| stopped())?
}

/// The way back of an answer.
type Tell<T> = Box<dyn FnOnce(Result<T, Refusal>) + Send>;

/// The terms of the app that is asked.
fn terms(hub: &Hub, asked: &Asked) -> Result<Arc<Terms>, Refusal> {
    acts::terms(&hub.apps[asked.app])
}
