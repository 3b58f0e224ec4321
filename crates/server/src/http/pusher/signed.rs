//! A request that names its app in the path and shows that it comes from its backend.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::{http_head, signature};
use http::Uri;
use http::request::Parts;

use super::super::asked::whole;
use super::super::auth::{self, Proof};
use super::super::problem::Problem;
use super::super::query::Query;
use crate::app::{App, Apps};
use crate::clock;
use crate::hub::Hub;
use crate::pusher::Terms;

/// The path as it came, where a prefix stood before it that somebody else has put there.
#[derive(Debug, Clone)]
pub struct Prefixed(pub String);

/// A request of the app's backend.
#[derive(Debug)]
pub struct Signed {
    /// Which app.
    pub app: usize,
    /// What the app agrees to.
    pub terms: Arc<Terms>,
    /// The query.
    pub query: Query,
    /// The body.
    pub body: Bytes,
}

impl Signed {
    /// The app.
    pub fn app<'a>(&self, hub: &'a Hub) -> &'a App {
        &hub.apps[self.app]
    }
}

impl FromRequest<Arc<Hub>> for Signed {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let query = Query::parse(parts.uri.query())?;
        let stranger = |refusal: Refusal| match auth::count(hub, &auth::peer(&parts)) {
            Ok(()) => Problem::from(refusal),
            Err(problem) => problem,
        };
        // Nobody's body is read before it is known whose it is.
        let proof = auth::proof(&hub.apps, auth::own(&parts), &parts.headers, &query).map_err(stranger)?;
        let (Proof::Secret(app) | Proof::Signature(app) | Proof::Token(app, _)) = proof;
        let app = &hub.apps[app];
        fits(app, named(parts.uri.path()), &hub.apps).map_err(stranger)?;
        if matches!(proof, Proof::Token(..)) {
            return Err(stranger(Refusal::new(
                Code::Denied,
                "this route is for the app's backend; sign with its secret",
            )));
        }
        let most = hub.front.load().body;
        let body = whole(&parts.headers, body, most, Duration::from_millis(limits::BODY_TIME)).await?;
        if matches!(proof, Proof::Signature(_)) {
            check(app, &parts, &body).map_err(stranger)?;
        }
        let terms = app.pusher.load_full();
        if !terms.enabled {
            let sentence = "this app takes no requests of this kind; switch pusher.enabled on";
            return Err(Problem::new(Code::Denied, sentence));
        }
        Ok(Self { app: app.index, terms, query, body })
    }
}

/// The id of the app that a path names. One library leaves it out of one route; then the key says it all.
fn named(path: &str) -> Option<&str> {
    path.strip_prefix("/apps/")?.split('/').next()
}

/// Key and path must name the same app.
fn fits(app: &App, named: Option<&str>, apps: &Apps) -> Result<(), Refusal> {
    let Some(named) = named else { return Ok(()) };
    let known = named.parse().ok().and_then(|id: u64| apps.of_id(id));
    match known {
        Some(known) if known.index == app.index => Ok(()),
        Some(_) => Err(Refusal::new(
            Code::Unauthorized,
            "the key belongs to another app than the path; take id, key and secret of one app",
        )),
        None => Err(Refusal::new(Code::NotFound, "no app has this id; take it from the configuration")),
    }
}

/// A backend signs the path that it knows: as it came, decoded, or before a proxy has put a prefix to it.
fn check(app: &App, parts: &Parts, body: &[u8]) -> Result<(), Refusal> {
    let path = parts.uri.path();
    let decoded = http_head::percent_decode(path);
    let prefixed = parts.extensions.get::<Prefixed>().map(|prefixed| prefixed.0.as_str());
    let signed = |path: &str| {
        let query = parts.uri.query().unwrap_or_default();
        let request = signature::Request { method: parts.method.as_str(), path, query, body };
        signature::verify(&request, &app.key, app.secret.expose().as_bytes(), clock::now_ms())
    };
    let first = signed(path);
    if first.is_ok()
        || (decoded != path && signed(&decoded).is_ok())
        || prefixed.is_some_and(|path| signed(path).is_ok())
    {
        return Ok(());
    }
    first
}

/// The address of a route of this dialect behind a prefix, and the whole path as it was.
pub fn without_prefix(uri: &Uri) -> Option<(Uri, Prefixed)> {
    let path = uri.path();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let short = if super::xhr::is_place(path) {
        // Clients can be told any path in place of this one.
        let at = path.rfind("/app/")?;
        format!("/pusher{}{query}", &path[at..])
    } else {
        let at = ["/apps/", "/broadcasting/", "/pusher/"].iter().find_map(|place| path.find(place))?;
        format!("{}{query}", &path[at..])
    };
    Some((short.parse().ok()?, Prefixed(path.to_owned())))
}
