//! The options with a number behind them: what is remembered and what a client may ask for. Each sentence
//! gives the reason of its default.

use super::options::{Group, Opt, or_off, within};
use super::table::{DAY, HOUR, MINUTE, SECOND};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What is remembered, and for how long.
pub const MEMORY: &[Opt] = &[
    Opt::time(
        "heartbeat",
        25 * SECOND,
        within(SECOND, 10 * MINUTE),
        "How often a silent connection is asked whether it is alive. Proxies commonly cut at 60 s, so two \
         heartbeats fit.",
    ),
    Opt::time(
        "session.resume_window",
        120 * SECOND,
        within(0, DAY),
        "How long a session waits for its tab to come back: a tunnel, a lift, a laptop lid.",
    ),
    Opt::time(
        "presence.grace",
        15 * SECOND,
        within(0, HOUR),
        "How long a member who lost the connection still counts as here, so that a page reload is invisible.",
    ),
    Opt::number(
        "history.count",
        1_000,
        within(0, 1_000_000),
        "Events each stream channel keeps in memory: some minutes of a busy channel.",
    ),
    Opt::size(
        "history.bytes",
        MIB,
        within(0, GIB),
        "Bytes each stream channel keeps in memory, so that large events cannot use it up.",
    ),
    Opt::time(
        "history.age",
        10 * MINUTE,
        within(0, 30 * DAY),
        "How long a stream channel in memory keeps an event: longer than any resume window.",
    ),
    Opt::time(
        "history.durable_age",
        30 * DAY,
        within(HOUR, 3_650 * DAY),
        "How long a durable channel keeps an event: someone may be away for a holiday.",
    ),
    Opt::time(
        "idempotency",
        24 * HOUR,
        within(MINUTE, 30 * DAY),
        "How long the answer to an idempotency key is kept: job queues retry for a day.",
    ),
    Opt::time(
        "pusher.activity_timeout",
        120 * SECOND,
        within(10 * SECOND, HOUR),
        "What Pusher clients are told to wait before they ping; 120 s is what their libraries expect.",
    ),
];

/// The bounds of a client. All of them are taken anew on SIGHUP.
pub const LIMITS: &[Opt] = &[
    Opt::size(
        "limit.frame",
        64 * KIB,
        within(KIB, 16 * MIB),
        "The largest frame a client may send; also what is read from one connection in one turn.",
    )
    .live(Group::Limits),
    Opt::size(
        "limit.body",
        MIB,
        within(KIB, 64 * MIB),
        "The largest body of an HTTP request: a batch of events fits, an upload does not.",
    )
    .live(Group::Limits),
    Opt::size(
        "limit.header",
        16 * KIB,
        within(KIB, 256 * KIB),
        "The largest head of an HTTP request: long cookies fit.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.rate",
        150,
        or_off(1, 1_000_000),
        "Frames per second that one connection may send for long: well above a person who types or drags a calendar entry.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.burst",
        1_000,
        within(1, 1_000_000),
        "Frames one connection may send at once: a client that comes back subscribes to all it had.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.rate_per_address",
        5_000,
        or_off(1, 10_000_000),
        "Frames per second of all connections of one address: a large office behind one address fits.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.rate_per_identity",
        600,
        or_off(1, 1_000_000),
        "Frames per second of all connections of one user: some tabs on some devices.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.subscriptions",
        100,
        within(1, 100_000),
        "Channels one connection may be subscribed to.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.connections",
        100_000,
        or_off(1, 10_000_000),
        "Connections in all. The open-file limit of the process is the other bound; `deskbell doctor` shows it.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.connections_per_address",
        1_000,
        or_off(1, 10_000_000),
        "Connections of one address: a large office behind one address fits.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.connect_rate_per_address",
        200,
        or_off(1, 1_000_000),
        "New connections per second of one address: an office that comes back after a restart fits.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.parked_sessions",
        100_000,
        within(0, 10_000_000),
        "Sessions that wait for their tab in all; the oldest go first.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.parked_sessions_per_address",
        1_000,
        within(0, 10_000_000),
        "Sessions of one address that wait for their tab, so that one address cannot push out the others.",
    )
    .live(Group::Limits),
    Opt::size(
        "limit.backlog",
        256 * KIB,
        within(16 * KIB, 64 * MIB),
        "Bytes that wait for one slow connection. Beyond it the connection reads on from history. It \
         rises with `limit.frame`.",
    )
    .live(Group::Limits),
    Opt::time(
        "limit.poll_wait",
        25 * SECOND,
        within(SECOND, 5 * MINUTE),
        "The longest wait of a long poll: below the 30 s at which proxies and PHP give up.",
    )
    .live(Group::Limits),
    Opt::time(
        "limit.sse_rotation",
        8 * MINUTE,
        within(10 * SECOND, DAY),
        "When an event stream is ended so that the client opens a new one, spread by a fifth to both sides: \
         some proxies cut at 10 min.",
    )
    .live(Group::Limits),
    Opt::time(
        "limit.header_time",
        5 * SECOND,
        within(100, MINUTE),
        "How long the head of a request may take: honest clients send it at once.",
    )
    .live(Group::Limits),
    Opt::time(
        "limit.idle",
        75 * SECOND,
        within(2 * SECOND, DAY),
        "When a connection from which nothing came, not even the answer to a heartbeat, is closed: three \
         heartbeats. It rises with `heartbeat`.",
    )
    .live(Group::Limits),
    Opt::time(
        "limit.stalled",
        MINUTE,
        within(SECOND, HOUR),
        "When a connection that takes nothing of what waits for it is closed, so that it comes back and \
         resumes: longer than any handover between networks. Looked at with each heartbeat.",
    )
    .live(Group::Limits),
];
