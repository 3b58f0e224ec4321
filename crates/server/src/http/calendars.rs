//! Calendar links: `/v1/calendars`, and the calendars behind them.
//!
//! A calendar program has nothing but an address, so the address is the right to read. Whoever may see the
//! bookings anyhow is given it, and can change it; then the one before leads nowhere.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use deskbell_core::access::Action;
use deskbell_core::ids::{AppId, Principal, ResourceId, UserId};
use deskbell_core::limits::{self, Millis};
use deskbell_core::link::{Link, Subject};
use deskbell_core::mac;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{Reservation, ShownResource, Span, State as Stand};
use deskbell_wire::ics::{Feed, FeedEvent, Status};
use deskbell_wire::ledger::named;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use tokio::sync::oneshot;

use super::answer;
use super::asked::{Anybody, Asked, Caller};
use super::ledger::read::one_resource;
use super::ledger::{TOKEN, actor, look};
use super::problem::Problem;
use crate::clock;
use crate::hub::Hub;
use crate::store::{Filter, Found, Look, Note, Question, Seen};

/// Reservations that are looked through for one calendar.
const LOOKED_THROUGH: usize = 4 * limits::FEED_EVENTS;

#[derive(Serialize)]
struct Shown {
    subject: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// Gives the address of a calendar to whoever may have it.
pub async fn link(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Response, Problem> {
    let subject = subject(&hub, &caller.0).await?;
    let app = hub.apps[caller.0.app].id;
    let generation = generation(&hub, app, &subject).await?;
    Ok(answer::of(&shown(&hub, &caller.0, Link { app, subject, generation })))
}

/// Changes the address: the one before leads nowhere from here on.
pub async fn rotate(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Response, Problem> {
    let subject = subject(&hub, &caller.0).await?;
    let app = hub.apps[caller.0.app].id;
    let (tell, told) = oneshot::channel();
    let note = Note::Rotate { app, subject: subject.to_string() };
    hub.store.note(note, Box::new(move |said| drop(tell.send(said))));
    let generation = told.await.map_err(|_| stopped())??;
    Ok(answer::of(&shown(&hub, &caller.0, Link { app, subject, generation })))
}

fn shown(hub: &Hub, asked: &Asked, link: Link) -> Shown {
    let path = format!("/v1/calendars/{}.ics", hub.links.seal(&link));
    let host = asked.headers.get(HOST).and_then(|host| host.to_str().ok());
    let scheme = if asked.secure { "https" } else { "http" };
    let url = host.map(|host| format!("{scheme}://{host}{path}"));
    Shown { subject: link.subject.to_string(), path, url }
}

/// Whose calendar is meant, if the caller may have its address: a user its own, whoever serves at a resource or
/// manages it the resource's, a backend every one.
async fn subject(hub: &Hub, asked: &Asked) -> Result<Subject, Problem> {
    let query = &asked.query;
    query.only(&["user", "resource", TOKEN])?;
    let own = asked.identity.user_id();
    match (query.get("user"), query.get("resource")) {
        (Some(_), Some(_)) => {
            Err(Problem::new(Code::BadField, "`user` and `resource` are two calendars; name one of them"))
        }
        (None, Some(id)) => {
            let id = ResourceId::parse(id).map_err(|no| named("resource", no))?;
            if serves(hub, asked, &id).await? {
                return Ok(Subject::Resource(id));
            }
            let sentence =
                "only a backend, its provider and whoever manages it have the calendar of a resource";
            Err(Problem::new(Code::Denied, sentence))
        }
        (Some(id), None) => {
            let id = UserId::parse(id).map_err(|no| named("user", no))?;
            if asked.is_backend() || own == Some(id.as_str()) {
                return Ok(Subject::User(id));
            }
            Err(Problem::new(
                Code::Denied,
                "only a backend has the calendar of somebody else; leave `user` out",
            ))
        }
        (None, None) => own.and_then(|id| UserId::parse(id).ok()).map(Subject::User).ok_or_else(|| {
            Problem::new(
                Code::BadField,
                "name a `user` or a `resource`; only users have a calendar of their own",
            )
        }),
    }
}

async fn serves(hub: &Hub, asked: &Asked, id: &ResourceId) -> Result<bool, Refusal> {
    let actor = actor(hub, asked);
    if actor.is_backend() || actor.may(Action::Manage, id, clock::now_ms()) {
        return Ok(true);
    }
    let found = one_resource(hub, asked.app, id).await?;
    Ok(found.is_some_and(|found| ShownResource::is_served_by(&found, &actor.identity.principal)))
}

async fn generation(hub: &Hub, app: AppId, subject: &Subject) -> Result<u64, Refusal> {
    let (tell, told) = oneshot::channel();
    let wanted = Question::Generation(app, subject.to_string());
    hub.store.question(wanted, Box::new(move |found| drop(tell.send(found))));
    match told.await.map_err(|_| stopped())?? {
        Found::Generation(generation) => Ok(generation),
        _ => Err(Refusal::new(Code::Unavailable, "the store answered another question; report this")),
    }
}

/// The calendar behind a link. There is no such calendar for whoever has no link that counts.
pub async fn read(
    State(hub): State<Arc<Hub>>,
    Path(file): Path<String>,
    asked: Anybody,
) -> Result<Response, Problem> {
    asked.0.query.only(&[])?;
    let nowhere = || {
        Problem::new(
            Code::NotFound,
            "there is no such calendar, or its link was changed; ask for the new one",
        )
    };
    let link = file.strip_suffix(".ics").and_then(|token| hub.links.open(token)).ok_or_else(nowhere)?;
    let app = hub.apps.of_id(link.app.0).ok_or_else(nowhere)?;
    if generation(&hub, app.id, &link.subject).await? != link.generation {
        return Err(nowhere());
    }
    let now = clock::now_ms();
    let span = Span { start: now.saturating_sub(limits::FEED_BACK), end: now + limits::FEED_AHEAD };
    let filter = match &link.subject {
        Subject::User(id) => Filter { holder: Some(Principal::User(id.clone())), ..Filter::default() },
        Subject::Resource(id) => Filter { resource: Some(id.clone()), ..Filter::default() },
    };
    let filter = Filter { span: Some(span), ..filter };
    let wanted = Look::Calendar { filter, limit: LOOKED_THROUGH };
    let Seen::Calendar(found) = look(&hub, app.index, wanted).await?.seen else { return Err(nowhere()) };
    Ok(text(&asked.0.headers, write(&link.subject, span, &found)))
}

/// An answer that need not be sent again to whoever has it.
fn text(headers: &HeaderMap, text: String) -> Response {
    let tag = mac::tag(b"calendar", &[text.as_bytes()]);
    let tag = format!("\"{:016x}\"", u64::from_be_bytes(*tag.first_chunk().expect("a tag has 32 bytes")));
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_known =
        known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*");
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(text) });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(ETAG, HeaderValue::from_str(&tag).expect("hexadecimal digits fit a header"));
    response
}

/// The calendar's text: of a user the own bookings by where they are, of a resource by how they stand, and of
/// nobody who booked.
fn write(subject: &Subject, span: Span, found: &[(Arc<Reservation>, Millis)]) -> String {
    let mut events: Vec<FeedEvent<'_>> =
        found.iter().flat_map(|(reservation, at)| event(subject, span, reservation, *at)).collect();
    // Of too many those that lie furthest back are left out.
    events.sort_by(|one, other| other.start.cmp(&one.start).then_with(|| one.uid.cmp(&other.uid)));
    events.truncate(limits::FEED_EVENTS);
    events.reverse();
    let name = match subject {
        Subject::User(_) => "Bookings",
        Subject::Resource(id) => id.as_str(),
    };
    Feed { name, events }.write()
}

fn event<'a>(
    subject: &'a Subject,
    span: Span,
    reservation: &'a Reservation,
    modified: Millis,
) -> impl Iterator<Item = FeedEvent<'a>> {
    let claims = reservation.claims.iter().enumerate().filter(move |(_, granted)| {
        let claim = &granted.claim;
        let wanted = match subject {
            Subject::User(_) => true,
            Subject::Resource(id) => claim.resource == *id,
        };
        wanted && claim.span().overlaps(span)
    });
    claims.map(move |(nth, granted)| {
        let place = granted.claim.resource.as_str();
        FeedEvent {
            // A reservation with several claims is several events, of which the first has its id.
            uid: if nth == 0 { reservation.id.to_string() } else { format!("{}.{nth}", reservation.id) },
            start: granted.claim.start,
            end: granted.claim.end,
            status: status(reservation.state),
            summary: match subject {
                Subject::User(_) => place,
                Subject::Resource(_) => word(reservation.state),
            },
            location: place,
            sequence: reservation.version,
            created: reservation.granted_at,
            modified,
        }
    })
}

const fn status(state: Stand) -> Status {
    match state {
        Stand::Held | Stand::Pending => Status::Tentative,
        Stand::Booked | Stand::Active | Stand::Completed | Stand::NoShow => Status::Confirmed,
        Stand::Declined | Stand::Cancelled | Stand::Released | Stand::Expired => Status::Cancelled,
    }
}

const fn word(state: Stand) -> &'static str {
    match state {
        Stand::Held => "Held",
        Stand::Pending => "Requested",
        Stand::Booked | Stand::Active | Stand::Completed => "Booked",
        Stand::NoShow => "No show",
        Stand::Declined => "Declined",
        Stand::Cancelled | Stand::Released | Stand::Expired => "Cancelled",
    }
}

fn stopped() -> Refusal {
    Refusal::new(Code::Draining, "the server is stopping; try again in a moment")
}
