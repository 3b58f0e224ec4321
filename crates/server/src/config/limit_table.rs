//! The options with a number behind them: what is remembered and what a client may ask for. Each sentence
//! gives the reason of its default.

use deskbell_core::limits;

use super::options::{Group, Opt, or_off, within};
use super::table::{DAY, HOUR, MINUTE, SECOND};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What is remembered, and for how long.
pub const MEMORY: &[Opt] = &[
    Opt::time(
        "heartbeat",
        limits::HEARTBEAT,
        within(SECOND, 10 * MINUTE),
        "How often a silent connection is asked whether it is alive. Proxies commonly cut at 60 s, so two \
         heartbeats fit.",
    )
    .live(Group::Times),
    Opt::time(
        "session.resume_window",
        limits::RESUME_WINDOW,
        within(0, DAY),
        "How long a session waits for its tab to come back: a tunnel, a lift, a laptop lid.",
    )
    .live(Group::Times),
    Opt::time(
        "presence.grace",
        limits::PRESENCE_GRACE,
        within(0, HOUR),
        "How long a member who lost the connection still counts as here, so that a page reload is invisible.",
    )
    .live(Group::Times),
    Opt::number(
        "history.count",
        limits::HISTORY_EVENTS as u64,
        within(0, 1_000_000),
        "Events each stream channel keeps in memory: some minutes of a busy channel.",
    )
    .live(Group::Times),
    Opt::size(
        "history.bytes",
        limits::HISTORY_BYTES as u64,
        within(0, GIB),
        "Bytes each stream channel keeps in memory, so that large events cannot use it up.",
    )
    .live(Group::Times),
    Opt::time(
        "history.age",
        limits::HISTORY_AGE,
        within(0, 30 * DAY),
        "How long a stream channel in memory keeps an event: longer than any resume window.",
    )
    .live(Group::Times),
    Opt::time(
        "history.durable_age",
        limits::DURABLE_AGE,
        within(HOUR, 3_650 * DAY),
        "How long a durable channel keeps an event: someone may be away for a holiday.",
    )
    .live(Group::Times),
];

/// The bounds of a client. All of them are taken anew on SIGHUP.
pub const LIMITS: &[Opt] = &[
    Opt::size(
        "limit.frame",
        limits::FRAME_IN as u64,
        within(KIB, 16 * MIB),
        "The largest message a client may send, in one frame or in several.",
    )
    .live(Group::Limits),
    Opt::size(
        "limit.body",
        limits::BODY as u64,
        within(KIB, 64 * MIB),
        "The largest body of an HTTP request: a batch of events fits, an upload does not.",
    )
    .live(Group::Limits),
    Opt::size(
        "limit.header",
        limits::HEADER as u64,
        within(KIB, 256 * KIB),
        "The largest head of an HTTP request: long cookies fit.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.rate",
        limits::RATE_PER_CONNECTION as u64,
        or_off(1, 1_000_000),
        "Frames per second that one connection may send for long: well above a person who types or drags a calendar entry.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.burst",
        limits::BURST_PER_CONNECTION as u64,
        within(1, 1_000_000),
        "Frames one connection may send at once: a client that comes back subscribes to all it had.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.rate_per_address",
        limits::RATE_PER_ADDRESS as u64,
        or_off(1, 10_000_000),
        "Frames per second of all connections of one address: a large office behind one address fits.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.rate_per_identity",
        limits::RATE_PER_IDENTITY as u64,
        or_off(1, 1_000_000),
        "Frames per second of all connections of one user: some tabs on some devices.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.subscriptions",
        limits::SUBSCRIPTIONS as u64,
        within(1, 100_000),
        "Channels one connection may be subscribed to.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.connections",
        limits::CONNECTIONS as u64,
        or_off(1, 10_000_000),
        "Connections in all. The open-file limit of the process is the other bound; `deskbell doctor` shows it.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.connections_per_address",
        limits::CONNECTIONS_PER_ADDRESS as u64,
        or_off(1, 10_000_000),
        "Connections of one address: a large office behind one address fits.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.connect_rate_per_address",
        limits::CONNECT_RATE_PER_ADDRESS as u64,
        or_off(1, 1_000_000),
        "New connections per second of one address: an office that comes back after a restart fits.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.parked_sessions",
        limits::PARKED as u64,
        within(0, 10_000_000),
        "Sessions that wait for their tab in all; the oldest go first.",
    )
    .live(Group::Limits),
    Opt::number(
        "limit.parked_sessions_per_address",
        limits::PARKED_PER_ADDRESS as u64,
        within(0, 10_000_000),
        "Sessions of one address that wait for their tab, so that one address cannot push out the others.",
    )
    .live(Group::Limits),
    Opt::size(
        "limit.backlog",
        limits::BACKLOG as u64,
        within(16 * KIB, 64 * MIB),
        "Bytes that wait for one slow connection. Beyond it the connection reads on from history. It \
         rises with `limit.frame`.",
    )
    .live(Group::Limits),
    Opt::time(
        "limit.poll_wait",
        limits::POLL_WAIT,
        within(SECOND, 5 * MINUTE),
        "The longest wait of a long poll: below the 30 s at which proxies and PHP give up.",
    )
    .live(Group::Limits),
    Opt::time(
        "limit.sse_rotation",
        limits::SSE_ROTATION,
        within(SECOND, DAY),
        "When an event stream is ended so that the client opens a new one, spread by a fifth to both sides: \
         some proxies cut at 10 min.",
    )
    .live(Group::Limits),
    Opt::time(
        "limit.header_time",
        limits::HEADER_TIME,
        within(100, MINUTE),
        "How long the head of a request may take: honest clients send it at once.",
    )
    .live(Group::Limits),
    Opt::time(
        "limit.idle",
        limits::SILENCE,
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
