//! What a page is shown of the log.

use bytes::Bytes;
use deskbell_core::event::{Entry, Kind};
use deskbell_wire::appointease::said;
use deskbell_wire::websocket::encode as websocket;

use super::super::Shard;
use super::super::frames::Variant;
use super::Page;
use crate::appointease::news::{self, News};
use crate::appointease::persons::{self, Appointments};

impl Shard {
    /// The frames of an entry for a page.
    pub(in super::super) fn page_sees(page: &Page, entry: &Entry) -> Bytes {
        if entry.kind != Kind::Message {
            return Bytes::new();
        }
        let channel = entry.event.channel.as_str();
        if channel == news::PAGES {
            return Variant::AppointEase.once(entry, || websocket::text_frame(&entry.event.data.bytes));
        }
        if channel == news::EVENTS {
            let frame = || said::event(entry).unwrap_or_default();
            return Variant::AppointEase.once(entry, || websocket::text_frame(frame().as_bytes()));
        }
        if channel.starts_with(persons::PREFIX) {
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
