//! The log behind the ledger, and somebody who follows it over every crash.
//!
//! The log is fed as the store's writer feeds it, and is lost with its process. The follower keeps nothing but
//! its position, and what it was told must be what happened: each event once, in ledger order. Somebody else reads
//! the file alone, which is what whoever was away for long does.

use deskbell_core::calendar::Span;
use deskbell_core::class::{Class, Classes, Shape};
use deskbell_core::event::Event;
use deskbell_core::ids::{ChannelName, ResourceId};
use deskbell_core::limits::{DAY, Millis};
use deskbell_core::log::{Bounds, Log, Row, Want};
use deskbell_core::pattern::Pattern;
use deskbell_core::position::{Epoch, Position, ledger};
use deskbell_core::reservation::Segment;
use deskbell_server::store::{Ledger, LedgerPage, LedgerRead, LedgerWant, Look, Seen};
use serde_json::Value;

use super::program::{NEWS, RESOURCES, midnight, resource};
use super::site::APP;
use crate::check::{Checked, Told};

/// A log, its follower, and what the follower shows.
pub struct Watch {
    log: Log,
    epoch: u64,
    at: Position,
    /// Everything that the follower was told.
    pub seen: Vec<Told>,
    late: Late,
    shown: Vec<Shown>,
}

/// Somebody who comes by now and then, and reads what it missed from the file alone.
struct Late {
    at: Position,
    /// Events that it was told.
    told: usize,
}

/// A screen with the free times of one resource: a snapshot, and every delta since.
struct Shown {
    resource: ResourceId,
    window: Span,
    free: Vec<Free>,
    /// The row that the snapshot shows.
    row: u64,
    /// It is to be loaded anew.
    stale: bool,
}

/// From, until, units, and when the first hold there ends.
type Free = (Millis, Millis, u32, Option<Millis>);

fn channels() -> Vec<ChannelName> {
    let names = (0..RESOURCES).map(|nth| format!("slots:{}", resource(nth)));
    let names = names.chain([format!("staff:{APP}"), NEWS.to_owned()]);
    names.filter_map(|name| ChannelName::parse(&name).ok()).collect()
}

/// What the ledger feeds is durable anyway; so are the publishes of these runs.
fn classes() -> Classes {
    let durable = Class { durable: true, ..Class::of_shape(Shape::Stream) };
    let rule = Pattern::parse(NEWS).ok().map(|pattern| (pattern, durable));
    Classes::new(rule.into_iter().collect(), Class::of_shape(Shape::Stream))
}

impl Watch {
    /// A log that stands at the ledger's head, and a follower who stands there too.
    pub fn new(head: (u64, u32)) -> Self {
        let log = Log::new(Epoch(1), head.0, head.1, classes());
        let at = log.head();
        let shown = (0..RESOURCES).map(|nth| Shown {
            resource: resource(nth),
            window: Span { start: 0, end: 0 },
            free: Vec::new(),
            row: 0,
            stale: true,
        });
        let late = Late { at, told: 0 };
        Self { log, epoch: 1, at, seen: Vec::new(), late, shown: shown.collect() }
    }

    /// A new process has a new log; the follower stands where it stood.
    pub fn restarted(&mut self, head: (u64, u32)) {
        self.epoch += 1;
        self.log = Log::new(Epoch(self.epoch), head.0, head.1, classes());
    }

    /// Takes committed rows in.
    pub fn feed(&mut self, rows: Vec<Row>, now: Millis) -> Checked {
        self.log.append_if(rows, now).map_err(|taken| format!("the log has row {} already", taken.taken))
    }

    /// Reads everything up to the log's head.
    pub fn read(&mut self, ledger: &mut Ledger) -> Checked {
        let wants: Vec<Want> = channels().into_iter().map(Want::plain).collect();
        for _ in 0..10_000 {
            let page = self.log.read(&self.at, &wants, None, Bounds { events: 7, bytes: 1 << 20 });
            if let Some(reset) = page.resets.first() {
                return Err(format!("a follower is reset: {reset:?}"));
            }
            if !page.older.is_empty() {
                let wants = page.older.iter().map(|older| (older.channel.clone(), older.after)).collect();
                self.read_ledger(ledger, wants)?;
                continue;
            }
            for entry in &page.entries {
                self.take(&entry.event, entry.ledger);
            }
            self.at = page.at;
            if page.complete {
                return Ok(());
            }
        }
        Err("a follower never reaches the head".to_owned())
    }

    fn read_ledger(&mut self, ledger: &mut Ledger, wants: Vec<(ChannelName, u64)>) -> Checked {
        let page = self.page(ledger, self.at, wants).map_err(|why| format!("a follower: {why}"))?;
        for entry in &page.entries {
            self.take(&entry.event, entry.ledger);
        }
        pass(&mut self.at, &page);
        Ok(())
    }

    /// One page of the file, as far as the log has got.
    fn page(&self, ledger: &mut Ledger, at: Position, wants: Vec<(ChannelName, u64)>) -> Checked<LedgerPage> {
        let wants = wants.into_iter().map(|(channel, after)| LedgerWant { channel, after, latest: false });
        let read = LedgerRead {
            app: APP,
            at,
            wants: wants.collect(),
            until: self.log.head().ledger,
            bounds: Bounds { events: 7, bytes: 1 << 20 },
        };
        let page = ledger.read(&read).map_err(|failure| format!("a page cannot be read: {failure}"))?;
        match page.resets.first() {
            Some(reset) => Err(format!("there is a reset: {reset:?}")),
            None => Ok(page),
        }
    }

    /// Whoever comes by now and then reads some pages: each event that was told, once and in order. `Err` stands for
    /// a page that cannot be read now.
    pub fn come_by(&mut self, ledger: &mut Ledger, told: &[Told], pages: usize) -> Checked<Checked> {
        for _ in 0..pages {
            let wants = channels().into_iter().map(|channel| (channel, self.late.at.ledger)).collect();
            let page =
                self.page(ledger, self.late.at, wants).map_err(|why| format!("who comes by: {why}"))?;
            for entry in &page.entries {
                let expected = told.get(self.late.told);
                if expected
                    .is_none_or(|told| told.place != entry.ledger || told.id != *entry.event.id.as_str())
                {
                    let found = (&entry.event.id, entry.ledger);
                    return Ok(Err(format!("who comes by is told {found:?} for {expected:?}")));
                }
                self.late.told += 1;
            }
            pass(&mut self.late.at, &page);
            if page.complete {
                let all = self.late.told == told.len();
                return Ok(if all {
                    Ok(())
                } else {
                    Err(format!("who comes by is not told {:?}", told.last()))
                });
            }
        }
        Ok(Ok(()))
    }

    fn take(&mut self, event: &Event, place: u64) {
        let told = Told { place, channel: event.channel.to_string(), id: event.id.to_string() };
        if let Some(resource) = told.channel.strip_prefix("slots:") {
            let row = ledger::row(place);
            let shown = self.shown.iter_mut().find(|shown| shown.resource.as_str() == resource);
            if let Some(shown) = shown.filter(|shown| row > shown.row) {
                shown.take(event);
            }
        }
        self.seen.push(told);
    }

    /// Compares what the screens show with what there is, and loads anew what must be.
    pub fn compare(&mut self, ledger: &mut Ledger, now: Millis) -> Checked {
        let window = Span { start: midnight(now) - DAY, end: midnight(now) + DAY };
        for shown in &mut self.shown {
            let look = |span| Look::Availability { resource: shown.resource.clone(), span, now };
            let mut see = |span| match ledger.look(APP, &look(span)) {
                Ok(sighting) => match sighting.seen {
                    Seen::Availability(Some((_, segments))) => {
                        Ok(Some((freed(&segments), sighting.position)))
                    }
                    _ => Ok(None),
                },
                Err(failure) => Err(format!("nobody can look: {failure}")),
            };
            if !shown.stale {
                let found = see(shown.window)?.map(|(free, _)| free);
                if found.as_ref() != Some(&shown.free) {
                    return Err(format!("a screen shows {:?}, and there is {found:?}", shown.free));
                }
            }
            if (shown.stale || shown.window != window)
                && let Some((free, row)) = see(window)?
            {
                (shown.free, shown.row, shown.window, shown.stale) = (free, row, window, false);
            }
        }
        Ok(())
    }
}

/// A reader has read a page.
fn pass(at: &mut Position, page: &LedgerPage) {
    for entry in &page.entries {
        at.advance(&entry.after);
    }
    at.advance(&Position { ledger: page.at_ledger, ledger_check: 0, ..*at });
}

impl Shown {
    fn take(&mut self, event: &Event) {
        let data: Value = serde_json::from_slice(&event.data.bytes).unwrap_or_default();
        let Some(segments) = data["segments"].as_array().filter(|_| event.name.as_str() == "slots.delta")
        else {
            self.stale = true;
            return;
        };
        let number = |of: &Value| of.as_u64();
        let free = |segment: &Value| {
            let (start, end) = (number(&segment["start"])?, number(&segment["end"])?);
            let (start, end) = (start.max(self.window.start), end.min(self.window.end));
            let units = number(&segment["free"])? as u32;
            (start < end).then_some((start, end, units, number(&segment["held_until"])))
        };
        for new in segments.iter().filter_map(free).collect::<Vec<_>>() {
            self.replace(new);
        }
    }

    fn replace(&mut self, new: Free) {
        let mut all = Vec::with_capacity(self.free.len() + 2);
        for (start, end, units, until) in self.free.drain(..) {
            if start < new.0 {
                all.push((start, end.min(new.0), units, until));
            }
            if end > new.1 {
                all.push((start.max(new.1), end, units, until));
            }
        }
        all.push(new);
        all.retain(|(start, end, ..)| start < end);
        all.sort_unstable();
        self.free = joined(all);
    }
}

fn freed(segments: &[Segment]) -> Vec<Free> {
    joined(
        segments
            .iter()
            .map(|segment| (segment.span.start, segment.span.end, segment.free, segment.held_until)),
    )
}

/// Neighbours that do not differ are one.
fn joined(all: impl IntoIterator<Item = Free>) -> Vec<Free> {
    let mut joined: Vec<Free> = Vec::new();
    for new in all {
        match joined.last_mut() {
            Some(last) if last.1 == new.0 && (last.2, last.3) == (new.2, new.3) => last.1 = new.1,
            _ => joined.push(new),
        }
    }
    joined
}
