//! The options of what belongs to Socket.IO beside its connections: backends that handle events, the route by which a
//! marketplace's backend tells clients something, and the admin UI.

use std::path::PathBuf;

use super::error::Secret;
use super::options::{Form, Group, Opt, Preset, Section, within};
use super::table::{MINUTE, SECOND};

/// Time for a backend to handle an event of a client, which waits for it.
const TIMEOUT: u64 = 5 * SECOND;
/// Events that one backend handles at once; each is a connection to it.
const CONCURRENCY: u64 = 64;

/// What the pages say of backends that handle events.
pub(super) const HANDLERS: Section = Section {
    title: "Events that a backend handles",
    intro: "What Socket.IO clients say, one `[[socketio_handlers]]` table for each backend. The first that fits \
            handles an event.",
    options: HANDLER_ROWS,
};

/// Backends that handle events.
const HANDLER_ROWS: &[Opt] = &[Opt::rows(
    "socketio_handlers",
    HANDLER_FIELDS,
    None,
    "A backend of yours that handles events of Socket.IO clients itself: each is a signed POST, whose reply answers the \
     client. [Socket.IO](socketio.md#events-that-your-backend-handles) says what arrives. A change counts after a \
     restart.",
)];

const HANDLER_FIELDS: &[Opt] = &[
    Opt::text("url", Form::Url, "Where events are sent. Addresses of your own network are fine.")
        .or(Preset::Required)
        .like("\"https://www.example.org/api/events\""),
    Opt::number("app", 0, within(1, u32::MAX as u64), "The id of the app; without it, the first app.")
        .unset()
        .like("1001"),
    Opt::texts(
        "namespaces",
        Form::Any,
        &["*"],
        "The namespaces whose events are sent. A `*` at the end of one stands for any rest.",
    ),
    Opt::texts("events", Form::Any, &["*"], "The events that are sent, in the same form."),
    Opt::text(
        "secret",
        Form::Secret,
        "What signs. Without it a secret follows from the app's and the name `socketio`.",
    )
    .like("\"\""),
    Opt::time("timeout", TIMEOUT, within(100, MINUTE), "Time for an answer."),
    Opt::number(
        "concurrency",
        CONCURRENCY,
        within(1, 10_000),
        "Events under way at once. Beyond it clients are refused.",
    ),
    Opt::text(
        "ca_file",
        Form::Path,
        "A PEM file with the root of a private authority that its certificate comes from.",
    )
    .like("\"/etc/deskbell/authority.pem\""),
];

/// What they say of the admin UI.
pub(super) const ADMIN: Section = Section {
    title: "Admin UI of Socket.IO",
    intro: "Its namespace `/admin`, in production mode: how many clients there are, and what passes. The page's \
            origin belongs into `cors.origins`. A change counts after a restart.",
    options: ADMIN_OPTIONS,
};

/// The admin UI.
const ADMIN_OPTIONS: &[Opt] = &[
    Opt::text(
        "socketio_admin.username",
        Form::Any,
        "The name by which an operator logs in; without it there is no admin UI.",
    )
    .like("\"admin\""),
    Opt::text("socketio_admin.password", Form::Secret, "The password, of at least 16 characters.")
        .like("\"\""),
];

/// The admin UI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// The name of whoever logs in.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A backend that handles events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerSettings {
    /// Its address.
    pub url: String,
    /// The app; `None`: the first.
    pub app: Option<u64>,
    /// The namespaces.
    pub namespaces: Vec<String>,
    /// The events.
    pub events: Vec<String>,
    /// What signs.
    pub secret: Option<Secret>,
    /// Time for an answer.
    pub timeout_ms: u64,
    /// Events under way at once.
    pub concurrency: usize,
    /// The root of a private authority.
    pub ca_file: Option<PathBuf>,
}

/// What they say of the marketplace's route.
pub(super) const MARKETPLACE: Section = Section {
    title: "Marketplace",
    intro: "The route `/api/socket`, by which the backend of a marketplace tells its Socket.IO clients \
            something. See [Socket.IO](socketio.md).",
    options: MARKETPLACE_OPTIONS,
};

/// For all apps.
const MARKETPLACE_OPTIONS: &[Opt] = &[Opt::switch(
    "marketplace.everyone",
    false,
    "Whether `POST /api/socket` that names nobody is told to everybody who is connected, also to those whom nobody \
     knows. In development mode it always is.",
)
.live(Group::Rules)];

/// The marketplace's route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketplaceSettings {
    /// What names nobody is for everybody.
    pub everyone: bool,
}
