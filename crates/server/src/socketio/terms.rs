//! The terms of one app.

use deskbell_core::ids::ChannelName;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::engineio::Timing;
use deskbell_wire::engineio::asked::is_engineio;
use deskbell_wire::socketio::packet::ROOT;

use super::backend::Backend;

/// What one app allows. A reload may change it.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Clients may connect.
    pub enabled: bool,
    /// How a session is kept alive.
    pub timing: Timing,
    /// Bytes that a client may send in one message, or in one body.
    pub max_payload: usize,
    /// Whether clients may come back as who they were; without a word, those that can.
    pub recovery: Option<bool>,
    /// Namespaces that exist; a `*` at the end stands for any rest.
    pub namespaces: Vec<String>,
    /// Those of them whose rooms are the channels of the same names.
    pub plain: Vec<String>,
    /// Whoever says who it is, is: for development alone.
    pub trusting: bool,
    /// The site's own backend, where there is one to ask.
    pub backend: Option<Backend>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            enabled: true,
            timing: Timing::default(),
            max_payload: limits::SOCKETIO_PAYLOAD,
            recovery: None,
            namespaces: vec![ROOT.to_owned()],
            plain: vec![ROOT.to_owned()],
            trusting: false,
            backend: None,
        }
    }
}

impl Terms {
    /// Does this namespace exist? Its name must be one that channels can have, because its rooms are channels.
    pub fn has(&self, namespace: &str) -> bool {
        let listed = |entry: &String| match entry.strip_suffix('*') {
            Some(start) => namespace.starts_with(start),
            None => entry == namespace,
        };
        self.namespaces.iter().any(listed) && (namespace == ROOT || everybody(namespace).is_ok())
    }

    /// The channel behind a room.
    ///
    /// ```
    /// use deskbell_server::socketio::Terms;
    /// let terms = Terms::default();
    /// assert_eq!(terms.channel("/", "booking_7").unwrap().as_str(), "booking_7");
    /// assert_eq!(terms.channel("/chat/eu", "lobby").unwrap().as_str(), "chat;eu;lobby");
    /// assert!(terms.channel("/", "#everybody").is_err());
    /// ```
    pub fn channel(&self, namespace: &str, room: &str) -> Result<ChannelName, Refusal> {
        if room.starts_with('#') {
            return Err(Refusal::new(
                Code::BadChannel,
                "a room's name does not begin with #; choose another",
            ));
        }
        if self.plain.iter().any(|plain| plain == namespace) {
            return ChannelName::parse(room);
        }
        ChannelName::parse(&format!("{};{room}", path(namespace)))
    }

    /// The channel of everybody in a namespace.
    pub fn everybody(&self, namespace: &str) -> Result<ChannelName, Refusal> {
        if self.plain.iter().any(|plain| plain == namespace) {
            return everybody(ROOT);
        }
        everybody(namespace)
    }
}

fn path(namespace: &str) -> String {
    namespace.trim_start_matches('/').replace('/', ";")
}

fn everybody(namespace: &str) -> Result<ChannelName, Refusal> {
    match namespace {
        ROOT => ChannelName::parse("#everybody"),
        other => ChannelName::parse(&format!("#everybody;{}", path(other))),
    }
}

/// Where the dialect is mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// Paths, without a slash at their end.
    pub paths: Vec<String>,
    /// The cookie that carries a user's token beside `auth.cookie`.
    pub token_cookie: Option<String>,
    /// A cookie that names the session, for proxies that send a client to the same server by it.
    pub sticky_cookie: Option<String>,
}

/// The last part of the path that its own libraries use, where nothing else can be meant.
const OWN: &str = "/socket.io";

impl Mount {
    /// Is this request one of the dialect? A path may be shared with something else, so the query decides;
    /// both forms of a path count, and nothing that only begins like one.
    ///
    /// ```
    /// use deskbell_server::socketio::Mount;
    /// let mount = Mount { paths: vec!["/socket.io".into(), "/api/socket".into()], ..Mount::default() };
    /// assert!(mount.takes("/api/socket/", "EIO=4&transport=polling"));
    /// assert!(!mount.takes("/api/socket", "") && mount.takes("/socket.io", ""));
    /// assert!(!mount.takes("/socket.io-admin", "EIO=4"));
    /// ```
    pub fn takes(&self, path: &str, query: &str) -> bool {
        let bare = path.strip_suffix('/').unwrap_or(path);
        self.paths.iter().any(|own| own == bare) && (is_engineio(query) || bare.ends_with(OWN))
    }
}
