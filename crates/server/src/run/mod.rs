//! The whole program on one screen: builds all parts in order, and stops them in reverse.

mod appointease;
mod apps;
pub(crate) mod build;
mod departures;
mod failing;
pub(crate) mod outward;
pub(crate) mod portico;
mod pusher;
mod reload;
mod rules;
mod socketio;
mod stop;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use deskbell_core::ids::EventId;
use deskbell_core::limits;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::admin;
use crate::calendars;
use crate::clock;
use crate::config::Settings;
use crate::door::{Door, Place};
use crate::http;
use crate::hub::Hub;
use crate::logging::{self, Logging};
use crate::outbox;
use crate::portico::spool::Spool;
use crate::redis;
use crate::selections;
use crate::store::Shared;
use crate::tenants;
use crate::tls::Acceptor;
use crate::webhooks;

/// Channels that one sweep looks at.
const SWEEP: usize = 2_000;

/// Why the server did not start, or did not stop well.
#[derive(Debug)]
pub struct StartError(String);

impl StartError {
    /// A sentence that says what to do.
    pub fn new(sentence: impl std::fmt::Display) -> Self {
        Self(sentence.to_string())
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// Everything that runs, in the order in which it was built.
struct Running {
    settings: Settings,
    logging: Logging,
    hub: Arc<Hub>,
    shards: Vec<JoinHandle<()>>,
    tls: Option<Arc<Acceptor>>,
    stop: watch::Sender<bool>,
    doors: Vec<tokio::task::JoinHandle<()>>,
    spool: Option<Spool>,
}

/// Runs the server until it is told to stop.
pub fn serve(settings: Settings) -> Result<(), StartError> {
    let logging = logging::start(&settings.log).map_err(StartError::new)?;
    crate::open_files::raise();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.clamp(1, 4))
        .enable_all()
        .build()
        .map_err(StartError::new)?;
    runtime.block_on(async {
        let signals = Signals::listen().map_err(StartError::new)?;
        let running = start(settings, logging)?;
        until_stopped(running, signals).await
    })
}

fn start(settings: Settings, logging: Logging) -> Result<Running, StartError> {
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let tls = build::acceptor(&settings)?;
    let mut listeners = Vec::new();
    for listen in &settings.listen {
        listeners.push((listen.clone(), bind(listen.addr)?));
    }
    let (hub, shards) = build::hub(&settings)?;
    let spool = portico::spool(&settings, &hub.apps)?;
    // Before the first port is open, so that nothing happens that they miss.
    webhooks::start(&hub);
    tokio::spawn(admin::tell(hub.clone()));
    crate::appointease::start(&hub);
    let (stop, stopped) = watch::channel(false);
    let router = http::router(hub.clone());
    announce(&settings, &hub);
    let mut doors = Vec::new();
    for (listen, listener) in listeners {
        let scheme = if listen.tls { "https" } else { "http" };
        let address = listener.local_addr().unwrap_or(listen.addr);
        tracing::info!("listening on {scheme}://{address}");
        let place = Place { app: listen.app, root: listen.root };
        let door = Door::new(hub.clone(), router.clone(), tls.clone().filter(|_| listen.tls), place);
        doors.push(tokio::spawn(door.serve(listener, stopped.clone())));
    }
    for index in 0..hub.apps.count() {
        tokio::spawn(tenants::fetch_keys(hub.clone(), index));
    }
    tokio::spawn(tenants::follow(hub.clone()));
    crate::pusher::start(&hub);
    calendars::start(&hub);
    redis::start(&hub);
    tokio::spawn(crate::portico::applications::follow(hub.clone()));
    tokio::spawn(keep_house(hub.clone()));
    tokio::spawn(flush_joins(hub.clone()));
    tokio::spawn(departures::watch(hub.clone()));
    tokio::spawn(departures::tell(hub.clone()));
    if let Some(url) = &settings.outbox {
        tokio::spawn(outbox::run(hub.clone(), Shared(url.expose().to_owned())));
    }
    let spool = spool.map(|plan| Spool::start(&hub, plan));
    Ok(Running { settings, logging, hub, shards, tls, stop, doors, spool })
}

fn bind(address: std::net::SocketAddr) -> Result<TcpListener, StartError> {
    let bound = || -> std::io::Result<TcpListener> {
        let socket = if address.is_ipv4() {
            tokio::net::TcpSocket::new_v4()?
        } else {
            tokio::net::TcpSocket::new_v6()?
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(4_096)
    };
    bound().map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "another program has this port; stop it or choose another with --listen"
            }
            std::io::ErrorKind::PermissionDenied => "this user may not open this port; choose one above 1023",
            _ => "choose an address of this machine with --listen",
        };
        StartError(format!("cannot listen on {address}: {error}; {hint}"))
    })
}

fn announce(settings: &Settings, hub: &Hub) {
    if settings.dev {
        tracing::warn!("DEVELOPMENT MODE: every channel is open to everybody; never use it with real data");
    }
    for app in hub.apps.iter() {
        tracing::info!(
            "app {} has the key {}; its secret stands in {}",
            app.id,
            app.key,
            settings.credentials_file().display()
        );
    }
}

/// Sweeps old history out, a bounded number of channels at a time.
async fn keep_house(hub: Arc<Hub>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let mut turns = 0_u64;
    loop {
        seconds.tick().await;
        turns += 1;
        let now = clock::now_ms();
        for app in hub.apps.iter() {
            app.log.with(|log| log.sweep(SWEEP, now));
            app.occupancy.tell_owed(now, |channel, count| hub.tell_count(app, channel, count, now));
        }
        selections::expire(&hub, now);
        if turns.is_multiple_of(60) {
            hub.store.expire(now);
        }
    }
}

/// Tells the joins that were gathered after a crash, until they are told one by one again.
async fn flush_joins(hub: Arc<Hub>) {
    let mut moments = tokio::time::interval(Duration::from_millis(limits::JOIN_GATHER));
    let mut gathering = true;
    while gathering {
        moments.tick().await;
        let id = || EventId::from_random(clock::random_bytes());
        gathering = false;
        for app in hub.apps.iter() {
            gathering |= app.log.with(|log| log.flush_joins(clock::now_ms(), id));
        }
    }
}

/// The signals that steer the server. They are listened to before the first port is open, so that
/// whoever sees the server listening can stop it cleanly.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn until_stopped(mut running: Running, mut signals: Signals) -> Result<(), StartError> {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hangup.recv() => reload::reload(&mut running),
        }
    }
    tracing::info!("stopping: connections are closed over {} ms at most", running.settings.drain_ms);
    // A second signal means: now.
    tokio::select! {
        stopped = stop::stop(running) => stopped,
        () = signals.stop() => {
            Err(StartError::new("stopped at once by a second signal; clients will resume by cursor"))
        }
    }
}
