//! The router over a real hub: a store on disk, shards on their threads, no sockets.

mod backends;
mod browsers;
mod description;
mod readers;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use deskbell_core::access::default_rules;
use deskbell_core::class::Classes;
use deskbell_core::cursor::CursorKey;
use deskbell_core::ids::AppId;
use deskbell_core::log::Log;
use deskbell_core::position::Epoch;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::sync::oneshot;
use tower_service::Service as _;

use crate::app::{App, Apps, Secret};
use crate::bell::Bells;
use crate::config::Settings;
use crate::door::Peer;
use crate::hub::Hub;
use crate::identity::{self, Verifier};
use crate::log::AppLog;
use crate::shard::Letter;

/// The key of the app under test.
pub(super) const KEY: &str = "first";
/// Its secret.
pub(super) const SECRET: &str = "the secret of the first app, which is long";
/// The key and the secret of the app beside it.
const SECOND: (&str, &str) = ("second", "the secret of the second app, which is long too");

/// An app by itself.
pub(super) fn app(index: usize, key: &str, secret: &str) -> App {
    let id = AppId(1_001 + index as u64);
    App {
        index,
        id,
        key: key.to_owned(),
        secret: Secret::new(secret),
        log: Arc::new(AppLog::new(Log::new(Epoch(1), 0, 0, Classes::default()), Bells::default())),
        cursors: CursorKey::derive(b"stored", id),
        rules: ArcSwap::from_pointee(default_rules()),
        members: crate::store::Members::default(),
        projections: ArcSwap::default(),
        rows: Arc::new(tokio::sync::watch::Sender::new(0)),
        verifier: Verifier::new(identity::Settings::default()).unwrap(),
        site: Verifier::new(identity::Settings::default()).unwrap(),
        socketio: ArcSwap::default(),
        words: crate::socketio::Words::default(),
        pusher: ArcSwap::default(),
        appointease: crate::appointease::Site::new(None, 0, 0),
        portico: ArcSwap::from_pointee(crate::portico::Terms {
            mode: deskbell_wire::portico::relays::Mode::Normal,
            zone: deskbell_core::calendar::TimeZone::parse("UTC").unwrap(),
        }),
        away: crate::portico::Away::new(deskbell_core::position::Position::start(Epoch(1), 0, 0), 0),
        pages: std::sync::atomic::AtomicUsize::new(0),
        occupancy: crate::pusher::Occupancy::default(),
        connected: std::sync::atomic::AtomicUsize::new(0),
        selections: std::sync::Mutex::default(),
        tenant: arc_swap::ArcSwapOption::empty(),
        gone: std::sync::atomic::AtomicBool::new(false),
        left: tokio::sync::Notify::new(),
        polling: Arc::default(),
        questions: crate::socketio::Questions::default(),
    }
}

/// Two apps by themselves.
pub(super) fn apps() -> Apps {
    let apps = Apps::default();
    for (key, secret) in [(KEY, SECRET), ("second", "the secret of the second app, long enough")] {
        apps.add(|index| Ok::<_, std::convert::Infallible>(app(index, key, secret))).unwrap().unwrap();
    }
    apps
}

const APPS: &str = r#"[{ id = 1001, key = "first", secret = "the secret of the first app, which is long" },
    { id = 1002, key = "second", secret = "the secret of the second app, which is long too" }]"#;
const CHANNELS: &str = r#"[{ pattern = "durable-*", class = "stream", durable = true },
    { pattern = "deep-*", class = "stream", durable = true, history_count = 2 },
    { pattern = "latest-*", class = "latest" },
    { pattern = "kept-*", class = "latest", durable = true }, { pattern = "short-*", class = "stream", history_count = 3 }]"#;
const ACCESS: &str = r#"[{ pattern = "public-*", allow = ["subscribe"], to = "everyone" },
    { pattern = "user-{user}", allow = ["subscribe", "publish"], to = "user" }]"#;

/// A running server without its door.
struct Server {
    hub: Arc<Hub>,
    router: Router,
    shards: Vec<JoinHandle<()>>,
    directory: PathBuf,
}

impl Server {
    /// Starts one; must be called on a runtime with a thread beside the caller's.
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(more: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("deskbell-http-{}-{number}", std::process::id()));
        let data = directory.to_str().unwrap();
        let mut pairs =
            vec![("data", data), ("shards", "2"), ("apps", APPS), ("channels", CHANNELS), ("access", ACCESS)];
        pairs.extend_from_slice(more);
        let settings = Settings::of_pairs(&pairs).unwrap();
        let (hub, shards) = crate::run::build::hub(&settings).unwrap();
        Self { router: super::router(hub.clone()), hub, shards, directory }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        Answer::read(self.open(request).await).await
    }

    /// The answer with its body unread.
    async fn open(&self, mut request: Request<Body>) -> Response<Body> {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(Peer { address, secure: false, loopback: true, proxied: false });
        }
        let Ok(response) = self.router.clone().call(request).await;
        response
    }

    /// A GET with the secret.
    async fn get(&self, target: &str) -> Answer {
        self.send(own(Request::get(target)).body(Body::empty()).unwrap()).await
    }

    /// A GET without anything.
    async fn visit(&self, target: &str) -> Answer {
        self.send(Request::get(target).body(Body::empty()).unwrap()).await
    }

    /// A POST with the secret.
    async fn post(&self, target: &str, body: &str) -> Answer {
        self.send(own(Request::post(target)).body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Publishes a number on a channel.
    async fn publish(&self, channel: &str, number: u32) -> Answer {
        let body = format!(r#"{{"channel":"{channel}","name":"n","data":{number}}}"#);
        let answer = self.post("/v1/publish", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// A token for a user.
    async fn token(&self, user: &str) -> String {
        let answer = self.post("/v1/tokens", &format!(r#"{{"user":"{user}"}}"#)).await;
        answer.json["token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for mailbox in &self.hub.mailboxes {
            let (done, _) = oneshot::channel();
            mailbox.answer(Letter::Drain { over_ms: 0, done });
        }
        let failed = self.shards.drain(..).filter_map(|shard| shard.join().err()).count();
        let _ = std::fs::remove_dir_all(&self.directory);
        assert!(failed == 0 || std::thread::panicking(), "a shard failed");
    }
}

/// A path with something in each of its parameters.
fn filled(path: &str) -> String {
    let mut target = path.replace("{session}", "1.2").replace("{number}", "1");
    for parameter in ["{channel}", "{user}", "{id}", "{source}"] {
        target = target.replace(parameter, "a");
    }
    target
}

/// Adds the secret.
fn own(request: http::request::Builder) -> http::request::Builder {
    request.header("authorization", format!("Bearer {SECRET}"))
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
    json: Value,
}

impl Answer {
    async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status: parts.status, headers: parts.headers, text, json }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text_of(&self, member: &str) -> &str {
        self.json[member].as_str().unwrap_or_else(|| panic!("no `{member}`: {self:?}"))
    }

    /// Is it this refusal, in the right form?
    #[track_caller]
    fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.json["code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json["status"], status);
        assert!(self.text_of("detail").len() > 10);
    }
}

/// The data of a list of event frames.
fn data(events: &Value) -> Vec<i64> {
    events.as_array().unwrap().iter().map(|event| event["data"].as_i64().unwrap()).collect()
}
