//! Which web pages may call the API, and what every answer carries.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use deskbell_core::refusal::Code;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::appointease;
use super::problem::Problem;
use super::pusher::xhr;
use crate::hub::Hub;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE");
const HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, Idempotency-Key, Last-Event-ID");
/// What a page's script may read of an answer's head: nothing but when to come back.
const EXPOSED: HeaderValue = HeaderValue::from_static("Retry-After");
/// Seconds that a browser remembers what it may do.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// What a page of some origin may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// Call with its cookies: the operator has named it.
    Named,
    /// Call without them: everybody may.
    Anybody,
    /// Nothing.
    No,
}

fn allowed(origins: &[String], origin: &str) -> Allowed {
    // A sandboxed page calls itself `null`, as does every other one: it is never a name.
    let named = origin != "null" && origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin));
    if named {
        Allowed::Named
    } else if origins.iter().any(|listed| listed == "*") {
        Allowed::Anybody
    } else {
        Allowed::No
    }
}

/// Goes around every route: answers preflights, and puts on each answer what it may be used for.
pub async fn around(State(hub): State<Arc<Hub>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let verdict = origin.as_ref().map(|origin| {
        let path = request.uri().path();
        if xhr::is_place(path) {
            return Allowed::Anybody;
        }
        match allowed(&hub.front.load().cors_origins, origin.to_str().unwrap_or_default()) {
            Allowed::No if appointease::is_open(path) => Allowed::Anybody,
            verdict => verdict,
        }
    });
    let is_preflight = request.method() == Method::OPTIONS
        && origin.is_some()
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight { preflight(verdict) } else { next.run(request).await };
    if let Some(code) = response.extensions().get::<Code>() {
        hub.metrics.refused(*code);
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !hub.front.load().cors_origins.is_empty() {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    if let (Some(origin), Some(verdict)) = (origin, verdict) {
        mark(headers, origin, verdict);
    }
    response
}

fn preflight(verdict: Option<Allowed>) -> Response {
    if verdict.is_none_or(|verdict| verdict == Allowed::No) {
        let sentence = "pages of this origin may not call the API; add it to cors.origins";
        return Problem::new(Code::BadOrigin, sentence).into_response();
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    response
}

fn mark(headers: &mut HeaderMap, origin: HeaderValue, verdict: Allowed) {
    match verdict {
        Allowed::No => return,
        Allowed::Anybody => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Allowed::Named => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_origins() {
        let listed = |list: &[&str]| list.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>();
        let site = "https://www.example.org";
        for (list, origin, expected) in [
            (listed(&[]), site, Allowed::No),
            (listed(&[site]), site, Allowed::Named),
            (listed(&[site]), "HTTPS://www.example.org", Allowed::Named),
            (listed(&[site]), "http://www.example.org", Allowed::No),
            (listed(&[site]), "https://www.example.org.evil.test", Allowed::No),
            (listed(&["*"]), site, Allowed::Anybody),
            (listed(&["*", site]), site, Allowed::Named),
            (listed(&[site]), "null", Allowed::No),
            (listed(&["null"]), "null", Allowed::No),
            (listed(&["*"]), "null", Allowed::Anybody),
            (listed(&[site]), "", Allowed::No),
        ] {
            assert_eq!(allowed(&list, origin), expected, "{list:?} {origin}");
        }
    }
}
