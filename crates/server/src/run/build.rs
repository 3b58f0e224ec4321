//! Builds the parts from the settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use deskbell_core::link::LinkKey;
use deskbell_core::rate::Rate;
use deskbell_core::session::{Seals, SessionId};

use super::apps::{apps, operator, tenants};
use super::{StartError, failing, outward, portico, socketio};
use crate::app::Apps;
use crate::attendance::Attendance;
use crate::clock;
use crate::config::{AcmeSettings, Settings, TlsSettings};
use crate::door::Front;
use crate::hub::Hub;
use crate::limiter::Limiter;
use crate::metrics::Metrics;
use crate::portico::Applications;
use crate::redis::Redis;
use crate::shard::{CarriedSession, Cradle, Directory, Letter, Shard, Tuning};
use crate::store::{Opened, Options, QUIET, Seed, Shared, World};
use crate::tenants::Logs;
use crate::tls::Acceptor;
use crate::tls::acme::Acme;
use crate::tls::files::CertificateFiles;

/// The clock of a machine may be this far behind that of the run before without anybody being told.
const CLOCK_TOLERANCE: u64 = 2_000;

/// The hub and the threads of its shards.
pub fn hub(settings: &Settings) -> Result<(Arc<Hub>, Vec<JoinHandle<()>>), StartError> {
    let (hub, cradles, sessions) = parts(settings)?;
    // The store has said in the log what happened, and what to do.
    hub.store.on_halt(Box::new(|_| std::process::exit(failing::FAILED)));
    let shards = shards(&hub, cradles)?;
    adopt(&hub, sessions);
    Ok((hub, shards))
}

/// The hub, what its shards will be made of, and the sessions of the run before.
pub type Parts = (Arc<Hub>, Vec<Cradle>, Vec<CarriedSession>);

/// Builds everything but the shards.
pub fn parts(settings: &Settings) -> Result<Parts, StartError> {
    let cradles = (0..settings.shards)
        .map(|_| Cradle::new())
        .collect::<Result<Vec<_>, _>>()
        .map_err(StartError::new)?;
    let mut opened = open(settings)?;
    let stored = opened.installation().secret;
    let tenants = tenants(settings, &opened, &cradles)?;
    let apps = apps(settings, &mut opened, &tenants)?;
    let sessions = carried_sessions(&mut opened, &apps)?;
    portico::adopt_pages(&mut opened, &apps)?;
    let webhooks = outward::webhooks(settings, &apps)?;
    let hooks = outward::pusher_webhooks(settings, &apps, &opened)?;
    let calendars = outward::calendars(settings, &apps)?;
    let redis = Redis::new(outward::redis(settings, &apps)?);
    let applications = Arc::new(portico::applications(settings)?);
    let store = opened.start(world(tenants.logs.clone(), applications.clone())).map_err(StartError::new)?;
    let hub = Arc::new(Hub {
        hooks,
        handlers: outward::handlers(settings, &apps)?,
        apps,
        tenants,
        seals: Seals::derive(&stored),
        store,
        mailboxes: cradles.iter().map(|cradle| cradle.mailbox.clone()).collect(),
        directory: Directory::default(),
        tuning: ArcSwap::from_pointee(tuning(settings)),
        front: ArcSwap::from_pointee(front(settings)),
        attendance: Attendance::default(),
        webhooks,
        operator: operator(settings)?,
        calendars,
        applications,
        redis,
        links: LinkKey::derive(&stored),
        limiter: Limiter::default(),
        metrics: Metrics::default(),
        runtime: tokio::runtime::Handle::current(),
        draining: AtomicBool::new(false),
        next_shard: AtomicUsize::new(0),
    });
    Ok((hub, cradles, sessions))
}

/// Opens the data, and lets time go on from where it says that it was.
fn open(settings: &Settings) -> Result<Opened, StartError> {
    let opened = Opened::open(&Options {
        data: settings.data_dir.clone(),
        seed: Seed {
            secret: clock::random_bytes(),
            app_key: clock::random_bytes(),
            app_secret: clock::random_bytes(),
        },
        durable_age: settings.history.durable_age_ms,
        disk: None,
        shared: settings.ledger.as_ref().map(|url| Shared(url.expose().to_owned())),
    })
    .map_err(StartError::new)?;
    if let Some(time) = opened.shared_time().map_err(StartError::new)? {
        clock::agree(time);
    }
    let last_at = opened.last_at().map_err(StartError::new)?;
    if last_at > clock::now_ms() + CLOCK_TOLERANCE {
        tracing::warn!(
            "the machine's clock is behind the last entry of the data file; time goes on from there"
        );
    }
    clock::not_before(last_at);
    Ok(opened)
}

/// What the store is given: the way into the logs, the time, and dice. Committed rows go into their app's log
/// before anybody is told that they are safe.
fn world(logs: Arc<Logs>, applications: Arc<Applications>) -> World {
    World {
        feed: Box::new(move |app, rows| {
            let drafts = rows.iter().flat_map(|row| &row.drafts);
            drafts.for_each(|draft| applications.note(app, &draft.event.channel));
            logs.take(app, rows)
        }),
        clock: Box::new(clock::now_ms),
        seeds: Box::new(clock::random_bytes::<16>),
        quiet: QUIET,
    }
}

fn shards(hub: &Arc<Hub>, cradles: Vec<Cradle>) -> Result<Vec<JoinHandle<()>>, StartError> {
    let mut threads = Vec::new();
    for (number, cradle) in cradles.into_iter().enumerate() {
        let shard = Shard::new(number as u16, cradle, hub.clone());
        let work = move || failing::or_end(number, || shard.run());
        let thread = std::thread::Builder::new().name(format!("shard-{number}")).spawn(work);
        threads.push(thread.map_err(StartError::new)?);
    }
    Ok(threads)
}

fn carried_sessions(opened: &mut Opened, apps: &Apps) -> Result<Vec<CarriedSession>, StartError> {
    let mut sessions = Vec::new();
    for app in apps.iter() {
        if let Some(json) = opened.take_sessions(app.id).map_err(StartError::new)? {
            match serde_json::from_str::<Vec<CarriedSession>>(&json) {
                Ok(list) => sessions.extend(list),
                Err(error) => {
                    tracing::warn!(%error, "the sessions of the last run cannot be read; clients resume by cursor");
                }
            }
        }
    }
    Ok(sessions)
}

fn adopt(hub: &Hub, sessions: Vec<CarriedSession>) {
    let mut lists: Vec<Vec<CarriedSession>> = hub.mailboxes.iter().map(|_| Vec::new()).collect();
    let shards = lists.len();
    for session in sessions {
        let shard = session.id as usize % shards;
        // A client may come before the shard has taken its session in, and over another shard.
        hub.directory.enter(SessionId(session.id), shard as u16);
        lists[shard].push(session);
    }
    for (mailbox, list) in hub.mailboxes.iter().zip(lists) {
        mailbox.answer(Letter::Adopt(list));
    }
}

/// What the shards work with.
pub fn tuning(settings: &Settings) -> Tuning {
    let limits = &settings.limits;
    let rate = |per_second: u64, burst: u64| Rate { per_second: per_second as u32, burst: burst as u32 };
    Tuning {
        frame: limits.frame,
        rate: rate(limits.rate, limits.burst),
        identity_rate: rate(limits.rate_per_identity, limits.burst * 4),
        address_rate: rate(limits.rate_per_address, limits.burst * 20),
        subscriptions: limits.subscriptions,
        backlog: limits.backlog,
        parked: limits.parked_sessions.div_ceil(settings.shards),
        parked_per_address: limits.parked_sessions_per_address.div_ceil(settings.shards),
        resume_window: settings.session.resume_window_ms,
        presence_grace: settings.session.presence_grace_ms,
        hold_grace: settings.holds.grace_ms,
        holds_end_with_connections: !settings.holds.keep,
        heartbeat: settings.heartbeat_ms,
        sse_rotation: limits.sse_rotation_ms,
        silence: limits.idle_ms,
        stalled: limits.stalled_ms,
        pusher_activity: settings.pusher.activity_ms,
        pusher_pong: settings.pusher.pong_ms,
        portico: portico::rhythm(settings),
    }
}

/// What the front door works with.
pub fn front(settings: &Settings) -> Front {
    let limits = &settings.limits;
    let app_origins: Vec<Vec<String>> = settings.apps.iter().map(|app| app.origins.clone()).collect();
    let pages = &settings.websocket.origins;
    Front {
        trusted_proxies: settings.trusted_proxies.clone(),
        origins: if pages.is_empty() { settings.cors_origins.clone() } else { pages.clone() },
        cors_origins: settings.cors_origins.iter().chain(app_origins.iter().flatten()).cloned().collect(),
        app_origins,
        auth_cookie: settings.auth.cookie.clone(),
        header: limits.header,
        header_time: Duration::from_millis(limits.header_time_ms),
        body: limits.body,
        poll_wait: limits.poll_wait_ms,
        metrics_enabled: settings.metrics.enabled,
        metrics_public: settings.metrics.public,
        dev: settings.dev,
        everyone: settings.dev || settings.marketplace.everyone,
        compression: settings.websocket.compression,
        echo: settings.websocket.echo,
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
        connect_rate: limits.connect_rate_per_address as u32,
        portico: settings.portico.enabled,
        socketio: socketio::mount(settings),
        appointease: super::appointease::is_open(settings),
    }
}

/// The certificate, where TLS is on.
pub fn acceptor(settings: &Settings) -> Result<Option<Arc<Acceptor>>, StartError> {
    match &settings.tls {
        TlsSettings::Off => Ok(None),
        TlsSettings::Files { cert, key } => {
            let (files, warnings) =
                CertificateFiles::load(cert, key, clock::now_ms()).map_err(StartError::new)?;
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            let acceptor = Acceptor::files(Arc::new(files)).map_err(StartError::new)?;
            Ok(Some(Arc::new(acceptor)))
        }
        TlsSettings::Acme(acme) => Ok(Some(Arc::new(acme_acceptor(acme)?))),
    }
}

fn acme_acceptor(wish: &AcmeSettings) -> Result<Acceptor, StartError> {
    let extra_roots = match &wish.ca_file {
        None => None,
        Some(path) => {
            let read = std::fs::read(path);
            Some(read.map_err(|error| StartError(format!("tls.acme.ca_file {}: {error}", path.display())))?)
        }
    };
    let acme = Acme::new(crate::tls::acme::AcmeSettings {
        domains: wish.domains.clone(),
        contact: wish.contact.clone(),
        directory: wish.directory.clone(),
        cache: wish.cache.clone(),
        extra_roots,
    });
    let acme = Arc::new(acme.map_err(StartError::new)?);
    let orders = acme.clone();
    tokio::spawn(async move { orders.run().await });
    Ok(Acceptor::acme(acme))
}
