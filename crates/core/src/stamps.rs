//! Times that strictly rise, so that a time alone says how far somebody has read.

use crate::limits::Millis;

/// Gives each thing that happens a time of its own.
///
/// The stamps follow the clock. Where several things happen within one millisecond they run ahead of it by as many
/// milliseconds, and wait there until it has caught up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamps {
    last: Millis,
}

impl Stamps {
    /// Begins at a start of the server, whose clock never goes back.
    ///
    /// ```
    /// use deskbell_core::stamps::Stamps;
    /// let mut stamps = Stamps::begin(100);
    /// assert_eq!([stamps.next(100), stamps.next(100), stamps.next(99), stamps.next(500)], [101, 102, 103, 500]);
    /// assert_eq!(stamps.last(), 500);
    /// ```
    pub const fn begin(now: Millis) -> Self {
        Self { last: now }
    }

    /// The stamp of what happens now: later than every one before it.
    pub fn next(&mut self, now: Millis) -> Millis {
        self.last = now.max(self.last.saturating_add(1));
        self.last
    }

    /// The newest stamp. Whoever has read up to here has everything; what comes later has a later one.
    pub const fn last(&self) -> Millis {
        self.last
    }
}
