//! The requests of polling Socket.IO clients: each is checked here and given to the shard that has its session.
//!
//! They stand before the table of routes, because the operator says at which paths they are, and such a path may
//! also be somebody else's.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use deskbell_core::limits;
use deskbell_core::refusal::Code;
use deskbell_wire::engineio::Sid;
use deskbell_wire::engineio::answer::{Answer, CACHE, takes};
use deskbell_wire::engineio::asked::{Asked, Fault, Wish, ask};
use deskbell_wire::http_head;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE, ORIGIN, SET_COOKIE,
    VARY,
};
use http::{HeaderValue, Method, StatusCode};
use tokio::sync::oneshot;

use super::auth;
use super::gather::{Unread, gather};
use crate::clock;
use crate::door::{self, Place};
use crate::hub::Hub;
use crate::shard::{Arrival, Letter, Request as Wanted, Way};

/// Goes around every route: a request of this dialect is answered here.
pub async fn around(State(hub): State<Arc<Hub>>, request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    if !hub.front.load().socketio.takes(request.uri().path(), query) {
        return next.run(request).await;
    }
    let origin = request.headers().get(ORIGIN).cloned();
    let mut response =
        if request.method() == Method::OPTIONS { preflight() } else { answer(&hub, request).await };
    if let Some(origin) = origin {
        allow(&hub, &mut response, origin);
    }
    response
}

/// A page reads the answer with its cookies, if its origin may connect; then it is named, because a star would
/// shut out every page that sends them.
fn allow(hub: &Hub, response: &mut Response, origin: HeaderValue) {
    let front = hub.front.load();
    let text = origin.to_str().unwrap_or_default();
    let mut listed = front.origins.iter().chain(&front.cors_origins);
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if front.dev || listed.any(|own| own.eq_ignore_ascii_case(text)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    } else if front.origins.iter().any(|own| own == "*") {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
}

fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Content-Type"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

async fn answer(hub: &Arc<Hub>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    // A WebSocket was answered by the front door.
    let asked = match ask(request.method().as_str(), query, false) {
        Ok(asked) => asked,
        Err(fault) => {
            hub.metrics.bad_requests.inc();
            return shown(Answer::fault(fault));
        }
    };
    match asked.wish {
        Wish::Open(_) => open(hub, request, asked).await,
        Wish::Poll(sid) => match too_fast(hub, &request) {
            Some(no) => no,
            None => poll(hub, sid).await,
        },
        Wish::Post(sid) => post(hub, request, sid).await,
        Wish::Upgrade(_) => shown(Answer::fault(Fault::BadRequest)),
    }
}

/// A session begins; the answer is its first packet.
async fn open(hub: &Arc<Hub>, request: Request, asked: Asked) -> Response {
    let place = request.extensions().get::<Place>().copied().unwrap_or_default();
    let text = door::head_text(&request);
    let (parts, _) = request.into_parts();
    let peer = auth::peer(&parts);
    let Ok(Some(head)) = http_head::parse_within(&text, usize::MAX) else {
        return shown(Answer::fault(Fault::BadRequest));
    };
    let guest = match door::let_in(hub, place, &head, &peer, asked).await {
        Ok(guest) => guest,
        Err((fault, code)) => {
            hub.metrics.refused(code);
            return shown(Answer::fault(fault));
        }
    };
    let (tell, told) = oneshot::channel();
    let sid = guest.opening.sid;
    let arrival = Arrival {
        app: guest.app,
        identity: Arc::new(guest.identity),
        peer: peer.address,
        way: Way::Polling { answer: tell, opening: guest.opening },
        seat: guest.seat,
    };
    let mut response = send(hub, sid, Letter::Arrived(Box::new(arrival)), told).await;
    for cookie in guest.cookies {
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}

/// A request that waits for something to say. Whoever goes away from it is missed by its shard.
async fn poll(hub: &Arc<Hub>, sid: Sid) -> Response {
    let (tell, told) = oneshot::channel();
    let number = clock::random_u64();
    let watch = Watch { hub: hub.clone(), sid, number, over: false };
    let letter = Letter::Engine { session: sid, request: Wanted::Get(number, tell) };
    let response = send(hub, sid, letter, told).await;
    watch.end();
    response
}

/// Tells the shard when the request is dropped, which happens when its client goes away.
struct Watch {
    hub: Arc<Hub>,
    sid: Sid,
    number: u64,
    over: bool,
}

impl Watch {
    fn end(mut self) {
        self.over = true;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.over {
            let request = Wanted::Gone(self.number);
            shard_of(&self.hub, self.sid).answer(Letter::Engine { session: self.sid, request });
        }
    }
}

/// A request that brings packets.
async fn post(hub: &Arc<Hub>, request: Request, sid: Sid) -> Response {
    if let Some(no) = too_fast(hub, &request) {
        return no;
    }
    let Some(_on_its_way) = hub.directory.begin_body(sid) else {
        shard_of(hub, sid).answer(Letter::Engine { session: sid, request: Wanted::Broken });
        return shown(Answer::fault(Fault::BadRequest));
    };
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let most = hub.apps.iter().map(|app| app.socketio.load().max_payload).max().unwrap_or(0);
    let body = if takes(kind.as_deref()) { body(request, most).await } else { Err(Fault::BadRequest.into()) };
    match body {
        Ok(body) => {
            let (tell, told) = oneshot::channel();
            send(hub, sid, Letter::Engine { session: sid, request: Wanted::Post(body, tell) }, told).await
        }
        Err(no) => {
            shard_of(hub, sid).answer(Letter::Engine { session: sid, request: Wanted::Broken });
            shown(no.0)
        }
    }
}

/// Why a body was not taken.
struct No(Answer);

impl From<Fault> for No {
    fn from(fault: Fault) -> Self {
        Self(Answer::fault(fault))
    }
}

async fn body(request: Request, most: usize) -> Result<Bytes, No> {
    let time = Duration::from_millis(limits::BODY_TIME);
    match tokio::time::timeout(time, gather(request.into_body(), most)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(Unread::TooLong)) => Err(No(Answer::too_large())),
        Ok(Err(Unread::Broken)) | Err(_) => Err(Fault::BadRequest.into()),
    }
}

/// One request more of an address.
fn too_fast(hub: &Hub, request: &Request) -> Option<Response> {
    let peer = request.extensions().get::<door::Peer>()?;
    auth::count(hub, peer).err()?;
    hub.metrics.refused(Code::RateLimited);
    let mut response = shown(Answer::fault(Fault::Forbidden));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    Some(response)
}

fn shard_of(hub: &Hub, sid: Sid) -> &crate::shard::Mailbox {
    &hub.mailboxes[sid.lot() as usize % hub.mailboxes.len()]
}

/// Gives the request to the shard of its session, and waits for the answer: at most as long as a session may be
/// silent.
async fn send(hub: &Hub, sid: Sid, letter: Letter, told: oneshot::Receiver<Answer>) -> Response {
    let timing = hub.apps.iter().map(|app| app.socketio.load().timing);
    let longest = timing.map(|timing| timing.ping_interval + timing.ping_timeout).max().unwrap_or(0);
    let unavailable = || {
        let mut response = shown(Answer::fault(Fault::Forbidden));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    };
    if shard_of(hub, sid).post(letter).is_err() {
        return unavailable();
    }
    let patience = Duration::from_millis(longest + limits::SHARD_ANSWER);
    match tokio::time::timeout(patience, told).await {
        Ok(Ok(answer)) => shown(answer),
        // The session went away with the question.
        Ok(Err(_)) => shown(Answer::fault(Fault::SessionUnknown)),
        Err(_) => unavailable(),
    }
}

fn shown(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body.into_owned()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(CACHE));
    response
}
