//! Every option of Deskbell, each exactly once. The limits stand in `limit_table.rs`.

use deskbell_core::limits;

use super::appointease::APPOINTEASE;
use super::channel_table::CHANNELS;
use super::limit_table::{LIMITS, MEMORY};
use super::options::{Bounds, Form, Group, Opt, Preset, Section, within};
use super::outward_table::{CALENDARS, REDIS, WEBHOOKS};
use super::portico_table::PORTICO;
use super::pusher_table::{OF_APP, PUSHER};
use super::socketio_backend::{ADMIN, HANDLERS, MARKETPLACE};
use super::socketio_table::SOCKETIO;

pub(super) const SECOND: u64 = 1_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// The levels of the log, the quietest first.
pub const LOG_LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];
/// The forms of a log line.
pub const LOG_FORMATS: &[&str] = &["text", "json"];
/// The signatures a user's token may have.
pub const JWT_ALGORITHMS: &[&str] = &["HS256", "RS256", "ES256", "EdDSA"];
/// The classes of a channel.
pub const CLASSES: &[&str] = &["stream", "latest", "ephemeral"];
/// What an access rule can allow.
pub const ACTIONS: &[&str] = &["subscribe", "publish", "presence", "hold", "confirm", "manage"];
/// The protocols whose clients can be shown events in their own words.
pub const DIALECTS: &[&str] = &["appointease", "portico", "pusher", "socketio"];
/// What is written on channels of Redis.
pub const REDIS_KINDS: &[&str] = &["laravel", "portico"];
/// The dialects whose pages ask for `/`.
pub const ROOTS: &[&str] = &["appointease", "portico"];
/// What becomes of holds whose holder has gone.
pub const ON_DISCONNECT: &[&str] = &["release", "keep"];

/// The whole table, in the order of the reference page.
pub static SECTIONS: &[Section] = &[
    Section {
        title: "Server",
        intro: "Where Deskbell listens and where it keeps its data.",
        options: SERVER,
    },
    Section {
        title: "Apps",
        intro: "An app is one tenant: a numeric id, a public key and a secret. Most installations have one. \
                What is absent under `app` is made at the first start and kept in `credentials.toml` in the \
                data directory. There is no default secret.",
        options: APPS,
    },
    Section {
        title: "TLS",
        intro: "Either own files (`tls.cert` and `tls.key`) or certificates from an ACME authority \
                (`tls.acme.domains`), or neither behind a proxy that does TLS.",
        options: TLS,
    },
    Section { title: "Log", intro: "Log lines go to standard error unless `log.file` is set.", options: LOG },
    Section {
        title: "User tokens",
        intro: "A user is known by a JWT that your site signs. Set the secret or the public key it signs with; \
                tokens signed with an app's own secret are always taken.",
        options: AUTH,
    },
    Section {
        title: "Channels and access",
        intro: "Both are lists of tables. For the kind of a channel the first table whose pattern fits decides; \
                of the access rules everything holds that any fitting one allows. In a pattern `*` stands for any \
                run of characters. In an access rule `{user}` stands for the signed-in user's own id, and any \
                other `{name}` for any run of characters.",
        options: CHANNELS,
    },
    Section { title: "Browsers", intro: "Which web pages may talk to Deskbell.", options: BROWSERS },
    Section {
        title: "Sessions and history",
        intro: "How long things are remembered for those who come back.",
        options: MEMORY,
    },
    Section {
        title: "Holds",
        intro: "What a resource says of its own holds stands in its `policy`; this holds for all of them.",
        options: HOLDS,
    },
    Section {
        title: "Limits",
        intro: "Every bound a client can run into. Where 0 is allowed it turns the limit off.",
        options: LIMITS,
    },
    Section {
        title: "Pusher",
        intro: "The dialect of pusher-js, Laravel Echo and the Pusher libraries. What is set here holds for every \
                app that says nothing else in its own table.",
        options: PUSHER,
    },
    Section {
        title: "Socket.IO",
        intro: "The dialect of socket.io-client 4, python-socketio, and applications built on them.",
        options: SOCKETIO,
    },
    Section {
        title: "Portico",
        intro: "The dialect of PorticoEstate: its pages at `/wss`, and its channels of Redis. See portico.md.",
        options: PORTICO,
    },
    HANDLERS,
    ADMIN,
    MARKETPLACE,
    APPOINTEASE,
    Section {
        title: "Webhooks",
        intro: "Servers of yours that are told what happened, one `[[webhooks]]` table for each. A change counts \
                after a restart.",
        options: WEBHOOKS,
    },
    Section {
        title: "Calendars",
        intro: "Calendars somewhere else that block resources, one `[[calendars]]` table for each. A change counts \
                after a restart.",
        options: CALENDARS,
    },
    Section {
        title: "Redis",
        intro: "A Redis through which your backend publishes, as with Laravel's `redis` broadcaster. \
                `redis.host` switches it on. See [Redis](redis.md).",
        options: REDIS,
    },
    Section { title: "Metrics", intro: "Numbers for Prometheus at `/metrics`.", options: METRICS },
];

const SERVER: &[Opt] = &[
    Opt::rows(
        "listen",
        LISTEN,
        Some("addr"),
        "Where to listen: one address, a list of addresses, or one `[[listen]]` table for each. The default is \
         this machine alone, so that nothing is open to the network by accident.",
    )
    .or(Preset::Texts(&["127.0.0.1:8080"]))
    .flag("listen"),
    Opt::text("data", Form::Path, "The directory that holds everything Deskbell writes. It is made if absent.")
        .or(Preset::Text("deskbell-data"))
        .flag("data"),
    Opt::text(
        "ledger",
        Form::Secret,
        "The PostgreSQL database that keeps resources, holds, bookings and durable events, as \
         `postgres://USER:PASSWORD@HOST/DATABASE`. Several Deskbells can work on one. Without it they are kept in \
         a file in the data directory. See postgres.md.",
    )
    .like("\"\""),
    Opt::text(
        "outbox",
        Form::Secret,
        "Your application's own PostgreSQL database, from which events are taken that its transactions wrote \
         with `deskbell.publish`. `deskbell outbox sql` prints what that database needs.",
    )
    .like("\"\""),
    Opt::number(
        "shards",
        0,
        Bounds { min: 1, max: 1_024, zero: Some("one for each core") },
        "Threads that serve connections.",
    )
    .flag("shards"),
    Opt::switch(
        "dev",
        false,
        "Development mode: everybody may subscribe, publish and be present on every channel, from any web \
         origin. Refused on an address that others can reach.",
    )
    .flag("dev"),
    Opt::switch(
        "dev_force",
        false,
        "Allows development mode on an address that others can reach. Whoever can reach it can do anything.",
    )
    .flag("dev-force"),
    Opt::time(
        "drain",
        30 * SECOND,
        within(0, 10 * MINUTE),
        "How long a stop takes at most: connections are closed spread over this time, or over 10 ms for each \
         where that is less, so that clients do not all come back in one moment.",
    )
    .live(Group::Times),
    Opt::texts(
        "trusted_proxies",
        Form::Network,
        &[],
        "Addresses or networks of your reverse proxies. Only from them are `Forwarded` and `X-Forwarded-*` \
         believed; without this everybody behind a proxy counts as one address.",
    )
    .live(Group::Rules)
    .like("[\"127.0.0.1\", \"10.0.0.0/8\"]"),
];

const LISTEN: &[Opt] = &[
    Opt::text("addr", Form::Address, "The address and port.").or(Preset::Required).like("\"0.0.0.0:443\""),
    Opt::switch("tls", false, "Whether this listener speaks TLS; without it, it does when TLS is set up.")
        .unset()
        .like("true"),
    Opt::number(
        "app",
        0,
        within(1, u32::MAX as u64),
        "The id of the app that connections of this listener belong to when they name no key; without it, \
         the first app.",
    )
    .unset()
    .like("1001"),
    Opt::text(
        "root",
        Form::OneOf(ROOTS),
        "Whose pages ask for `/` here, where no e-mail address and no cookie tells. With `portico` the cookie \
         `PHPSESSID` counts as well, which every PHP site sets.",
    )
    .or(Preset::Text("appointease")),
];

const APP_ID: &str = "The app's id, a number.";
const APP_KEY: &str = "The app's public key, which browsers name.";
const APP_SECRET: &str =
    "The app's secret, which only your backend knows. At least 32 characters are advised.";

const APPS: &[Opt] = &[
    Opt::number("app.id", 0, within(1, u32::MAX as u64), APP_ID).unset().like("1001"),
    Opt::text("app.key", Form::Any, APP_KEY).like("\"my-public-key\""),
    Opt::text("app.secret", Form::Secret, APP_SECRET).live(Group::Keys).like("\"\""),
    Opt::rows(
        "apps",
        APP_FIELDS,
        None,
        "More apps, or all of them: when `app` is empty, only these exist. Secrets and origins count at once on \
         SIGHUP; apps that come, go or change their key need a restart.",
    )
    .live(Group::Keys),
    super::operator_table::OPERATOR,
];

const APP_FIELDS: &[Opt] = &[
    Opt::number("id", 0, within(1, u32::MAX as u64), APP_ID).or(Preset::Required).like("1002"),
    Opt::text("key", Form::Any, APP_KEY).or(Preset::Required).like("\"second-public-key\""),
    Opt::text("secret", Form::Secret, APP_SECRET).or(Preset::Required).like("\"\""),
    Opt::text("name", Form::Any, "A name for people.").like("\"Second site\""),
    Opt::texts("origins", Form::Origin, &[], "The app's own web origins, beside `cors.origins`.")
        .like("[\"https://second.example.org\"]"),
    OF_APP[0],
    OF_APP[1],
    OF_APP[2],
    OF_APP[3],
    OF_APP[4],
    OF_APP[5],
    OF_APP[6],
    OF_APP[7],
    OF_APP[8],
    OF_APP[9],
    OF_APP[10],
];

const TLS: &[Opt] = &[
    Opt::text("tls.cert", Form::Path, "The certificate chain, a PEM file.")
        .like("\"/etc/deskbell/fullchain.pem\""),
    Opt::text("tls.key", Form::Path, "The private key of the certificate, a PEM file.")
        .like("\"/etc/deskbell/privkey.pem\""),
    Opt::texts("tls.acme.domains", Form::Domain, &[], "Host names to get certificates for.")
        .like("[\"bell.example.org\"]"),
    Opt::text(
        "tls.acme.contact",
        Form::Email,
        "Where the authority writes to when a certificate is in danger.",
    )
    .like("\"admin@example.org\""),
    Opt::text("tls.acme.directory", Form::Url, "The directory address of the ACME authority.")
        .or(Preset::Text("https://acme-v02.api.letsencrypt.org/directory")),
    Opt::text(
        "tls.acme.cache",
        Form::Path,
        "Where certificates are kept; without it `acme` in the data directory.",
    )
    .like("\"/var/lib/deskbell/acme\""),
    Opt::text(
        "tls.acme.ca_file",
        Form::Path,
        "A PEM file with the root of a private or test authority, to reach its directory over TLS.",
    )
    .like("\"/etc/deskbell/test-authority.pem\""),
];

const LOG: &[Opt] = &[
    Opt::text("log.level", Form::OneOf(LOG_LEVELS), "The least important lines that are still written.")
        .or(Preset::Text("info"))
        .live(Group::Log)
        .flag("log-level"),
    Opt::text("log.format", Form::OneOf(LOG_FORMATS), "Lines for people, or JSON objects for machines.")
        .or(Preset::Text("text"))
        .flag("log-format"),
    Opt::switch("log.enabled", true, "Whether anything is logged.")
        .live(Group::Log)
        .also(&["WSS_LOG_ENABLED"]),
    Opt::switch(
        "log.debug",
        false,
        "In place of `log.level`: everything that helps to find a fault, or only warnings and worse and what is said of a \
         start, a stop and of Redis. With `--dev` the former, unless `log.level` is set.",
    )
    .unset()
    .live(Group::Log)
    .also(&["WSS_DEBUG_LOG_ENABLED"])
    .like("false"),
    Opt::switch(
        "log.warnings_to_stderr",
        true,
        "With `log.file`: whether warnings and worse go to standard error as well, where the log of a container is.",
    )
    .live(Group::Log)
    .also(&["WSS_LOG_TO_DOCKER"]),
    Opt::text(
        "log.file",
        Form::Path,
        "A file to append to in place of standard error; SIGHUP opens it anew.",
    )
    .live(Group::Log)
    .also(&["WSS_LOG_FILE"])
    .flag("log-file")
    .like("\"/var/log/deskbell.log\""),
];

const AUTH: &[Opt] = &[
    Opt::text("auth.jwt_secret", Form::Secret, "The secret of HS256 tokens.")
        .live(Group::Keys)
        .also(&["NEXTAUTH_SECRET"])
        .like("\"\""),
    Opt::text("auth.other_jwt_secret", Form::Secret, "A second one, or the one before the first.")
        .live(Group::Keys)
        .also(&["JWT_SECRET"])
        .like("\"\""),
    Opt::texts(
        "auth.jwt_algorithms",
        Form::OneOf(JWT_ALGORITHMS),
        JWT_ALGORITHMS,
        "Signatures that are taken. \
         A key is only ever used with the algorithm it was made for.",
    )
    .live(Group::Keys),
    Opt::text(
        "auth.jwt_public_key",
        Form::Path,
        "A PEM file with the public key of RS256, ES256 or EdDSA tokens.",
    )
    .live(Group::Keys)
    .like("\"/etc/deskbell/tokens.pub.pem\""),
    Opt::text("auth.jwks_url", Form::Url, "Where the identity provider publishes its keys (JWKS).")
        .live(Group::Keys)
        .like("\"https://login.example.org/.well-known/jwks.json\""),
    Opt::time(
        "auth.jwks_refresh",
        10 * MINUTE,
        within(10 * SECOND, DAY),
        "How often the keys are fetched anew.",
    )
    .live(Group::Keys),
    Opt::text("auth.issuer", Form::Any, "The `iss` that tokens must carry; without it any.")
        .live(Group::Keys)
        .like("\"https://login.example.org/\""),
    Opt::text("auth.audience", Form::Any, "The `aud` that tokens must carry; without it any.")
        .live(Group::Keys)
        .like("\"deskbell\""),
    Opt::time(
        "auth.leeway",
        30 * SECOND,
        within(0, 5 * MINUTE),
        "How far the clock of the signer may differ, and how long after `exp` a live connection stays open.",
    )
    .live(Group::Keys),
    Opt::text("auth.cookie", Form::Cookie, "A cookie that carries the token; without it no cookie is read.")
        .live(Group::Keys)
        .like("\"auth-token\""),
    Opt::text("auth.user_claim", Form::Any, "The claim that is the user's id.")
        .or(Preset::Text("sub"))
        .live(Group::Keys),
    Opt::text("auth.roles_claim", Form::Any, "The claim that holds a role or a list of roles.")
        .or(Preset::Text("roles"))
        .live(Group::Keys),
];

const BROWSERS: &[Opt] = &[
    Opt::texts(
        "cors.origins",
        Form::Origin,
        &[],
        "Web origins whose pages may call the HTTP API. Empty: only pages of the same host, and of the apps' \
         own origins.",
    )
    .live(Group::Rules)
    .like("[\"https://www.example.org\"]"),
    Opt::texts(
        "websocket.origins",
        Form::Origin,
        &[],
        "Web origins whose pages may open a WebSocket, beside the same host, the app's own origins, and \
         clients that send no `Origin` (those are no browsers). Empty: those of `cors.origins`.",
    )
    .live(Group::Rules)
    .like("[\"https://www.example.org\"]"),
    Opt::switch(
        "websocket.compression",
        false,
        "Whether permessage-deflate is offered. It costs processor time for each event and rarely pays for \
         small ones.",
    )
    .live(Group::Rules),
    Opt::switch(
        "websocket.echo",
        false,
        "Whether `/echo` sends every WebSocket message back, up to 16 MiB and without a rate limit. Only for \
         conformance suites: never switch it on where others can connect.",
    ),
];

const HOLDS: &[Opt] = &[
    Opt::text(
        "holds.on_disconnect",
        Form::OneOf(ON_DISCONNECT),
        "What becomes of a hold that was made over a WebSocket when its holder has been without any connection \
         for `holds.grace`: it is released, or kept until it expires.",
    )
    .or(Preset::Text("release"))
    .live(Group::Times),
    Opt::time(
        "holds.grace",
        limits::HOLD_GRACE,
        within(0, HOUR),
        "How long such a holder has to come back, in any tab: a phone in a tunnel, a reload of the page.",
    )
    .live(Group::Times),
];

const METRICS: &[Opt] = &[
    Opt::switch("metrics.enabled", true, "Whether `/metrics` exists.").live(Group::Rules),
    Opt::switch("metrics.public", false, "Whether `/metrics` can be read without an app's secret.")
        .live(Group::Rules),
];
