//! `GET /v1/stream` and `GET /v1/poll`: the same frames as on a WebSocket, for clients without one.
//!
//! The request is checked here and then given to a shard, which alone knows clients. A stream's
//! answer is the reading end of a pipe that the shard writes to; a poll's answer is one message.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use deskbell_core::access::Action;
use deskbell_core::ids::{ChannelName, Principal};
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::native::sse;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use tokio::sync::oneshot;

use super::auth::{self, Guest};
use super::problem::{Problem, bad_field};
use super::query::Query;
use super::{answer, shards};
use crate::clock;
use crate::hub::Hub;
use crate::shard::{Arrival, Ask, Letter, Pipe, PipeBody, Way};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx to pass every piece on at once.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Answers with a stream of server-sent events.
pub async fn stream(State(hub): State<Arc<Hub>>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let query = Query::parse(parts.uri.query())?;
    // `lastEventId` is how the common replacement for EventSource says it.
    query.only(&["channels", "cursor", "resume", "token", "lastEventId"])?;
    if hub.draining.load(Ordering::Relaxed) {
        return Ok(come_back());
    }
    let (guest, mut ask) = admit(&hub, &parts, &query).await?;
    ask.cursor = last_event_id(&parts).or(query.get("lastEventId").map(str::to_owned)).or(ask.cursor);
    let pipe = Arc::new(Pipe::default());
    let cookie = guest.cookie.clone();
    let way = Way::Stream { pipe: pipe.clone(), ask };
    send(&hub, &parts, guest, way)?;
    let mut response = Response::new(Body::new(PipeBody(pipe)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(BUFFERING, HeaderValue::from_static("no"));
    headers.extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}

/// Ends at once, and says when to come again. A browser never comes again after a status that is no 200.
fn come_back() -> Response {
    let mut body = Vec::new();
    sse::retry(limits::SECOND + clock::random_below(limits::SECOND), &mut body);
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Answers with what there is, or with what comes within the wait.
pub async fn poll(State(hub): State<Arc<Hub>>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let query = Query::parse(parts.uri.query())?;
    query.only(&["channels", "cursor", "wait", "token"])?;
    let longest = hub.front.load().poll_wait;
    let most = longest.div_ceil(limits::SECOND) as usize;
    let wait = (query.number("wait", most, most)? as u64 * limits::SECOND).min(longest);
    let (guest, mut ask) = admit(&hub, &parts, &query).await?;
    ask.wait = wait;
    let (tell, told) = oneshot::channel();
    let cookie = guest.cookie.clone();
    send(&hub, &parts, guest, Way::Poll { answer: tell, ask })?;
    let patience = Duration::from_millis(wait + limits::SHARD_ANSWER);
    let body = tokio::time::timeout(patience, told).await.map_err(|_| shards::stuck())?;
    let mut response = answer::json(body.map_err(|_| shards::stopping())?);
    response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}

/// Who reads what: everything that can be refused is refused before a shard hears of it.
async fn admit(hub: &Hub, parts: &Parts, query: &Query) -> Result<(Guest, Ask), Problem> {
    if hub.draining.load(Ordering::Relaxed) {
        return Err(shards::stopping().into());
    }
    let mut guest = auth::guest(hub, parts, query).await?;
    let ask = ask(query, guest.identity.principal == Principal::Backend)?;
    let (app, now) = (&hub.apps[guest.app], clock::now_ms());
    for channel in &ask.channels {
        if let Err(refusal) = app.allows(&guest.identity, Action::Subscribe, channel, now) {
            // The browser's own token did not hold: that is what its site can do something about.
            let refusal = guest.doubt.take().unwrap_or(refusal);
            let sentence = format!("{channel}: {}", refusal.message);
            return Err(Problem::new(refusal.code, sentence).about("channel", channel.as_str()));
        }
    }
    Ok((guest, ask))
}

/// What the query asks for.
fn ask(query: &Query, backend: bool) -> Result<Ask, Refusal> {
    let mut ask = Ask {
        cursor: query.get("cursor").map(str::to_owned),
        resume: query.get("resume").map(str::to_owned),
        ..Ask::default()
    };
    match query.get("channels") {
        Some("*") if backend => ask.all = true,
        Some("*") => {
            let sentence = "`channels=*` is for backends; send the app's secret, or name the channels";
            return Err(Refusal::new(Code::Denied, sentence));
        }
        Some(list) => ask.channels = channels(list)?,
        // A session that is resumed brings its channels along.
        None if ask.resume.is_some() => {}
        None => return Err(bad_field("channels", "is missing; name at least one, with commas between")),
    }
    Ok(ask)
}

fn channels(list: &str) -> Result<Vec<ChannelName>, Refusal> {
    let mut channels: Vec<ChannelName> = Vec::new();
    for name in list.split(',') {
        let channel = ChannelName::parse(name)?;
        // A channel that is named twice is wanted once.
        if !channels.contains(&channel) {
            channels.push(channel);
        }
        if channels.len() > limits::CHANNELS_PER_REQUEST {
            let most = limits::CHANNELS_PER_REQUEST;
            let sentence = format!("`channels` has at most {most} names; open another stream or a WebSocket");
            return Err(Refusal::new(Code::LimitReached, sentence));
        }
    }
    Ok(channels)
}

/// The header that a browser's EventSource sends when it comes back. One that is no text is kept
/// as a cursor that cannot be read: its reader is owed a reset, not silence.
fn last_event_id(parts: &Parts) -> Option<String> {
    let value = parts.headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty())?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Gives the client to a shard: to the one that has its session, or to the next in turn.
fn send(hub: &Arc<Hub>, parts: &Parts, guest: Guest, way: Way) -> Result<(), Problem> {
    let peer = auth::peer(parts);
    // Connections end, so who finds no seat can come back.
    let seat = hub.seat(peer.address).map_err(|no| Problem::from(no).retry_in(2 * limits::SECOND))?;
    let resume = match &way {
        Way::Stream { ask, .. } | Way::Poll { ask, .. } => ask.resume.as_deref(),
        Way::WebSocket { .. } | Way::Xhr { .. } | Way::Polling { .. } => None,
    };
    let home = resume.and_then(|key| hub.seals.open_resume(key)).and_then(|id| hub.directory.home(id));
    let turn = || hub.next_shard.fetch_add(1, Ordering::Relaxed) % hub.mailboxes.len();
    let shard = home.map_or_else(turn, usize::from);
    let arrival =
        Arrival { app: guest.app, identity: Arc::new(guest.identity), peer: peer.address, way, seat };
    hub.mailboxes[shard].post(Letter::Arrived(Box::new(arrival))).map_err(|_| shards::stuck().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(raw: &str, backend: bool) -> Result<Ask, Code> {
        ask(&Query::parse(Some(raw)).unwrap(), backend).map_err(|no| no.code)
    }

    #[test]
    fn a_query_becomes_an_ask() {
        let ask = asked("channels=a,b%3B1,a&cursor=c&resume=r", false).unwrap();
        let names: Vec<&str> = ask.channels.iter().map(ChannelName::as_str).collect();
        assert_eq!(names, ["a", "b;1"]);
        assert_eq!((ask.cursor.as_deref(), ask.resume.as_deref(), ask.all), (Some("c"), Some("r"), false));
    }

    #[test]
    fn only_backends_follow_everything() {
        assert!(asked("channels=*", true).unwrap().all);
        assert_eq!(asked("channels=*", false).map(|_| ()), Err(Code::Denied));
    }

    #[test]
    fn channels_are_needed_known_and_bounded() {
        assert_eq!(asked("", false).map(|_| ()), Err(Code::BadField));
        assert_eq!(asked("channels=", false).map(|_| ()), Err(Code::BadField));
        assert!(asked("resume=r", false).unwrap().channels.is_empty());
        assert_eq!(asked("channels=a,,b", false).map(|_| ()), Err(Code::BadChannel));
        assert_eq!(asked("channels=a%20b", false).map(|_| ()), Err(Code::BadChannel));
        let many =
            |n: usize| format!("channels={}", (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(","));
        assert!(asked(&many(limits::CHANNELS_PER_REQUEST), false).is_ok());
        assert_eq!(
            asked(&many(limits::CHANNELS_PER_REQUEST + 1), false).map(|_| ()),
            Err(Code::LimitReached)
        );
    }

    #[test]
    fn a_last_event_id_that_is_no_text_is_still_a_cursor() {
        let parts = |value: &[u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            http::Request::get("/").header(LAST_EVENT_ID, value).body(()).unwrap().into_parts().0
        };
        assert_eq!(last_event_id(&parts(b"abc")).as_deref(), Some("abc"));
        assert_eq!(last_event_id(&parts(b"")), None);
        assert_eq!(last_event_id(&parts(b"\xff")).as_deref(), Some("\u{fffd}"));
    }
}
