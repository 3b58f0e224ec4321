//! The options of the Pusher dialect: for all apps, and for one alone.

use deskbell_core::limits;

use deskbell_wire::pusher::hook;

use super::options::{Form, Group, Opt, Preset, or_off, within};
use super::table::{DAY, HOUR, MINUTE, SECOND};

const KIB: u64 = 1 << 10;

const ENABLED: &str = "Whether clients and backends of this dialect are served.";
const CLIENT_EVENTS: &str = "Whether clients may speak to each other on private and presence channels, as \
                             Laravel's `whisper` does.";
const CLIENT_EVENT_RATE: &str = "How many events one client may send to others in a second.";
const SUBSCRIPTION_COUNT: &str = "Whether clients are told how many subscriptions a channel has.";
const MEMBERS: &str = "Members of one presence channel: each of them gets the list of all.";
const DATA: &str = "Bytes of the data of one event. Its libraries count on this number.";
const BARE: &str = "Whether a signature without the app's key in front is taken for the channel alone; data that \
                    comes with it is ignored. Only for backends that sign so.";

const AUTH_URL: &str = "The app's own authorisation endpoint, as Laravel's `/broadcasting/auth`. The one of this server \
                        then asks there, with the client's cookies and headers, and signs what the app agrees to: for \
                        an app that does not sign by itself, as with Laravel's `redis` broadcaster. Without it the \
                        rules of `[[access]]` decide.";

const CHANNELS: &str = "Channels that one event may go to. Laravel sends in lists of 100.";

const BATCH: &str = "Events of one batch.";

/// For all apps.
pub const PUSHER: &[Opt] = &[
    Opt::switch("pusher.enabled", true, ENABLED).live(Group::Rules),
    Opt::time(
        "pusher.activity_timeout",
        limits::PUSHER_ACTIVITY,
        within(SECOND, HOUR),
        "The time without a message after which a client asks whether the server is there, and the server the \
         client.",
    )
    .live(Group::Times),
    Opt::time(
        "pusher.pong_timeout",
        limits::PUSHER_PONG,
        within(SECOND, HOUR),
        "The time that a client has to answer before it is closed.",
    )
    .live(Group::Times),
    Opt::texts(
        "pusher.public",
        Form::Pattern,
        &["*"],
        "Channels that whoever has the key may read, among those whose names have no guard (`private-`, \
         `presence-`). A channel that a rule in `[[access]]` names is not among them: there the rule decides.",
    )
    .live(Group::Rules),
    Opt::switch("pusher.client_events", true, CLIENT_EVENTS).live(Group::Rules),
    Opt::number("pusher.client_event_rate", limits::PUSHER_CLIENT_EVENTS as u64, within(1, limits::PUSHER_MOST_CLIENT_EVENTS as u64), CLIENT_EVENT_RATE)
        .live(Group::Limits),
    Opt::switch("pusher.subscription_count", false, SUBSCRIPTION_COUNT).live(Group::Rules),
    Opt::number("pusher.members", limits::PUSHER_MEMBERS as u64, within(1, limits::PRESENCE_MEMBERS as u64), MEMBERS)
        .live(Group::Limits),
    Opt::size("pusher.data", limits::PUSHER_DATA as u64, within(limits::PUSHER_LEAST_DATA as u64, limits::PUSHER_MOST_DATA as u64), DATA).live(Group::Limits),
    Opt::number(
        "pusher.channels",
        limits::PUSHER_CHANNELS as u64,
        within(1, limits::PUSHER_MOST_LIST as u64),
        CHANNELS,
    )
    .live(Group::Limits),
    Opt::number("pusher.batch", limits::PUSHER_BATCH as u64, within(1, limits::PUSHER_MOST_LIST as u64), BATCH)
        .live(Group::Limits),
    Opt::switch("pusher.bare_signatures", false, BARE).live(Group::Rules),
    Opt::text("pusher.auth_url", Form::Url, AUTH_URL)
        .live(Group::Rules)
        .like("\"https://www.example.org/broadcasting/auth\""),
    Opt::rows(
        "pusher_webhooks",
        WEBHOOK_FIELDS,
        None,
        "A server of yours that is told what happens in channels, by the requests that Pusher sends: signed with the \
         app's secret, at least once, also after a crash. A change counts after a restart.",
    ),
];

const WEBHOOK_FIELDS: &[Opt] = &[
    Opt::text("url", Form::Url, "Where requests are sent. Addresses of your own network are fine.")
        .or(Preset::Required)
        .like("\"https://www.example.org/pusher/webhook\""),
    Opt::number("app", 0, within(1, u32::MAX as u64), "The id of the app; without it, the first app.")
        .unset()
        .like("1001"),
    Opt::texts("events", Form::OneOf(&hook::KINDS), &hook::KINDS, "The kinds that are sent."),
    Opt::texts("channels", Form::Pattern, &["*"], "The channels of which they are sent."),
    Opt::number("batch", 1, within(1, 100), "Events of one request at most."),
    Opt::time("timeout", limits::WEBHOOK_TIMEOUT, within(100, 5 * MINUTE), "Time for an answer."),
    Opt::time(
        "patience",
        limits::NEWS_PATIENCE,
        within(0, DAY),
        "Time from the first attempt to the last one; then the request is given up.",
    ),
    Opt::time(
        "returns",
        limits::NEWS_RETURN,
        within(0, DAY),
        "Time that clients have to come back after a start of the server, before what was there is told to be over.",
    ),
    Opt::text(
        "ca_file",
        Form::Path,
        "A PEM file with the root of a private authority that its certificate comes from.",
    )
    .like("\"/etc/deskbell/authority.pem\""),
];

/// What one app has otherwise.
pub const OF_APP: [Opt; 11] = [
    Opt::switch("pusher_enabled", true, ENABLED).unset().like("false"),
    Opt::number(
        "pusher_connections",
        0,
        or_off(1, limits::PUSHER_MOST_CONNECTIONS as u64),
        "Connections of this dialect that the app may have at once.",
    )
    .unset()
    .like("1000"),
    Opt::switch("pusher_client_events", true, CLIENT_EVENTS).unset().like("false"),
    Opt::number(
        "pusher_client_event_rate",
        10,
        within(1, limits::PUSHER_MOST_CLIENT_EVENTS as u64),
        CLIENT_EVENT_RATE,
    )
    .unset()
    .like("20"),
    Opt::switch("pusher_subscription_count", false, SUBSCRIPTION_COUNT).unset().like("true"),
    Opt::number(
        "pusher_members",
        limits::PUSHER_MEMBERS as u64,
        within(1, limits::PRESENCE_MEMBERS as u64),
        MEMBERS,
    )
    .unset()
    .like("200"),
    Opt::size(
        "pusher_data",
        10 * KIB,
        within(limits::PUSHER_LEAST_DATA as u64, limits::PUSHER_MOST_DATA as u64),
        DATA,
    )
    .unset()
    .like("\"20KiB\""),
    Opt::number(
        "pusher_channels",
        limits::PUSHER_CHANNELS as u64,
        within(1, limits::PUSHER_MOST_LIST as u64),
        CHANNELS,
    )
    .unset()
    .like("200"),
    Opt::number(
        "pusher_batch",
        limits::PUSHER_BATCH as u64,
        within(1, limits::PUSHER_MOST_LIST as u64),
        BATCH,
    )
    .unset()
    .like("20"),
    Opt::switch("pusher_bare_signatures", false, BARE).unset().like("true"),
    Opt::text("pusher_auth_url", Form::Url, AUTH_URL).like("\"https://www.example.org/broadcasting/auth\""),
];
