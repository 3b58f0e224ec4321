//! May this request become a WebSocket?

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use deskbell_core::access::Identity;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::appointease::hail::Who;
use deskbell_wire::engineio::asked;
use deskbell_wire::http_head::Head;
use deskbell_wire::plain::Plain;
use deskbell_wire::portico::session::{Hail, Trust, hail};
use deskbell_wire::route::{Dialect, Route, pusher_key};
use deskbell_wire::websocket::{extension, handshake};
use http::{Request, Response};

use super::refused::{DISABLED, Refused, switching};
use super::{Peer, Place, Seat, appointease, socketio};
use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::shard::Opening;

/// The name of the cookie with the signed visitor id.
pub const VISITOR_COOKIE: &str = "deskbell_visitor";

/// A year: a visitor who comes back is the same visitor.
const VISITOR_SECONDS: u64 = 365 * 24 * 3_600;

/// A request that becomes a WebSocket.
#[derive(Debug)]
pub struct Admitted {
    /// The app's index.
    pub app: usize,
    /// Who.
    pub identity: Arc<Identity>,
    /// From where.
    pub peer: Peer,
    /// Counts the connection.
    pub seat: Seat,
    /// The 101 answer.
    pub greeting: Vec<u8>,
    /// What is spoken on it.
    pub dialect: Dialect,
    /// Compression was agreed on.
    pub deflate: bool,
    /// Every message is sent back.
    pub echo: bool,
    /// How a session of Engine.IO begins on it.
    pub opening: Option<Opening>,
    /// What the cookies of a page of the Portico dialect say.
    pub hail: Option<Box<Hail>>,
    /// Who a page of the AppointEase dialect is.
    pub who: Option<Who>,
}

impl Admitted {
    /// The 101 for hyper, from the same bytes.
    pub fn response(&self) -> Response<Body> {
        switching(&self.greeting)
    }
}

/// Decides about an upgrade.
pub async fn admit(
    hub: &Arc<Hub>,
    place: Place,
    head: &Head<'_>,
    kind: Route,
    peer: &Peer,
) -> Result<Admitted, Refused> {
    let result = try_admit(hub, place, head, kind, peer).await;
    if let Err(refused) = &result {
        match refused.known() {
            Some(code) => hub.metrics.refused(code),
            None => {
                hub.metrics.bad_requests.inc();
            }
        }
        tracing::debug!(code = refused.code, address = %peer.address, "an upgrade was refused");
    }
    result
}

async fn try_admit(
    hub: &Arc<Hub>,
    place: Place,
    head: &Head<'_>,
    kind: Route,
    peer: &Peer,
) -> Result<Admitted, Refused> {
    let accept = handshake::check(head).map_err(Refused::handshake)?;
    if kind == Route::Socket(Dialect::Pusher) {
        return admit_pusher(hub, head, peer, accept).map_err(|refused| refused.in_frames(accept));
    }
    if kind == Route::Socket(Dialect::SocketIo) {
        return admit_socketio(hub, place, head, peer, accept).await;
    }
    if kind == Route::Socket(Dialect::AppointEase) {
        return appointease::let_in(hub, place.app, head, peer, accept).await;
    }
    if hub.draining.load(Ordering::Relaxed) {
        return Err(stopping().into());
    }
    let app = named_app(hub, place.app, head)?;
    check_origin(hub, app, head, peer)?;
    // The seat comes first: whoever connects too often shall not have signatures checked.
    let seat = hub.seat(peer.address)?;
    let (identity, new_visitor) = identify(hub, app, head).await?;
    let mut headers = Vec::new();
    let cookie = new_visitor.map(|id| visitor_cookie(&hub.seals.visitor(id), peer.secure));
    headers.extend(cookie.as_deref().map(|cookie| ("Set-Cookie", cookie)));
    let (greeting, deflate) = greet(hub, head, accept, headers)?;
    let is_portico = kind == Route::Socket(Dialect::Portico);
    let hail = is_portico.then(|| Box::new(page_of(place, head)));
    Ok(Admitted {
        app: app.index,
        identity: Arc::new(identity),
        peer: *peer,
        seat,
        greeting,
        dialect: if hail.is_some() { Dialect::Portico } else { Dialect::Native },
        deflate,
        echo: kind == Route::Echo,
        opening: None,
        hail,
        who: None,
    })
}

pub(super) fn stopping() -> Refusal {
    Refusal::new(Code::Draining, "the server is stopping; connect again in a moment")
}

/// What the cookies of a page of the Portico dialect say.
pub(super) fn page_of(place: Place, head: &Head<'_>) -> Hail {
    let trust = if place.root == Plain::Portico { Trust::AlsoPhp } else { Trust::Own };
    hail(head.header("cookie"), trust)
}

/// A WebSocket of Engine.IO: a session begins on it, or goes on.
async fn admit_socketio(
    hub: &Arc<Hub>,
    place: Place,
    head: &Head<'_>,
    peer: &Peer,
    accept: handshake::Accept,
) -> Result<Admitted, Refused> {
    let asked = asked::ask(head.method(), head.query(), true)
        .map_err(|fault| Refused::engine(fault, "bad_request"))?;
    let guest = socketio::let_in(hub, place, head, peer, asked)
        .await
        .map_err(|(fault, code)| Refused::engine(fault, code.as_str()))?;
    let mut greeting = Vec::with_capacity(256);
    let headers: Vec<_> = guest.cookies.iter().map(|cookie| ("Set-Cookie", cookie.as_str())).collect();
    accept
        .write_response(&mut greeting, &headers)
        .map_err(|error| Refused::plain(500, "unavailable", &error.to_string()))?;
    Ok(Admitted {
        app: guest.app,
        identity: Arc::new(guest.identity),
        peer: *peer,
        seat: guest.seat,
        greeting,
        dialect: Dialect::SocketIo,
        deflate: false,
        echo: false,
        opening: Some(guest.opening),
        hail: None,
        who: None,
    })
}

/// The 101 answer, and whether frames may be compressed.
fn greet(
    hub: &Hub,
    head: &Head<'_>,
    accept: handshake::Accept,
    mut headers: Vec<(&str, &str)>,
) -> Result<(Vec<u8>, bool), Refused> {
    let deflate = if hub.front.load().compression { extension::negotiate_deflate(head) } else { None };
    headers.extend(deflate.map(|agreed| ("Sec-WebSocket-Extensions", agreed)));
    let mut greeting = Vec::with_capacity(256);
    accept
        .write_response(&mut greeting, &headers)
        .map_err(|error| Refused::plain(500, "unavailable", &error.to_string()))?;
    Ok((greeting, deflate.is_some()))
}

/// A client of the Pusher dialect: its path names the app. It is nobody until it shows what its backend has
/// signed, and no cookie says who it is; so any page may connect, unless the operator has listed some.
fn admit_pusher(
    hub: &Arc<Hub>,
    head: &Head<'_>,
    peer: &Peer,
    accept: handshake::Accept,
) -> Result<Admitted, Refused> {
    let key = pusher_key(head.path()).unwrap_or_default();
    let (app, seat) = pusher_seat(hub, key, peer, |app| check_origin(hub, app, head, peer))?;
    let (greeting, deflate) = greet(hub, head, accept, Vec::new())?;
    Ok(Admitted {
        app,
        identity: Arc::new(Identity::visitor(clock::random_u64())),
        peer: *peer,
        seat,
        greeting,
        dialect: Dialect::Pusher,
        deflate,
        echo: false,
        opening: None,
        hail: None,
        who: None,
    })
}

/// The app and the seat of a client of the Pusher dialect, whatever it comes by. `page` judges the page that it
/// runs in, where the operator has said which may connect.
pub fn pusher_seat(
    hub: &Arc<Hub>,
    key: &str,
    peer: &Peer,
    page: impl FnOnce(&App) -> Result<(), Refused>,
) -> Result<(usize, Seat), Refused> {
    if hub.draining.load(Ordering::Relaxed) {
        return Err(stopping().into());
    }
    let missing =
        || Refusal::new(Code::NotFound, "no app has this key; take it from the backend's configuration");
    let app = hub.app(Some(key)).ok_or_else(missing)?;
    let terms = app.pusher.load();
    if !terms.enabled {
        return Err(Refused::plain(
            DISABLED,
            Code::Denied.as_str(),
            "this app takes no connections of this kind",
        ));
    }
    if hub.front.load().has_origins(app.index) {
        page(app)?;
    }
    let seat = hub.seat(peer.address)?.of_app(app.index, terms.connections)?;
    Ok((app.index, seat))
}

pub(super) fn named_app<'a>(hub: &'a Hub, own: Option<u64>, head: &Head<'_>) -> Result<&'a App, Refused> {
    let key = head.query_pairs().find(|(name, _)| name == "app").map(|(_, key)| key);
    let app = match (&key, own) {
        (None, Some(id)) => hub.apps.of_id(id),
        (key, _) => hub.app(key.as_deref()),
    };
    let missing =
        || Refusal::new(Code::NotFound, "no app has this key; look at `deskbell status` for the keys");
    app.ok_or_else(|| missing().into())
}

/// A browser tells which site opened the socket; other sites may not use a visitor's cookies.
pub(super) fn check_origin(hub: &Hub, app: &App, head: &Head<'_>, peer: &Peer) -> Result<(), Refused> {
    let Some(origin) = head.header("origin") else { return Ok(()) };
    let told = head.header("x-forwarded-host").filter(|_| peer.proxied);
    if is_own_page(hub, app, origin, told.into_iter().chain(head.header("host")), peer) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadOrigin, "this site may not connect here; add it to websocket.origins").into())
}

/// May a page of this origin act with the cookies of whoever looks at it? It comes from one of the hosts
/// that the request names, or the operator has listed it.
pub fn is_own_page<'a>(
    hub: &Hub,
    app: &App,
    origin: &str,
    mut hosts: impl Iterator<Item = &'a str>,
    peer: &Peer,
) -> bool {
    let front = hub.front.load();
    let mut listed = front.origins.iter().chain(front.app_origins.get(app.index).into_iter().flatten());
    front.dev
        || hosts.any(|host| is_same_host(origin, host, peer.secure))
        || listed.any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
}

/// Does the page come from the host that it connects to? A proxy that nobody told us to trust may
/// have taken TLS off, so only when we know that the client speaks TLS, the page must as well.
fn is_same_host(origin: &str, host: &str, secure: bool) -> bool {
    let Some((scheme, of_page)) = origin.split_once("://") else { return false };
    let scheme = scheme.to_ascii_lowercase();
    (scheme == "https" || (scheme == "http" && !secure)) && of_page.eq_ignore_ascii_case(host)
}

/// Who asks: a token, the secret, or a visitor with an old or a new signed id.
pub(super) async fn identify(
    hub: &Hub,
    app: &App,
    head: &Head<'_>,
) -> Result<(Identity, Option<u64>), Refused> {
    let bearer =
        head.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    if bearer.as_deref().is_some_and(|token| app.secret.is(token)) {
        return Ok((Identity::backend(), None));
    }
    let query = || head.query_pairs().find(|(name, _)| name == "token").map(|(_, token)| token.into_owned());
    if let Some(token) = bearer.or_else(query) {
        let identity = app.verifier.check_and_wait(&token, clock::now_ms).await?;
        return Ok((identity, None));
    }
    let cookie =
        hub.front.load().auth_cookie.as_deref().and_then(|name| head.cookie(name)).map(str::to_owned);
    if let Some(token) = cookie {
        match app.verifier.check_and_wait(&token, clock::now_ms).await {
            Ok(identity) => return Ok((identity, None)),
            // Who it is cannot be found out now; that makes nobody a visitor.
            Err(refusal) if refusal.code == Code::Unavailable => return Err(refusal.into()),
            // The browser sends it by itself, also long after its session has ended.
            Err(_) => {}
        }
    }
    let known = head.cookie(VISITOR_COOKIE).and_then(|text| hub.seals.open_visitor(text));
    let id = known.unwrap_or_else(clock::random_u64);
    Ok((Identity::visitor(id), known.is_none().then_some(id)))
}

/// The cookie that carries a visitor's signed id.
pub fn visitor_cookie(sealed: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{VISITOR_COOKIE}={sealed}; Path=/; Max-Age={VISITOR_SECONDS}; HttpOnly; SameSite=Lax{secure}")
}

/// The head of a request that hyper has read, in the form in which the door reads heads.
pub fn head_text<B>(request: &Request<B>) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut text = format!("{} {target} {:?}\r\n", request.method(), request.version()).into_bytes();
    for (name, value) in request.headers() {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}
