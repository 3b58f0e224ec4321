//! `POST /v1/publish`: one event or a list, each taken once however often it is sent.
//!
//! A list is read and checked as a whole before its first event is published: a fault in one of them
//! refuses all, so that nobody has to find out which half went out. What is refused after that (an
//! id that was used for another event, a store that cannot write) is told in the event's own place
//! of the answer; only where every event was refused the first refusal is the answer.

pub mod body;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use deskbell_core::access::{Action, Identity};
use deskbell_core::ids::EventId;
use deskbell_core::limits::Millis;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Publish;
use http::HeaderMap;
use tokio::sync::oneshot;

use super::answer;
use super::asked::{Asked, IDEMPOTENCY_KEY, idempotency_key};
use super::problem::{Problem, bad_field};
use crate::app::App;
use crate::clock;
use crate::hub::{Hub, Outcome, Published};
use crate::limiter::Purpose;
use body::Wanted;

/// Publishes what the body holds.
pub async fn publish(State(hub): State<Arc<Hub>>, asked: Asked) -> Result<Response, Problem> {
    asked.query.only(&[])?;
    let app = &hub.apps[asked.app];
    let now = clock::now_ms();
    match body::parse(&asked.body)? {
        Wanted::One(mut publish) => {
            publish.id = id(&asked.headers, publish.id)?;
            admit(&hub, app, &asked, &publish, now)?;
            let published = settled(start(&hub, app, &asked.identity, publish, now)).await?;
            hub.metrics.published.inc_by(u64::from(!published.repeated));
            let mut out = Vec::with_capacity(192);
            write_published(app, &published, &mut out);
            Ok(answer::json(out))
        }
        Wanted::Many(list) => {
            if asked.headers.contains_key(IDEMPOTENCY_KEY) {
                let sentence = "`Idempotency-Key` names one event; give each event of the list its own `id`";
                return Err(Problem::new(Code::BadField, sentence));
            }
            publish_list(&hub, app, &asked, list, now).await
        }
    }
}

async fn publish_list(
    hub: &Hub,
    app: &App,
    asked: &Asked,
    list: Vec<Publish>,
    now: Millis,
) -> Result<Response, Problem> {
    for (at, publish) in list.iter().enumerate() {
        admit(hub, app, asked, publish, now).map_err(|no| {
            let refusal = no.refusal();
            body::in_list(at, refusal.code, &refusal.message)
        })?;
    }
    // Memory events are in the log one after the other; durable ones are handed to the store in
    // order, and only then does anybody wait.
    let started: Vec<Started> =
        list.into_iter().map(|publish| start(hub, app, &asked.identity, publish, now)).collect();
    let mut outcomes = Vec::with_capacity(started.len());
    for started in started {
        outcomes.push(settled(started).await);
    }
    answer_list(hub, app, outcomes)
}

fn answer_list(hub: &Hub, app: &App, outcomes: Vec<Outcome>) -> Result<Response, Problem> {
    let taken: Vec<&Published> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    if taken.is_empty()
        && let Some(Err(refusal)) = outcomes.first()
    {
        return Err(refusal.clone().into());
    }
    let new = taken.iter().filter(|published| !published.repeated).count();
    hub.metrics.published.inc_by(new as u64);
    // All positions are of one log, so the furthest one covers the others. What an earlier request
    // had published may be known by its ledger half only, and stands behind.
    let furthest =
        taken.iter().map(|published| published.at).max_by_key(|at| (at.epoch.0 != 0, at.seq, at.ledger));
    let cursor = app.seal(furthest.unwrap_or_else(|| app.log.with(|log| log.head())));
    let mut out = Vec::with_capacity(64 + outcomes.len() * 160);
    out.extend_from_slice(b"{\"events\":[");
    for (at, outcome) in outcomes.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match outcome {
            Ok(published) => write_published(app, published, &mut out),
            Err(refusal) => {
                hub.metrics.refused(refusal.code);
                write_refused(refusal, &mut out);
            }
        }
    }
    out.extend_from_slice(b"],\"cursor\":\"");
    out.extend_from_slice(cursor.as_bytes());
    out.extend_from_slice(b"\"}");
    Ok(answer::json(out))
}

/// May this event be published by this identity, now?
fn admit(hub: &Hub, app: &App, asked: &Asked, publish: &Publish, now: Millis) -> Result<(), Problem> {
    if asked.is_backend() {
        return Ok(());
    }
    app.allows(&asked.identity, Action::Publish, &publish.channel, now)
        .map_err(|refusal| Problem::from(refusal).about("channel", publish.channel.as_str()))?;
    let rate = hub.tuning.load().identity_rate;
    hub.limiter.take(Purpose::Identity, &asked.identity.principal, rate, now).map_err(|wait| {
        let sentence = format!("this identity sends too fast; wait {wait} ms and try again");
        Problem::new(Code::RateLimited, sentence).retry_in(wait)
    })
}

/// A publish under way.
pub(super) enum Started {
    Done(Outcome),
    Waits(oneshot::Receiver<Outcome>),
}

pub(super) fn start(hub: &Hub, app: &App, who: &Identity, publish: Publish, now: Millis) -> Started {
    let (tell, told) = oneshot::channel();
    // Nobody may be waiting any more; the event is published all the same.
    let later = move |outcome| drop(tell.send(outcome));
    hub.publish(app, who, publish, now, later).map_or(Started::Waits(told), Started::Done)
}

pub(super) async fn settled(started: Started) -> Outcome {
    match started {
        Started::Done(outcome) => outcome,
        Started::Waits(told) => told.await.unwrap_or_else(|_| {
            let sentence = "the store stopped before it answered; send the event again with the same id";
            Err(Refusal::new(Code::Unavailable, sentence))
        }),
    }
}

/// The event's id: from the body, or from the header that retrying clients set.
fn id(headers: &HeaderMap, own: Option<EventId>) -> Result<Option<EventId>, Refusal> {
    let Some(id) = idempotency_key(headers)? else { return Ok(own) };
    match own {
        Some(own) if own != id => {
            Err(bad_field("id", "and `Idempotency-Key` differ; send one of them, or the same in both"))
        }
        _ => Ok(Some(id)),
    }
}

fn write_published(app: &App, published: &Published, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    answer::write_text(published.id.as_str(), out);
    // A cursor is base64url, so nothing in it needs to be escaped.
    out.extend_from_slice(b",\"cursor\":\"");
    out.extend_from_slice(app.seal(published.at).as_bytes());
    out.extend_from_slice(b"\"}");
}

fn write_refused(refusal: &Refusal, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"error\":{\"code\":\"");
    out.extend_from_slice(refusal.code.as_str().as_bytes());
    out.extend_from_slice(b"\",\"message\":");
    answer::write_text(&refusal.message, out);
    out.extend_from_slice(b"}}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_the_event() {
        let ids = |header: &str, own: Option<&str>| {
            let headers = HeaderMap::from_iter([(IDEMPOTENCY_KEY, header.parse().unwrap())]);
            let own = own.map(|own| EventId::parse(own).unwrap());
            id(&headers, own).map(|id| id.unwrap().to_string()).map_err(|no| no.code)
        };
        assert_eq!(ids("a-1", None).as_deref(), Ok("a-1"));
        assert_eq!(ids("\"a-1\"", None).as_deref(), Ok("a-1"));
        assert_eq!(ids("a-1", Some("a-1")).as_deref(), Ok("a-1"));
        assert_eq!(ids("a-1", Some("a-2")), Err(Code::BadField));
        assert_eq!(ids("a b", None), Err(Code::BadField));
        assert_eq!(ids("", None), Err(Code::BadField));
        assert_eq!(id(&HeaderMap::new(), None), Ok(None));
    }
}
