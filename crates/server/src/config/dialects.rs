//! Makes the typed settings of the dialects out of values that were read and checked.

use super::appointease::AppointEaseSettings;
use super::build::Keyed;
use super::error::Secret;
use super::portico_settings::{ApplicationsFrom, PorticoSettings, SpoolSettings};
use super::pusher_settings::{OwnPusherSettings, PusherSettings, PusherWebhookSettings};
use super::socketio_backend::{AdminSettings, HandlerSettings};
use super::socketio_settings::SocketIoSettings;
use super::sources::Values;
use super::value::Row;

pub(super) fn portico(values: &Values) -> PorticoSettings {
    let applications = match values.word("portico.applications").as_str() {
        "postgres" => ApplicationsFrom::Postgres {
            url: values.secret("portico.database").unwrap_or_else(|| Secret::new(String::new())),
            query: values.word("portico.query"),
        },
        "callback" => ApplicationsFrom::Callback {
            url: values.word("portico.callback"),
            secret: values.secret("portico.callback_secret"),
        },
        _ => ApplicationsFrom::Ledger,
    };
    PorticoSettings {
        enabled: values.is("portico.enabled"),
        app: values.amount("portico.app"),
        relays: values.is("portico.relays"),
        time_zone: values.word("portico.time_zone"),
        server_ping_ms: values.number("portico.server_ping"),
        room_ping_ms: values.number("portico.room_ping"),
        silence_ms: values.number("portico.silence"),
        redis: values.is("portico.redis"),
        spool: values.path("portico.spool").map(|folder| SpoolSettings {
            folder,
            owners: values.texts("portico.spool_owners"),
            scan_ms: values.number("portico.spool_scan"),
        }),
        applications,
        applications_timeout_ms: values.number("portico.applications_timeout"),
    }
}

pub(super) fn pusher(values: &Values) -> PusherSettings {
    PusherSettings {
        enabled: values.is("pusher.enabled"),
        activity_ms: values.number("pusher.activity_timeout"),
        pong_ms: values.number("pusher.pong_timeout"),
        public: values.texts("pusher.public"),
        client_events: values.is("pusher.client_events"),
        client_event_rate: values.number("pusher.client_event_rate") as u32,
        subscription_count: values.is("pusher.subscription_count"),
        members: values.count("pusher.members"),
        data: values.count("pusher.data"),
        channels: values.count("pusher.channels"),
        batch: values.count("pusher.batch"),
        bare_signatures: values.is("pusher.bare_signatures"),
        auth_url: values.text("pusher.auth_url"),
    }
}

pub(super) fn socketio(values: &Values) -> SocketIoSettings {
    let bare = |path: String| path.strip_suffix('/').map_or(path.clone(), str::to_owned);
    SocketIoSettings {
        enabled: values.is("socketio.enabled"),
        paths: values.texts("socketio.paths").into_iter().map(bare).collect(),
        namespaces: values.texts("socketio.namespaces"),
        plain_namespaces: values.texts("socketio.plain_namespaces"),
        recovery: match values.word("socketio.recovery").as_str() {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        },
        ping_interval_ms: values.number("socketio.ping_interval"),
        ping_timeout_ms: values.number("socketio.ping_timeout"),
        upgrade_timeout_ms: values.number("socketio.upgrade_timeout"),
        max_payload: values.count("socketio.max_payload"),
        jwt_secret: values.secret("socketio.jwt_secret"),
        user_claims: values.texts("socketio.user_claims"),
        role_claims: values.texts("socketio.role_claims"),
        token_cookie: values.text("socketio.token_cookie"),
        auth_endpoint: values.text("socketio.auth_endpoint"),
        auth_timeout_ms: values.number("socketio.auth_timeout"),
        sticky_cookie: values.text("socketio.sticky_cookie"),
    }
}

pub(super) fn appointease(values: &Values) -> AppointEaseSettings {
    AppointEaseSettings {
        time_zone: values.text("appointease.time_zone"),
        slot_ms: values.number("appointease.slot"),
        database: values.secret("appointease.database"),
        table: values.word("appointease.table"),
        every_ms: values.number("appointease.every"),
        app: values.amount("appointease.app"),
    }
}

pub(super) fn pusher_webhook(row: &Row) -> PusherWebhookSettings {
    let cells = &row.cells;
    PusherWebhookSettings {
        url: cells.word("url"),
        app: cells.amount("app"),
        events: cells.texts("events"),
        channels: cells.texts("channels"),
        batch: cells.count("batch"),
        timeout_ms: cells.number("timeout"),
        patience_ms: cells.number("patience"),
        returns_ms: cells.number("returns"),
        ca_file: cells.path("ca_file"),
    }
}

pub(super) fn admin(values: &Values) -> Option<AdminSettings> {
    let (username, password) =
        (values.text("socketio_admin.username")?, values.secret("socketio_admin.password")?);
    Some(AdminSettings { username, password })
}

pub(super) fn handler(row: &Row) -> HandlerSettings {
    let cells = &row.cells;
    HandlerSettings {
        url: cells.word("url"),
        app: cells.amount("app"),
        namespaces: cells.texts("namespaces"),
        events: cells.texts("events"),
        secret: cells.secret("secret"),
        timeout_ms: cells.number("timeout"),
        concurrency: cells.count("concurrency"),
        ca_file: cells.path("ca_file"),
    }
}

pub(super) fn own_pusher(row: &Row) -> OwnPusherSettings {
    let cells = &row.cells;
    let count = |key| cells.amount(key).map(|amount| amount as usize);
    OwnPusherSettings {
        enabled: cells.on("pusher_enabled"),
        connections: count("pusher_connections"),
        client_events: cells.on("pusher_client_events"),
        client_event_rate: cells.amount("pusher_client_event_rate").map(|rate| rate as u32),
        subscription_count: cells.on("pusher_subscription_count"),
        members: count("pusher_members"),
        data: count("pusher_data"),
        channels: count("pusher_channels"),
        batch: count("pusher_batch"),
        bare_signatures: cells.on("pusher_bare_signatures"),
        auth_url: cells.text("pusher_auth_url"),
    }
}
