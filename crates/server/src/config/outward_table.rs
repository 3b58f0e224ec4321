//! The options of what Deskbell calls by itself: webhooks, calendars and Redis.

use deskbell_core::limits;

use super::options::{Form, Group, Opt, Preset, within};
use super::table::{DAY, HOUR, MINUTE, REDIS_KINDS, SECOND};

const APP: &str = "The id of the app; without it, the first app.";
const CA_FILE: &str = "A PEM file with the root of a private authority that its certificate comes from.";

pub(super) const WEBHOOKS: &[Opt] = &[Opt::rows(
    "webhooks",
    WEBHOOK_FIELDS,
    None,
    "A server of yours that is told what happened, by a signed POST for each event. One that was never there \
     before begins with what happens next. [Webhooks](webhooks.md) says what arrives and how to verify it.",
)];

const WEBHOOK_FIELDS: &[Opt] = &[
    Opt::text("name", Form::Name, "Its name, by which commands and metrics know it. With another name it is another webhook, which begins anew.")
        .or(Preset::Required)
        .like("\"shop\""),
    Opt::text("url", Form::Url, "Where events are sent. Addresses of your own network are fine.")
        .or(Preset::Required)
        .like("\"https://www.example.org/hooks/deskbell\""),
    Opt::number("app", 0, within(1, u32::MAX as u64), APP).unset().like("1001"),
    Opt::text(
        "secret",
        Form::Secret,
        "What signs. Without it a secret follows from the app's and the name; `deskbell webhooks secret NAME` \
         prints it.",
    )
    .like("\"\""),
    Opt::text(
        "previous_secret",
        Form::Secret,
        "The secret before that one: while it stands here, everything is signed with both.",
    )
    .like("\"\""),
    Opt::texts(
        "channels",
        Form::Pattern,
        &["staff:*", "webhook:*"],
        "Channels whose events are sent, if their name fits too. `staff:*` has every event about bookings once, \
         with everything in it, and `webhook:*` the notifications that go by webhook. Only durable channels can be \
         named.",
    ),
    Opt::texts("events", Form::Pattern, &["booking.*", "notification.created"], "Names of the events that are sent."),
    Opt::time("timeout", limits::WEBHOOK_TIMEOUT, within(100, 5 * MINUTE), "Time for an answer."),
    Opt::number(
        "concurrency",
        limits::WEBHOOK_CONCURRENCY as u64,
        within(1, limits::WEBHOOK_CONCURRENCY_MOST as u64),
        "Requests under way at once. Those about one booking always follow each other.",
    ),
    Opt::time(
        "first_wait",
        limits::WEBHOOK_FIRST_WAIT,
        within(10, HOUR),
        "Time before the second attempt; it doubles with each further one.",
    ),
    Opt::time(
        "longest_wait",
        limits::WEBHOOK_LONGEST_WAIT,
        within(10, DAY),
        "Time between two attempts at most, whatever `Retry-After` asks for.",
    ),
    Opt::time(
        "patience",
        limits::WEBHOOK_PATIENCE,
        within(0, 30 * DAY),
        "Time from the first attempt to the last one; then the event is a dead letter.",
    ),
    Opt::text("ca_file", Form::Path, CA_FILE).like("\"/etc/deskbell/authority.pem\""),
];

pub(super) const CALENDARS: &[Opt] = &[Opt::rows(
    "calendars",
    CALENDAR_FIELDS,
    None,
    "A calendar (iCalendar) somewhere else whose events block a resource. It is fetched every now and then, and \
     what it says replaces what it said before. See [calendars](calendars.md).",
)];

const CALENDAR_FIELDS: &[Opt] = &[
    Opt::text("resource", Form::Any, "The resource that it blocks.").or(Preset::Required).like("\"dr-7\""),
    Opt::text("url", Form::Url, "Where the calendar is.")
        .or(Preset::Required)
        .like("\"https://calendar.example.org/dr-7.ics\""),
    Opt::text("source", Form::Name, "Its name among the calendars of the resource.")
        .or(Preset::Text("calendar"))
        .like("\"calendar\""),
    Opt::number("app", 0, within(1, u32::MAX as u64), APP).unset().like("1001"),
    Opt::time("every", limits::CALENDAR_EVERY, within(SECOND, DAY), "How often it is fetched."),
    Opt::time("timeout", limits::CALENDAR_TIMEOUT, within(100, 5 * MINUTE), "Time for an answer."),
    Opt::text("ca_file", Form::Path, CA_FILE).like("\"/etc/deskbell/authority.pem\""),
];

pub(super) const REDIS: &[Opt] = &[
    Opt::text("redis.host", Form::Host, "Where Redis is. Without it there is none.")
        .live(Group::Redis)
        .also(&["REDIS_HOST"])
        .like("\"127.0.0.1\""),
    Opt::number("redis.port", 6_379, within(1, 65_535), "Its port.").live(Group::Redis).also(&["REDIS_PORT"]),
    Opt::text("redis.user", Form::Any, "The user to log in as; without one, Redis' own `default`.")
        .live(Group::Redis)
        .also(&["REDIS_USERNAME"])
        .like("\"deskbell\""),
    Opt::text("redis.password", Form::Secret, "The password; without one nobody logs in.")
        .live(Group::Redis)
        .also(&["REDIS_PASSWORD"])
        .like("\"\""),
    Opt::switch("redis.tls", false, "Whether to speak TLS.").live(Group::Redis),
    Opt::text("redis.ca_file", Form::Path, CA_FILE)
        .live(Group::Redis)
        .like("\"/etc/deskbell/authority.pem\""),
    Opt::text(
        "redis.prefix",
        Form::Topic,
        "The prefix of your backend's connection, `database.redis.options.prefix` of a Laravel. It stands for \
         `redis.channels = [\"PREFIX*\"]`; where channels are listed, they alone count.",
    )
    .live(Group::Redis)
    .also(&["REDIS_PREFIX"])
    .like("\"clinic_database_\""),
    Opt::rows(
        "redis.channels",
        REDIS_FIELDS,
        Some("pattern"),
        "Which channels of Redis mean what. The first one that fits decides. The default are the prefixes of a \
         Laravel that was given no name of its own.",
    )
    .or(Preset::Texts(&["laravel_database_*", "laravel-database-*"]))
    .live(Group::Redis),
];

const REDIS_FIELDS: &[Opt] = &[
    Opt::text(
        "pattern",
        Form::Topic,
        "The channels of Redis: how they begin, and a `*`. With `laravel` that is the prefix of the connection, \
         `database.redis.options.prefix`; the channel's own name follows.",
    )
    .or(Preset::Required)
    .like("\"clinic_database_*\""),
    Opt::text(
        "kind",
        Form::OneOf(REDIS_KINDS),
        "What is written there: `laravel`, by Laravel's `redis` broadcaster, or `portico`, by PorticoEstate.",
    )
    .or(Preset::Text("laravel")),
    Opt::number("app", 0, within(1, u32::MAX as u64), APP).unset().like("1001"),
];
