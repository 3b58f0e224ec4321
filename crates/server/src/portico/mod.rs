//! The Portico dialect beside its pages: what the server agrees to, where pages stood that are away, and what the
//! site publishes.
//!
//! | part | what |
//! |---|---|
//! | [`Terms`] | whom pages may talk to, and on which clock times are written |
//! | [`Away`] | where the pages of a session stood when they left |
//! | [`applications`] | a session's applications that are not finished, from one of three places |
//! | [`spool`] | files that the site writes where nothing else took what it had to say |
//! | [`tell`] | what was published becomes an event, or a look at the applications |

pub mod applications;
mod away;
pub mod spool;
mod told;

use deskbell_core::calendar::TimeZone;
use deskbell_core::limits::Millis;
use deskbell_wire::portico::Stamp;
use deskbell_wire::portico::relays::Mode;

pub use applications::Applications;
pub use away::{Away, Carried};
pub use told::{publish_of, tell};

/// What an app agrees to with pages of this dialect.
#[derive(Debug)]
pub struct Terms {
    /// What pages may pass on.
    pub mode: Mode,
    /// The clock on which times are written.
    pub zone: TimeZone,
}

impl Terms {
    /// A moment on the site's clock.
    pub const fn stamp(&self, at: Millis) -> Stamp<'_> {
        Stamp { at, zone: &self.zone }
    }
}
