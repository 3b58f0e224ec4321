//! What webhooks and calendars keep in the data file beside the ledger, and the rows that webhooks read.
//!
//! | part | what |
//! |---|---|
//! | [`Note`] | something to be written down; it goes through the writer, like everything |
//! | [`Turn`] | which of several processes serves an endpoint |
//! | [`Question`] | something to be read; it goes through the reader |
//! | `tables` | all SQL of both |
//! | `news` | what webhooks of Pusher's kinds keep |

pub(super) mod news;
mod tables;

use deskbell_core::event::{Draft, SharedEntry};
use deskbell_core::ids::AppId;
use deskbell_core::limits::Millis;
use deskbell_core::position::Position;
use deskbell_core::webhook::Kept;

pub use news::{KeptNews, NewsNote, Owner};
pub(super) use tables::{answer, write};

use super::lane::Side;
use super::postgres::lease::LEASE;
use super::reader::Reading;
use super::submission::{Answer, Answered};
use super::tenants::{Tenant, TenantNote};
use super::writer::Task;
use super::{Store, refuse};

/// Bytes that a note is charged with while it waits.
const NOTE: usize = 1_024;

/// Something to be written down.
#[derive(Debug)]
pub enum Note {
    /// How far an endpoint is, in one act with what became of its events.
    Endpoint {
        /// The app.
        app: AppId,
        /// The endpoint's name.
        name: String,
        /// Where it stands.
        kept: Kept,
        /// Events that were tried long enough. One that is there already is replaced.
        died: Vec<Letter>,
        /// Letters that were delivered after all.
        delivered: Vec<u64>,
        /// Events that wait for their hour from now on.
        later: Vec<Later>,
        /// Events whose hour has come; they are open from now on, or settled.
        came: Vec<Later>,
    },
    /// Letters are to be tried again, or to be thrown away. The answer is how many there were.
    Letters {
        /// The app.
        app: AppId,
        /// The endpoint's name.
        name: String,
        /// Which; all, where none is named.
        which: Option<Vec<u64>>,
        /// What is to be done with them.
        fate: Fate,
    },
    /// The calendar links of somebody or something count no longer. The answer is the new generation.
    Rotate {
        /// The app.
        app: AppId,
        /// Whose links.
        subject: String,
    },
    /// What webhooks of Pusher's kinds have not told yet, and who is here as they know.
    News(Owner, NewsNote),
    /// An app is added, changed or taken away. The answer is a [`Filed`] as a number.
    Tenant(TenantNote),
    /// Of several processes only one serves an endpoint. The answer is a [`Turn`] as a number.
    Lease {
        /// The app.
        app: AppId,
        /// The endpoint's name.
        name: String,
        /// What this process wants.
        wish: LeaseWish,
    },
}

/// What a process wants of an endpoint's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseWish {
    /// To have it, or to have it for longer.
    Hold,
    /// To have it no more.
    Free,
    /// That whoever has it lets the endpoint go on.
    LetGoOn,
    /// That whoever has it lets the endpoint rest.
    LetRest,
}

/// Whose turn it is to serve an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Another process's.
    Elsewhere,
    /// This one's.
    Here,
    /// This one's, and somebody wants the endpoint to go on.
    HereToGoOn,
    /// This one's, and somebody wants it to rest.
    HereToRest,
}

impl Turn {
    /// How long it counts.
    pub const LASTS: Millis = LEASE;

    /// As the answer to a note says it.
    pub fn of(number: u64) -> Self {
        let all = [Self::Here, Self::HereToGoOn, Self::HereToRest];
        all.into_iter().find(|turn| *turn as u64 == number).unwrap_or(Self::Elsewhere)
    }
}

/// An event that waits for its hour. What comes earlier is the smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Later {
    /// The hour.
    pub hour: Millis,
    /// The event's coordinate in the ledger.
    pub at: u64,
}

/// What is to be done with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is tried again.
    Resent,
    /// Nobody needs it.
    Discarded,
}

/// An event that an endpoint did not take in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The event's coordinate in the ledger.
    pub at: u64,
    /// Its id.
    pub id: String,
    /// What happened.
    pub kind: String,
    /// What it is about.
    pub lane: String,
    /// The body to be sent.
    pub body: Vec<u8>,
    /// When it was given up.
    pub died: Millis,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last attempt met.
    pub why: String,
    /// It is being tried again.
    pub due: bool,
}

/// Something to be read.
#[derive(Debug)]
pub enum Question {
    /// How far an endpoint is.
    Endpoint(AppId, String),
    /// The rows behind a coordinate, until one of the bounds is reached.
    Rows {
        /// The app.
        app: AppId,
        /// The coordinate.
        after: u64,
        /// Rows at most.
        rows: usize,
        /// Bytes after which it ends; the first row always fits.
        bytes: usize,
    },
    /// Single events by their coordinates. Those that are gone are left out.
    Events(AppId, Vec<u64>),
    /// Letters of an endpoint behind a coordinate.
    Letters {
        /// The app.
        app: AppId,
        /// The endpoint's name.
        name: String,
        /// The coordinate.
        after: u64,
        /// How many.
        limit: usize,
        /// Which of them.
        which: Which,
    },
    /// Events of an endpoint whose hour has come.
    Later {
        /// The app.
        app: AppId,
        /// The endpoint's name.
        name: String,
        /// Those behind this one.
        after: Later,
        /// Up to this hour.
        until: Millis,
        /// How many.
        limit: usize,
    },
    /// How often somebody's calendar links were changed.
    Generation(AppId, String),
    /// The apps that are stored.
    Tenants,
    /// The last row of an app.
    Head(AppId),
    /// The newest events of an app's cached channels, for a log that stands at this place, and no older than this.
    Cached(AppId, Position, Millis),
}

/// Which letters are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those that are tried again.
    Due,
}

/// What was read.
#[derive(Debug)]
pub enum Found {
    /// How far an endpoint is.
    Endpoint(Standing),
    /// Rows.
    Rows(Rows),
    /// Events with their coordinates.
    Events(Vec<(u64, Draft)>),
    /// Letters, and how many there are in all.
    Letters(Vec<Letter>, u64),
    /// Events whose hour has come, in its order, each if it is still there; and the hour of the one behind them.
    Later(Vec<(Later, Option<Draft>)>, Option<Millis>),
    /// A generation.
    Generation(u64),
    /// Apps.
    Tenants(Vec<Tenant>),
    /// A row and its check value, or zeros.
    Head(u64, u32),
    /// Events.
    Cached(Vec<SharedEntry>),
}

/// How far an endpoint is.
#[derive(Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it noted, if it was ever seen.
    pub kept: Option<Kept>,
    /// The ledger's last row.
    pub head: u64,
    /// How many events wait for their hour.
    pub later: u64,
    /// The first of their hours.
    pub hour: Option<Millis>,
}

/// Rows of the ledger, as they were written.
#[derive(Debug, Default)]
pub struct Rows {
    /// Their positions and events, in order.
    pub rows: Vec<(u64, Vec<Draft>)>,
    /// Rows up to this one are deleted.
    pub floor: u64,
    /// The last row.
    pub head: u64,
}

impl Store {
    /// Writes a note down; `answered` as in [`Self::submit`]. What it hears is what the note says.
    pub fn note(&self, note: Note, answered: Answered<u64>) {
        self.hand_in(Side::First, Task::Note(note, Answer::new(answered)), NOTE);
    }

    /// Reads what was noted, or rows as they were written; `answered` as in [`Self::submit`].
    pub fn question(&self, question: Question, answered: Answered<Found>) {
        let reading = Reading::Notes(question, Answer::new(answered));
        if let Err(refused) = self.reads.offer(Side::First, reading, 0) {
            refuse(refused);
        }
    }
}
