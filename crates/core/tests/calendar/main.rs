//! Opening hours: the one expansion against a slow reference, famous dates, recurrences and the JSON form.
#![allow(clippy::unwrap_used, reason = "a test that meets what cannot be has failed")]

mod busy;
mod famous;
mod form;
mod plan;
mod properties;
mod recurring;
mod reference;
mod slots;

use deskbell_core::calendar::{Hours, TimeZone, Window};
use deskbell_core::limits::Millis;

/// Hours that must be right.
fn hours(json: &str) -> Hours {
    Hours::from_json(json).unwrap_or_else(|refusal| panic!("{json}: {refusal}"))
}

fn zone(id: &str) -> TimeZone {
    TimeZone::parse(id).unwrap()
}

/// An instant from a text such as `2026-03-29T01:00Z`.
fn utc(text: &str) -> Millis {
    let timestamp: jiff::Timestamp = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    Millis::try_from(timestamp.as_millisecond()).unwrap()
}

fn window(from: &str, to: &str) -> Window {
    Window::new(utc(from), utc(to)).unwrap()
}

/// How many cases a property runs: few in every run, many where `DESKBELL_TEST_FULL` is set.
fn cases(few: u32) -> u32 {
    if std::env::var_os("DESKBELL_TEST_FULL").is_some() { few * 20 } else { few }
}
