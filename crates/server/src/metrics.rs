//! Counters for operators: Prometheus text at `/metrics`, JSON at `/v1/stats`.

mod errors;

use std::sync::atomic::AtomicU64;

use deskbell_core::log::ResetReason;
use deskbell_core::refusal::Code;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use self::errors::Errors;
use crate::clock;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabel {
    webhook: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RedisLabel {
    redis: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CalendarLabel {
    calendar: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabel {
    webhook: String,
    outcome: &'static str,
}

/// Seconds from publish to the write to the socket, once for each cohort that hears it.
const DELIVERY_BUCKETS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 10.0];

/// All counters of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    started: u64,
    /// Open client connections, of every transport.
    pub connections: Gauge,
    /// Sockets in the front door: a request is under way or the next one is waited for.
    pub visits: Gauge,
    /// Connections that were taken in.
    pub connected: Counter,
    /// Frames written to clients.
    pub deliveries: Counter,
    /// Frames that were read back from history for a client that was behind.
    pub caught_up: Counter,
    /// Messages from clients.
    pub messages_in: Counter,
    /// Events that came in over HTTP.
    pub published: Counter,
    /// Messages that broke the WebSocket protocol.
    pub violations: Counter,
    /// Requests whose head broke HTTP.
    pub bad_requests: Counter,
    /// Connections closed because their client read too slowly.
    pub slow_closed: Counter,
    /// Times that a cohort of a shard fell behind the ring.
    pub shard_fell_off: Counter,
    /// Sessions that were resumed on another shard than they lived on.
    pub moved: Counter,
    /// Seconds from publish to the write to the socket.
    pub publish_to_delivered: Histogram,
    /// Messages that came from Redis.
    pub redis_received: Counter,
    /// Times that the connection to Redis became good.
    pub redis_connections: Counter,
    /// Files of the spool that were told.
    pub spooled: Counter,
    /// Files of the spool that were set aside.
    pub spool_rejected: Counter,
    errors: Errors,
    redis_refused: Family<CodeLabel, Counter>,
    redis: Family<RedisLabel, Gauge>,
    refusals: Family<CodeLabel, Counter>,
    resets: Family<ReasonLabel, Counter>,
    webhooks: Family<AttemptLabel, Counter>,
    webhooks_behind: Family<WebhookLabel, Gauge>,
    calendars: Family<CalendarLabel, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("deskbell"),
            started: clock::now_ms(),
            connections: Gauge::default(),
            visits: Gauge::default(),
            connected: Counter::default(),
            deliveries: Counter::default(),
            caught_up: Counter::default(),
            messages_in: Counter::default(),
            published: Counter::default(),
            violations: Counter::default(),
            bad_requests: Counter::default(),
            slow_closed: Counter::default(),
            shard_fell_off: Counter::default(),
            moved: Counter::default(),
            publish_to_delivered: Histogram::new(DELIVERY_BUCKETS),
            redis_received: Counter::default(),
            redis_connections: Counter::default(),
            spooled: Counter::default(),
            spool_rejected: Counter::default(),
            errors: Errors::default(),
            redis_refused: Family::default(),
            redis: Family::default(),
            refusals: Family::default(),
            resets: Family::default(),
            webhooks: Family::default(),
            webhooks_behind: Family::default(),
            calendars: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("connections", "Open client connections", self.connections.clone());
        registry.register("visits", "Sockets in the front door", self.visits.clone());
        let counters: [(&str, &str, &Counter<u64, AtomicU64>); 14] = [
            ("connected", "Connections taken in", &self.connected),
            ("deliveries", "Frames written to clients", &self.deliveries),
            ("caught_up", "Frames read back from history", &self.caught_up),
            ("messages_in", "Messages from clients", &self.messages_in),
            ("published", "Events published over HTTP", &self.published),
            ("violations", "Messages that broke the WebSocket protocol", &self.violations),
            ("bad_requests", "Requests whose head broke HTTP", &self.bad_requests),
            ("slow_closed", "Connections closed for reading too slowly", &self.slow_closed),
            ("sessions_moved", "Sessions resumed on another shard", &self.moved),
            ("shard_fell_off", "Times that a cohort of a shard fell behind the ring", &self.shard_fell_off),
            ("redis_received", "Messages from Redis", &self.redis_received),
            ("redis_connections", "Times that the connection to Redis became good", &self.redis_connections),
            ("spool_told", "Files of the spool that were told", &self.spooled),
            ("spool_rejected", "Files of the spool that were set aside", &self.spool_rejected),
        ];
        for (name, text, counter) in counters {
            registry.register(name, text, counter.clone());
        }
        registry.register(
            "publish_to_delivered_seconds",
            "Time from publish to the write to the socket",
            self.publish_to_delivered.clone(),
        );
        registry.register("refusals", "Refusals by code", self.refusals.clone());
        registry.register("resets", "Resets by reason", self.resets.clone());
        registry.register("webhooks", "Attempts of webhooks by what became of them", self.webhooks.clone());
        let behind = "Rows and events that have not reached a webhook";
        registry.register("webhooks_behind", behind, self.webhooks_behind.clone());
        let good = "When a calendar was last fetched and understood, in seconds since 1970";
        let refused = "Messages from Redis that were not published, by code";
        registry.register("redis_refused", refused, self.redis_refused.clone());
        registry.register("redis_connected", "Whether Redis is heard", self.redis.clone());
        registry.register("calendar_fetched_timestamp_seconds", good, self.calendars.clone());
        self.begin_at_zero();
    }

    /// A count that first shows at one looks to Prometheus as if nothing had been counted.
    fn begin_at_zero(&self) {
        for code in Code::ALL {
            drop(self.refusals.get_or_create(&CodeLabel { code: code.as_str() }));
        }
        for reason in ResetReason::ALL {
            drop(self.resets.get_or_create(&ReasonLabel { reason: reason.as_str() }));
        }
    }

    /// Counts a refusal.
    pub fn refused(&self, code: Code) {
        self.refusals.get_or_create(&CodeLabel { code: code.as_str() }).inc();
        self.errors.count(code, clock::now_ms());
    }

    /// Counts a reset.
    pub fn reset(&self, reason: ResetReason) {
        self.resets.get_or_create(&ReasonLabel { reason: reason.as_str() }).inc();
    }

    /// Counts what became of an attempt of a webhook.
    pub fn webhook(&self, webhook: &str, outcome: &'static str) {
        self.webhooks.get_or_create(&AttemptLabel { webhook: webhook.to_owned(), outcome }).inc();
    }

    /// Notes how far a webhook is behind.
    pub fn webhook_state(&self, webhook: &str, behind: u64) {
        let label = WebhookLabel { webhook: webhook.to_owned() };
        self.webhooks_behind.get_or_create(&label).set(behind.cast_signed());
    }

    /// Notes when a calendar was fetched and understood.
    pub fn calendar(&self, calendar: &str, at: u64) {
        let label = CalendarLabel { calendar: calendar.to_owned() };
        self.calendars.get_or_create(&label).set((at / 1_000).cast_signed());
    }

    /// Counts a message from Redis that was not published.
    pub fn redis_refused(&self, code: Code) {
        self.redis_refused.get_or_create(&CodeLabel { code: code.as_str() }).inc();
    }

    /// Notes whether a Redis is heard.
    pub fn redis_connected(&self, redis: &str, heard: bool) {
        self.redis.get_or_create(&RedisLabel { redis: redis.to_owned() }).set(i64::from(heard));
    }

    /// Notes that a Redis is not meant to be heard any more.
    pub fn redis_forgotten(&self, redis: &str) {
        self.redis.remove(&RedisLabel { redis: redis.to_owned() });
    }

    /// The Prometheus text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// The same for people and scripts.
    pub fn stats(&self) -> Value {
        let refusals: serde_json::Map<String, Value> = Code::ALL
            .iter()
            .map(|code| {
                (
                    code.as_str().to_owned(),
                    self.refusals.get_or_create(&CodeLabel { code: code.as_str() }).get().into(),
                )
            })
            .collect();
        let resets: serde_json::Map<String, Value> = ResetReason::ALL
            .iter()
            .map(|reason| {
                (
                    reason.as_str().to_owned(),
                    self.resets.get_or_create(&ReasonLabel { reason: reason.as_str() }).get().into(),
                )
            })
            .collect();
        json!({
            "uptime_ms": clock::now_ms() - self.started,
            "connections": self.connections.get(),
            "visits": self.visits.get(),
            "connected": self.connected.get(),
            "deliveries": self.deliveries.get(),
            "caught_up": self.caught_up.get(),
            "messages_in": self.messages_in.get(),
            "published": self.published.get(),
            "violations": self.violations.get(),
            "bad_requests": self.bad_requests.get(),
            "slow_closed": self.slow_closed.get(),
            "shard_fell_off": self.shard_fell_off.get(),
            "errors": self.errors.shown(clock::now_ms()),
            "refusals": refusals,
            "resets": resets,
        })
    }
}
