//! When a resource is open: local rules in, UTC instants out, through one pure function.
//!
//! Opening hours are said in local time and change with the zone's offset; everything else in the
//! product knows instants only. [`expand`] is the one place where the two meet, so no second path can
//! use another offset.
//!
//! | part | what |
//! |---|---|
//! | [`TimeZone`] | a zone of the IANA database that is built in; parsed once |
//! | [`Hours`] | weekly rules, dated exceptions, recurring openings and blocks, a range of validity |
//! | [`Window`] | a stretch of UTC time, checked once |
//! | [`expand`] | the function; [`open`] and [`covers`] are its two short forms |
//! | [`busy`] | the same for events of somebody's calendar |
//! | [`Wall`] | a date and a time of the day, as a site writes an appointment |
//! | [`Openings::slots`] | starts to show, aligned to the local opening time |
//!
//! # What holds
//!
//! * **A rule belongs to the date on which it begins**, also when it runs over midnight.
//! * **An exception decides its date alone:** no weekly and no recurring rule begins on it. Where
//!   several exceptions name a date, the last of them counts.
//! * **A recurring block takes its time out of everything that is open then.**
//! * **Without weekly rules and recurring openings every day is open**, all day.
//! * **A rule covers every instant from the first to the last one at which a wall clock shows a time
//!   inside it.** In a gap (the clock jumps forward) both ends move to the first instant behind it, so a
//!   rule that lies wholly inside gives nothing. In a fold (the clock jumps back and an hour comes twice)
//!   a rule begins with the first occurrence and ends with the last. An end is exclusive: a rule that
//!   ends just where a fold begins ends there, and not an hour later.
//!
//! ```
//! use deskbell_core::calendar::{Hours, TimeZone, Window, covers, open};
//! let hours = Hours::from_json(r#"{"weekly":[{"day":"sun","from":"01:00","to":"04:00"}]}"#)?;
//! let oslo = TimeZone::parse("Europe/Oslo")?;
//! // 29 March 2026: the clock jumps from 02:00 to 03:00, so three hours on the wall are two.
//! let day = Window::new(1_774_738_800_000, 1_774_821_600_000)?;
//! let spans = open(&hours, &oslo, day);
//! assert_eq!(spans.len(), 1);
//! assert_eq!(spans[0].end - spans[0].start, 2 * 3_600_000);
//! assert!(covers(&hours, &oslo, Window::new(spans[0].start, spans[0].end)?));
//! # Ok::<(), deskbell_core::refusal::Refusal>(())
//! ```

mod busy;
mod expand;
mod hours;
mod json;
mod local;
mod recurrence;
mod rrule;
mod slots;
mod wall;
mod window;
mod zone;

pub use busy::{BusyEvent, Length, Moment, busy, day_of, time_of_day};
pub use expand::{Openings, covers, expand, open};
pub use hours::Hours;
pub use slots::Slots;
pub use wall::{Date, Wall};
pub use window::{Span, Window};
pub use zone::TimeZone;
