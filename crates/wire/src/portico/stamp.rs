//! A moment as PHP writes it.

use deskbell_core::calendar::TimeZone;
use deskbell_core::limits::Millis;

use crate::ledger::time;

/// A moment, with the zone in which it is written.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// When.
    pub at: Millis,
    /// Where.
    pub zone: &'a TimeZone,
}

impl Stamp<'_> {
    /// As `date('c')` does: to the second, with the offset.
    ///
    /// ```
    /// use deskbell_core::calendar::TimeZone;
    /// use deskbell_wire::portico::Stamp;
    /// let oslo = TimeZone::parse("Europe/Oslo")?;
    /// assert_eq!(Stamp { at: 1_747_038_153_000, zone: &oslo }.text(), "2025-05-12T10:22:33+02:00");
    /// # Ok::<(), deskbell_core::refusal::Refusal>(())
    /// ```
    pub fn text(self) -> String {
        let offset = i64::from(self.zone.offset(self.at));
        let local = self.at.saturating_add_signed(offset * 1_000);
        let text = time::to_text(local);
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.abs() / 60;
        format!("{}{sign}{:02}:{:02}", text.trim_end_matches('Z'), minutes / 60, minutes % 60)
    }
}
