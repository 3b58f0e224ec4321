//! Busy times: calendars somewhere else become blocks of a resource.
//!
//! | part | what |
//! |---|---|
//! | [`block`] | busy times become the blocks of their source, whoever says them |
//! | [`Feed`] | one calendar as it is configured; `feed` has its task |
//! | [`Checked`] | how fresh what it said is |

mod feed;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deskbell_core::calendar::{BusyEvent, Span, TimeZone, busy};
use deskbell_core::ids::{EventId, ResourceId, SourceName};
use deskbell_core::limits::{self, DAY, Millis};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{Act, Plea};

use crate::hub::Hub;
use crate::outbound::Address;

/// One calendar as it is configured.
#[derive(Debug)]
pub struct Feed {
    /// The place of its app in the list of apps.
    pub app: usize,
    /// The resource that it blocks.
    pub resource: ResourceId,
    /// The source of its blocks.
    pub source: SourceName,
    /// Where it is.
    pub address: Address,
    /// How often it is fetched.
    pub every: Millis,
    /// Time for its answer.
    pub timeout: Duration,
}

/// How fresh what a calendar said is.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// When it was last fetched and understood, or found unchanged.
    pub at: Option<Millis>,
    /// Why it could not be taken since.
    pub trouble: Option<String>,
}

/// All calendars that are fetched.
#[derive(Debug, Default)]
pub struct Calendars {
    feeds: Vec<(Arc<Feed>, Arc<Mutex<Checked>>)>,
}

impl Calendars {
    /// Takes the calendars in. Nothing is fetched before [`start`].
    pub fn new(feeds: Vec<Feed>) -> Self {
        Self { feeds: feeds.into_iter().map(|feed| (Arc::new(feed), Arc::default())).collect() }
    }

    /// How fresh the calendar with this source is, if it is one that is fetched.
    pub fn checked(&self, app: usize, source: &SourceName) -> Option<Checked> {
        let (_, checked) = self.feeds.iter().find(|(feed, _)| feed.app == app && feed.source == *source)?;
        // What is noted is whole between any two changes.
        Some(checked.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Starts fetching.
pub fn start(hub: &Arc<Hub>) {
    for (feed, checked) in &hub.calendars.feeds {
        let (hub, feed, checked) = (hub.clone(), feed.clone(), checked.clone());
        tokio::spawn(feed::run(hub, feed, checked));
    }
}

/// The source of blocks of a resource that has this name there.
pub fn source(resource: &ResourceId, name: &str) -> Result<SourceName, Refusal> {
    let sentence = format!(
        "the resource's id and the source's name together have at most {} bytes; choose a shorter source",
        limits::SOURCE_NAME - 1
    );
    SourceName::parse(&format!("{resource}/{name}")).map_err(|_| Refusal::new(Code::BadField, sentence))
}

/// The busy times of a calendar's events that matter now. The window moves from day to day only, so that the
/// same calendar says the same all day.
pub fn times(events: &[BusyEvent], zone: &TimeZone, now: Millis) -> Result<Vec<Span>, Refusal> {
    let today = now / DAY * DAY;
    let window = Span { start: today.saturating_sub(DAY), end: today + DAY + limits::CALENDAR_AHEAD };
    let refuse = |why: String| Refusal::new(Code::BadField, format!("the calendar cannot be taken: {why}"));
    let mut spans = busy(events, zone, window).map_err(refuse)?;
    // What is busy without an end in sight blocks as far as anything is blocked.
    for span in &mut spans {
        span.start = span.start.max(window.start);
        span.end = span.end.min(window.end);
    }
    spans.retain(|span| span.start < span.end);
    if spans.len() > limits::BLOCK_CLAIMS {
        let most = limits::BLOCK_CLAIMS;
        let sentence =
            format!("the calendar has more than {most} busy times of a year; split it into several");
        return Err(Refusal::new(Code::LimitReached, sentence));
    }
    Ok(spans)
}

/// What is asked of the ledger: these times are blocked, and nothing else that this source said before.
pub fn block(
    resource: &ResourceId,
    source: SourceName,
    as_of: Millis,
    spans: &[Span],
    key: Option<EventId>,
) -> Plea {
    let body = spans.iter().fold(as_of, |hash, span| {
        hash.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ span.start ^ span.end.rotate_left(32)
    });
    let spans = spans.iter().map(|span| (resource.clone(), *span)).collect();
    Plea { act: Act::Block { source, as_of, spans }, fence: None, key, body }
}
