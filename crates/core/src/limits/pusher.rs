//! The bounds of the Pusher dialect: most are Pusher's own, because its libraries count on them.

use super::{MINUTE, Millis, SECOND};

/// Time for which a cached channel gives its newest event to whoever subscribes, as Pusher has it.
pub const CACHED_AGE: Millis = 30 * MINUTE;
/// Bytes of the data of one event in the Pusher dialect; its libraries and documents name this number.
pub const PUSHER_DATA: usize = 10 * 1024;
/// The least that an operator may set for it: what libraries send around an event fits.
pub const PUSHER_LEAST_DATA: usize = 1_024;
/// The most that an operator may set for it: a request's whole body.
pub const PUSHER_MOST_DATA: usize = 1_024 * 1_024;
/// Channels that one Pusher trigger names; Laravel sends in lists of so many.
pub const PUSHER_CHANNELS: usize = 100;
/// Events of one Pusher batch.
pub const PUSHER_BATCH: usize = 10;
/// The most channels of a trigger and events of a batch that an operator may set: a request's body has no room for more
/// of any use.
pub const PUSHER_MOST_LIST: usize = 1_000;
/// Events that one Pusher client may send to others in a second.
pub const PUSHER_CLIENT_EVENTS: u32 = 10;
/// The most of them that an operator may set.
pub const PUSHER_MOST_CLIENT_EVENTS: usize = 1_000;
/// The most connections that an operator may set for one app; no machine has more.
pub const PUSHER_MOST_CONNECTIONS: usize = 10_000_000;
/// Members of a presence channel of the Pusher dialect, as Pusher has it.
pub const PUSHER_MEMBERS: usize = 100;
/// Bytes of what a member of a presence channel shows of itself: everybody there gets it.
pub const PUSHER_USER_INFO: usize = 1_024;
/// Bytes of a user's id in the Pusher dialect.
pub const PUSHER_USER_ID: usize = 128;
/// Bytes of signed data that a client shows: a member's own, or a user with its watchlist.
pub const PUSHER_SIGNED: usize = 32 * 1024;
/// Users whose coming and going one Pusher client hears of.
pub const PUSHER_WATCHED: usize = 100;
/// Messages that one request of a client without a WebSocket brings.
pub const XHR_FRAMES: usize = 100;
/// Letters of the name that such a client gives its connection; its library makes eight.
pub const XHR_NAME: usize = 64;
/// Length of one streamed response, as the client counts it, from which on nothing more goes out on it: its
/// library opens the next one when it has read so much, and nothing may be under way then.
pub const XHR_STREAM: usize = 256 * 1024;
/// Time between the end of one such response and the next request for one.
pub const XHR_AWAY: Millis = 10 * SECOND;
/// Bytes of a name by which others see a user.
pub const SHOWN_NAME: usize = 200;
/// Requests to an app's own authorisation endpoint that are under way at once; further ones wait for their turn.
pub const CONSENT_CALLS: usize = 64;
/// Time in which such an endpoint must have answered: pages wait for it.
pub const CONSENT_TIME: Millis = 10 * SECOND;
/// Bytes of its answer: as much as a client may show, and what stands around it.
pub const CONSENT_ANSWER: usize = 2 * PUSHER_SIGNED;
/// Time without a message after which a Pusher client asks, or is asked, whether the other is there.
pub const PUSHER_ACTIVITY: Millis = 120 * SECOND;
/// Time that the answer to such a question has.
pub const PUSHER_PONG: Millis = 30 * SECOND;
/// Time that whoever left a channel has to come back before a backend is told, as Pusher has it: a page that is
/// loaded anew takes about that long.
pub const NEWS_GRACE: Millis = 3 * SECOND;
/// Pieces of news that wait for one endpoint of Pusher's kind; beyond it they are lost, and that is logged.
pub const NEWS_WAITING: usize = 10_000;
/// Pieces of news that one note of the store takes: a commit stays short, and others wait for the next.
pub const NEWS_NOTED: usize = 500;
/// Time that whoever was here before a start has to come back before a backend is told that it has gone: clients
/// that found nobody a few times let ten seconds and more go by before they try again.
pub const NEWS_RETURN: Millis = 30 * SECOND;
/// Time between two notes of what was taken, where nothing else is to be noted: after a crash so much is told twice.
pub const NEWS_NOTE: Millis = SECOND;
/// Time in which one channel's missing value is told once.
pub const NEWS_MISSED_GAP: Millis = 10 * SECOND;
/// Time before such a webhook is tried a second time; it doubles with each further one.
pub const NEWS_FIRST_WAIT: Millis = SECOND;
/// Time after which it is given up, as Pusher does.
pub const NEWS_PATIENCE: Millis = 5 * MINUTE;
/// Subscriptions up to which each change of their number is told.
pub const COUNT_ALWAYS: usize = 100;
/// Time between two tellings beyond that.
pub const COUNT_GAP: Millis = 5 * SECOND;
