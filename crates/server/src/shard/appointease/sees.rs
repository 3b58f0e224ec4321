//! What a page is shown of the log.

use bytes::Bytes;
use deskbell_core::event::{Entry, Kind};
use deskbell_wire::appointease::said;
use deskbell_wire::websocket::encode as websocket;

use super::super::Shard;
use super::super::frames::Variant;
use super::super::lens::{PLAIN, Sight, lies_before};
use super::super::session::Sub;
use super::Page;
use crate::appointease::news::{self, News};
use crate::appointease::persons::{self, Appointments};

impl Shard {
    /// The frames of an entry for a page: for each way in which it looks at the entry's channel.
    pub(in super::super) fn page_sees(&self, slot: u32, page: &Page, entry: &Entry) -> Bytes {
        let Some(client) = self.clients.get(slot) else { return Bytes::new() };
        let view = &self.views[usize::from(client.app)];
        let number = view.channels.find(entry.event.channel.as_str());
        if entry.kind != Kind::Message || number.is_none() {
            return Bytes::new();
        }
        let mut frames: Vec<Bytes> = Vec::new();
        let own = |sub: &&Sub| Some(sub.channel) == number && sub.lens != PLAIN;
        for sub in client.session.subs.iter().filter(own).filter(|sub| !lies_before(sub, entry)) {
            match &view.lenses.get(sub.lens).sight {
                Sight::Pages => frames.push(Variant::AppointEase.once(entry, || pages_hear(entry))),
                Sight::Page => frames.push(Self::page_hears(page, entry)),
                Sight::Same => frames.push(Variant::AppointEase.once(entry, || raw(entry))),
                Sight::Rows(table, rows) => {
                    let told = table.project(rows, &entry.event).into_iter();
                    let frame = |name: &str, data: &[u8]| said::shown(name, data, entry.event.at);
                    let told = told.map(|one| frame(one.name.as_str(), &one.data));
                    frames.extend(told.map(|frame| websocket::text_frame(frame.as_bytes())));
                }
            }
        }
        match frames.len() {
            1 => frames.swap_remove(0),
            _ => frames.concat().into(),
        }
    }

    /// What it makes itself of an entry.
    fn page_hears(page: &Page, entry: &Entry) -> Bytes {
        if entry.event.channel.as_str().starts_with(persons::PREFIX) {
            let frame = || {
                let found = Appointments::read(&entry.event.data.bytes);
                found.map(|found| said::update(found.list(), entry.event.at)).unwrap_or_default()
            };
            return Variant::AppointEase.once(entry, || websocket::text_frame(frame().as_bytes()));
        }
        let told = News::read(&entry.event.data.bytes).and_then(|news| page.told(news, entry.event.at));
        told.map(|frame| websocket::text_frame(frame.as_bytes())).unwrap_or_default()
    }
}

/// What every page is told of an entry: of what pages say to each other the frame that it is, of anything else the event.
pub(in super::super) fn pages_hear(entry: &Entry) -> Bytes {
    let is_frame = entry.kind == Kind::Message && entry.event.channel.as_str() == news::PAGES;
    if is_frame { websocket::text_frame(&entry.event.data.bytes) } else { raw(entry) }
}

/// An event as it was published.
fn raw(entry: &Entry) -> Bytes {
    said::event(entry).map_or_else(Bytes::new, |frame| websocket::text_frame(frame.as_bytes()))
}

impl Page {
    /// What becomes of the slot that it watches, in its own words: it compares them with what it sent.
    fn told(&self, news: News, at: u64) -> Option<String> {
        let watched = self.watching.as_ref()?;
        let wall = watched.wall?;
        match news {
            News::Taken { date, time, by } => {
                let is_it = wall.date().to_string() == date && wall.time() == time;
                (is_it && by != self.member).then(|| said::slot_taken(&watched.slot, at))
            }
            News::Unavailable { date, times } => {
                (wall.date().to_string() == date).then(|| said::availability(&watched.slot.day, &times, at))
            }
        }
    }
}
