//! Bounds of the dialects that clients of other servers brought with them.

use super::{BODY, DAY, MINUTE, Millis, SECOND};

/// Live holds of one principal where slots are locked by date, time and employee: its test page locks ten at once.
pub const SLOT_LOCKS: usize = 32;
/// Time that a lock is kept after its page said that it is done, for the backend's own word.
pub const SLOT_COMPLETED: Millis = 60 * SECOND;
/// Employees that become resources because somebody asked for one; a chain of clinics fits.
pub const SLOT_EMPLOYEES: usize = 1_000;
/// Length of a slot where the site says nothing.
pub const SLOT_LENGTH: Millis = 30 * MINUTE;
/// The shortest slot: a day has at most so many that a list of its taken times is short.
pub const SLOT_LENGTH_LEAST: Millis = 5 * MINUTE;
/// The longest slot.
pub const SLOT_LENGTH_MOST: Millis = DAY;
/// Bytes of a date or a time of the day as a client writes it: it is echoed, also where it is none.
pub const SLOT_TEXT: usize = 64;
/// Bytes of an employee's id.
pub const SLOT_EMPLOYEE: usize = 64;
/// Bytes of a person's appointments, or of a session's applications, that are kept for pages that are behind: 500 with
/// everything that may stand beside each.
pub const LONGEST_LIST: usize = 4 << 20;
/// Time for which it is remembered where somebody stands who polls and does not say it.
pub const POLLER: Millis = 120 * SECOND;
/// Pollers that are remembered, about 200 bytes each; beyond it the one is forgotten that was away longest.
pub const POLLERS: usize = 10_000;
/// How long an update is told again to those whom only their address tells from others: three of the longest intervals
/// in which the plugin's pages ask.
pub const POLL_YOUNG: Millis = 30 * SECOND;
/// Updates that a poll gives at most, and looks back for.
pub const POLL_UPDATES: usize = 50;
/// How far a poll looks back.
pub const POLL_UPDATES_AGE: Millis = 5 * MINUTE;

/// Characters of a session's id from which on nobody guesses it: PHP's have 26 and more.
pub const PORTICO_SESSION: usize = 16;
/// Time between two questions whether a page of the Portico dialect is there, as its server had it.
pub const PORTICO_SERVER_PING: Millis = 60 * SECOND;
/// The same in each room of an entity.
pub const PORTICO_ROOM_PING: Millis = 240 * SECOND;
/// Silence after which such a page leaves the rooms of entities.
pub const PORTICO_SILENCE: Millis = 480 * SECOND;
/// Applications of one session that are not finished: a cart, not an archive.
pub const PORTICO_APPLICATIONS: usize = 200;
/// Sessions of the Portico dialect whose pages left a place behind, about 200 bytes each; beyond it the one is
/// forgotten that left first.
pub const PORTICO_AWAY: usize = 10_000;
/// Places of one session: more tabs than anybody has.
pub const PORTICO_TABS: usize = 16;
/// Looks at applications that are under way at once; others wait for them.
pub const PORTICO_LOOKS: usize = 16;
/// Bytes of a session's applications as a database or a site gives them.
pub const PORTICO_ANSWER: usize = 1 << 20;
/// Attempts to tell a session of its applications, each after twice the time of the one before.
pub const PORTICO_ATTEMPTS: u32 = 6;
/// Time until the second of them.
pub const PORTICO_FIRST_WAIT: Millis = 500;
/// Time between two looks at everything in the spool, which finds what nobody announced. The first server looked as often.
pub const PORTICO_SPOOL_SCAN: Millis = 2 * SECOND;
/// Time for which a file that nobody announced must have been left alone: whoever writes it may not be done.
pub const PORTICO_SPOOL_SETTLE: Millis = SECOND;
/// Bytes of a file in the spool, as many as of a publish over HTTP. A larger one is set aside.
pub const PORTICO_SPOOL_FILE: usize = super::BODY;
/// Files that are told together and then taken away together; so many are in memory at once.
pub const PORTICO_SPOOL_BATCH: usize = 16;
/// Files that one look finds; the next one finds the others.
pub const PORTICO_SPOOL_LOOK: usize = 10_000;
/// Files that are kept because they are no messages. Beyond them a further one is deleted.
pub const PORTICO_SPOOL_REJECTED: usize = 1_000;
/// Reasons why files were not told that are logged; beyond them they are only counted.
pub const PORTICO_SPOOL_REASONS: usize = 50;
/// Time that a stop waits for files that were picked up.
pub const PORTICO_SPOOL_STOP: Millis = 5 * SECOND;

/// Connections of one address whose Socket.IO client has not asked for a namespace yet: its libraries ask at once,
/// so this many come and go while an office of a thousand screens reconnects.
pub const UNUSED_PER_ADDRESS: usize = 250;
/// Sockets that one question of a backend is put to: an office, not a town.
pub const QUESTIONED: usize = 1_000;
/// Bytes of all answers to one question together, as many as a request may have.
pub const ANSWERS_BYTES: usize = BODY;
/// Time for the answers to a question where the backend says nothing, in seconds.
pub const QUESTION_SECONDS: usize = 5;
/// The longest, in seconds: proxies give up soon after.
pub const QUESTION_SECONDS_MOST: usize = 30;
/// Questions that wait for answers at once: each holds a request of a backend.
pub const QUESTIONS: usize = 256;
/// Questions that one connection has not answered; beyond it the oldest counts as not answered.
pub const QUESTIONS_PER_CONNECTION: usize = 8;
