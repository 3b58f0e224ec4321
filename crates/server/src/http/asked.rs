//! A request that was taken in: who asks, what its query says, and its whole body.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use deskbell_core::access::Identity;
use deskbell_core::ids::{EventId, Principal};
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName};

use super::auth::{self, Proof};
use super::gather::{Unread, gather};
use super::problem::Problem;
use super::query::Query;
use crate::app::App;
use crate::clock;
use crate::hub::Hub;

/// What a retrying client names its request by.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request of somebody who proved who it is.
#[derive(Debug)]
pub struct Asked {
    /// Of which app.
    pub app: usize,
    /// Who.
    pub identity: Identity,
    /// The client speaks TLS.
    pub secure: bool,
    /// The query.
    pub query: Query,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Asked {
    /// Is it a backend, to which no rule and no rate applies?
    pub fn is_backend(&self) -> bool {
        self.identity.principal == Principal::Backend
    }

    fn without_body(guest: (usize, Identity), secure: bool, query: Query, headers: HeaderMap) -> Self {
        let (app, identity) = guest;
        Self { app, identity, secure, query, headers, body: Bytes::new() }
    }
}

impl FromRequest<Arc<Hub>> for Asked {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let query = Query::parse(parts.uri.query())?;
        let peer = auth::peer(&parts);
        // Nobody's body is read before it is known whose it is.
        let proof = match auth::proof(&hub.apps, auth::own(&parts), &parts.headers, &query) {
            Ok(proof) => proof,
            Err(refusal) => {
                auth::count(hub, &peer)?;
                return Err(refusal.into());
            }
        };
        let (app, identity) = match proof {
            Proof::Secret(app) | Proof::Signature(app) => (app, Identity::backend()),
            Proof::Token(app, token) => {
                auth::count(hub, &peer)?;
                (app, hub.apps[app].verifier.check_and_wait(token, clock::now_ms).await?)
            }
        };
        let most = hub.front.load().body;
        let patience = Duration::from_millis(limits::BODY_TIME);
        let body = whole(&parts.headers, body, most, patience).await?;
        if let Proof::Signature(app) = proof
            && let Err(refusal) = auth::check_signature(&hub.apps[app], &parts, &body, clock::now_ms())
        {
            auth::count(hub, &peer)?;
            return Err(refusal.into());
        }
        Ok(Self { app, identity, secure: peer.secure, query, headers: parts.headers, body })
    }
}

/// A request of a backend.
#[derive(Debug)]
pub struct Backend(pub Asked);

impl Backend {
    /// The backend's app.
    pub fn app<'a>(&self, hub: &'a Hub) -> &'a App {
        &hub.apps[self.0.app]
    }
}

impl FromRequest<Arc<Hub>> for Backend {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Problem> {
        let asked = Asked::from_request(request, hub).await?;
        if asked.is_backend() {
            return Ok(Self(asked));
        }
        Err(Problem::new(
            Code::Denied,
            "this route is for backends; send the app's secret in place of a token",
        ))
    }
}

/// A request of the application's backend. In development mode it is whoever shows nothing at all.
#[derive(Debug)]
pub struct Site(pub Asked);

impl FromRequest<Arc<Hub>> for Site {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Problem> {
        let query = Query::parse(request.uri().query())?;
        let shows = request.headers().contains_key(AUTHORIZATION) || query.get("auth_signature").is_some();
        if shows || !hub.front.load().dev {
            return Backend::from_request(request, hub).await.map(|Backend(asked)| Self(asked));
        }
        let (parts, body) = request.into_parts();
        let peer = auth::peer(&parts);
        auth::count(hub, &peer)?;
        let app = auth::meant(hub, &parts, &query)?.index;
        let body =
            whole(&parts.headers, body, hub.front.load().body, Duration::from_millis(limits::BODY_TIME));
        let body = body.await?;
        let asked = Asked::without_body((app, Identity::backend()), peer.secure, query, parts.headers);
        Ok(Self(Asked { body, ..asked }))
    }
}

/// A request of somebody who may be nobody in particular: whoever reads what everybody may read.
#[derive(Debug)]
pub struct Anybody(pub Asked);

impl FromRequest<Arc<Hub>> for Anybody {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Problem> {
        known_or_not(request, hub).await.map(|(asked, _)| Self(asked))
    }
}

/// A request of somebody whom the server knows again: by a secret, a token, a signature, the site's own
/// cookie, or the visitor's.
#[derive(Debug)]
pub struct Caller(pub Asked);

impl FromRequest<Arc<Hub>> for Caller {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Problem> {
        match known_or_not(request, hub).await? {
            (asked, None) => Ok(Self(asked)),
            (_, Some(doubt)) => Err(doubt.into()),
        }
    }
}

/// Takes a request in, with the refusal of whoever is not known.
async fn known_or_not(request: Request, hub: &Arc<Hub>) -> Result<(Asked, Option<Refusal>), Problem> {
    let query = Query::parse(request.uri().query())?;
    if query.get("auth_signature").is_some() {
        return Asked::from_request(request, hub).await.map(|asked| (asked, None));
    }
    let (parts, body) = request.into_parts();
    let secure = auth::peer(&parts).secure;
    let guest = auth::guest(hub, &parts, &query).await?;
    let backend = guest.identity.principal == Principal::Backend;
    if !backend {
        if guest.by_cookie {
            auth::check_page(hub, &hub.apps[guest.app], &parts)?;
        }
        auth::count_identity(hub, &guest)?;
    }
    let unknown = guest.cookie.is_some().then(|| {
        guest.doubt.unwrap_or_else(|| {
            let sentence = "send `Authorization: Bearer` with the app's secret or a token; a browser without \
                            one shows the visitor's cookie that its connection was given";
            Refusal::new(Code::Unauthorized, sentence)
        })
    });
    if unknown.is_some() && parts.method != http::Method::GET {
        return Ok((Asked::without_body((guest.app, guest.identity), secure, query, parts.headers), unknown));
    }
    let body = whole(&parts.headers, body, hub.front.load().body, Duration::from_millis(limits::BODY_TIME));
    let body = body.await?;
    let mut asked = Asked::without_body((guest.app, guest.identity), secure, query, parts.headers);
    asked.body = body;
    Ok((asked, unknown))
}

/// The key that a retrying client sends along, bare or as a quoted string.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<EventId>, Refusal> {
    let Some(header) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = header.to_str().unwrap_or_default().trim();
    // The header's standard form is a quoted string; most clients send the bare key.
    let bare = text.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(text);
    let named = |no: Refusal| Refusal::new(no.code, format!("`Idempotency-Key`: {}", no.message));
    EventId::parse(bare).map(Some).map_err(named)
}

/// Reads a body of at most so many bytes.
pub(super) async fn whole(
    headers: &HeaderMap,
    body: Body,
    most: usize,
    patience: Duration,
) -> Result<Bytes, Refusal> {
    let told = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|told| told > most as u64) {
        return Err(too_large(most));
    }
    match tokio::time::timeout(patience, gather(body, most)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(Unread::TooLong)) => Err(too_large(most)),
        Ok(Err(Unread::Broken)) => {
            Err(Refusal::new(Code::BadMessage, "the body broke off; send the request again"))
        }
        Err(_) => Err(Refusal::new(Code::BadMessage, "the body came too slowly; send the request again")),
    }
}

fn too_large(most: usize) -> Refusal {
    let sentence = format!("a body has at most {most} bytes (limit.body); send it in several requests");
    Refusal::new(Code::TooLarge, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_are_bounded_whether_they_tell_their_length_or_not() {
        let read = |told: &'static str, body: &'static str| async move {
            let mut headers = HeaderMap::new();
            if !told.is_empty() {
                headers.insert(CONTENT_LENGTH, told.parse().unwrap());
            }
            whole(&headers, Body::from(body), 4, Duration::MAX).await.map_err(|no| no.code)
        };
        assert_eq!(read("4", "1234").await.as_deref(), Ok(&b"1234"[..]));
        assert_eq!(read("", "1234").await.as_deref(), Ok(&b"1234"[..]));
        assert_eq!(read("5", "").await, Err(Code::TooLarge));
        assert_eq!(read("99999999999999999999", "12345").await, Err(Code::TooLarge));
        assert_eq!(read("", "12345").await, Err(Code::TooLarge));
    }

    /// A body whose client says nothing more.
    struct Silent;

    impl http_body::Body for Silent {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_body_that_never_comes_is_given_up() {
        let no = whole(&HeaderMap::new(), Body::new(Silent), 4, Duration::ZERO).await.unwrap_err();
        assert_eq!(no.code, Code::BadMessage);
    }
}
