//! The pure rules of Deskbell.
//!
//! Nothing in this crate waits, reads a clock, rolls dice or touches a file or socket: *now* and
//! ids are arguments. What it holds, from the small to the large:
//!
//! | module | what |
//! |---|---|
//! | [`limits`] | every bound of the product, with its unit and its reason |
//! | [`ids`] | names and ids, parsed once and trusted after |
//! | [`refusal`] | an expected "no": a stable code and a sentence that says what to do |
//! | [`event`] | the immutable event and the log entry that carries it |
//! | [`position`], [`cursor`] | where a reader stands, and the sealed token that a client sees |
//! | [`pattern`], [`class`] | name patterns and what a channel keeps |
//! | [`history`] | one channel's recent past |
//! | [`log`] | the one total order of an app's events: append, the ring, the one read |
//! | [`presence`] | who is here, with leases and grace |
//! | [`reservation`] | who may claim what, when: the rule of the ledger |
//! | [`post`] | what is written to people: inboxes and conversations |
//! | [`selection`] | how many look at which time, for a moment |
//! | [`slotted`] | appointments that a site names by date, time and employee, and their locks |
//! | [`stamps`], [`pollers`] | times that strictly rise, and where whoever polls by them stands |
//! | [`parts`] | an event that a reader is told in several parts, and what is left of it after a cut |
//! | [`projection`] | one event, every screen, each in its own words |
//! | [`access`] | may this identity do this on that channel |
//! | [`link`] | whose calendar somebody may read who has nothing but an address |
//! | [`session`] | identity, subscriptions, resume key and generation of one tab |
//! | [`vocabulary`] | what a client may ask and a server may say, in no dialect |
//! | [`calendar`] | opening hours in local time, expanded to instants by one function |
//! | [`webhook`] | what an endpoint is told, in which order, and when it is tried again |
//! | [`mac`] | keyed hashes |
//! | [`operator`] | who may look at the server with an admin UI |
//! | [`rate`] | token buckets with time as an argument |
//! | [`room`] | rooms that belong to somebody by their names |
//!
//! Invariants: `seq` of an app's log is dense (+1 each); what orders an event also remembers it;
//! a read answers with every event after a position or says why it cannot.

pub mod access;
pub mod calendar;
pub mod class;
pub mod cursor;
pub mod event;
pub mod history;
pub mod ids;
pub mod limits;
pub mod link;
pub mod log;
pub mod mac;
pub mod news;
pub mod operator;
pub mod parts;
pub mod pattern;
pub mod pollers;
pub mod position;
pub mod post;
pub mod presence;
pub mod projection;
pub mod rate;
pub mod refusal;
pub mod reservation;
pub mod room;
pub mod selection;
pub mod session;
pub mod slotted;
pub mod stamps;
pub mod vocabulary;
pub mod webhook;
