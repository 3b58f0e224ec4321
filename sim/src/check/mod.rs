//! The checker: replays what was answered, by position, through the naive reference, and holds it against the
//! properties of the booking reference.
//!
//! | part | what |
//! |---|---|
//! | `batch` | what one batch answered |
//! | `answers` | one answer against the reference's |
//! | `lost` | rows of which nobody heard, because the process died |
//! | `properties` | P1, P2, P4, P5, P9, P10, P13, P14 and P18 from their words |
//! | `tables` | the data file against the reference |
//!
//! It knows nothing of the store's inside. What it is told are requests and answers; what it reads after a
//! crash are the rows that the store shows to everybody.

mod answers;
mod batch;
mod lost;
mod properties;
mod tables;

use std::collections::BTreeMap;

use deskbell_core::event::Event;
use deskbell_core::limits::{self, Millis};
use deskbell_core::log::{Once, Row};
use deskbell_core::position::ledger;
use deskbell_core::reservation::{Command, Moment};

use crate::naive::{Answer, Naive};
use crate::world::{APP, Call, NEWS, Notice, short};

pub use lost::Candidates;

/// Nothing, or what is wrong.
pub type Checked<T = ()> = Result<T, String>;

/// A row of the ledger as everybody can see it.
#[derive(Debug, Clone)]
pub struct RowSeen {
    /// Its position.
    pub row: u64,
    /// Its events on the channels that are followed.
    pub events: Vec<Event>,
    /// Their ledger coordinates.
    pub places: Vec<u64>,
}

impl From<&Row> for RowSeen {
    fn from(row: &Row) -> Self {
        let mut seen = Self { row: row.row, events: Vec::new(), places: Vec::new() };
        for (place, draft) in row.drafts.iter().enumerate() {
            if is_followed(draft.event.channel.as_str()) {
                seen.events.push(draft.event.clone());
                seen.places.push(ledger::event(row.row, place));
            }
        }
        seen
    }
}

/// Staff, everybody who looks at free times, and the readers of durable publishes.
pub fn is_followed(channel: &str) -> bool {
    channel == NEWS || channel.starts_with("slots:") || channel.starts_with("staff:")
}

/// One event that was told, with its place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its ledger coordinate.
    pub place: u64,
    /// Its channel.
    pub channel: String,
    /// Its id.
    pub id: String,
}

/// What a key stands for.
#[derive(Debug, Clone)]
struct Kept {
    body: u64,
    at: Millis,
    row: u64,
    what: Remembered,
    /// It is not sure that it was this request that came first.
    unsure: bool,
}

#[derive(Debug, Clone)]
enum Remembered {
    Answer(Box<Answer>),
    Notice(Vec<String>),
}

/// Everything that is known of a run.
#[derive(Default)]
pub struct Checker {
    /// The reference, after every known row.
    pub naive: Naive,
    /// The last known row.
    pub head: u64,
    /// The server's time, which never goes back.
    pub time: Millis,
    /// Every event that was told, in order.
    pub told: Vec<Told>,
    /// Answers that were compared.
    pub compared: u64,
    keys: BTreeMap<u128, Kept>,
    /// Requests of which nobody knows what became of them.
    unknown: Vec<Call>,
    unknown_notices: Vec<Notice>,
    /// Random bytes that were handed out, by the change id that is made of them.
    seeds: BTreeMap<String, [u8; 16]>,
    learned: u64,
    /// This row of the batch may be a command's, or its own time's.
    unsure: Option<u64>,
    /// The latest time that it ever was. A restart may go back behind what stands in no row.
    latest: Millis,
    /// When the last row was written.
    last_at: Millis,
    last_fence: u64,
    /// The disk failed last at this time; what is due then is tried again a second later.
    failed_at: Option<Millis>,
    /// When the process started, and behind which row.
    opened: (Millis, u64),
    /// A new process has not decided anything yet: when it started, and behind which row.
    started: Option<(Millis, u64)>,
}

impl Checker {
    /// The count from which on random bytes are not known yet.
    pub fn learned(&self) -> u64 {
        self.learned
    }

    /// Learns which random bytes were handed out.
    pub fn learn(&mut self, seeds: Vec<[u8; 16]>, until: u64) {
        for seed in seeds {
            self.seeds.insert(answers::change_of(seed), seed);
        }
        self.learned = until;
    }

    /// The disk failed, or a fault may still lie ahead.
    pub fn disk_failed(&mut self, now: Millis) {
        self.failed_at = Some(now);
    }

    /// No fault lies ahead: a second later everything must be as if there had been none.
    pub fn disk_works(&mut self, now: Millis) {
        self.failed_at = self.failed_at.filter(|failed| failed.saturating_add(1_000) >= now);
    }

    /// The idempotency keys' rule: is there a first answer to this key?
    fn earlier(&self, once: Option<Once>) -> Option<&Kept> {
        let kept = self.keys.get(&once?.key)?;
        (self.time < kept.at.saturating_add(limits::IDEMPOTENCY)).then_some(kept)
    }

    /// May it have been forgotten nevertheless? It was once later than it is now: the clock was set back over a
    /// restart, and housekeeping had been there before.
    fn may_be_forgotten(&self, once: Option<Once>) -> bool {
        let kept = once.and_then(|once| self.keys.get(&once.key));
        kept.is_none_or(|kept| kept.unsure || self.latest >= kept.at.saturating_add(limits::IDEMPOTENCY))
    }

    /// It is so late now.
    fn is_now(&mut self, now: Millis) {
        self.time = self.time.max(now);
        self.latest = self.latest.max(now);
    }

    fn keep(&mut self, once: Option<Once>, row: &RowSeen, at: Millis, what: Remembered) {
        if let Some(once) = once {
            let unsure = self.unsure == Some(row.row);
            self.keys.insert(once.key, Kept { body: once.body, at, row: row.row, what, unsure });
        }
    }

    /// Replays one row that changed something: what it tells must be what the reference tells.
    fn apply(&mut self, row: &RowSeen, command: &Command) -> Checked<Answer> {
        self.follow(row)?;
        let moment = self.moment(row)?;
        let before = self.naive.clone();
        let answer = match self.naive.run(moment, command) {
            Ok(answer) if answer.changed => answer,
            other => {
                return Err(format!(
                    "row {} is there, and the reference says {other:?} to {}",
                    row.row,
                    short(command)
                ));
            }
        };
        answers::same_told(row, &answer, &self.naive)
            .map_err(|why| format!("row {}: {why}\n{}", row.row, short(command)))?;
        self.properties(&before, moment)
            .map_err(|why| format!("row {}: {why}\n{}", row.row, short(command)))?;
        Ok(answer)
    }

    /// Takes a row's place in: rows are dense.
    fn follow(&mut self, row: &RowSeen) -> Checked {
        if row.row != self.head + 1 {
            return Err(format!("row {} follows row {}", row.row, self.head));
        }
        self.head = row.row;
        self.last_at = row.events.iter().map(|event| event.at).chain([self.last_at]).max().unwrap_or(0);
        let told = row.events.iter().zip(&row.places).map(|(event, place)| Told {
            place: *place,
            channel: event.channel.to_string(),
            id: event.id.to_string(),
        });
        self.told.extend(told);
        Ok(())
    }

    /// When and with which random bytes a row was decided.
    fn moment(&self, row: &RowSeen) -> Checked<Moment> {
        let Some(first) = row.events.first() else { return Err(format!("row {} tells nothing", row.row)) };
        let change = first.id.as_str().split('.').next().unwrap_or_default();
        let Some(seed) = self.seeds.get(change) else {
            return Err(format!("row {} has an id of no random bytes that were handed out", row.row));
        };
        if first.at > self.time {
            return Err(format!("row {} is of {}, and it is {}", row.row, first.at, self.time));
        }
        Ok(Moment { now: first.at, position: row.row, seed: *seed })
    }

    /// One of the app's own channels.
    fn channel(name: &str) -> String {
        format!("{name}:{APP}")
    }
}
