//! The options of the Socket.IO dialect.

use deskbell_core::limits;

use super::options::{Form, Group, Opt, Preset, within};
use super::table::{HOUR, MINUTE, SECOND};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Time for such an answer: Python's client waits a second for most things, and nobody much longer.
const BACKEND_TIME: u64 = 5 * SECOND;

/// Whether clients are told where they stand.
pub const RECOVERY: &[&str] = &["auto", "on", "off"];

/// For all apps.
pub const SOCKETIO: &[Opt] = &[
    Opt::switch("socketio.enabled", true, "Whether clients of this dialect are served.").live(Group::Rules),
    Opt::texts(
        "socketio.paths",
        Form::Any,
        &["/socket.io", "/api/socket", "/wss/socket.io"],
        "Where they connect. A path may be shared with something else: only requests with `EIO` in their query are \
         theirs, unless the path ends with `/socket.io`.",
    )
    .live(Group::Rules),
    Opt::texts(
        "socketio.namespaces",
        Form::Any,
        &["/", "/api/socket"],
        "The namespaces that there are. One with a `*` at its end stands for all that begin so.",
    )
    .live(Group::Rules),
    Opt::texts(
        "socketio.plain_namespaces",
        Form::Any,
        &["/", "/api/socket"],
        "The namespaces whose rooms are channels of the same name. The room `lobby` of another one, `/chat/eu`, is \
         the channel `chat;eu;lobby`.",
    )
    .live(Group::Rules),
    Opt::text(
        "socketio.recovery",
        Form::OneOf(RECOVERY),
        "Whether a client that comes back gets what it missed and the rooms it had. Each event then carries one \
         argument more, which Python's client cannot take: `auto` spares those that look like it.",
    )
    .or(Preset::Text("auto"))
    .live(Group::Rules),
    Opt::time(
        "socketio.ping_interval",
        limits::HEARTBEAT,
        within(100, HOUR),
        "The time from one sign of life to the question for the next.",
    )
    .live(Group::Times),
    Opt::time(
        "socketio.ping_timeout",
        limits::PONG_TIME,
        within(100, HOUR),
        "The time that a client has to answer before it is given up.",
    )
    .live(Group::Times),
    Opt::time(
        "socketio.upgrade_timeout",
        limits::UPGRADE_TIME,
        within(100, MINUTE),
        "The time that a polling client has to change to the WebSocket that it has opened.",
    )
    .live(Group::Times),
    Opt::size(
        "socketio.max_payload",
        limits::SOCKETIO_PAYLOAD as u64,
        within(KIB, 64 * MIB),
        "Bytes of one message or one polling body that a client sends. Clients are told it and split by it.",
    )
    .live(Group::Limits),
    Opt::text(
        "socketio.jwt_secret",
        Form::Secret,
        "A further secret of HS256 tokens, which the site signs with, beside `auth.jwt_secret`.",
    )
    .live(Group::Keys)
    .like("\"\""),
    Opt::texts(
        "socketio.user_claims",
        Form::Any,
        &["id", "userId", "sub"],
        "The claims of such a token that may hold the user's id; the first that is there counts.",
    )
    .live(Group::Keys),
    Opt::texts(
        "socketio.role_claims",
        Form::Any,
        &["role", "roles"],
        "The claims of such a token that may hold a role or a list of roles; the first that is there counts.",
    )
    .live(Group::Keys),
    Opt::text(
        "socketio.token_cookie",
        Form::Cookie,
        "A cookie that carries the token of a user, beside `auth.cookie`.",
    )
    .or(Preset::Text("auth-token"))
    .live(Group::Keys),
    Opt::text(
        "socketio.auth_endpoint",
        Form::Url,
        "Where your Laravel application says whether a client may have a private or presence channel, for Laravel \
         Echo's Socket.IO connector. Without it the rules in `[[access]]` decide. Addresses of your own network are \
         fine.",
    )
    .live(Group::Rules)
    .like("\"http://127.0.0.1:8000/broadcasting/auth\""),
    Opt::time(
        "socketio.auth_timeout",
        BACKEND_TIME,
        within(100, MINUTE),
        "The time that it has to answer.",
    )
    .live(Group::Times),
    Opt::text(
        "socketio.sticky_cookie",
        Form::Cookie,
        "A cookie that names the session, for proxies in front of several servers that keep a client with its \
         server by it.",
    )
    .live(Group::Rules)
    .like("\"io\""),
];
