//! Clients of the Pusher dialect without a WebSocket: one request receives, others send. A request is given to the
//! shard that its connection's name chooses; there the client is one like all others.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use deskbell_core::access::Identity;
use deskbell_core::limits;
use deskbell_core::position::fnv;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::pusher::xhr;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::sync::oneshot;

use super::super::asked::whole;
use super::super::problem::{Problem, bad_field};
use super::super::{auth, shards};
use crate::clock;
use crate::door::{Refused, pusher_seat};
use crate::hub::Hub;
use crate::shard::{Arrival, Letter, Mailbox, Pipe, PipeBody, Way, XhrName};

/// Tells nginx to pass every piece on at once.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The app's key, and the two parts of the connection's name.
type Named = Path<(String, String, String)>;

/// Does any page call this, without a cookie? The signature of a channel says who may have it.
pub fn is_place(path: &str) -> bool {
    xhr::is_place(path)
}

/// Receives for as long as the response lasts.
pub async fn stream(
    State(hub): State<Arc<Hub>>,
    Path(named): Named,
    request: Request,
) -> Result<Response, Problem> {
    receive(&hub, named, request, Pipe::default()).await
}

/// Receives what there is, or what comes next.
pub async fn poll(
    State(hub): State<Arc<Hub>>,
    Path(named): Named,
    request: Request,
) -> Result<Response, Problem> {
    receive(&hub, named, request, Pipe::for_one_answer()).await
}

/// Takes what the client says.
pub async fn send(
    State(hub): State<Arc<Hub>>,
    Path(named): Named,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    auth::count(&hub, &auth::peer(&parts))?;
    let most = hub.tuning.load().frame;
    let body = whole(&parts.headers, body, most, Duration::from_millis(limits::BODY_TIME)).await?;
    let (key, name) = name(named)?;
    let Some(app) = hub.app(Some(&key)) else { return Err(lost()) };
    let name = XhrName { app: app.index, name };
    let frames = xhr::frames(&body)?;
    if ask(&hub, name, |name, done| Letter::Send { name, frames, done }).await? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Err(lost())
}

async fn receive(
    hub: &Arc<Hub>,
    named: (String, String, String),
    request: Request,
    pipe: Pipe,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    auth::count(hub, &auth::peer(&parts))?;
    let (key, name) = name(named)?;
    let pipe = Arc::new(pipe);
    // It is there before anybody writes, so that a client that goes away meanwhile is noticed.
    let body = PipeBody(pipe.clone());
    if let Some(app) = hub.app(Some(&key)) {
        let name = XhrName { app: app.index, name: name.clone() };
        let next = pipe.clone();
        if ask(hub, name, |name, done| Letter::Receive { name, pipe: next, done }).await? {
            return Ok(lines(Body::new(body)));
        }
    }
    match arrive(hub, &key, name, &parts, pipe) {
        Ok(()) => Ok(lines(Body::new(body))),
        // The client hears it in the words in which it would be closed later.
        Err(refused) => Ok(lines(Body::from(refused.in_lines()))),
    }
}

/// A client that is new here.
fn arrive(hub: &Arc<Hub>, key: &str, name: String, parts: &Parts, pipe: Arc<Pipe>) -> Result<(), Refused> {
    let peer = auth::peer(parts);
    let (app, seat) = pusher_seat(hub, key, &peer, |app| Ok(auth::check_page(hub, app, parts)?))?;
    let identity = Arc::new(Identity::visitor(clock::random_u64()));
    let name = XhrName { app, name };
    let shard = home(hub, &name);
    let way = Way::Xhr { name, pipe };
    let arrival = Arrival { app, identity, peer: peer.address, way, seat };
    shard.post(Letter::Arrived(Box::new(arrival))).map_err(|_| shards::stuck().into())
}

/// The shard that a connection's name chooses.
fn home<'a>(hub: &'a Hub, name: &XhrName) -> &'a Mailbox {
    let number = fnv(name.name.as_bytes()) % hub.mailboxes.len() as u64;
    &hub.mailboxes[number as usize]
}

/// Asks the shard of a connection about it.
async fn ask(
    hub: &Hub,
    name: XhrName,
    letter: impl FnOnce(XhrName, oneshot::Sender<bool>) -> Letter,
) -> Result<bool, Refusal> {
    let (done, answer) = oneshot::channel();
    home(hub, &name).post(letter(name.clone(), done)).map_err(|_| shards::stuck())?;
    let patience = Duration::from_millis(limits::SHARD_ANSWER);
    let answer = tokio::time::timeout(patience, answer).await.map_err(|_| shards::stuck())?;
    answer.map_err(|_| shards::stopping())
}

/// The key, and the name as the client made it.
fn name((key, server, session): (String, String, String)) -> Result<(String, String), Refusal> {
    if xhr::is_name(&server, &session) {
        return Ok((key, format!("{server}/{session}")));
    }
    Err(bad_field("session", "is a number of three digits and up to 64 letters, as pusher-js makes it"))
}

fn lost() -> Problem {
    Problem::new(Code::NotFound, "there is no such connection any more; open another one")
}

fn lines(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(BUFFERING, HeaderValue::from_static("no"));
    response
}
