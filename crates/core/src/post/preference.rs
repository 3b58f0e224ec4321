//! Which notifications a user wants, on which way, and when in silence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::calendar::{Hours, TimeZone, Window, open};
use crate::ids::Topic;
use crate::limits::{self, Millis};
use crate::refusal::{Code, Refusal};

/// The ways on which a notification reaches somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ways {
    /// It is kept in the inbox, and told to the user's screens.
    #[serde(default = "yes")]
    pub in_app: bool,
    /// The site's webhook hears of it, to send a letter or a short message.
    #[serde(default = "yes")]
    pub webhook: bool,
}

const fn yes() -> bool {
    true
}

impl Default for Ways {
    fn default() -> Self {
        Self { in_app: true, webhook: true }
    }
}

/// What a user wants to hear of. Everything, where nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// Of types that are not named below.
    #[serde(default)]
    pub otherwise: Ways,
    /// By type.
    #[serde(default)]
    pub types: BTreeMap<Topic, Ways>,
    /// Hours in which nothing rings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
}

impl Preferences {
    /// The ways on which a notification goes that its publisher wants to go on these.
    pub fn allow(&self, topic: &Topic, wanted: Ways) -> Ways {
        let mine = self.types.get(topic).unwrap_or(&self.otherwise);
        Ways { in_app: wanted.in_app && mine.in_app, webhook: wanted.webhook && mine.webhook }
    }

    /// When the quiet hours end that this moment lies in.
    pub fn quiet_until(&self, now: Millis) -> Option<Millis> {
        self.quiet.as_ref()?.until(now)
    }

    /// Refuses what is too much to keep.
    pub fn check(self) -> Result<Self, Refusal> {
        if self.types.len() > limits::PREFERENCES {
            let sentence = "`types` has at most 100 entries; say in `otherwise` what holds for most";
            return Err(Refusal::new(Code::LimitReached, sentence));
        }
        Ok(self)
    }
}

/// Hours of every day in which nothing rings, on the wall clock of a zone.
///
/// They are opening hours of silence, so the same function expands them: over midnight, and where clocks change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct Quiet {
    text: Text,
    hours: Hours,
}

/// The form in which they are written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    from: String,
    to: String,
    time_zone: TimeZone,
}

impl Quiet {
    /// Quiet hours from one time of the day to another, as `22:00` and `07:00`.
    ///
    /// ```
    /// use deskbell_core::{calendar::TimeZone, post::Quiet};
    /// let night = Quiet::new("22:00", "07:00", TimeZone::parse("UTC")?)?;
    /// let hour = 3_600_000;
    /// assert_eq!(night.until(23 * hour), Some(31 * hour));
    /// assert_eq!(night.until(31 * hour), None, "the end does not belong to them");
    /// assert!(Quiet::new("00:00", "24:00", TimeZone::parse("UTC")?).is_err());
    /// # Ok::<(), deskbell_core::refusal::Refusal>(())
    /// ```
    pub fn new(from: &str, to: &str, time_zone: TimeZone) -> Result<Self, Refusal> {
        let refuse = |sentence: &str| Err(Refusal::new(Code::BadField, sentence.to_owned()));
        if (from, to) == ("00:00", "24:00") {
            return refuse("`quiet` leaves some of the day; switch off what shall never be told");
        }
        let day = |day: &str| json!({ "day": day, "from": from, "to": to });
        let weekly: Vec<_> = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map(day).into();
        match Hours::from_json(&json!({ "weekly": weekly }).to_string()) {
            Ok(hours) => {
                let text = Text { from: from.to_owned(), to: to.to_owned(), time_zone };
                Ok(Self { text, hours })
            }
            Err(_) => refuse(
                "`quiet` has `from` and `to` as times of the day that differ, such as \"22:00\" and \"07:00\"",
            ),
        }
    }

    /// When they end, if this moment lies in them.
    pub fn until(&self, now: Millis) -> Option<Millis> {
        let window = Window::new(now, now.saturating_add(limits::QUIET_AHEAD)).ok()?;
        let first = open(&self.hours, &self.text.time_zone, window).into_iter().next()?;
        (first.start <= now).then_some(first.end)
    }
}

impl TryFrom<Text> for Quiet {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        Self::new(&text.from, &text.to, text.time_zone).map_err(|no| no.message.into_owned())
    }
}

impl From<Quiet> for Text {
    fn from(quiet: Quiet) -> Self {
        quiet.text
    }
}
