//! The options of the AppointEase dialect.

use deskbell_core::limits;

use super::options::{Form, Group, Opt, Section, within};

/// The AppointEase dialect, for all apps.
pub(super) const APPOINTEASE: Section = Section {
    title: "AppointEase",
    intro: "The dialect of the WordPress plugin AppointEase. `appointease.time_zone` switches it on; with `--dev` it is \
            on, and without a zone in UTC. See [AppointEase](appointease.md).",
    options: OPTIONS,
};

const OPTIONS: &[Opt] = &[
    Opt::text(
        "appointease.time_zone",
        Form::Any,
        "The zone of the site's opening hours, in which dates and times of its slots are meant. It is WordPress's \
         setting under Settings, General.",
    )
    .live(Group::Rules)
    .like("\"Europe/Oslo\""),
    Opt::time(
        "appointease.slot",
        limits::SLOT_LENGTH,
        within(limits::SLOT_LENGTH_LEAST, limits::SLOT_LENGTH_MOST),
        "How long a slot is, in whole minutes: what is locked and booked at a time of the day.",
    )
    .live(Group::Rules),
];

/// The AppointEase dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppointEaseSettings {
    /// The zone of the site's times; `None`: the dialect is off outside of development mode.
    pub time_zone: Option<String>,
    /// How long a slot is.
    pub slot_ms: u64,
}
