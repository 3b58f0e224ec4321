//! Makes the typed settings out of values that were read and checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use deskbell_core::projection;
use deskbell_wire::plain::Plain;

use super::dialects::{admin, appointease, handler, own_pusher, portico, pusher, pusher_webhook, socketio};
use super::error::Secret;
use super::error::Source;
use super::forms;
use super::outward_settings::{CalendarSettings, RedisChannel, RedisSettings, WebhookSettings};
use super::pusher_settings::OwnPusherSettings;
use super::settings::{
    AccessRuleText, AcmeSettings, AppSettings, AuthSettings, ChannelClass, ChannelRule, HistorySettings,
    HoldSettings, LimitSettings, Listen, LogSettings, MetricsSettings, SessionSettings, Settings,
    TlsSettings, Volume, WebSocketSettings,
};
use super::socketio_backend::MarketplaceSettings;
use super::sources::{Sources, Values};
use super::value::{Held, Row, Value};

/// Something that has values by key: the whole table, or one row of it.
pub(super) trait Keyed {
    fn value(&self, key: &str) -> &Value;

    fn text(&self, key: &str) -> Option<String> {
        match self.value(key) {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn word(&self, key: &str) -> String {
        self.text(key).unwrap_or_default()
    }

    fn texts(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            Value::Texts(texts) => texts.clone(),
            _ => Vec::new(),
        }
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    fn secret(&self, key: &str) -> Option<Secret> {
        self.text(key).map(Secret::new)
    }

    fn amount(&self, key: &str) -> Option<u64> {
        match self.value(key) {
            Value::Number(n) | Value::Size(n) | Value::Time(n) => Some(*n),
            _ => None,
        }
    }

    fn on(&self, key: &str) -> Option<bool> {
        match self.value(key) {
            Value::Flag(on) => Some(*on),
            _ => None,
        }
    }

    fn rows(&self, key: &str) -> &[Row] {
        match self.value(key) {
            Value::Rows(rows) => rows,
            _ => &[],
        }
    }

    /// An amount that has a default.
    fn number(&self, key: &str) -> u64 {
        self.amount(key).unwrap_or_default()
    }

    /// An amount that has a default and fits in memory.
    fn count(&self, key: &str) -> usize {
        usize::try_from(self.number(key)).unwrap_or(usize::MAX)
    }

    /// A flag that has a default.
    fn is(&self, key: &str) -> bool {
        self.on(key).unwrap_or_default()
    }
}

impl Keyed for Values {
    fn value(&self, key: &str) -> &Value {
        &self.held(key).value
    }
}

impl Keyed for BTreeMap<&'static str, Held> {
    fn value(&self, key: &str) -> &Value {
        match self.get(key) {
            Some(held) => &held.value,
            None => panic!("the option table has no field {key}"),
        }
    }
}

/// Makes the settings. The values are known to be sound.
pub fn settings(sources: Sources, values: Values) -> Settings {
    let tls = tls(&values);
    let history = history(&values);
    Settings {
        listen: values.rows("listen").iter().map(|row| listen(row, tls != TlsSettings::Off)).collect(),
        data_dir: values.path("data").unwrap_or_default(),
        ledger: values.secret("ledger"),
        outbox: values.secret("outbox"),
        shards: shards(&values),
        dev: values.is("dev"),
        dev_force: values.is("dev_force"),
        drain_ms: values.number("drain"),
        heartbeat_ms: values.number("heartbeat"),
        trusted_proxies: networks(&values.texts("trusted_proxies")),
        log: log(&values),
        tls,
        apps: apps(&values),
        auth: auth(&values),
        channels: values.rows("channels").iter().map(|row| channel(row, history)).collect(),
        access: values.rows("access").iter().map(access).collect(),
        webhooks: values.rows("webhooks").iter().map(webhook).collect(),
        calendars: values.rows("calendars").iter().map(calendar).collect(),
        redis: redis(&values),
        projections: values.rows("projections").iter().filter_map(projection).collect(),
        cors_origins: values.texts("cors.origins"),
        websocket: WebSocketSettings {
            origins: values.texts("websocket.origins"),
            compression: values.is("websocket.compression"),
            echo: values.is("websocket.echo"),
        },
        session: SessionSettings {
            resume_window_ms: values.number("session.resume_window"),
            presence_grace_ms: values.number("presence.grace"),
        },
        holds: HoldSettings {
            grace_ms: values.number("holds.grace"),
            keep: values.text("holds.on_disconnect").as_deref() == Some("keep"),
        },
        history,
        limits: limits(&values),
        pusher: pusher(&values),
        socketio: socketio(&values),
        portico: portico(&values),
        pusher_webhooks: values.rows("pusher_webhooks").iter().map(pusher_webhook).collect(),
        handlers: values.rows("socketio_handlers").iter().map(handler).collect(),
        operator_secret: values.secret("operator.secret"),
        admin: admin(&values),
        marketplace: MarketplaceSettings { everyone: values.is("marketplace.everyone") },
        appointease: appointease(&values),
        metrics: MetricsSettings {
            enabled: values.is("metrics.enabled"),
            public: values.is("metrics.public"),
        },
        warnings: Vec::new(),
        sources,
        values,
    }
}

fn shards(values: &Values) -> usize {
    match values.count("shards") {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        n => n,
    }
}

fn listen(row: &Row, tls_is_set_up: bool) -> Listen {
    let cells = &row.cells;
    // The form of the address was checked; one that cannot be read would be a bug, and it binds to nothing.
    let addr = cells.word("addr").parse().unwrap_or_else(|_| std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let root = match cells.text("root").as_deref() {
        Some("portico") => Plain::Portico,
        _ => Plain::AppointEase,
    };
    Listen { addr, tls: cells.on("tls").unwrap_or(tls_is_set_up), app: cells.amount("app"), root }
}

fn log(values: &Values) -> LogSettings {
    LogSettings {
        volume: volume(values),
        json: values.word("log.format") == "json",
        enabled: values.is("log.enabled"),
        file: values.path("log.file"),
        warnings_to_stderr: values.is("log.warnings_to_stderr"),
    }
}

fn volume(values: &Values) -> Volume {
    let is_said = !matches!(values.held("log.level").source, Source::Default);
    match values.on("log.debug") {
        Some(true) => Volume::Debug,
        Some(false) => Volume::Quiet,
        None if values.is("dev") && !is_said => Volume::Debug,
        None => Volume::Level(values.word("log.level")),
    }
}

fn tls(values: &Values) -> TlsSettings {
    if let (Some(cert), Some(key)) = (values.path("tls.cert"), values.path("tls.key")) {
        return TlsSettings::Files { cert, key };
    }
    let domains = values.texts("tls.acme.domains");
    if domains.is_empty() {
        return TlsSettings::Off;
    }
    let beside_data = || values.path("data").unwrap_or_default().join("acme");
    TlsSettings::Acme(AcmeSettings {
        domains,
        contact: values.text("tls.acme.contact"),
        directory: values.word("tls.acme.directory"),
        cache: values.path("tls.acme.cache").unwrap_or_else(beside_data),
        ca_file: values.path("tls.acme.ca_file"),
    })
}

fn networks(texts: &[String]) -> Vec<ipnet::IpNet> {
    texts.iter().filter_map(|net| forms::network(net).ok()).collect()
}

fn apps(values: &Values) -> Vec<AppSettings> {
    let first = AppSettings {
        id: values.amount("app.id"),
        key: values.text("app.key"),
        secret: values.secret("app.secret"),
        name: "default".to_owned(),
        origins: Vec::new(),
        pusher: OwnPusherSettings::default(),
    };
    let rows = values.rows("apps");
    let first_is_meant =
        rows.is_empty() || first.id.is_some() || first.key.is_some() || first.secret.is_some();
    let listed = rows.iter().map(|row| {
        let cells = &row.cells;
        let id = cells.amount("id");
        let number = id.map(|id| id.to_string()).unwrap_or_default();
        AppSettings {
            id,
            key: cells.text("key"),
            secret: cells.secret("secret"),
            name: cells.text("name").unwrap_or(number),
            origins: cells.texts("origins"),
            pusher: own_pusher(row),
        }
    });
    first_is_meant.then_some(first).into_iter().chain(listed).collect()
}

fn auth(values: &Values) -> AuthSettings {
    AuthSettings {
        jwt_secret: values.secret("auth.jwt_secret"),
        other_jwt_secret: values.secret("auth.other_jwt_secret"),
        jwt_algorithms: values.texts("auth.jwt_algorithms"),
        jwt_public_key: values.path("auth.jwt_public_key"),
        jwks_url: values.text("auth.jwks_url"),
        jwks_refresh_ms: values.number("auth.jwks_refresh"),
        issuer: values.text("auth.issuer"),
        audience: values.text("auth.audience"),
        leeway_ms: values.number("auth.leeway"),
        cookie: values.text("auth.cookie"),
        user_claim: values.word("auth.user_claim"),
        roles_claim: values.word("auth.roles_claim"),
    }
}

fn history(values: &Values) -> HistorySettings {
    HistorySettings {
        count: values.number("history.count"),
        bytes: values.number("history.bytes"),
        age_ms: values.number("history.age"),
        durable_age_ms: values.number("history.durable_age"),
    }
}

fn channel(row: &Row, history: HistorySettings) -> ChannelRule {
    let cells = &row.cells;
    let durable = cells.is("durable");
    let usual_age = if durable { history.durable_age_ms } else { history.age_ms };
    let class = match cells.word("class").as_str() {
        "latest" => ChannelClass::Latest,
        "ephemeral" => ChannelClass::Ephemeral,
        _ => ChannelClass::Stream,
    };
    ChannelRule {
        pattern: cells.word("pattern"),
        class,
        durable,
        history_count: cells.amount("history_count").unwrap_or(history.count),
        history_bytes: cells.amount("history_bytes").unwrap_or(history.bytes),
        history_age_ms: cells.amount("history_age").unwrap_or(usual_age),
        presence: cells.is("presence"),
    }
}

/// A row of projections, where its data is JSON.
pub(super) fn projection(row: &Row) -> Option<projection::Text> {
    let cells = &row.cells;
    Some(projection::Text {
        dialect: serde_json::from_value(cells.word("dialect").into()).ok()?,
        channel: cells.word("channel"),
        from: cells.word("from"),
        event: cells.word("event"),
        name: cells.word("name"),
        data: serde_json::from_str(&cells.word("data")).ok()?,
    })
}

fn access(row: &Row) -> AccessRuleText {
    let cells = &row.cells;
    AccessRuleText { pattern: cells.word("pattern"), allow: cells.texts("allow"), to: cells.word("to") }
}

fn webhook(row: &Row) -> WebhookSettings {
    let cells = &row.cells;
    WebhookSettings {
        name: cells.word("name"),
        url: cells.word("url"),
        app: cells.amount("app"),
        secret: cells.secret("secret"),
        previous_secret: cells.secret("previous_secret"),
        channels: cells.texts("channels"),
        events: cells.texts("events"),
        timeout_ms: cells.number("timeout"),
        concurrency: cells.count("concurrency"),
        first_wait_ms: cells.number("first_wait"),
        longest_wait_ms: cells.number("longest_wait"),
        patience_ms: cells.number("patience"),
        ca_file: cells.path("ca_file"),
    }
}

fn calendar(row: &Row) -> CalendarSettings {
    let cells = &row.cells;
    CalendarSettings {
        resource: cells.word("resource"),
        url: cells.word("url"),
        source: cells.word("source"),
        app: cells.amount("app"),
        every_ms: cells.number("every"),
        timeout_ms: cells.number("timeout"),
        ca_file: cells.path("ca_file"),
    }
}

fn redis(values: &Values) -> RedisSettings {
    let channel = |row: &Row| {
        let cells = &row.cells;
        RedisChannel { pattern: cells.word("pattern"), kind: cells.word("kind"), app: cells.amount("app") }
    };
    let listed = values.rows("redis.channels").iter().map(channel);
    let is_listed = values.held("redis.channels").source != Source::Default;
    let channels = match values.text("redis.prefix").filter(|_| !is_listed) {
        Some(prefix) => {
            vec![RedisChannel {
                pattern: format!("{}*", prefix.trim_end_matches('*')),
                kind: "laravel".to_owned(),
                app: None,
            }]
        }
        None => listed.collect(),
    };
    RedisSettings {
        host: values.text("redis.host"),
        port: u16::try_from(values.number("redis.port")).unwrap_or_default(),
        user: values.text("redis.user"),
        password: values.secret("redis.password"),
        tls: values.is("redis.tls"),
        ca_file: values.path("redis.ca_file"),
        channels,
    }
}

fn limits(values: &Values) -> LimitSettings {
    LimitSettings {
        frame: values.count("limit.frame"),
        body: values.count("limit.body"),
        header: values.count("limit.header"),
        rate: values.number("limit.rate"),
        burst: values.number("limit.burst"),
        rate_per_address: values.number("limit.rate_per_address"),
        rate_per_identity: values.number("limit.rate_per_identity"),
        subscriptions: values.count("limit.subscriptions"),
        connections: values.count("limit.connections"),
        connections_per_address: values.count("limit.connections_per_address"),
        connect_rate_per_address: values.number("limit.connect_rate_per_address"),
        parked_sessions: values.count("limit.parked_sessions"),
        parked_sessions_per_address: values.count("limit.parked_sessions_per_address"),
        backlog: values.count("limit.backlog"),
        poll_wait_ms: values.number("limit.poll_wait"),
        sse_rotation_ms: values.number("limit.sse_rotation"),
        header_time_ms: values.number("limit.header_time"),
        idle_ms: values.number("limit.idle"),
        stalled_ms: values.number("limit.stalled"),
    }
}
