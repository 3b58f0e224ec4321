//! Tells backends what happens in their channels, as Pusher does: one task for each endpoint, which sends one
//! request after the other, again and again for five minutes where it is not taken.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use deskbell_core::limits::{self, Millis};
use deskbell_core::news::{Desk, News};
use deskbell_core::pattern::Pattern;
use deskbell_wire::pusher::hook;
use http::{Method, header};
use http_body_util::Full;
use tokio::sync::Notify;

use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::outbound::Address;

/// One endpoint as it is configured.
#[derive(Debug)]
pub struct Endpoint {
    /// The place of its app in the list of apps.
    pub app: usize,
    /// Where it is.
    pub address: Address,
    /// The kinds that it wants.
    pub kinds: Vec<String>,
    /// The channels of which it wants them.
    pub channels: Vec<Pattern>,
    /// Events of one request at most.
    pub batch: usize,
    /// Time for its answer.
    pub timeout: Duration,
}

/// An endpoint, and what waits for it.
#[derive(Debug)]
struct Post {
    endpoint: Endpoint,
    desk: Mutex<Desk>,
    bell: Notify,
}

/// All endpoints.
#[derive(Debug, Default)]
pub struct Hooks(Vec<Arc<Post>>);

impl Hooks {
    /// Takes the endpoints in. They do nothing before [`start`].
    pub fn new(endpoints: Vec<Endpoint>) -> Self {
        let post = |endpoint| Arc::new(Post { endpoint, desk: Mutex::default(), bell: Notify::new() });
        Self(endpoints.into_iter().map(post).collect())
    }

    /// Gives something to whoever wants it. It is made only where somebody might.
    pub fn tell(&self, app: &App, now: Millis, news: impl FnOnce() -> News) {
        let mut posts = self.0.iter().filter(|post| post.endpoint.app == app.index).peekable();
        if posts.peek().is_none() {
            return;
        }
        let news = news();
        for post in posts.filter(|post| post.endpoint.wants(&news)) {
            post.desk().take(news.clone(), now);
            post.bell.notify_one();
        }
    }
}

impl Endpoint {
    fn wants(&self, news: &News) -> bool {
        let channel = news.channel().as_str();
        self.kinds.iter().any(|kind| kind == hook::kind(news))
            && self.channels.iter().any(|pattern| pattern.covers(channel))
    }
}

impl Post {
    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        // The desk is whole between its steps.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to be told.
    async fn next(&self) -> Vec<News> {
        loop {
            let now = clock::now_ms();
            let (due, next) = {
                let mut desk = self.desk();
                (desk.due(now, self.endpoint.batch), desk.next())
            };
            if !due.is_empty() {
                return due;
            }
            let rung = self.bell.notified();
            match next {
                None => rung.await,
                Some(at) => {
                    let wait = Duration::from_millis(at.saturating_sub(now).max(1));
                    let _ = tokio::time::timeout(wait, rung).await;
                }
            }
        }
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

    /// Tells until it is taken, or until it is too late.
    async fn deliver(&self, app: &App, news: &[News]) {
        let until = clock::now_ms() + limits::NEWS_PATIENCE;
        let mut wait = limits::NEWS_FIRST_WAIT;
        while let Err(why) = self.attempt(app, news).await {
            if clock::now_ms() + wait > until {
                let address = self.endpoint.address.name();
                tracing::warn!(%address, %why, events = news.len(), "a webhook was given up after five minutes");
                return;
            }
            tokio::time::sleep(Duration::from_millis(wait)).await;
            wait *= 2;
        }
    }
}

/// Starts the tasks.
pub fn start(hub: &Arc<Hub>) {
    for post in &hub.hooks.0 {
        let (hub, post) = (hub.clone(), post.clone());
        tokio::spawn(async move {
            loop {
                let news = post.next().await;
                post.deliver(&hub.apps[post.endpoint.app], &news).await;
                let lost = post.desk().lost();
                if lost > 0 {
                    let address = post.endpoint.address.name();
                    tracing::warn!(%address, lost, "webhooks were lost: the endpoint takes them too slowly");
                }
            }
        });
    }
}
