//! Makes from the settings what calls other people's servers: webhooks, calendars and Redis.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deskbell_core::ids::ResourceId;
use deskbell_core::limits;
use deskbell_core::pattern::Pattern;
use deskbell_core::webhook::{Terms, Wants};
use deskbell_wire::portico::published;
use deskbell_wire::pusher::hook;
use deskbell_wire::redis::{Kind, Row, Table, Topic};
use deskbell_wire::webhook::Secret;
use tokio::sync::Semaphore;

use super::StartError;
use crate::app::Apps;
use crate::calendars::{self, Calendars, Feed};
use crate::config::{
    CalendarSettings, HandlerSettings, PusherWebhookSettings, RedisChannel, Settings, WebhookSettings,
};
use crate::handlers::{Handler, Handlers};
use crate::outbound::{Address, BadAddress};
use crate::pusher::{Endpoint, Hooks};
use crate::redis::{Password, Place, Plan, Secure};
use crate::store::Opened;
use crate::webhooks::{Hook, Webhooks};

/// Every endpoint of the configuration.
pub fn webhooks(settings: &Settings, apps: &Apps) -> Result<Webhooks, StartError> {
    let hooks = settings.webhooks.iter().map(|wish| hook(wish, apps)).collect::<Result<_, _>>()?;
    Ok(Webhooks::new(hooks))
}

fn hook(wish: &WebhookSettings, apps: &Apps) -> Result<Hook, StartError> {
    let wrong = |why: &str| StartError(format!("webhooks: {} {why}", wish.name));
    let app = app(wish.app, apps).map_err(|why| wrong(&why))?;
    let secret = |secret: &Option<crate::config::Secret>| {
        let parsed = secret.as_ref().map(|secret| Secret::parse(secret.expose()));
        parsed.transpose().map_err(|why| wrong(&format!("has a bad secret: {why}")))
    };
    let patterns = |texts: &[String]| {
        let parsed = texts.iter().map(|text| Pattern::parse(text));
        parsed.collect::<Result<Vec<_>, _>>().map_err(|bad| wrong(&bad.to_string()))
    };
    Ok(Hook {
        name: wish.name.clone(),
        app,
        address: address(&wish.url, wish.ca_file.as_ref()).map_err(|why| wrong(&why))?,
        secret: secret(&wish.secret)?,
        previous: secret(&wish.previous_secret)?,
        wants: Wants { channels: patterns(&wish.channels)?, events: patterns(&wish.events)? },
        terms: Terms {
            concurrency: wish.concurrency,
            window: limits::WEBHOOK_WINDOW,
            first_wait: wish.first_wait_ms,
            longest_wait: wish.longest_wait_ms,
            patience: wish.patience_ms,
        },
        timeout: Duration::from_millis(wish.timeout_ms),
    })
}

/// Every endpoint that is told as Pusher tells, with what the last run has not told it.
pub fn pusher_webhooks(settings: &Settings, apps: &Apps, opened: &Opened) -> Result<Hooks, StartError> {
    let endpoint = |wish: &PusherWebhookSettings| {
        let wrong = |why: &str| StartError(format!("pusher_webhooks: {} {why}", wish.url));
        let patterns = wish.channels.iter().map(|text| Pattern::parse(text));
        let endpoint = Endpoint {
            app: app(wish.app, apps).map_err(|why| wrong(&why))?,
            address: address(&wish.url, wish.ca_file.as_ref()).map_err(|why| wrong(&why))?,
            kinds: hook::kinds(&wish.events),
            channels: patterns.collect::<Result<_, _>>().map_err(|bad| wrong(&bad.to_string()))?,
            batch: wish.batch,
            timeout: Duration::from_millis(wish.timeout_ms),
            patience: wish.patience_ms,
            returns: wish.returns_ms,
        };
        let kept = opened.news(apps[endpoint.app].id, &wish.url).map_err(StartError::new)?;
        Ok((endpoint, kept))
    };
    settings.pusher_webhooks.iter().map(endpoint).collect::<Result<_, _>>().map(Hooks::new)
}

/// Every backend that handles events of Socket.IO clients.
pub fn handlers(settings: &Settings, apps: &Apps) -> Result<Handlers, StartError> {
    let handler = |wish: &HandlerSettings| {
        let wrong = |why: &str| StartError(format!("socketio_handlers: {} {why}", wish.url));
        let secret = wish.secret.as_ref().map(|secret| Secret::parse(secret.expose())).transpose();
        Ok(Handler {
            app: app(wish.app, apps).map_err(|why| wrong(&why))?,
            address: address(&wish.url, wish.ca_file.as_ref()).map_err(|why| wrong(&why))?,
            namespaces: wish.namespaces.clone(),
            events: wish.events.clone(),
            secret: secret.map_err(|why| wrong(&format!("has a bad secret: {why}")))?,
            timeout: Duration::from_millis(wish.timeout_ms),
            seats: Arc::new(Semaphore::new(wish.concurrency)),
        })
    };
    settings.handlers.iter().map(handler).collect::<Result<_, _>>().map(Handlers::new)
}

/// Every calendar of the configuration.
pub fn calendars(settings: &Settings, apps: &Apps) -> Result<Calendars, StartError> {
    let feeds = settings.calendars.iter().map(|wish| feed(wish, apps)).collect::<Result<_, _>>()?;
    Ok(Calendars::new(feeds))
}

fn feed(wish: &CalendarSettings, apps: &Apps) -> Result<Feed, StartError> {
    let wrong = |why: &str| StartError(format!("calendars: {} of {} {why}", wish.source, wish.resource));
    let resource = ResourceId::parse(&wish.resource).map_err(|no| wrong(&no.message))?;
    Ok(Feed {
        app: app(wish.app, apps).map_err(|why| wrong(&why))?,
        source: calendars::source(&resource, &wish.source).map_err(|no| wrong(&no.message))?,
        resource,
        address: address(&wish.url, wish.ca_file.as_ref()).map_err(|why| wrong(&why))?,
        every: wish.every_ms,
        timeout: Duration::from_millis(wish.timeout_ms),
    })
}

/// The Redis of the configuration, if there is one.
pub fn redis(settings: &Settings, apps: &Apps) -> Result<Option<Plan>, StartError> {
    redis_with(settings, |id| app(id, apps))
}

/// The same with another way to find an app, for where none runs.
pub fn redis_with(
    settings: &Settings,
    app: impl Fn(Option<u64>) -> Result<usize, String>,
) -> Result<Option<Plan>, StartError> {
    let wish = &settings.redis;
    let Some(host) = wish.host.clone() else { return Ok(None) };
    let wrong = |why: String| StartError(format!("redis {why}"));
    let secure = if wish.tls {
        let roots = wish.ca_file.as_ref().map(read).transpose().map_err(wrong)?;
        Some(Secure::new(&host, roots).map_err(|why| wrong(format!("cannot use TLS: {why}")))?)
    } else {
        None
    };
    // Behind the operator's own rows, so that one of those for the same channel decides.
    let of_portico = of_portico(settings);
    let rows = wish.channels.iter().chain(&of_portico).map(|channel| row(channel, &app));
    let rows = rows.collect::<Result<_, _>>().map_err(|why| StartError(format!("redis.channels {why}")))?;
    let password = wish.password.as_ref().map(|password| Password(password.expose().to_owned()));
    let place = Place { host, port: wish.port, user: wish.user.clone(), password, secure };
    Ok(Some(Plan { place, table: Table::new(rows), unnamed: of_portico.len() }))
}

/// The channels on which PorticoEstate publishes.
fn of_portico(settings: &Settings) -> Vec<RedisChannel> {
    let wish = &settings.portico;
    let known = |name: &str| settings.redis.channels.iter().any(|row| row.pattern == name);
    let names = published::Topic::ALL.into_iter().map(published::Topic::as_str);
    names
        .filter(|name| wish.enabled && wish.redis && !known(name))
        .map(|name| RedisChannel { pattern: name.to_owned(), kind: "portico".to_owned(), app: wish.app })
        .collect()
}

fn row(wish: &RedisChannel, app: impl Fn(Option<u64>) -> Result<usize, String>) -> Result<Row, String> {
    let kind = Kind::parse(&wish.kind).ok_or_else(|| format!("has no kind {}", wish.kind))?;
    let topic = Topic::parse(&wish.pattern, kind).map_err(|bad| format!("\"{}\" {bad}", wish.pattern))?;
    Ok(Row { topic, kind, app: app(wish.app)? })
}

/// The place of an app in the list of apps.
pub(super) fn app(id: Option<u64>, apps: &Apps) -> Result<usize, String> {
    let Some(id) = id else { return Ok(0) };
    let found = apps.of_id(id).map(|app| app.index);
    found.ok_or_else(|| format!("names the app {id}, which is not there"))
}

fn read(path: &PathBuf) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("names {}, which cannot be read: {error}", path.display()))
}

/// An address with a CA file of its own.
pub(super) fn address(url: &str, ca_file: Option<&PathBuf>) -> Result<Address, String> {
    let roots = ca_file.map(read).transpose()?;
    Address::new(url, roots.as_deref()).map_err(BadAddress::sentence)
}
