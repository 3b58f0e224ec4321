//! iCalendar (RFC 5545): what of it busy times need, read; and calendars of bookings, written.
//!
//! | part | what |
//! |---|---|
//! | [`fn@read`] | a calendar's text becomes events, for `deskbell_core::calendar::busy` |
//! | [`Feed`] | bookings become a calendar's text |
//! | `line` | lines: unfolded and taken apart, escaped and folded |
//! | `names` | zones by the names that other programs give them |
//! | [`list`] | the same busy times as a JSON list |

mod line;
mod list;
mod names;
mod read;
mod write;

pub use list::{Busy, list};
pub use read::read;
pub use write::{Feed, FeedEvent, Status};
