//! Every bound of the product in one place: value, unit, reason.
//!
//! What an operator may change has its default here and its option in the server's table of
//! options; what is fixed by the protocol or by a proof of boundedness is only here.

mod dialects;
mod pusher;

pub use dialects::*;
pub use pusher::*;

/// Milliseconds since the Unix epoch, as the server's one clock gives them.
pub type Millis = u64;

/// One second in milliseconds.
pub const SECOND: Millis = 1_000;
/// One minute in milliseconds.
pub const MINUTE: Millis = 60 * SECOND;
/// One hour in milliseconds.
pub const HOUR: Millis = 60 * MINUTE;
/// One day in milliseconds.
pub const DAY: Millis = 24 * HOUR;

/// Bytes of a channel name. Pusher allows 164, Socket.IO rooms are short; 200 leaves room for ids.
pub const CHANNEL_NAME: usize = 200;
/// Bytes of an event name. Pusher's bound, which its libraries check before they send.
pub const EVENT_NAME: usize = 200;
/// Bytes of an event id or idempotency key: a UUID with a prefix fits four times.
pub const EVENT_ID: usize = 128;
/// Bytes of a `latest` channel's key.
pub const KEY: usize = 200;
/// Apps that one process serves, those counted that were taken away since it started: each has its log in memory.
pub const APPS: usize = 1_024;
/// Bytes of an app's public key.
pub const APP_KEY: usize = 128;
/// Characters of an app's secret at least, so that nobody guesses it.
pub const APP_SECRET_LEAST: usize = 16;
/// Bytes of an app's secret.
pub const APP_SECRET: usize = 200;
/// Bytes of the name that people give an app.
pub const APP_NAME: usize = 200;
/// Time between two looks at the apps of a database that several servers share.
pub const APPS_LOOK: Millis = SECOND;
/// Bytes of a resource's id, so that every channel that is named after one fits a channel's name.
pub const RESOURCE_ID: usize = 120;
/// Bytes of an id that the server made: 120 random bits in base64url with a prefix, and room to grow.
pub const MADE_ID: usize = 64;
/// Bytes of the name of a set of blocks.
pub const SOURCE_NAME: usize = 120;
/// Bytes of what the host's database calls a booking: four UUIDs fit.
pub const EXTERNAL_REF: usize = 200;
/// Bytes of a user id; e-mail addresses (254) must fit.
pub const USER_ID: usize = 256;
/// Bytes of a client's `ref`, which is only echoed.
pub const REF: usize = 128;
/// Bytes of a bearer token. Larger ones do not fit the request head of common proxies.
pub const TOKEN: usize = 8 * 1024;
/// Bytes of a token's key id: a thumbprint or a URL fits.
pub const KEY_ID: usize = 256;
/// Roles that one token may state; each is compared with every rule.
pub const TOKEN_ROLES: usize = 100;
/// Bytes of one role; large providers name them by URL.
pub const ROLE: usize = 200;
/// Grants that one token may carry; each is compared on every subscribe.
pub const TOKEN_GRANTS: usize = 100;
/// Keys of one key set: a token without a key id is tried against each that fits.
pub const TOKEN_KEYS: usize = 64;
/// Bytes of a fetched key set: 64 keys with their certificates fit.
pub const KEY_SET: usize = 256 * 1024;
/// Time for a key endpoint to answer; a connection waits for it.
pub const KEY_FETCH_TIME: Millis = 5 * SECOND;
/// Time between two fetches of a key set, so that forged key ids cannot flood its endpoint.
pub const KEY_FETCH_GAP: Millis = 10 * SECOND;
/// Time until a failed fetch of a key set is tried again.
pub const KEY_FETCH_RETRY: Millis = 30 * SECOND;
/// Bytes of a shared secret below which guessing it from a token is feasible (RFC 7518 §3.2).
pub const STRONG_SECRET: usize = 32;
/// Bytes of a cursor as a client sees it, so that it fits every header, query and packet.
pub const CURSOR: usize = 128;
/// Bytes of a presence member's data: it is sent to everybody in the channel.
pub const PRESENCE_DATA: usize = 4 * 1024;
/// Members whom one channel's presence holds; beyond it the list would not fit one frame.
pub const PRESENCE_MEMBERS: usize = 10_000;

/// Bytes of one incoming WebSocket message.
pub const FRAME_IN: usize = 64 * 1024;
/// Bytes of an HTTP request head: long cookies fit.
pub const HEADER: usize = 16 * 1024;
/// Bytes of an HTTP request body.
pub const BODY: usize = 1024 * 1024;
/// Bytes of one event's data over HTTP; equals the body's bound so that a refusal names one number.
pub const EVENT_DATA: usize = BODY;
/// Frames of one message that may be as small as they like: as many as a client that sends each of its lines alone has.
pub const FRAGMENTS: usize = 1_024;
/// Bytes that each further frame of it must bring on average, so that work stays in proportion to what is said.
pub const FRAGMENT_BYTES: usize = 16;
/// Packets in one body that a polling client posts: they share its bytes, and each is worth a look.
pub const POLL_PACKETS_IN: usize = 1_000;
/// Packets in one answer to a polling client: Python's refuses a body with more.
pub const POLL_PACKETS_OUT: usize = 16;
/// Bytes of one answer to a polling client, as large as its largest single packet. What is left waits for the next.
pub const POLL_BYTES_OUT: usize = BODY;
/// Messages of bytes that belong to one Socket.IO packet: as many as its own servers take.
pub const ATTACHMENTS: usize = 10;
/// Time in which the attachments of a packet must follow it; they are sent in one go.
pub const ATTACHMENTS_TIME: Millis = 10 * SECOND;
/// Bytes of the name of a Socket.IO namespace, which is a channel's name at most.
pub const NAMESPACE: usize = CHANNEL_NAME;
/// Namespaces that one Socket.IO connection is in; a page has one or two.
pub const NAMESPACES_PER_CONNECTION: usize = 16;
/// Bytes of one message of a Socket.IO client, or of one body: what its own servers take, and its clients split by.
pub const SOCKETIO_PAYLOAD: usize = 1_000_000;
/// Events of one batch publish.
pub const BATCH: usize = 1_000;
/// Channels named in one `hello`, poll or stream.
pub const CHANNELS_PER_REQUEST: usize = 100;

/// Messages per second that one connection may send; the seeds' own test pages send 100 per second.
pub const RATE_PER_CONNECTION: u32 = 150;
/// Messages that one connection may send at once; the seeds' test page floods 1,000.
pub const BURST_PER_CONNECTION: u32 = 1_000;
/// Messages per second of one identity over all its connections.
pub const RATE_PER_IDENTITY: u32 = 600;
/// Burst of one identity.
pub const BURST_PER_IDENTITY: u32 = 4_000;
/// Messages per second of one address, which may be a whole school or hotel behind one NAT.
pub const RATE_PER_ADDRESS: u32 = 5_000;
/// Burst of one address.
pub const BURST_PER_ADDRESS: u32 = 20_000;
/// Subscriptions of one session.
pub const SUBSCRIPTIONS: usize = 100;
/// Connections of one address (0 switches it off); a NAT of a whole office fits.
pub const CONNECTIONS_PER_ADDRESS: usize = 1_000;
/// New connections per second of one address (0 switches it off).
pub const CONNECT_RATE_PER_ADDRESS: u32 = 200;
/// Connections of the process. The process's open-file limit bounds it as well.
pub const CONNECTIONS: usize = 100_000;
/// Sessions that wait for their client to come back, per address and in all.
pub const PARKED_PER_ADDRESS: usize = 1_000;
/// Parked sessions in all: about 300 bytes each.
pub const PARKED: usize = 100_000;
/// Frames of one connection that wait for an answer from outside.
pub const PARKED_FRAMES: usize = 8;

/// Bytes read from one connection per turn, so that nobody starves the others.
pub const READ_PER_TURN: usize = 64 * 1024;
/// Bytes that wait for one slow socket; beyond it the connection reads from history.
pub const BACKLOG: usize = 256 * 1024;
/// Events of one page of catching up: one page is one lock of the log.
pub const PAGE_EVENTS: usize = 500;
/// Bytes of one page of catching up.
pub const PAGE_BYTES: usize = 128 * 1024;
/// Events that one turn of a shard takes from the ring.
pub const PULL: usize = 4_096;
/// Cohorts of a shard: an event waits at most for one round over all of them and for the rest of one,
/// and looking for listeners costs each event once for each cohort.
pub const COHORTS: usize = 8;
/// Neighbouring clients of one cohort: with fewer clients than this a shard has only one.
pub const COHORT: usize = 128;
/// Channels that one chunk of a turn joins: one bit each of a connection's mask.
pub const JOIN_CHANNELS: usize = 64;
/// Time that a slow reader may make no progress before it is closed with "slow, resume".
pub const STALLED: Millis = 60 * SECOND;

/// Entries of the ring that shards follow. A shard that is further behind catches up from history.
pub const RING_EVENTS: usize = 65_536;
/// Bytes of the ring's events.
pub const RING_BYTES: usize = 64 * 1024 * 1024;
/// Weight of entries that a shard may sleep through because nobody on it listens: a quarter of the ring's entries at
/// least, each of which weighs 256 bytes or more, so that no shard falls behind in its sleep.
pub const UNHEARD_BYTES: usize = RING_EVENTS / 4 * 256;
/// Counters by which a publisher sees whether anybody on a shard listens to a channel: 64 KiB a shard.
pub const EARS: usize = 16_384;
/// Events that a memory stream channel keeps.
pub const HISTORY_EVENTS: usize = 1_000;
/// Bytes that a memory stream channel keeps.
pub const HISTORY_BYTES: usize = 1024 * 1024;
/// Age of what a memory stream channel keeps.
pub const HISTORY_AGE: Millis = 10 * MINUTE;
/// Age of what a durable channel keeps.
pub const DURABLE_AGE: Millis = 30 * DAY;
/// Keys of one `latest` channel.
pub const LATEST_KEYS: usize = 10_000;
/// Publishes whose idempotency key a memory log remembers.
pub const MEMORY_IDS: usize = 100_000;
/// Age of a remembered idempotency key of a memory log.
pub const MEMORY_ID_AGE: Millis = 10 * MINUTE;
/// Age of an idempotency key of a durable command.
pub const IDEMPOTENCY: Millis = 24 * HOUR;

/// Time in which a lost session can be resumed.
pub const RESUME_WINDOW: Millis = 120 * SECOND;
/// Time between a lost connection and the `left` that others see.
pub const PRESENCE_GRACE: Millis = 15 * SECOND;
/// Time between two signs of life on an idle connection; below the 30 s of common proxies.
pub const HEARTBEAT: Millis = 25 * SECOND;
/// Time for an Engine.IO client to answer a ping; its libraries wait as long themselves.
pub const PONG_TIME: Millis = 20 * SECOND;
/// Time for a Socket.IO client to ask for its first namespace; its libraries do so at once.
pub const CONNECT_TIME: Millis = 10 * SECOND;
/// Time for a polling client to change to the WebSocket that it has opened.
pub const UPGRADE_TIME: Millis = 10 * SECOND;
/// Time for a client to send its request body: 1 MiB over a slow line.
pub const BODY_TIME: Millis = 30 * SECOND;
/// Time for a shard to answer a question of the HTTP API; a turn of a shard takes milliseconds.
pub const SHARD_ANSWER: Millis = 5 * SECOND;
/// Time to wait for any sign of life from a client: three heartbeats.
pub const SILENCE: Millis = 75 * SECOND;
/// Time for a client to send its request head.
pub const HEADER_TIME: Millis = 5 * SECOND;
/// Time for a client to finish its TLS handshake: three round trips of a bad mobile network.
pub const HANDSHAKE_TIME: Millis = 10 * SECOND;
/// Time of silence after which an order of certificates counts as stuck and is begun anew.
pub const ACME_SILENCE: Millis = DAY;
/// Time that a long poll waits.
pub const POLL_WAIT: Millis = 25 * SECOND;
/// Time after which an SSE stream is ended, ± 20 %, so that a drain is nothing special.
pub const SSE_ROTATION: Millis = 8 * MINUTE;
/// Time in which a drain spreads its closes, at most.
pub const DRAIN: Millis = 30 * SECOND;
/// Time of a drain for each connection of a shard: with a TLS handshake a client that comes back costs
/// about a millisecond, so everybody's return takes a tenth of a core, and a few clients are not waited for.
pub const DRAIN_PER_CONNECTION: Millis = 10;
/// Time after a token's `exp` before its connection is closed: clock skew of both sides.
pub const TOKEN_GRACE: Millis = 30 * SECOND;
/// Time over which `reset` tells clients to spread their reloads.
pub const RELOAD_SPREAD: Millis = 10 * SECOND;
/// Earlier public ids that a session keeps, so that `except` holds over a reconnect.
pub const PUBLIC_IDS: usize = 8;
/// Age of a `latest` value that nobody renews.
pub const LATEST_AGE: Millis = DAY;
/// Time over which joins are gathered into one frame right after a crash, when everybody returns.
pub const JOIN_GATHER: Millis = 250;
/// Time that an idle HTTP connection stays open between two requests: proxies keep theirs 60 s.
pub const KEEP_ALIVE: Millis = 75 * SECOND;
/// Time for the other side to end its direction after our goodbye.
pub const LINGER: Millis = 2 * SECOND;
/// Bytes of the members whom one gathered join names; more of them make a second one.
pub const JOIN_BYTES: usize = 64 * 1024;
/// Events and ledger rows of which the log knows the check value: 4 bytes each. It is how far back
/// a log that was rolled back and grew again is told from the one that a cursor came from.
pub const CHECKS: usize = 65_536;
/// Sockets that one address may have in the front door beyond those that may become clients.
pub const VISITS: usize = 16;

/// Units of one resource; a stadium fits ten times.
pub const CAPACITY: u32 = 1_000_000;
/// Time before or after a claim that belongs to it as a buffer.
pub const BUFFER: Millis = DAY;
/// Claims of one reservation: a team with its rooms and devices, or a course of a year.
pub const CLAIMS: usize = 64;
/// Length of one claim. Each of its days is a row of the store.
pub const CLAIM_LENGTH: Millis = 400 * DAY;
/// How far in the future a claim may end.
pub const CLAIM_AHEAD: Millis = 4_000 * DAY;
/// Days that all claims of one reservation touch: each is a row, and a look at the resource's usage.
pub const CLAIM_DAYS: usize = 1_000;
/// Alternatives of one hold or of one wish of a waitlist; the first that fits is taken.
pub const ANY_OF: usize = 16;
/// Claims of one set of blocks: a feed of a busy year.
pub const BLOCK_CLAIMS: usize = 2_000;
/// How far the moment that a set of blocks describes may lie ahead: clocks differ, zones are mistaken.
pub const BLOCK_AHEAD: Millis = DAY;
/// Days that one set of blocks touches.
pub const BLOCK_DAYS: usize = 4_000;
/// Bytes of a reservation's `meta`: a name, a telephone number and a wish, not a document.
pub const META: usize = 4 * 1024;
/// Bytes of the reason that an override gives.
pub const REASON: usize = 500;
/// Time that a hold lasts where nobody says otherwise: long enough for a form and a payment.
pub const HOLD_TTL: Millis = 10 * MINUTE;
/// The shortest time that a hold lasts.
pub const HOLD_TTL_LEAST: Millis = SECOND;
/// The whole life of a hold whatever is extended, where the resource does not say otherwise.
pub const HOLD_LIFE: Millis = 30 * MINUTE;
/// The longest life of a hold that a resource may allow.
pub const HOLD_LIFE_MOST: Millis = 2 * HOUR;
/// Time before its end at which the holder of a hold is warned.
pub const HOLD_WARNING: Millis = 60 * SECOND;
/// Time between the holder's last connection and the end of its holds: a phone in a tunnel.
pub const HOLD_GRACE: Millis = 60 * SECOND;
/// Time that every live hold has at least after a restart, so that its holder can come back.
pub const HOLD_RESTART: Millis = 30 * SECOND;
/// Live holds of one principal.
pub const HOLDS_PER_PRINCIPAL: usize = 5;
/// Live holds that a resource may allow to one principal; each of its commands looks at all of them.
pub const HOLDS_PER_PRINCIPAL_MOST: usize = 100;
/// Time in which a principal's unconfirmed expiries on one resource are counted.
pub const STRIKE_WINDOW: Millis = HOUR;
/// Unconfirmed expiries after which a hold lasts half as long; one more, and there is none.
pub const STRIKES: usize = 3;
/// Time for which the first of a waitlist gets its offer.
pub const OFFER_TTL: Millis = 10 * MINUTE;
/// The longest time for which a waitlist's offer may stand.
pub const OFFER_TTL_MOST: Millis = 3 * DAY;
/// Entries of one resource's waitlist; each is looked at when something becomes free.
pub const WAITLIST: usize = 200;
/// Days that all alternatives of one entry of a waitlist touch: a weekly course of a year fits. A
/// change of a resource may look at the days of all its entries at once.
pub const WAIT_DAYS: usize = 100;
/// Entries of waitlists of one principal: those that wait, and offers that are still held. A
/// principal can so have ten live holds at most, five of its own will and five that were offered.
pub const WAITS_PER_PRINCIPAL: usize = 5;
/// Time that a request may wait for approval at most.
pub const APPROVAL_TTL_MOST: Millis = 30 * DAY;
/// Reminders before a start.
pub const REMINDERS: usize = 8;
/// How long before a start a reminder may be.
pub const REMINDER_BEFORE: Millis = 60 * DAY;
/// Other times that a conflict offers.
pub const ALTERNATIVES: usize = 3;
/// Later times that a conflict tries: the half hours of two days.
pub const ALTERNATIVE_TRIALS: u64 = 96;
/// Things in the way that a conflict names.
pub const CONFLICTS: usize = 10;
/// Time over which changes of one resource's free times are joined into one delta.
pub const SLOTS_JOIN: Millis = 20;
/// The longest span of a resource that one delta tells; who shows more of it loads it anew.
pub const SLOTS_WINDOW: Millis = 31 * DAY;
/// Times that a decision may ask for more of the ledger before it counts as a bug.
pub const LEDGER_ASKS: usize = 32;
/// Time for which somebody counts as looking at a slot after having said so.
pub const SELECTION: Millis = 30 * SECOND;
/// Times that one connection looks at: a calendar with some open days.
pub const SELECTIONS_PER_CONNECTION: usize = 16;
/// Selections of an app, 200 bytes each; who comes later is not counted.
pub const SELECTIONS: usize = 100_000;
/// Rows of the table of projections; each is looked at when somebody subscribes.
pub const PROJECTIONS: usize = 500;
/// Values of the data that one projection makes.
pub const PROJECTION_FIELDS: usize = 200;
/// Frames of one change that a client is known to have been shown, so that none is shown twice.
pub const FRAMES_PER_CHANGE: usize = 256;
/// Bytes of a time zone's id; the longest of the database has 32.
pub const ZONE_ID: usize = 64;
/// Bytes of a resource's opening hours as JSON: every rule below fits.
pub const HOURS_TEXT: usize = 512 * 1024;
/// Weekly rules of one resource: 14 for each day of the week. Every date of a window looks at them.
pub const HOURS_WEEKLY: usize = 98;
/// Dated exceptions of one resource: one for each day of a year, and some to spare.
pub const HOURS_EXCEPTIONS: usize = 400;
/// Stretches that one exception opens.
pub const EXCEPTION_HOURS: usize = 24;
/// Recurring openings and blocks of one resource. Every date of a window asks each of them.
pub const HOURS_RECURRING: usize = 50;
/// Bytes of the text of a recurring rule: every part with all of its values fits.
pub const RECURRENCE_TEXT: usize = 800;
/// Periods that a recurring rule may skip at once: daily rules of nearly three years.
pub const RECURRENCE_INTERVAL: i32 = 1_000;
/// Dates that a recurring rule may count; beyond it a last date says the same and costs nothing.
pub const RECURRENCE_COUNT: u32 = 1_000;
/// Days in which a recurring rule must reach its count: a hundred years. They are walked when it is read.
pub const RECURRENCE_COUNTED_DAYS: i32 = 36_525;
/// Time that one question about opening hours may span: a year and the weeks around it.
pub const CALENDAR_WINDOW: Millis = 400 * DAY;
/// End of the calendar, 9999-01-01 in UTC: dates have four digits, and what lies around a window too.
pub const CALENDAR_END: Millis = 253_370_764_800_000;
/// Bytes of the type of a notification, which preferences and pages name.
pub const TOPIC: usize = 64;
/// Users whom one request notifies. Each is told in an event or two of one ledger row.
pub const NOTIFIED: usize = 1_000;
/// Bytes of a notification's title: one line on a telephone.
pub const NOTIFICATION_TITLE: usize = 300;
/// Bytes of a notification's text.
pub const NOTIFICATION_BODY: usize = 4 * 1024;
/// Bytes of a notification's data: ids and a link, not a document.
pub const NOTIFICATION_DATA: usize = 4 * 1024;
/// Bytes that one request may tell all of its users together: as many as a body holds. They become one row.
pub const NOTIFIED_BYTES: usize = BODY;
/// Notifications of one inbox. Who gets more loses the oldest; nobody has ever read so far back.
pub const INBOX: u64 = 100_000;
/// Age at which a notification leaves its inbox.
pub const NOTIFICATION_AGE: Millis = 180 * DAY;
/// Notifications that one request reads or deletes one by one; `read_all` has no such bound.
pub const NOTIFICATIONS_NAMED: usize = 100;
/// How far behind the newest notification a reading may end that is not of all: what is newer is counted anew.
pub const READ_BEHIND: u64 = 1_000;
/// Rows that one page of an inbox looks through for those that fit its filter: some milliseconds.
pub const PAGE_LOOKS: usize = 2_000;
/// Types for which one user has preferences.
pub const PREFERENCES: usize = 100;
/// How far ahead the end of quiet hours is looked for. They leave some of each day, so it comes earlier.
pub const QUIET_AHEAD: Millis = 2 * DAY;

/// Bytes of a conversation's id, so that every channel that is named after one fits a channel's name.
pub const CONVERSATION_ID: usize = 120;
/// Members of one conversation: each is told of each message on a channel of its own as well.
pub const MEMBERS: usize = 100;
/// Conversations of one user; a list of them is sorted in memory.
pub const CONVERSATIONS: usize = 1_000;
/// Memberships of an app, about 100 bytes each: all of them are in memory, because access is decided there.
pub const MEMBERSHIPS: usize = 500_000;
/// Bytes of a conversation's title.
pub const CONVERSATION_TITLE: usize = 300;
/// Bytes of a message's data. With all members of a large conversation it still fits one ledger row.
pub const MESSAGE_DATA: usize = 8 * 1024;
/// Messages of one conversation that can be read back. Who says more loses the oldest.
pub const MESSAGES: u64 = 100_000;
/// Age at which a message can no longer be read back.
pub const MESSAGE_AGE: Millis = 730 * DAY;

/// Webhook endpoints of one installation; each has a task and a note of its own.
pub const WEBHOOKS: usize = 100;
/// Patterns of channels, and of events, of one endpoint; each row asks all of them.
pub const WEBHOOK_PATTERNS: usize = 50;
/// Events of one endpoint that are looked at at once: what waits besides them waits in the ledger alone.
pub const WEBHOOK_WINDOW: usize = 1_000;
/// Bytes of bodies that one endpoint holds in memory; beyond it no further row is read.
pub const WEBHOOK_BYTES: usize = 8 * 1024 * 1024;
/// Rows that are read at once for one endpoint, and events whose hour has come.
pub const WEBHOOK_ROWS: usize = 256;
/// Events that wait for their hour and of which that is not noted yet; then it is noted before further rows are
/// read. One row can notify a thousand users.
pub const WEBHOOK_LATER: usize = 4_000;
/// Time between two notes of how far an endpoint is. After a crash so much is sent twice.
pub const WEBHOOK_NOTE: Millis = SECOND;
/// Deliveries of one endpoint under way at once, if nothing is said: enough to hide a slow network, few enough
/// for a small site.
pub const WEBHOOK_CONCURRENCY: usize = 4;
/// The same at most; each is a connection.
pub const WEBHOOK_CONCURRENCY_MOST: usize = 64;
/// Time for an endpoint's answer: a site that does its work first needs some seconds.
pub const WEBHOOK_TIMEOUT: Millis = 15 * SECOND;
/// Time before the second attempt.
pub const WEBHOOK_FIRST_WAIT: Millis = 5 * SECOND;
/// Time between two attempts at most: who mends a receiver does not want to wait for longer.
pub const WEBHOOK_LONGEST_WAIT: Millis = HOUR;
/// Time from the first attempt to the last: a weekend during which nobody looks.
pub const WEBHOOK_PATIENCE: Millis = 3 * DAY;
/// Dead letters of one endpoint. Beyond it the oldest go, which is logged.
pub const DEAD_LETTERS: usize = 10_000;

/// Time between two fetches of a calendar, if nothing is said: what hosts of calendars ask for.
pub const CALENDAR_EVERY: Millis = 15 * MINUTE;
/// Time for a calendar's answer: large ones are made while one waits.
pub const CALENDAR_TIMEOUT: Millis = 30 * SECOND;
/// Calendars that are fetched; each has a task of its own.
pub const CALENDARS: usize = 1_000;
/// Bytes of a calendar that is read: ten thousand events fit.
pub const CALENDAR_TEXT: usize = 4 * 1024 * 1024;
/// Events of a calendar that is read, those included that are not busy.
pub const CALENDAR_EVENTS: usize = 10_000;
/// Bytes of one line of a calendar, unfolded: descriptions are long, and nobody reads them here.
pub const CALENDAR_LINE: usize = 64 * 1024;
/// Dates by which one series differs from its rule: a weekly one with some exception every week, for ten years.
pub const CALENDAR_EXCEPTIONS: usize = 520;
/// How far ahead a calendar blocks times. Beyond it few book, and rules without an end must end somewhere.
pub const CALENDAR_AHEAD: Millis = 365 * DAY;
/// How far back a calendar link shows.
pub const FEED_BACK: Millis = 30 * DAY;
/// How far ahead a calendar link shows.
pub const FEED_AHEAD: Millis = 400 * DAY;
/// Events of a calendar link: programs that read one load all of it every time.
pub const FEED_EVENTS: usize = 2_000;

/// Bytes of one line of what Redis says: a length, a word, or the sentence of an error.
pub const RESP_LINE: usize = 1_024;
/// Values of one list of what Redis says. What subscribers are told has four.
pub const RESP_LIST: usize = 64;
/// Lists within lists of what Redis says. What subscribers are told has one.
pub const RESP_DEPTH: usize = 4;
/// Rows of the table that says which channels of Redis mean what; each is a pattern that Redis looks at for every
/// message.
pub const REDIS_CHANNELS: usize = 100;
/// Time for Redis to be reached and to answer a command. It answers within a millisecond when it is well.
pub const REDIS_ANSWER: Millis = 5 * SECOND;
/// Time of silence after which Redis is asked whether it is still there. What is published while nobody notices
/// that the connection is dead is lost.
pub const REDIS_PING: Millis = 10 * SECOND;
/// Time before the second attempt to reach Redis: it keeps nothing for those who are away.
pub const REDIS_FIRST_WAIT: Millis = 250;
/// Time between two attempts to reach Redis at most.
pub const REDIS_LONGEST_WAIT: Millis = 10 * SECOND;
/// Time that a stop waits for Redis to say that nothing more is on its way.
pub const REDIS_FAREWELL: Millis = SECOND;
/// Time after which a connection to Redis counts as good, so that the next attempt waits little again.
pub const REDIS_SETTLED: Millis = 10 * SECOND;
/// Messages from Redis for durable channels that are on their way to the disk; beyond it nothing is read from
/// Redis. One commit takes so many.
pub const REDIS_WINDOW: usize = 512;
/// Bytes of those messages.
pub const REDIS_WINDOW_BYTES: usize = 8 * 1024 * 1024;
/// Time until a message from Redis is offered to the store again that had no room for it.
pub const REDIS_ROOM: Millis = 5;
