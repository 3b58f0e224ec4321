//! The durable half of the one read: every event of some channels after a place, or why not.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::event::{Entry, Frames};
use deskbell_core::ids::{AppId, ChannelName};
use deskbell_core::log::{Bounds, ResetReason};
use deskbell_core::position::{Position, ledger};

use super::codec::{self, Seen};
use super::database::{Database, Next, Value};
use super::failure::Failure;
use super::tables::head;
use super::tail::Tail;

/// Events of a page whatever the reader asks for.
const PAGE: usize = 10_000;
/// The events of one row.
const EVENTS: &str = "SELECT events FROM changes WHERE app = ?1 AND position = ?2";

/// What a reader asks for.
#[derive(Debug, Clone)]
pub struct LedgerRead {
    /// The app.
    pub app: AppId,
    /// Where the reader stands. Its ledger half is compared with the stored row (`diverged`); its
    /// other half is what the entries' positions keep.
    pub at: Position,
    /// The channels.
    pub wants: Vec<LedgerWant>,
    /// Read no further than this ledger coordinate, which is the log's head: later rows reach the
    /// reader through the log.
    pub until: u64,
    /// How much the page may hold.
    pub bounds: Bounds,
}

/// One channel that a reader asks for.
#[derive(Debug, Clone)]
pub struct LedgerWant {
    /// Which channel.
    pub channel: ChannelName,
    /// The ledger coordinate after which it is read.
    pub after: u64,
    /// Only the newest event of each key is owed.
    pub latest: bool,
}

/// What the reader gets.
#[derive(Debug)]
pub struct LedgerPage {
    /// The events in ledger order, of all channels together, none left out up to `at_ledger`.
    pub entries: Vec<Arc<Entry>>,
    /// Channels that cannot go on from where the reader stands.
    pub resets: Vec<(ChannelName, ResetReason)>,
    /// The ledger coordinate up to which this page is complete; the next page starts after it.
    pub at_ledger: u64,
    /// `until` is reached.
    pub complete: bool,
}

/// Reads one page, all of it from one moment of the file.
pub(super) fn page(db: &Database, read: &LedgerRead) -> Result<LedgerPage, Failure> {
    db.at_once(|db| {
        let end = ledger::end(head(db, read.app)?.row);
        let until = read.until.min(end);
        let mut page =
            LedgerPage { entries: Vec::new(), resets: Vec::new(), at_ledger: until, complete: true };
        let found = find(db, read, end, &mut page)?;
        load(db, read, found, &mut page)?;
        Ok(page)
    })
}

/// The coordinates of the page, and one more where there is more.
pub(super) fn find(
    db: &Database,
    read: &LedgerRead,
    end: u64,
    page: &mut LedgerPage,
) -> Result<BTreeSet<u64>, Failure> {
    let most = read.bounds.events.clamp(1, PAGE) + 1;
    let until = page.at_ledger;
    let diverged = has_diverged(db, read)?;
    let tail = Tail::scan(db, read)?;
    let mut found = BTreeSet::new();
    for want in &read.wants {
        let (channel, floor) = channel(db, read.app, &want.channel)?;
        if let Some(reason) = reset(want, diverged, end, floor) {
            page.resets.push((want.channel.clone(), reason));
            continue;
        }
        // What lies behind a full set cannot be on this page.
        let before = if found.len() < most { until } else { found.last().map_or(until, |last| last - 1) };
        let here = want.after.saturating_add(1)..=before;
        if let Some(channel) = channel {
            let place = Place { app: read.app, channel, here: here.clone(), most };
            place.find(db, want, &tail, &mut found)?;
        }
        let name = want.channel.as_str();
        let behind = if want.latest { tail.newest(name) } else { tail.all(name) };
        found.extend(behind.into_iter().filter(|coordinate| here.contains(coordinate)).take(most));
        while found.len() > most {
            found.pop_last();
        }
    }
    Ok(found)
}

/// Where in the index something is looked for, and how much of it is wanted.
struct Place {
    app: AppId,
    channel: i64,
    here: RangeInclusive<u64>,
    most: usize,
}

impl Place {
    /// Adds what the index knows, but what the rows behind it have made stale.
    fn find(
        &self,
        db: &Database,
        want: &LedgerWant,
        tail: &Tail,
        found: &mut BTreeSet<u64>,
    ) -> Result<(), Failure> {
        let statement = if want.latest {
            "SELECT coordinate, key FROM latest WHERE app = ?1 AND channel = ?2
             AND coordinate > ?3 AND coordinate <= ?4 ORDER BY coordinate LIMIT ?5"
        } else {
            "SELECT coordinate, '' FROM feed WHERE app = ?1 AND channel = ?2
             AND coordinate > ?3 AND coordinate <= ?4 ORDER BY coordinate LIMIT ?5"
        };
        let (app, channel): (Value<'_>, Value<'_>) = (self.app.into(), self.channel.into());
        let (before, most) = ((*self.here.end()).into(), (self.most as u64).into());
        let (mut left, mut after) = (self.most, want.after);
        loop {
            let (mut seen, from) = (0, [app, channel, after.into(), before, most]);
            db.each(statement, &from, |row| {
                (seen, after) = (seen + 1, row.unsigned(0)?);
                if want.latest && tail.has_newer(want.channel.as_str(), row.text(1)?) {
                    return Ok(Next::Go);
                }
                found.insert(after);
                left -= 1;
                Ok(if left > 0 { Next::Go } else { Next::Stop })
            })?;
            if left == 0 || seen < self.most {
                return Ok(());
            }
        }
    }
}

/// The channel's id where it has one, and its floor.
fn channel(db: &Database, app: AppId, name: &ChannelName) -> Result<(Option<i64>, u64), Failure> {
    let question = "SELECT id, floor FROM channels WHERE app = ?1 AND name = ?2";
    let found =
        db.first(question, &[app.into(), name.as_str().into()], |row| Ok((row.int(0)?, row.unsigned(1)?)))?;
    if let Some((id, floor)) = found {
        return Ok((Some(id), floor));
    }
    let forgotten =
        db.first("SELECT forgotten FROM apps WHERE app = ?1", &[app.into()], |row| row.unsigned(0))?;
    Ok((None, forgotten.unwrap_or(0)))
}

/// Does the reader know another row at its place than the one that stands there?
fn has_diverged(db: &Database, read: &LedgerRead) -> Result<bool, Failure> {
    if read.at.ledger_check == 0 {
        return Ok(false);
    }
    let check = db.first(EVENTS, &[read.app.into(), ledger::row(read.at.ledger).into()], |row| {
        codec::row_check(&codec::look(row.bytes(0)?)?)
    })?;
    let check = check.unwrap_or(0);
    Ok(check != 0 && check != read.at.ledger_check)
}

fn reset(want: &LedgerWant, diverged: bool, end: u64, floor: u64) -> Option<ResetReason> {
    // A `latest` reader without any past is owed the values that are there, not the past.
    let from_nothing = want.latest && ledger::row(want.after) == 0;
    if want.after > end {
        Some(ResetReason::Ahead)
    } else if diverged {
        Some(ResetReason::Diverged)
    } else if want.after < floor && !from_nothing {
        Some(ResetReason::Expired)
    } else {
        None
    }
}

/// Loads the events at the coordinates until a bound is reached.
fn load(
    db: &Database,
    read: &LedgerRead,
    found: BTreeSet<u64>,
    page: &mut LedgerPage,
) -> Result<(), Failure> {
    let mut bytes = 0;
    let mut coordinates = found.into_iter().peekable();
    while let Some(number) = coordinates.peek().map(|first| ledger::row(*first)) {
        let row = load_row(db, read.app, number)?;
        let seen = codec::look(&row)?;
        while let Some(coordinate) = coordinates.next_if(|next| ledger::row(*next) == number) {
            let entry = entry(&row, &seen, coordinate, &read.at)?;
            let beyond = bytes > 0 && bytes + entry.weight() > read.bounds.bytes;
            if beyond || page.entries.len() >= read.bounds.events.clamp(1, PAGE) {
                page.complete = false;
                page.at_ledger = page.entries.last().map_or(read.at.ledger, |last| last.after.ledger);
                return Ok(());
            }
            bytes += entry.weight();
            page.entries.push(Arc::new(entry));
        }
    }
    Ok(())
}

fn load_row(db: &Database, app: AppId, number: u64) -> Result<Bytes, Failure> {
    let row =
        db.first(EVENTS, &[app.into(), number.into()], |row| Ok(Bytes::copy_from_slice(row.bytes(0)?)))?;
    row.ok_or_else(|| Failure::Damaged(format!("row {number} of app {app} is missing")))
}

/// One event of a row, with the position of a reader who otherwise stands at `at`.
pub(super) fn entry(
    row: &Bytes,
    seen: &[Seen<'_>],
    coordinate: u64,
    at: &Position,
) -> Result<Entry, Failure> {
    let number = ledger::row(coordinate);
    let place = (coordinate - ledger::event(number, 0)) as usize;
    let Some(event) = seen.get(place) else {
        return Err(Failure::Damaged(format!("row {number} has no event {place}")));
    };
    let draft = event.draft(row)?;
    let last = place + 1 == seen.len();
    let after = if last { ledger::end(number) } else { coordinate };
    Ok(Entry {
        event: draft.event,
        kind: draft.kind,
        key: draft.key,
        except: draft.except,
        by: None,
        epoch: at.epoch,
        seq: 0,
        ledger: coordinate,
        after: Position { ledger: after, ledger_check: codec::row_check(seen)?, ..*at },
        frames: Frames::default(),
    })
}
