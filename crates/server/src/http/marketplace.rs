//! `/api/socket`: how a marketplace's backend tells its Socket.IO clients something, and asks how many there are.
//!
//! What is for a room goes through the log as every event does. What is for users who are connected nowhere also waits
//! in their inbox; what is a notification is one of the inbox for the others, too, so that preferences and quiet
//! hours count.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use deskbell_core::access::Identity;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventId, EventName, Principal, UserId};
use deskbell_core::limits::{self, Millis};
use deskbell_core::mac;
use deskbell_core::position::fnv;
use deskbell_core::post::{Act, Content, Plea, Tone, Ways};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::room;
use deskbell_core::vocabulary::Publish;
use deskbell_wire::socketio::marketplace::broadcast::{self as forms, Broadcast, Kind, To};
use deskbell_wire::socketio::marketplace::waiting;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use tokio::sync::oneshot;

use super::answer;
use super::asked::{Site, idempotency_key};
use super::ledger::stopped;
use super::problem::Problem;
use super::publish::{Started, settled, start};
use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::post;

/// How many are connected. Users are counted once, however many tabs they have.
pub async fn status(State(hub): State<Arc<Hub>>, Site(asked): Site) -> Result<Response, Problem> {
    asked.query.only(&[])?;
    let present = hub.attendance.count(asked.app);
    Ok(answer::json(forms::status(present.users, present.connections, clock::now_ms())))
}

/// Tells clients something. Where that fails, the answer has the form that this application's callers look at.
pub async fn broadcast(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    match tell(&hub, request).await {
        Ok(answer) => answer::json(answer),
        Err(problem) => {
            let body = Body::from(forms::failed(problem.refusal()));
            let mut response = problem.into_response();
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *response.body_mut() = body;
            response
        }
    }
}

async fn tell(hub: &Arc<Hub>, request: Request) -> Result<String, Problem> {
    let Site(asked) = Site::from_request(request, hub).await?;
    asked.query.only(&[])?;
    let text = str::from_utf8(&asked.body)
        .map_err(|_| Refusal::new(Code::BadMessage, "the body is no text; send JSON in UTF-8"))?;
    let told = forms::read(text)?;
    let app = &hub.apps[asked.app];
    let retry = idempotency_key(&asked.headers)?.map(|key| Retry { key, body: fnv(&asked.body) });
    if let Some(kind) = told.kind {
        let telling = Telling { hub, app, kind, retry, now: clock::now_ms() };
        telling.tell(&told).await?;
        hub.metrics.published.inc();
    }
    Ok(told.answer(hub.attendance.count(app.index).users))
}

/// By what a retry of a request is known: the caller's key, and a hash of all that it said.
struct Retry {
    key: EventId,
    body: u64,
}

impl Retry {
    /// The key of one part. The same place of another request with the same key has the same, so that a key that is
    /// used for something else is noticed.
    fn of(&self, part: &str, place: usize) -> EventId {
        let parts = [self.key.as_str().as_bytes(), b"\0", part.as_bytes(), &place.to_be_bytes()];
        let mut random = [0; 12];
        random.copy_from_slice(&mac::tag(b"one part of a broadcast", &parts)[..12]);
        EventId::from_random(random)
    }
}

/// One thing that is told.
struct Telling<'a> {
    hub: &'a Arc<Hub>,
    app: &'a App,
    kind: Kind,
    retry: Option<Retry>,
    now: Millis,
}

impl Telling<'_> {
    async fn tell(&self, told: &Broadcast) -> Result<(), Refusal> {
        let data = told.data(self.now);
        match &told.to {
            To::Users(users) => self.users(users, &data).await,
            To::Role(role) => self.rooms(&[room::of_role(role)], &data).await,
            To::Everyone if self.hub.front.load().everyone => {
                self.rooms(&[room::EVERYONE.to_owned()], &data).await
            }
            To::Everyone => Err(Refusal::new(
                Code::Denied,
                "name somebody in `targetUsers` or `targetRole`; to tell everybody, set marketplace.everyone",
            )),
        }
    }

    /// Whoever is connected nowhere finds it when it comes back.
    async fn users(&self, users: &[UserId], data: &str) -> Result<(), Refusal> {
        let mut users: Vec<UserId> = users.to_vec();
        users.sort_unstable();
        users.dedup();
        // Nothing may be told to some of them only because the name of one is wrong.
        let rooms: Vec<String> = users.iter().map(room::of_user).collect();
        rooms.iter().try_for_each(|room| ChannelName::parse(room).map(drop))?;
        let is_here = |(_, user): &(usize, UserId)| {
            self.hub.attendance.is_here(self.app.index, &Principal::User(user.clone()))
        };
        let (here, away): (Vec<_>, Vec<_>) = users.into_iter().enumerate().partition(is_here);
        // What waits is safe before anything is heard: a client that comes in meanwhile misses nothing.
        self.notify(away.clone(), waiting::waiting(self.kind, data, id()), Tone::Silent).await?;
        match (self.kind, waiting::notification(data, id())) {
            (Kind::Notification, Some(content)) => {
                // Whoever has come in since may have looked before it was written.
                let came: Vec<_> = away.iter().filter(|one| is_here(one)).collect();
                let came: Vec<String> = came.into_iter().map(|(_, user)| room::of_user(user)).collect();
                self.rooms(&came, data).await?;
                self.notify(here, Some(content), Tone::Rings).await
            }
            _ => self.rooms(&rooms, data).await,
        }
    }

    async fn rooms(&self, rooms: &[String], data: &str) -> Result<(), Refusal> {
        let name = EventName::parse(self.kind.event())?;
        let who = Identity::backend();
        let channels = rooms.iter().map(|room| ChannelName::parse(room)).collect::<Result<Vec<_>, _>>()?;
        let mut started = Vec::with_capacity(channels.len());
        for (place, channel) in channels.into_iter().enumerate() {
            let data = Data::json(data.to_owned());
            let id = self.retry.as_ref().map(|retry| retry.of("room", place));
            let publish = Publish { channel, name: name.clone(), data, id, key: None, except: None };
            started.push(self.start(&who, publish));
        }
        let mut refused = None;
        for one in started {
            if let Err(refusal) = settled(one).await {
                refused.get_or_insert(refusal);
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn start(&self, who: &Identity, publish: Publish) -> Started {
        let (Some(retry), Some(id)) = (&self.retry, publish.id.clone()) else {
            return start(self.hub, self.app, who, publish, self.now);
        };
        let (tell, told) = oneshot::channel();
        // Nobody may be waiting any more; the event is published all the same.
        let later = move |outcome| drop(tell.send(outcome));
        let done = self.hub.publish_again(self.app, (who, &id, retry.body), publish, self.now, later);
        done.map_or(Started::Waits(told), Started::Done)
    }

    /// Whoever may be asked again asks for each user alone: between two tries one may have come or gone.
    async fn notify(
        &self,
        users: Vec<(usize, UserId)>,
        content: Option<Content>,
        tone: Tone,
    ) -> Result<(), Refusal> {
        let Some(content) = content.filter(|_| !users.is_empty()) else { return Ok(()) };
        let content = Arc::new(content);
        let together = (limits::NOTIFIED_BYTES / content.weight()).max(1);
        let most = if self.retry.is_some() { 1 } else { together };
        let mut asked = Vec::new();
        for users in users.chunks(most) {
            let ways = Ways { in_app: true, webhook: false };
            let named = users.iter().map(|(_, user)| user.clone()).collect();
            let act = Act::Notify { users: named, content: content.clone(), ways, tone };
            let (key, body) = match &self.retry {
                Some(retry) => (Some(retry.of("inbox", users[0].0)), retry.body),
                None => (None, 0),
            };
            let (tell, told) = oneshot::channel();
            let actor = post::actor(self.app, Arc::new(Identity::backend()));
            post::ask(self.hub, self.app, actor, Plea { act, key, body }, move |ran| drop(tell.send(ran)));
            asked.push(told);
        }
        for told in asked {
            told.await.map_err(|_| stopped())??;
        }
        Ok(())
    }
}

fn id() -> EventId {
    EventId::from_random(clock::random_bytes())
}
