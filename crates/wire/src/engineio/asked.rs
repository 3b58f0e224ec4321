//! What a request wants of Engine.IO, and the errors that its clients know.

use std::borrow::Cow;

use super::sid::Sid;
use crate::http_head::query_pairs;

/// How a session travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Requests that wait, and requests that bring.
    Polling,
    /// One WebSocket.
    WebSocket,
}

/// What a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// A new session.
    Open(Transport),
    /// What there is to say to this session.
    Poll(Sid),
    /// To say something in this session.
    Post(Sid),
    /// To go on with this session over a WebSocket.
    Upgrade(Sid),
}

/// A request that was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// What it wants.
    pub wish: Wish,
    /// The client cannot take bytes: they go to it as base64, also over a WebSocket.
    pub base64: bool,
}

/// An error as clients know it, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no such transport.
    TransportUnknown,
    /// There is no such session, or no longer.
    SessionUnknown,
    /// A session begins with a GET.
    HandshakeMethod,
    /// The request does not fit its session.
    BadRequest,
    /// Not for you.
    Forbidden,
    /// Another version of the protocol.
    Version,
}

impl Fault {
    /// Every fault, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::TransportUnknown,
        Self::SessionUnknown,
        Self::HandshakeMethod,
        Self::BadRequest,
        Self::Forbidden,
        Self::Version,
    ];

    /// The status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            _ => 400,
        }
    }

    /// The whole body of the answer; clients compare numbers with numbers, so the code is one.
    pub const fn body(self) -> &'static str {
        match self {
            Self::TransportUnknown => r#"{"code":0,"message":"Transport unknown"}"#,
            Self::SessionUnknown => r#"{"code":1,"message":"Session ID unknown"}"#,
            Self::HandshakeMethod => r#"{"code":2,"message":"Bad handshake method"}"#,
            Self::BadRequest => r#"{"code":3,"message":"Bad request"}"#,
            Self::Forbidden => r#"{"code":4,"message":"Forbidden"}"#,
            Self::Version => r#"{"code":5,"message":"Unsupported protocol version"}"#,
        }
    }
}

/// Whether the query is one of Engine.IO's, whatever else is wrong with it: it states a version.
pub fn is_engineio(query: &str) -> bool {
    query_pairs(query).any(|(name, _)| name == "EIO")
}

/// What of a query matters; each at most once.
#[derive(Default)]
struct Fields<'a> {
    transport: Option<Cow<'a, str>>,
    sid: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    base64: bool,
}

impl<'a> Fields<'a> {
    /// Two values of one name would be read in one way here and in another by a proxy.
    fn read(query: &'a str) -> Result<Self, Fault> {
        let mut fields = Self::default();
        for (name, value) in query_pairs(query) {
            let field = match &*name {
                "transport" => &mut fields.transport,
                "sid" => &mut fields.sid,
                "EIO" => &mut fields.version,
                "b64" => {
                    fields.base64 = !value.is_empty();
                    continue;
                }
                // The application's own words, and `t`, which only keeps caches away.
                _ => continue,
            };
            if field.replace(value).is_some() {
                return Err(Fault::BadRequest);
            }
        }
        Ok(fields)
    }
}

/// Reads a request; `upgrade` says that it wants to become a WebSocket. The order of the checks is the one that
/// clients know: transport, session, method, version.
///
/// ```
/// use deskbell_wire::engineio::asked::{Fault, Transport, Wish, ask};
/// let asked = ask("GET", "EIO=4&transport=polling&t=x", false).unwrap();
/// assert_eq!(asked.wish, Wish::Open(Transport::Polling));
/// assert_eq!(ask("POST", "EIO=4&transport=polling", false), Err(Fault::HandshakeMethod));
/// ```
pub fn ask(method: &str, query: &str, upgrade: bool) -> Result<Asked, Fault> {
    let fields = Fields::read(query)?;
    let transport = match fields.transport.as_deref() {
        Some("polling") => Transport::Polling,
        Some("websocket") => Transport::WebSocket,
        _ => return Err(Fault::TransportUnknown),
    };
    // What cannot be a session's name names none; it must not open one either.
    let sid = fields.sid.as_deref().map(|text| Sid::parse(text).ok_or(Fault::SessionUnknown)).transpose()?;
    let wish = match (sid, transport, method, upgrade) {
        (None, _, "GET", _) => open(transport, upgrade)?,
        (None, ..) => return Err(Fault::HandshakeMethod),
        (Some(sid), Transport::WebSocket, "GET", true) => Wish::Upgrade(sid),
        (Some(sid), Transport::Polling, "GET", false) => Wish::Poll(sid),
        (Some(sid), Transport::Polling, "POST", false) => Wish::Post(sid),
        (Some(_), ..) => return Err(Fault::BadRequest),
    };
    if fields.version.as_deref() != Some("4") {
        return Err(Fault::Version);
    }
    Ok(Asked { wish, base64: fields.base64 })
}

fn open(transport: Transport, upgrade: bool) -> Result<Wish, Fault> {
    if upgrade == (transport == Transport::WebSocket) {
        Ok(Wish::Open(transport))
    } else {
        Err(Fault::BadRequest)
    }
}
