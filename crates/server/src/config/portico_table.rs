//! The options of the Portico dialect.

use deskbell_core::limits;

use super::options::{Form, Group, Opt, Preset, within};
use super::table::{HOUR, MINUTE, SECOND};

/// Where a session's applications come from.
pub const APPLICATIONS: &[&str] = &["ledger", "postgres", "callback"];

/// For all apps.
pub const PORTICO: &[Opt] = &[
    Opt::switch("portico.enabled", true, "Whether pages of this dialect are served, at `/wss` and at `/`.")
        .live(Group::Rules),
    Opt::number(
        "portico.app",
        0,
        within(1, u32::MAX as u64),
        "The id of the app that Redis feeds; without it, the first app.",
    )
    .unset()
    .like("1001"),
    Opt::switch(
        "portico.relays",
        false,
        "Whether pages may talk to everybody, and enter the room of every entity. Without it they do what the rules \
         of `[[access]]` allow. With `--dev` they may anyway.",
    )
    .live(Group::Rules),
    Opt::text(
        "portico.time_zone",
        Form::Any,
        "The clock on which times are written, an IANA id. PorticoEstate's is Norway's.",
    )
    .or(Preset::Text("Europe/Oslo"))
    .live(Group::Rules),
    Opt::time(
        "portico.server_ping",
        limits::PORTICO_SERVER_PING,
        within(50, HOUR),
        "The time between two `server_ping`.",
    )
    .live(Group::Times),
    Opt::time(
        "portico.room_ping",
        limits::PORTICO_ROOM_PING,
        within(50, HOUR),
        "The time between two `room_ping` in each room of an entity.",
    )
    .live(Group::Times),
    Opt::time(
        "portico.silence",
        limits::PORTICO_SILENCE,
        within(50, 24 * HOUR),
        "The silence after which a page leaves the rooms of entities. Everything that it says counts.",
    )
    .live(Group::Times),
    Opt::switch(
        "portico.redis",
        true,
        "Whether `notifications`, `session_messages` and `room_messages` are heard where `redis.host` is set.",
    )
    .live(Group::Redis),
    Opt::text(
        "portico.spool",
        Form::Path,
        "A folder in which the site's PHP leaves files where neither Redis nor HTTP took what it had to say. They are \
         told, also while Redis works. Without it no files are read.",
    )
    .like("\"/var/spool/deskbell\""),
    Opt::texts(
        "portico.spool_owners",
        Form::Any,
        &[],
        "Users whose files are trusted there, by name or number, beside the server's own user and root.",
    )
    .like("[\"www-data\"]"),
    Opt::time(
        "portico.spool_scan",
        limits::PORTICO_SPOOL_SCAN,
        within(50, HOUR),
        "The time between two looks at everything that is there, for what the system did not announce.",
    ),
    Opt::text(
        "portico.applications",
        Form::OneOf(APPLICATIONS),
        "Where the applications of a session that are not finished come from: the holds of the user \
         `session_ID`, a query of your database, or a request to your site.",
    )
    .or(Preset::Text("ledger")),
    Opt::text(
        "portico.database",
        Form::Secret,
        "With `postgres`: the database, as `postgres://USER:PASSWORD@HOST/DATABASE`. A user that may only read is \
         enough.",
    )
    .like("\"\""),
    Opt::text(
        "portico.query",
        Form::Any,
        "With `postgres`: the query. `$1` is the session's id; the first column of each row is one application as JSON.",
    )
    .like("\"SELECT to_json(a) FROM bb_application a WHERE status = 'NEWPARTIAL1' AND session_id = $1\""),
    Opt::text(
        "portico.callback",
        Form::Url,
        "With `callback`: the address that is asked with `{\"type\":\"partial_applications\",\"sessionId\":…}`, signed as \
         a webhook is. It answers with the list.",
    )
    .like("\"https://www.example.org/bookingfrontend/partial\""),
    Opt::text("portico.callback_secret", Form::Secret, "What signs that request; without it, one that follows from the app's.")
        .like("\"\""),
    Opt::time("portico.applications_timeout", 5 * SECOND, within(100, MINUTE), "The time that such an answer has."),
];
