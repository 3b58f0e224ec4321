//! The options of the AppointEase dialect.

use deskbell_core::limits;

use super::error::Secret;
use super::options::{Form, Group, Opt, Preset, Section, within};
use super::table::{DAY, MINUTE, SECOND};

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
    Opt::text(
        "appointease.database",
        Form::Secret,
        "The site's MariaDB or MySQL, as `mysql://USER:PASSWORD@HOST/DATABASE`: its table of appointments is read again \
         and again, and its rows are bookings. A user that may select that table alone is enough. See \
         [importing](import.md).",
    )
    .like("\"mysql://deskbell:PASSWORD@127.0.0.1/wordpress\""),
    Opt::text("appointease.table", Form::Any, "That table, or a view with the same columns.")
        .or(Preset::Text("wp_appointments")),
    Opt::time(
        "appointease.every",
        MINUTE,
        within(SECOND, DAY),
        "The time from one reading to the next. The whole table is read each time.",
    ),
    Opt::number(
        "appointease.app",
        0,
        within(1, u32::MAX as u64),
        "The id of the app whose bookings they are; without it, the first app.",
    )
    .unset()
    .like("1001"),
];

/// The AppointEase dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppointEaseSettings {
    /// The zone of the site's times; `None`: the dialect is off outside of development mode.
    pub time_zone: Option<String>,
    /// How long a slot is.
    pub slot_ms: u64,
    /// The site's database; `None`: its table is not read.
    pub database: Option<Secret>,
    /// The table in it.
    pub table: String,
    /// The time from one reading to the next.
    pub every_ms: u64,
    /// The app whose bookings its rows are; `None`: the first.
    pub app: Option<u64>,
}
