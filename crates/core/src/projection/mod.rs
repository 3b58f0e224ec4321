//! One event, every screen, each in its own words.
//!
//! A dialect's channel may show events of other log channels: `private-appointments.7` of a Pusher
//! client shows what happens on `user:7`. A [`Row`] says which, and what they are called and look like
//! there. Rows are resolved when somebody subscribes and applied when a frame is encoded; nothing of
//! it enters the log, and what was published on a channel itself is shown as it came.
//!
//! | file | what |
//! |---|---|
//! | `template` | the data of a frame, made of the event's |
//! | `name` | channel names with one part that is taken over |
//! | `seeds.json` | the rows that are there by default |

mod name;
mod template;

use serde::Deserialize;
use serde_json::Value;

use crate::event::{Entry, Event};
use crate::ids::{ChannelName, EventId, EventName};
use crate::limits;
use crate::position::ledger;
use crate::refusal::{Code, Refusal};
use name::Shown;
use template::Template;

pub use template::iso;

/// The rows for the clients of the five systems that Deskbell replaces.
const SEEDS: &str = include_str!("seeds.json");

/// A wire protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Our own.
    Native,
    /// The AppointEase plugin's.
    AppointEase,
    /// PorticoEstate's.
    Portico,
    /// Pusher's.
    Pusher,
    /// Socket.IO's.
    SocketIo,
}

/// A row as it is written down.
///
/// ```
/// use deskbell_core::projection::{Table, Text};
/// let text: Text = serde_json::from_str(r#"{"dialect":"pusher","channel":"private-appointments.{id}",
///     "from":"user:{id}","event":"booking.*","name":"appointment-updated","data":{"id":"$reservation.id"}}"#).unwrap();
/// assert!(Table::new(vec![text]).is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// For the clients of which dialect.
    pub dialect: Dialect,
    /// The channel as the dialect names it, with one `{part}`.
    pub channel: String,
    /// The log channel whose events it shows, with the same `{part}`.
    pub from: String,
    /// Which events: a name, or one that ends in `*`.
    pub event: String,
    /// What the event is called there; `$action` in it is the last word of its name, `$data.PATH` at its end a
    /// text in its data.
    pub name: String,
    /// What its data looks like there. A string that begins with `$` is a path into the event's data.
    pub data: Value,
}

/// One row, checked.
#[derive(Debug, Clone)]
struct Row {
    dialect: Dialect,
    shown: Shown,
    event: String,
    name: String,
    data: Template,
}

/// All rows of an app.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: Vec<Row>,
}

/// Which rows a subscription uses, and on which log channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The log channel.
    pub channel: ChannelName,
    /// The rows, by their number in the table.
    pub rows: Vec<u16>,
}

/// What a client is shown of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projected {
    /// The event's name there.
    pub name: EventName,
    /// Its data there, as JSON.
    pub data: Vec<u8>,
}

impl Table {
    /// Checks rows. The first that is wrong is refused with its number.
    pub fn new(texts: Vec<Text>) -> Result<Self, Refusal> {
        if texts.len() > limits::PROJECTIONS {
            return Err(Refusal::new(
                Code::LimitReached,
                "there are 500 projections at most; join some by `*`",
            ));
        }
        let rows = texts.into_iter().enumerate().map(|(number, text)| {
            row(text).map_err(|no| Refusal::new(no.code, format!("projection {number}: {}", no.message)))
        });
        Ok(Self { rows: rows.collect::<Result<_, _>>()? })
    }

    /// The rows that are there by default, and then others.
    pub fn with_seeds(texts: Vec<Text>) -> Result<Self, Refusal> {
        let seeds: Vec<Text> = serde_json::from_str(SEEDS).expect("the built-in rows are well formed");
        Self::new(seeds.into_iter().chain(texts).collect())
    }

    /// The log channels that a dialect's channel shows beside the one of its own name. Where rows of several
    /// names fit, those of the most exact name count: `private-appointments.doctor.3` is a doctor's, and not that
    /// of a user who is called `doctor.3`.
    pub fn resolve(&self, dialect: Dialect, channel: &str) -> Vec<Source> {
        let rows = || self.rows.iter().enumerate().filter(|(_, row)| row.dialect == dialect);
        let fits = |row: &Row| row.shown.source(channel).map(|_| row.shown.exactness());
        let Some(most) = rows().filter_map(|(_, row)| fits(row)).max() else { return Vec::new() };
        let mut sources: Vec<Source> = Vec::new();
        for (number, row) in rows().filter(|(_, row)| row.shown.exactness() == most) {
            let Some(channel) = row.shown.source(channel) else { continue };
            match sources.iter_mut().find(|source| source.channel == channel) {
                Some(source) => source.rows.push(number as u16),
                None => sources.push(Source { channel, rows: vec![number as u16] }),
            }
        }
        sources
    }

    /// What a subscription that uses these rows is shown of an event.
    pub fn project(&self, rows: &[u16], event: &Event) -> Vec<Projected> {
        let rows = rows.iter().filter_map(|number| self.rows.get(usize::from(*number)));
        let mut rows = rows.filter(|row| fits(&row.event, event.name.as_str())).peekable();
        if rows.peek().is_none() {
            return Vec::new();
        }
        // Data that is no JSON has no parts; rows then show what does not depend on them.
        let data = serde_json::from_slice(&event.data.bytes).unwrap_or(Value::Null);
        let shown =
            |row: &Row| Some(Projected { name: row.name(event, &data)?, data: row.data.fill(event, &data) });
        rows.filter_map(shown).collect()
    }
}

impl Row {
    /// What the event is called there; nothing where that hangs on something that is not there.
    fn name(&self, event: &Event, data: &Value) -> Option<EventName> {
        let name = self.name.replace("$action", action(event.name.as_str()));
        let Some((before, path)) = name.split_once("$data.") else { return EventName::parse(&name).ok() };
        let word = template::part(data, path)?.as_str()?;
        EventName::parse(&format!("{before}{word}")).ok()
    }
}

fn row(text: Text) -> Result<Row, Refusal> {
    let plain = text.event.strip_suffix('*').unwrap_or(&text.event);
    if plain.contains('*') {
        return Err(Refusal::new(Code::BadField, "`event` is a name, or ends in its only `*`"));
    }
    EventName::parse(&text.name)?;
    Ok(Row {
        dialect: text.dialect,
        shown: Shown::parse(&text.channel, &text.from)?,
        event: text.event,
        name: text.name,
        data: Template::parse(text.data)?,
    })
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

/// The last word of an event's name: what happened to the thing that it names.
fn action(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// What an event of the ledger is about: the same for every audience that is told. An id of another form is its
/// publisher's, and says nothing of others.
///
/// ```
/// use deskbell_core::{ids::EventId, projection::occurrence};
/// let id = |text: &str| EventId::parse(text).unwrap();
/// assert_eq!(occurrence(&id("Ab3.0.1")), occurrence(&id("Ab3.0.2")));
/// assert_ne!(occurrence(&id("order.1")), occurrence(&id("order.2")));
/// ```
pub fn occurrence(id: &EventId) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let of_ledger = |before: &&str| before.rsplit_once('.').is_some_and(|(_, about)| is_number(about));
    let (before, nth) = id.as_str().rsplit_once('.').unwrap_or_default();
    Some(before).filter(|_| is_number(nth)).filter(of_ledger).unwrap_or(id.as_str())
}

/// Keeps a client that is reached over two channels of one change from being told twice.
///
/// The events of one change stand next to each other in the log, so only the last change counts. What an id says of
/// others holds within a row of the ledger alone: elsewhere its publisher chose it.
#[derive(Debug, Default)]
pub struct Told {
    change: (u64, String),
    frames: Vec<(String, EventName)>,
}

impl Told {
    /// Is this the first time that the client is shown this of the event?
    pub fn is_first(&mut self, entry: &Entry, name: &EventName) -> bool {
        let id = entry.event.id.as_str();
        let (row, change, about) = match ledger::row(entry.ledger) {
            0 => (0, id, id),
            row => (row, "", occurrence(&entry.event.id)),
        };
        if self.change.0 != row || self.change.1 != change {
            self.change = (row, change.to_owned());
            self.frames.clear();
        }
        let known = self.frames.iter().any(|(told, frame)| told == about && frame == name);
        if !known && self.frames.len() < limits::FRAMES_PER_CHANGE {
            self.frames.push((about.to_owned(), name.clone()));
        }
        !known
    }
}

#[cfg(test)]
mod tests;
