//! One calendar that is fetched every now and then: conditionally, with the last good answer kept.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use deskbell_core::access::Identity;
use deskbell_core::calendar::{BusyEvent, Span};
use deskbell_core::ids::ReservationId;
use deskbell_core::limits::{self, MINUTE, Millis};
use deskbell_core::refusal::Refusal;
use deskbell_core::webhook::backoff;
use deskbell_wire::ics;
use http::header::{ACCEPT, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::Full;
use tokio::sync::oneshot;

use super::{Checked, Feed, block, times};
use crate::hub::Hub;
use crate::store::{Look, Ruling, Seen};
use crate::{clock, ledger};

/// The last good answer.
#[derive(Default)]
struct Known {
    events: Vec<BusyEvent>,
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
    /// There was one.
    any: bool,
}

/// Fetches as long as the server runs.
pub(super) async fn run(hub: Arc<Hub>, feed: Arc<Feed>, checked: Arc<Mutex<Checked>>) {
    let (mut known, mut blocked, mut failures) = (Known::default(), None, 0_u32);
    loop {
        let wait = match round(&hub, &feed, &mut known, &mut blocked).await {
            Ok(at) => {
                failures = 0;
                note(&checked, |checked| *checked = Checked { at: Some(at), trouble: None });
                hub.metrics.calendar(feed.source.as_str(), at);
                feed.every
            }
            Err(why) => {
                failures += 1;
                if failures == 1 {
                    tracing::warn!(
                        calendar = feed.source.as_str(),
                        host = feed.address.name(),
                        "the calendar could not be taken ({why}); what it said last still blocks"
                    );
                }
                note(&checked, |checked| checked.trouble = Some(why));
                backoff(failures, MINUTE.min(feed.every), feed.every, clock::random_u64())
            }
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

fn note(checked: &Mutex<Checked>, change: impl FnOnce(&mut Checked)) {
    change(&mut checked.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Fetches once, and blocks what is busy now. Gives the time for which that is known.
async fn round(
    hub: &Arc<Hub>,
    feed: &Feed,
    known: &mut Known,
    blocked: &mut Option<Vec<Span>>,
) -> Result<Millis, String> {
    let asked_at = clock::now_ms();
    if let Some(fresh) = fetch(feed, known).await? {
        *known = fresh;
    }
    let found = look(hub, feed, Look::Resource(feed.resource.clone())).await?;
    let Seen::Resource(Some(resource)) = found else {
        return Err("its resource is not there yet; make it with PUT /v1/resources/ID".to_owned());
    };
    let spans = times(&known.events, &resource.time_zone, asked_at).map_err(|no| no.message.into_owned())?;
    if blocked.is_none() {
        *blocked = blocks(hub, feed).await?;
    }
    // What is over blocks nobody, and the ledger may have dropped it.
    let matters =
        |spans: &[Span]| -> Vec<Span> { spans.iter().filter(|span| span.end > asked_at).copied().collect() };
    if blocked.as_deref().map(matters).as_ref() != Some(&matters(&spans)) {
        put(hub, feed, asked_at, &spans).await?;
        *blocked = Some(spans);
    }
    Ok(asked_at)
}

/// What the calendar says now; nothing, where it is unchanged.
async fn fetch(feed: &Feed, known: &Known) -> Result<Option<Known>, String> {
    let mut request = feed.address.request(Method::GET).header(ACCEPT, "text/calendar, */*;q=0.5");
    if let Some(etag) = known.etag.as_ref().filter(|_| known.any) {
        request = request.header(IF_NONE_MATCH, etag);
    }
    if let Some(modified) = known.modified.as_ref().filter(|_| known.any) {
        request = request.header(IF_MODIFIED_SINCE, modified);
    }
    let request = request.body(Full::new(Bytes::new())).map_err(|error| error.to_string())?;
    let answer = feed.address.whole(request, limits::CALENDAR_TEXT);
    let answer = tokio::time::timeout(feed.timeout, answer).await;
    let answer = answer.map_err(|_| "it did not answer in time".to_owned())?;
    let (head, body) = answer.map_err(|broken| broken.to_string())?;
    match head.status {
        StatusCode::NOT_MODIFIED if known.any => Ok(None),
        StatusCode::OK => {
            let events = ics::read(&body).map_err(|no| no.message.into_owned())?;
            let (etag, modified) = (header(&head.headers, &ETAG), header(&head.headers, &LAST_MODIFIED));
            Ok(Some(Known { events, etag, modified, any: true }))
        }
        status if status.is_redirection() => {
            Err(format!("it answered {status}; redirects are not followed, so give the address itself"))
        }
        status => Err(format!("it answered {status}")),
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    headers.get(name).cloned()
}

async fn look(hub: &Hub, feed: &Feed, look: Look) -> Result<Seen, String> {
    let (tell, told) = oneshot::channel();
    hub.store.look(hub.apps[feed.app].id, look, Box::new(move |seen| drop(tell.send(seen))));
    let sighting = told.await.map_err(|_| "the server is stopping".to_owned())?;
    sighting.map(|sighting| sighting.seen).map_err(|no: Refusal| no.message.into_owned())
}

/// What the source blocks already, from the ledger.
async fn blocks(hub: &Hub, feed: &Feed) -> Result<Option<Vec<Span>>, String> {
    let found = look(hub, feed, Look::Reservation(ReservationId::of_source(&feed.source))).await?;
    let Seen::Reservation(Some(found)) = found else { return Ok(None) };
    Ok(Some(found.claims.iter().map(|granted| granted.claim.span()).collect()))
}

async fn put(hub: &Arc<Hub>, feed: &Feed, as_of: Millis, spans: &[Span]) -> Result<(), String> {
    let app = &hub.apps[feed.app];
    let actor = ledger::actor(app, Arc::new(Identity::backend()), false);
    let plea = block(&feed.resource, feed.source.clone(), as_of, spans, None);
    let (tell, told) = oneshot::channel();
    ledger::ask(hub, app, actor, plea, move |ruling: Ruling| drop(tell.send(ruling)));
    let ruling = told.await.map_err(|_| "the server is stopping".to_owned())?;
    let ruled = ruling.map_err(|refused| refused.refusal.message.into_owned())?;
    if !ruled.reply.conflicts.is_empty() {
        tracing::warn!(
            calendar = feed.source.as_str(),
            conflicts = ruled.reply.conflicts.len(),
            "the calendar is busy where something is booked already; the booking stays"
        );
    }
    Ok(())
}
