//! The options of channels: what they are, who may do what on them, and how they are shown.

use super::options::{Form, Group, Opt, Preset, within};
use super::table::{ACTIONS, CLASSES, DAY, DIALECTS};

pub(super) const CHANNELS: &[Opt] = &[
    Opt::rows("channels", CHANNEL_FIELDS, None, "What kind of channel a name is.").live(Group::Rules),
    Opt::rows(
        "access",
        ACCESS_FIELDS,
        None,
        "Who may do what on a channel beside what its own signature or name already allows. `hold`, `confirm` \
         and `manage` on `slots:NAME` say who may hold times of a resource, book them without a backend, and \
         change everything there.",
    )
    .live(Group::Rules),
    Opt::rows(
        "projections",
        PROJECTION_FIELDS,
        None,
        "What clients of a protocol are shown of log channels under their own names, beside what is built in.",
    )
    .live(Group::Rules),
];

const CHANNEL_FIELDS: &[Opt] = &[
    Opt::text("pattern", Form::Pattern, "The channels this is for.")
        .or(Preset::Required)
        .like("\"typing-*\""),
    Opt::text(
        "class",
        Form::OneOf(CLASSES),
        "`stream` keeps a history and replays it in order; of `latest` only the newest value of each key is \
         owed; `ephemeral` is for those who are there now.",
    )
    .or(Preset::Text("stream"))
    .like("\"ephemeral\""),
    Opt::switch("durable", false, "Whether events are on disk before a publish is acknowledged."),
    Opt::number("history_count", 0, within(0, 1_000_000), "Events kept; without it `history.count`.")
        .unset()
        .like("1000"),
    Opt::size("history_bytes", 0, within(0, 1 << 30), "Bytes kept; without it `history.bytes`.")
        .unset()
        .like("\"1MiB\""),
    Opt::time(
        "history_age",
        0,
        within(0, 3_650 * DAY),
        "How long events are kept; without it `history.age`, for durable channels `history.durable_age`.",
    )
    .unset()
    .like("\"10m\""),
    Opt::switch("presence", false, "Whether the channel knows and tells who is on it."),
];

const ACCESS_FIELDS: &[Opt] = &[
    Opt::text("pattern", Form::Template, "The channels this is for.")
        .or(Preset::Required)
        .like("\"private-notifications.{user}\""),
    Opt::texts("allow", Form::OneOf(ACTIONS), &[], "What is allowed.")
        .or(Preset::Required)
        .like("[\"subscribe\"]"),
    Opt::text(
        "to",
        Form::Grantee,
        "Who may: `everyone`; `user`, whoever is signed in (with `{user}` in the pattern only that user); \
         `role:NAME`, users whose token carries the role.",
    )
    .or(Preset::Required)
    .like("\"user\""),
];

const PROJECTION_FIELDS: &[Opt] = &[
    Opt::text("dialect", Form::OneOf(DIALECTS), "For clients of which protocol. Our own are shown events as they are.")
        .or(Preset::Required)
        .like("\"pusher\""),
    Opt::text("channel", Form::Any, "The channel as they name it, with one `{part}`.")
        .or(Preset::Required)
        .like("\"private-calendar.{id}\""),
    Opt::text("from", Form::Any, "The log channel whose events it shows, with the same `{part}`.")
        .or(Preset::Required)
        .like("\"provider:{id}\""),
    Opt::text("event", Form::Any, "Which events: a name, or the beginning of names with a `*` behind it.")
        .or(Preset::Required)
        .like("\"booking.*\""),
    Opt::text("name", Form::Any, "What the event is called there; `$action` in it is the last word of its name, `$data.PATH` at its end a text in its data.")
        .or(Preset::Required)
        .like("\"calendar-$action\""),
    Opt::text(
        "data",
        Form::Any,
        "What its data looks like there, as JSON. A text that begins with `$` is a path into the event's data.",
    )
    .or(Preset::Required)
    .like("'{\"id\":\"$reservation.id\",\"at\":\"$iso:event.at\"}'"),
];
