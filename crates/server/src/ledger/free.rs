//! What is free of a resource, and the cursor from which its changes follow.

use std::sync::Arc;

use deskbell_core::calendar::Openings;
use deskbell_core::ids::ResourceId;
use deskbell_core::limits::{self, Millis};
use deskbell_core::position::{Position, ledger};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{Asked, Segment, Span, starts, within_hours};
use deskbell_core::vocabulary::Availability;
use serde::Serialize;

use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::store::{Look, Seen, Sighting};

/// What was found, before it is shown.
#[derive(Debug)]
pub struct Found {
    asked: Availability,
    now: Millis,
    head: Position,
    sighting: Sighting,
}

/// What is free, as everybody may see it who may subscribe.
#[derive(Debug, Serialize)]
pub struct ShownFree {
    resource: ResourceId,
    #[serde(rename = "from")]
    start: Millis,
    #[serde(rename = "to")]
    end: Millis,
    capacity: u32,
    segments: Vec<Segment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts: Option<Vec<Millis>>,
    now: Millis,
}

impl ShownFree {
    /// How much is free when.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

/// Looks at what is free. `heard` hears it on a thread of the store, and hands it on.
///
/// The head of the log is read first: what comes into the log meanwhile is told again behind the cursor,
/// and nothing is missed.
pub fn free(
    hub: &Arc<Hub>,
    app: &App,
    asked: Availability,
    heard: impl FnOnce(Result<Found, Refusal>) + Send + 'static,
) {
    let head = app.log.with(|log| log.head());
    let now = clock::now_ms();
    // Buffers reach over the window, and how far is known only with the resource.
    let span = Span {
        start: asked.window.start.saturating_sub(limits::BUFFER),
        end: asked.window.end.saturating_add(limits::BUFFER),
    };
    let look = Look::Availability { resource: asked.resource.clone(), span, now };
    let found = move |sighting: Result<Sighting, Refusal>| {
        heard(sighting.map(|sighting| Found { asked, now, head, sighting }));
    };
    hub.store.look(app.id, look, Box::new(found));
}

impl Found {
    /// What is shown of it, and where a reader stands who has it.
    pub fn show(self) -> Result<(ShownFree, Position), Refusal> {
        let Found { asked, now, mut head, sighting } = self;
        let Seen::Availability(Some((resource, segments))) = sighting.seen else {
            let sentence =
                format!("there is no resource `{}`; make it with PUT /v1/resources", asked.resource);
            return Err(Refusal::new(Code::NotFound, sentence));
        };
        if asked.units > resource.capacity && resource.capacity > 0 {
            let sentence = format!("`units` of `{}` are 1 to {}", resource.id, resource.capacity);
            return Err(Refusal::new(Code::BadField, sentence));
        }
        let openings = resource.openings(asked.window);
        let starts = asked.duration.zip(asked.step).map(|(duration, step)| {
            let (before, after) = (resource.before, resource.after);
            let claim = Asked { duration, units: asked.units, before, after, step };
            openings.as_ref().map_or_else(Vec::new, |openings| starts(&segments, openings, claim, now))
        });
        (head.ledger, head.ledger_check) = (ledger::end(sighting.position), sighting.check);
        let shown = ShownFree {
            resource: resource.id.clone(),
            start: asked.window.start,
            end: asked.window.end,
            capacity: resource.capacity,
            segments: within_hours(
                &within(&segments, asked.window),
                openings.as_ref().map_or(&[], Openings::spans),
            ),
            starts,
            now,
        };
        Ok((shown, head))
    }
}

/// The segments of the window alone.
fn within(segments: &[Segment], window: Span) -> Vec<Segment> {
    let inside = segments.iter().filter(|segment| segment.span.overlaps(window));
    let cut = |segment: &Segment| Segment {
        span: Span { start: segment.span.start.max(window.start), end: segment.span.end.min(window.end) },
        ..*segment
    };
    inside.map(cut).collect()
}
