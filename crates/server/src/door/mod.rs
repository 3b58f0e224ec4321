//! The front door: every connection is read up to the end of its request head, then it is a
//! WebSocket of some dialect and goes to a shard, or it is HTTP and goes to hyper.
//!
//! | part | what |
//! |---|---|
//! | [`admit`] | may this request become a WebSocket: app, identity, origin, limits |
//! | [`refused`] | its answer where it may not, in words that its client reads |
//! | [`peer`] | who is at the other end, also behind proxies |
//! | [`stream`] | plain and TLS sockets, and how they are handed over |
//! | [`appointease`] | the same for pages of the AppointEase dialect |
//! | [`socketio`] | the same for sessions of Engine.IO, which may poll |
//! | [`seat`] | counts a connection for as long as it lives |

mod admit;
mod appointease;
mod peer;
mod refused;
mod seat;
mod socketio;
mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use deskbell_core::limits;
use deskbell_core::refusal::Code;
use deskbell_wire::http_head::{self, Head};
use deskbell_wire::plain::{Plain, plain};
use deskbell_wire::pusher::xhr;
use deskbell_wire::route::{Asked, Dialect, Route, route};
use http::{HeaderValue, Request, Response};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower_service::Service;

pub use admit::{Admitted, VISITOR_COOKIE, head_text, is_own_page, pusher_seat, visitor_cookie};
pub use peer::{Front, OwnApp, Peer};
pub use refused::Refused;
pub use seat::Seat;
pub use socketio::{Guest, let_in};
pub use stream::{Handover, Prefixed};

use crate::hub::Hub;
use crate::shard::{Arrival, Letter, Way};
use crate::tls::Acceptor;

/// The smallest buffer that hyper works with.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// One listener's door.
#[derive(Clone)]
pub struct Door {
    hub: Arc<Hub>,
    router: Router,
    tls: Option<Arc<Acceptor>>,
    /// What the listener says of those who come in by it.
    place: Place,
}

/// What a listener says of connections that do not say it themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// Which app an unnamed connection means.
    pub app: Option<u64>,
    /// Whose pages ask for `/`.
    pub root: Plain,
}

/// How a request head that could not be admitted ends.
enum Knocked {
    /// A WebSocket went to its shard.
    HandedOver,
    /// It is HTTP: the bytes that were read.
    Http(Vec<u8>),
    /// It was answered and is over.
    Over,
}

impl Door {
    /// A door for one listener.
    pub fn new(hub: Arc<Hub>, router: Router, tls: Option<Arc<Acceptor>>, place: Place) -> Self {
        Self { hub, router, tls, place }
    }

    /// Accepts connections until told to stop.
    pub async fn serve(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, address)) => {
                    let (door, stop) = (self.clone(), stop.clone());
                    tokio::spawn(async move { door.welcome(stream, address, stop).await });
                }
                Err(error) => {
                    // Out of descriptors, most likely: those that close will make room.
                    tracing::error!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn welcome(self, stream: TcpStream, address: SocketAddr, stop: watch::Receiver<bool>) {
        let Some(_visit) = self.hub.visit(address.ip()) else {
            self.hub.metrics.refused(Code::LimitReached);
            tracing::debug!(%address, "a socket was closed: there are as many as there may be");
            return;
        };
        // Small frames must not wait for an acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        match self.tls.clone() {
            None => self.knock(stream, address, false, stop).await,
            // Boxed, because most connections are plain and their task should be small.
            Some(tls) => Box::pin(self.welcome_tls(tls, stream, address, stop)).await,
        }
    }

    async fn welcome_tls(
        self,
        tls: Arc<Acceptor>,
        stream: TcpStream,
        address: SocketAddr,
        mut stop: watch::Receiver<bool>,
    ) {
        let accepted = tokio::select! {
            biased;
            accepted = tls.accept(stream) => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok(Some(stream)) => self.knock(stream, address, true, stop).await,
            Ok(None) => {}
            // A port probe, or a client that does not trust us: nothing to be said to it.
            Err(error) => tracing::debug!(%error, %address, "TLS handshake failed"),
        }
    }

    async fn knock<S: Handover>(
        self,
        mut stream: S,
        address: SocketAddr,
        secure: bool,
        mut stop: watch::Receiver<bool>,
    ) {
        let front = self.hub.front.load_full();
        let most = front.header;
        let head = tokio::select! {
            // What has arrived is read first: a whole request is answered even now.
            biased;
            head = tokio::time::timeout(front.header_time, read_head(&mut stream, most)) => head,
            // Browsers open connections in advance. They have asked for nothing that could be under way.
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let bytes = match head {
            Ok(Ok(Some(head))) => head,
            // Nothing was said: a port probe is no error.
            Ok(Ok(None) | Err(_)) => return,
            Err(_) => {
                self.hub.metrics.bad_requests.inc();
                let no = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(no).await;
                return;
            }
        };
        let (hub, place) = (self.hub.clone(), self.place);
        let answered = Self::answer_door(&hub, place, stream, bytes, most, address, secure).await;
        if let (Knocked::Http(read), Some(stream)) = answered {
            Box::pin(self.serve_http(stream, read, address, secure, stop)).await;
        }
    }

    /// Decides about the first request of a connection.
    async fn answer_door<S: Handover>(
        hub: &Arc<Hub>,
        place: Place,
        mut stream: S,
        bytes: Vec<u8>,
        most: usize,
        address: SocketAddr,
        secure: bool,
    ) -> (Knocked, Option<S>) {
        let head = match http_head::parse_within(&bytes, most) {
            Ok(Some(head)) => head,
            Ok(None) => return (Knocked::Over, None),
            Err(error) => {
                hub.metrics.bad_requests.inc();
                let refused = Refused::plain(error.status(), error.code(), error.sentence());
                let _ = stream.write_all(&refused.to_bytes()).await;
                let _ = stream.shutdown().await;
                return (Knocked::Over, None);
            }
        };
        let kind = Self::kind(hub, place.root, &head);
        if kind == Route::Http {
            return (Knocked::Http(bytes), Some(stream));
        }
        let peer = hub.front.load().peer(address, secure, |name| peer::joined(head.headers().named(name)));
        match admit::admit(hub, place, &head, kind, &peer).await {
            Ok(admitted) => {
                let greeting = admitted.greeting.clone();
                let rest = bytes[head.len()..].to_vec();
                drop(bytes);
                hand_over(hub, admitted, stream, greeting, rest);
                (Knocked::HandedOver, None)
            }
            Err(refused) => {
                let _ = stream.write_all(&refused.to_bytes()).await;
                let _ = stream.shutdown().await;
                if refused.lingers() {
                    linger(&mut stream).await;
                }
                (Knocked::Over, None)
            }
        }
    }

    fn kind(hub: &Hub, root: Plain, head: &Head<'_>) -> Route {
        let asked = Asked {
            method: head.method(),
            path: head.path(),
            query: head.query(),
            cookies: head.header("cookie"),
        };
        let front = hub.front.load();
        if !head.is_websocket_upgrade() {
            Route::Http
        } else if front.socketio.takes(head.path(), head.query()) {
            Route::Socket(Dialect::SocketIo)
        } else {
            match (route(&asked, front.echo), plain(&asked, root)) {
                (Route::Http, Some(Plain::Portico)) if front.portico => Route::Socket(Dialect::Portico),
                (_, Some(Plain::AppointEase)) if front.appointease => Route::Socket(Dialect::AppointEase),
                (route, _) => route,
            }
        }
    }

    /// Plain HTTP, with keep-alive; a later request of the connection may still become a WebSocket.
    async fn serve_http<S: Handover>(
        self,
        stream: S,
        read: Vec<u8>,
        address: SocketAddr,
        secure: bool,
        mut stop: watch::Receiver<bool>,
    ) {
        let buffer = self.hub.front.load().header.max(SMALLEST_BUFFER);
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let door = self.clone();
            async move { Ok::<_, Infallible>(door.answer::<S>(request, address, secure).await) }
        });
        // Whoever posts may go without waiting for the answer, as PHP's clients and a page's last beacon do: what was
        // sent counts. Whoever waits for something new is let go of as soon as it hangs up, also one that posts for it.
        let may_go = http_head::parse_within(&read, read.len()).is_ok_and(|head| {
            head.is_some_and(|head| head.method() == "POST" && !xhr::is_place(head.path()))
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(limits::KEEP_ALIVE))
            .max_headers(http_head::MAX_HEADER_LINES)
            .max_buf_size(buffer)
            .half_close(may_go);
        let connection =
            http.serve_connection(TokioIo::new(Prefixed::new(read, stream)), service).with_upgrades();
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, %address, "HTTP connection ended early");
                }
                return;
            }
            _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
        }
        // The request that is under way is answered; then the connection closes.
        let _ = connection.await;
    }

    async fn answer<S: Handover>(
        self,
        request: Request<hyper::body::Incoming>,
        address: SocketAddr,
        secure: bool,
    ) -> Response<Body> {
        let header =
            |name: &str| peer::joined(request.headers().get_all(name).iter().map(HeaderValue::as_bytes));
        let peer = self.hub.front.load().peer(address, secure, header);
        if let Some(upgrade) = request.headers().get(http::header::UPGRADE)
            && upgrade.as_bytes().eq_ignore_ascii_case(b"websocket")
        {
            let text = admit::head_text(&request);
            if let Ok(Some(head)) = http_head::parse_within(&text, usize::MAX) {
                let kind = Self::kind(&self.hub, self.place.root, &head);
                if kind != Route::Http {
                    return match admit::admit(&self.hub, self.place, &head, kind, &peer).await {
                        Ok(admitted) => upgrade_later::<S>(self.hub.clone(), admitted, request),
                        Err(refused) if refused.lingers() => say_farewell(refused, request),
                        Err(refused) => refused.into_response(),
                    };
                }
            }
        }
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(OwnApp(self.place.app));
        request.extensions_mut().insert(self.place);
        let mut router = self.router;
        match router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// A WebSocket on a connection that has spoken HTTP before: hyper lets go of it after its 101.
fn upgrade_later<S: Handover>(
    hub: Arc<Hub>,
    admitted: Admitted,
    request: Request<hyper::body::Incoming>,
) -> Response<Body> {
    let response = admitted.response();
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        if let Ok(parts) = upgraded.downcast::<TokioIo<Prefixed<S>>>() {
            let (rest, stream) = parts.io.into_inner().into_parts();
            let mut read = parts.read_buf.to_vec();
            read.extend_from_slice(&rest);
            hand_over(&hub, admitted, stream, Vec::new(), read);
        }
    });
    response
}

/// A WebSocket that is opened on such a connection only to be told why it is closed.
fn say_farewell(refused: Refused, request: Request<hyper::body::Incoming>) -> Response<Body> {
    let Some((response, frames)) = refused.into_farewell() else { return Response::default() };
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let mut stream = TokioIo::new(upgraded);
        let _ = stream.write_all(&frames).await;
        let _ = stream.shutdown().await;
        linger(&mut stream).await;
    });
    response
}

/// Reads and drops what the other side still says, until it ends or has had its time: closing over unread
/// bytes would be a reset, which can destroy our last words on their way.
async fn linger(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut dropped = [0; 512];
    let reading = async { while stream.read(&mut dropped).await.is_ok_and(|n| n > 0) {} };
    let _ = tokio::time::timeout(Duration::from_millis(limits::LINGER), reading).await;
}

/// Gives a socket to a shard.
fn hand_over<S: Handover>(hub: &Arc<Hub>, admitted: Admitted, stream: S, greeting: Vec<u8>, read: Vec<u8>) {
    let socket = match stream.into_socket() {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(%error, "a socket could not be handed to its shard");
            return;
        }
    };
    let Admitted { dialect, deflate, echo, opening, hail, who, .. } = admitted;
    // A WebSocket that goes on with a session goes to where that is.
    let home = opening.as_ref().filter(|opening| opening.upgrades).map(|opening| opening.sid.lot() as usize);
    let way = Way::WebSocket { socket, greeting, read, dialect, deflate, echo, opening, hail, who };
    let arrival = Arrival {
        app: admitted.app,
        identity: admitted.identity,
        peer: admitted.peer.address,
        way,
        seat: admitted.seat,
    };
    let turn = || hub.next_shard.fetch_add(1, Ordering::Relaxed);
    let shard = home.unwrap_or_else(turn) % hub.mailboxes.len();
    if hub.mailboxes[shard].post(Letter::Arrived(Box::new(arrival))).is_err() {
        // The socket closes with the letter; the client comes back later.
        tracing::error!(shard, "a shard is stuck: its mailbox is full");
    }
}

/// Reads until the end of a request head. `None` when the peer says nothing at all.
async fn read_head<S: Handover>(stream: &mut S, most: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(1_024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        // The end of a head is found without reading it; what cannot become one is not waited for.
        if memchr::memmem::find(&bytes, b"\r\n\r\n").is_some()
            || http_head::parse_within(&bytes, most).is_err()
        {
            return Ok(Some(bytes));
        }
    }
}
