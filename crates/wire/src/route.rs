//! Which dialect a WebSocket upgrade belongs to.
//!
//! The front door asks this for every request head that wants to become a WebSocket. Whatever is no
//! socket's place stays HTTP, also with an `Upgrade` header, and is answered there.

/// A wire protocol. The set is closed: each dialect is one `match` arm wherever dialects differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Deskbell's own frames, under `/v1`.
    Native,
    /// Pusher's, under `/app/{key}` behind any prefix.
    Pusher,
    /// Socket.IO's, at the paths that the operator names.
    SocketIo,
    /// PorticoEstate's, at `/wss`, and at `/` where its cookies or the listener say so.
    Portico,
    /// The AppointEase plugin's, at `/`, `/appointease…`, or wherever an e-mail address stands in the query.
    AppointEase,
}

impl Dialect {
    /// The word in metrics, logs and options.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Pusher => "pusher",
            Self::SocketIo => "socketio",
            Self::Portico => "portico",
            Self::AppointEase => "appointease",
        }
    }
}

/// How frames travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A WebSocket, answered by the front door.
    WebSocket,
    /// The body of an HTTP response as server-sent events.
    Sse,
    /// One HTTP response for each batch.
    Poll,
}

impl Transport {
    /// The word in metrics, logs and options.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::Poll => "poll",
        }
    }
}

/// What of a request head decides its route.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The method as written.
    pub method: &'a str,
    /// The path as written, without the query.
    pub path: &'a str,
    /// The query as written, without the `?`.
    pub query: &'a str,
    /// The value of `Cookie`.
    pub cookies: Option<&'a str>,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// A socket of this dialect.
    Socket(Dialect),
    /// A socket that sends back what it receives, for conformance tests of the framing.
    Echo,
    /// The HTTP server.
    Http,
}

/// Decides; `echo` opens `/echo`, which nobody but a conformance test needs.
///
/// ```
/// use deskbell_wire::route::{Asked, Dialect, Route, route};
/// let asked = Asked { method: "GET", path: "/v1/ws", ..Asked::default() };
/// assert_eq!(route(&asked, false), Route::Socket(Dialect::Native));
/// ```
pub fn route(asked: &Asked<'_>, echo: bool) -> Route {
    match (asked.method, asked.path) {
        ("GET", "/v1/ws") => Route::Socket(Dialect::Native),
        ("GET", "/echo") if echo => Route::Echo,
        ("GET", path) if pusher_key(path).is_some() => Route::Socket(Dialect::Pusher),
        _ => Route::Http,
    }
}

/// The key of the app in the path of a Pusher client, whatever stands before `/app/`: a prefix of the
/// operator's, or a host name that a client takes for part of the path.
///
/// ```
/// use deskbell_wire::route::pusher_key;
/// assert_eq!(pusher_key("/app/278d425bdf160c739803"), Some("278d425bdf160c739803"));
/// assert_eq!(pusher_key("/ws/app/k"), Some("k"));
/// assert_eq!(pusher_key("/app/k/more"), None);
/// ```
pub fn pusher_key(path: &str) -> Option<&str> {
    let (before, key) = path.rsplit_once('/')?;
    (before.ends_with("/app") && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_places_are_sockets() {
        let native = Route::Socket(Dialect::Native);
        for (method, path, query, echo, expected) in [
            ("GET", "/v1/ws", "", false, native),
            ("GET", "/v1/ws", "token=x", false, native),
            ("POST", "/v1/ws", "", false, Route::Http),
            ("get", "/v1/ws", "", false, Route::Http),
            ("GET", "/v1/ws/", "", false, Route::Http),
            ("GET", "/v1/WS", "", false, Route::Http),
            ("GET", "/v1/stream", "", false, Route::Http),
            ("GET", "/v1/poll", "", false, Route::Http),
            ("GET", "/", "email=a%40b.c", false, Route::Http),
            ("GET", "/echo", "", false, Route::Http),
            ("GET", "/echo", "", true, Route::Echo),
            ("POST", "/echo", "", true, Route::Http),
            ("GET", "", "", true, Route::Http),
            ("GET", "/app/k", "protocol=7", false, Route::Socket(Dialect::Pusher)),
            ("GET", "/.pusher.com:443/app/k", "", false, Route::Socket(Dialect::Pusher)),
            ("GET", "/app/", "", false, Route::Http),
            ("GET", "/apps/k", "", false, Route::Http),
            ("GET", "/wrapp/k", "", false, Route::Http),
            ("POST", "/app/k", "", false, Route::Http),
        ] {
            let asked = Asked { method, path, query, cookies: None };
            assert_eq!(route(&asked, echo), expected, "{method} {path}?{query} {echo}");
        }
    }
}
