//! What came out of a run, for people and as JSON.

use std::fmt;

use serde::Serialize;

use super::generator::Mark;
use super::options::Options;
use super::stopwatch::seconds;
use super::swarm::Swarm;

/// Everything that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// How it was called.
    pub options: Options,
    /// What connections cost.
    pub idle: Idle,
    /// What publishing cost, if there was any.
    pub published: Option<Published>,
    /// Publish to receive.
    pub latency: Option<Latency>,
    /// What every subscriber should have got, and did or did not.
    pub checks: Checks,
}

/// Connecting, subscribing, and being there.
#[derive(Debug, Serialize)]
pub struct Idle {
    /// From the first connection to the last subscription.
    pub seconds: f64,
    /// CPU seconds of the server in that time.
    pub cpu_s: Option<f64>,
    /// The way there, every thousand connections.
    pub steps: Vec<Step>,
    /// Resident bytes of the server before.
    pub resident_before: Option<u64>,
    /// Resident bytes of the server after settling.
    pub resident_after: Option<u64>,
}

/// A reading on the way.
#[derive(Debug, Serialize)]
pub struct Step {
    /// Connections subscribed.
    pub connections: usize,
    /// Seconds since the start.
    pub seconds: f64,
    /// CPU seconds of the server since the start.
    pub cpu_s: Option<f64>,
}

/// The measured time.
#[derive(Debug, Serialize)]
pub struct Published {
    /// How long it was.
    pub seconds: f64,
    /// CPU seconds of the server in it.
    pub cpu_s: Option<f64>,
    /// Events confirmed.
    pub events: u64,
    /// Events delivered, to each connection.
    pub deliveries: u64,
    /// Deliveries per second.
    pub deliveries_per_s: f64,
    /// Deliveries per CPU second of the server.
    pub deliveries_per_cpu_s: Option<f64>,
    /// CPU microseconds of the server per event.
    pub cpu_us_per_event: Option<f64>,
    /// Deliveries owed and not yet made at the end.
    pub behind: u64,
    /// Windows that were given up.
    pub stalls: u64,
    /// Seconds from each `go` until all connections were back.
    pub reconnects_s: Vec<f64>,
}

/// In milliseconds.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// Deliveries counted.
    pub count: u64,
    /// Half of them took at most this.
    pub p50_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1,000.
    pub p999_ms: f64,
    /// All.
    pub max_ms: f64,
}

/// Over the whole run, warm-up and drain included.
#[derive(Debug, Serialize)]
pub struct Checks {
    /// Events published.
    pub events: u64,
    /// Deliveries, each counted once.
    pub deliveries: u64,
    /// Events that never came, to each connection.
    pub lost: u64,
    /// Events that came again.
    pub duplicated: u64,
    /// Events that came after a later one. Requests that are on their way together may overtake each other
    /// before the server orders them, so only with `--outstanding 1` must this be 0.
    pub reordered: u64,
    /// Events that never came, where the server had said so with a `reset`.
    pub declared: u64,
    /// Events on connections that had not subscribed to their channel.
    pub misrouted: u64,
    /// `reset` frames.
    pub resets: u64,
    /// Connections that the server ended.
    pub disconnects: u64,
}

impl Published {
    /// What happened between two marks.
    pub fn between(from: &Mark, to: &Mark, behind: u64, stalls: u64) -> Self {
        let time = seconds(to.at - from.at);
        let deliveries = to.delivered - from.delivered;
        let events = to.answered - from.answered;
        let cpu_s = to.cpu_since(from).filter(|&cpu| cpu > 0.0);
        Self {
            seconds: time,
            cpu_s,
            events,
            deliveries,
            deliveries_per_s: deliveries as f64 / time,
            deliveries_per_cpu_s: cpu_s.map(|cpu| deliveries as f64 / cpu),
            cpu_us_per_event: cpu_s.filter(|_| events > 0).map(|cpu| cpu * 1e6 / events as f64),
            behind,
            stalls,
            reconnects_s: Vec::new(),
        }
    }
}

impl Idle {
    /// Resident bytes that each of `connections` added.
    pub fn bytes_per_connection(&self, connections: usize) -> Option<f64> {
        let added = self.resident_after?.saturating_sub(self.resident_before?);
        (connections > 0).then(|| added as f64 / connections as f64)
    }
}

impl Report {
    pub(super) fn new(
        options: Options,
        idle: Idle,
        published: Option<Published>,
        swarm: &Swarm,
        events: u64,
    ) -> Self {
        let (tally, incidents, found) = (swarm.tally, swarm.incidents, &swarm.latency);
        let ms = |share| found.quantile(share) as f64 / 1e3;
        let latency = (found.count() > 0).then(|| Latency {
            count: found.count(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: found.max() as f64 / 1e3,
        });
        let checks = Checks {
            events,
            deliveries: tally.fresh,
            lost: tally.lost,
            duplicated: tally.duplicated,
            reordered: tally.reordered,
            declared: tally.declared,
            misrouted: incidents.misrouted,
            resets: incidents.resets,
            disconnects: incidents.disconnects,
        };
        Self { options, idle, published, latency, checks }
    }

    /// Whether every subscriber got everything once, and nothing else.
    pub fn is_clean(&self) -> bool {
        self.checks.lost == 0 && self.checks.duplicated == 0 && self.checks.misrouted == 0
    }

    /// One line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = self.options.connections;
        writeln!(out, "{} connections to {}", connections, self.options.target)?;
        self.idle.show(connections, out)?;
        if let Some(published) = &self.published {
            published.show(out)?;
        }
        if let Some(it) = &self.latency {
            writeln!(
                out,
                "latency      p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
                it.p50_ms, it.p99_ms, it.p999_ms, it.max_ms
            )?;
        }
        let it = &self.checks;
        write!(
            out,
            "checks       {} events, {} deliveries: {} lost, {} duplicated, {} reordered, {} misrouted, \
             {} declared missing by {} resets, {} disconnects",
            it.events,
            it.deliveries,
            it.lost,
            it.duplicated,
            it.reordered,
            it.misrouted,
            it.declared,
            it.resets,
            it.disconnects
        )
    }
}

impl Idle {
    fn show(&self, connections: usize, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = connections as f64;
        write!(out, "connect      {:.0} connects and subscribes/s", count / self.seconds)?;
        if let Some(cpu) = self.cpu_s.filter(|&cpu| cpu > 0.0) {
            write!(out, ", {:.0} per CPU second of the server", count / cpu)?;
        }
        if let Some(bytes) = self.bytes_per_connection(connections) {
            write!(out, "\nmemory       {bytes:.0} bytes resident per connection")?;
        }
        writeln!(out)
    }
}

impl Published {
    fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "deliver      {:.0}/s", self.deliveries_per_s)?;
        if let Some(rate) = self.deliveries_per_cpu_s {
            write!(out, ", {rate:.0} per CPU second of the server")?;
        }
        write!(out, "\npublish      {} events in {:.2} s", self.events, self.seconds)?;
        if let Some(cost) = self.cpu_us_per_event {
            write!(out, ", {cost:.1} us of the server's CPU for each")?;
        }
        if self.behind > 0 {
            write!(out, "\nbehind       {} deliveries when publishing ended", self.behind)?;
        }
        for gap in &self.reconnects_s {
            write!(out, "\nresumed      all were back after {gap:.2} s")?;
        }
        writeln!(out)
    }
}
