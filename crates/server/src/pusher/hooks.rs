//! Tells backends what happens in their channels, as Pusher does: one task for each endpoint, which sends one
//! request after the other, again and again for five minutes where it is not taken.
//!
//! What is to be told is noted in the store before it is sent, and who is here as well, so that a killed server
//! tells it after its next start.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use deskbell_core::ids::ChannelName;
use deskbell_core::limits::{self, Millis, SECOND};
use deskbell_core::news::{Changes, Desk, Kept, Kinds, News, Stands, again};
use deskbell_core::pattern::Pattern;
use deskbell_wire::pusher::hook;
use http::{Method, header};
use http_body_util::Full;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::outbound::Address;
use crate::store::{KeptNews, NewsNote, Note, Owner};

/// Time until a store that did not take a note is asked again.
const AGAIN: Millis = SECOND;
/// Time for the answer that is under way when the server stops.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// One endpoint as it is configured.
#[derive(Debug)]
pub struct Endpoint {
    /// The place of its app in the list of apps.
    pub app: usize,
    /// Where it is.
    pub address: Address,
    /// The kinds that it wants.
    pub kinds: Kinds,
    /// The channels of which it wants them.
    pub channels: Vec<Pattern>,
    /// Events of one request at most.
    pub batch: usize,
    /// Time for its answer.
    pub timeout: Duration,
    /// Time from the first attempt to the last one.
    pub patience: Millis,
    /// Time that whoever was here has to come back after a start.
    pub returns: Millis,
}

/// An endpoint, and what waits for it.
#[derive(Debug)]
struct Post {
    endpoint: Endpoint,
    owner: Owner,
    desk: Mutex<Desk>,
    bell: Notify,
    /// Whoever stops it waits for its last note.
    stop: mpsc::Sender<oneshot::Sender<()>>,
    seat: Mutex<Option<mpsc::Receiver<oneshot::Sender<()>>>>,
}

/// All endpoints.
#[derive(Debug, Default)]
pub struct Hooks(Vec<Arc<Post>>);

impl Hooks {
    /// Takes the endpoints in, each with what the last run left of it. They send nothing before [`start`].
    pub fn new(endpoints: Vec<(Endpoint, (Owner, KeptNews))>) -> Self {
        let post = |(endpoint, (owner, kept)): (Endpoint, _)| {
            let (stop, seat) = mpsc::channel(1);
            let until = clock::now_ms() + endpoint.returns;
            let desk = Mutex::new(Desk::open(endpoint.kinds, found(kept), until));
            Arc::new(Post { endpoint, owner, desk, bell: Notify::new(), stop, seat: Mutex::new(Some(seat)) })
        };
        Self(endpoints.into_iter().map(post).collect())
    }

    /// Gives something to whoever may want it. It is made only where somebody might.
    pub fn tell(&self, app: &App, now: Millis, news: impl FnOnce() -> News) {
        let mut posts = self.0.iter().filter(|post| post.endpoint.app == app.index).peekable();
        if posts.peek().is_none() {
            return;
        }
        let news = news();
        for post in posts.filter(|post| post.endpoint.covers(news.channel())) {
            post.desk().take(news.clone(), now);
            post.bell.notify_one();
        }
    }

    /// The server stops: whom it sends away is expected back.
    pub fn close(&self) {
        self.0.iter().for_each(|post| post.desk().close());
    }

    /// Lets every endpoint note what it has not told. Nothing is sent after this.
    pub async fn stop(&self) {
        let mut ends = Vec::new();
        for post in &self.0 {
            let (done, end) = oneshot::channel();
            if post.stop.send(done).await.is_ok() {
                ends.push(end);
            }
        }
        for end in ends {
            // A task that has failed noted what it could.
            let _ = end.await;
        }
    }
}

/// What the last run left. What this program did not write is passed over.
fn found(kept: KeptNews) -> Kept {
    let subject = |(channel, member): (String, String)| {
        let user = Some(member).filter(|member| !member.is_empty()).map(Into::into);
        Some((ChannelName::parse(&channel).ok()?, user))
    };
    let waiting = kept.waiting.into_iter().filter_map(|(number, text)| Some((number, hook::read(&text)?)));
    Kept { here: kept.here.into_iter().filter_map(subject).collect(), waiting: waiting.collect() }
}

/// A note of what has changed.
fn note(changes: &Changes) -> NewsNote {
    let who = |stands: Stands| {
        let moved = changes.moved.iter().filter(move |(_, now)| **now == stands);
        let who =
            moved.map(|((channel, user), _)| (channel.to_string(), user.as_deref().unwrap_or("").to_owned()));
        who.collect()
    };
    let new = changes.new.iter().map(|(number, news)| (*number, hook::text(news)));
    NewsNote { new: new.collect(), here: who(Stands::Here), gone: who(Stands::Gone), told: changes.told }
}

impl Endpoint {
    fn covers(&self, channel: &ChannelName) -> bool {
        self.channels.iter().any(|pattern| pattern.covers(channel.as_str()))
    }
}

impl Post {
    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        // The desk is whole between its steps.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what has changed until nothing new is left; says whether the store takes notes.
    async fn note(&self, hub: &Hub) -> bool {
        loop {
            let changes = {
                let mut desk = self.desk();
                desk.settle(clock::now_ms());
                if !desk.is_new() && !desk.is_stale() {
                    return true;
                }
                desk.changes()
            };
            let (tell, told) = oneshot::channel();
            let noted = Note::News(self.owner.clone(), note(&changes));
            hub.store.note(noted, Box::new(move |said| drop(tell.send(said))));
            if !matches!(told.await, Ok(Ok(_))) {
                self.desk().take_back(changes);
                return false;
            }
            self.desk().noted(&changes);
        }
    }

    /// Is anything to be noted before something is told?
    fn is_new(&self) -> bool {
        let mut desk = self.desk();
        desk.settle(clock::now_ms());
        desk.is_new()
    }

    /// One attempt, signed for this moment.
    async fn attempt(&self, app: &App, news: &[News]) -> Result<(), String> {
        let body = hook::body(news, clock::now_ms());
        let signature = hook::signature(app.secret.expose().as_bytes(), &body);
        let request = self
            .endpoint
            .address
            .request(Method::POST)
            // Some libraries compare the whole of it, so nothing stands behind it.
            .header(header::CONTENT_TYPE, "application/json")
            .header(hook::KEY, &app.key)
            .header(hook::SIGNATURE, signature)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        match tokio::time::timeout(self.endpoint.timeout, self.endpoint.address.head(request)).await {
            Err(_) => Err("it did not answer in time".to_owned()),
            Ok(Err(broken)) => Err(broken.to_string()),
            Ok(Ok(head)) if head.status.is_success() => Ok(()),
            Ok(Ok(head)) => Err(format!("it answered {}", head.status.as_u16())),
        }
    }

    /// Tells until it is taken, or until it is too late; says how much that was.
    async fn deliver(self: Arc<Self>, hub: Arc<Hub>, news: Vec<News>) -> usize {
        let app = &hub.apps[self.endpoint.app];
        let (begun, patience) = (clock::now_ms(), self.endpoint.patience);
        let mut times = 0;
        while let Err(why) = self.attempt(app, &news).await {
            times += 1;
            let Some(wait) = again(times, clock::now_ms().saturating_sub(begun), patience) else {
                let address = self.endpoint.address.name();
                tracing::warn!(%address, %why, events = news.len(), "a webhook was given up after {patience} ms");
                break;
            };
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        news.len()
    }

    /// Notes and tells until the server stops.
    async fn run(self: Arc<Self>, hub: Arc<Hub>, mut stop: mpsc::Receiver<oneshot::Sender<()>>) {
        // One request at a time, so that what happens is told in its order.
        let mut flight = JoinSet::new();
        let (mut noted_at, mut rests_until) = (0, 0);
        loop {
            let now = clock::now_ms();
            let mut wake = rests_until.max(noted_at + limits::NEWS_NOTE);
            if now >= rests_until && (self.is_new() || now >= wake) {
                let taken = self.note(&hub).await;
                rests_until = if taken { 0 } else { now + AGAIN };
                (noted_at, wake) = (now, if taken { Millis::MAX } else { rests_until });
            }
            if flight.is_empty() {
                let next = self.desk().next(self.endpoint.batch);
                if !next.is_empty() {
                    flight.spawn(self.clone().deliver(hub.clone(), next));
                }
            }
            wake = wake.min(self.desk().wake().unwrap_or(Millis::MAX));
            self.say_what_was_lost();
            let sleep = Duration::from_millis(wake.saturating_sub(clock::now_ms()).min(limits::MINUTE));
            tokio::select! {
                Some(landed) = flight.join_next() => self.land(landed),
                () = self.bell.notified() => {}
                () = tokio::time::sleep(sleep) => {}
                done = stop.recv() => {
                    if let Ok(Some(landed)) = tokio::time::timeout(LAST_ANSWER, flight.join_next()).await {
                        self.land(landed);
                    }
                    self.note(&hub).await;
                    // Whoever asked may have gone.
                    let _ = done.map(|done| done.send(()));
                    return;
                }
            }
        }
    }

    fn land(&self, landed: Result<usize, tokio::task::JoinError>) {
        // An attempt that panics is a bug, and ends the task: nothing was noted as told.
        let count = landed.expect("an attempt neither panics nor is given up");
        self.desk().told(count);
    }

    fn say_what_was_lost(&self) {
        let lost = self.desk().lost();
        if lost > 0 {
            let address = self.endpoint.address.name();
            tracing::warn!(%address, lost, "webhooks were lost: the endpoint takes them too slowly");
        }
    }
}

/// Starts the tasks.
pub fn start(hub: &Arc<Hub>) {
    for post in &hub.hooks.0 {
        // A poisoned lock guards nothing but an option.
        if let Some(stop) = post.seat.lock().unwrap_or_else(PoisonError::into_inner).take() {
            tokio::spawn(post.clone().run(hub.clone(), stop));
        }
    }
}
