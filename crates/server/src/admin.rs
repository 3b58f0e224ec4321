//! What operators see with the admin UI of Socket.IO: numbers, every two seconds, as an event of its namespace.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deskbell_core::event::{Data, Draft, Event, Kind};
use deskbell_core::ids::{ChannelName, EventId, EventName};
use deskbell_core::limits::{Millis, SECOND};
use deskbell_wire::socketio::admin::{Count, Space, Stats};

use crate::clock;
use crate::hub::Hub;

/// Time between two tellings. The UI takes a server for ill of which it hears nothing for ten seconds.
const NEWS: Millis = 2 * SECOND;

/// The channel of everybody in the namespace.
const CHANNEL: &str = "#everybody;admin";

/// What the UI calls the server. It shows the process's number beside it.
const HOST: &str = "deskbell";

/// The counters that are told, as they stood.
#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    connected: u64,
    messages: u64,
    deliveries: u64,
}

/// Tells until the process ends, where there is an operator.
pub async fn tell(hub: Arc<Hub>) {
    if hub.operator.is_none() {
        return;
    }
    let began = clock::now_ms();
    let name = format!("{:016x}", clock::random_u64());
    let mut before = passed(&hub);
    loop {
        tokio::time::sleep(Duration::from_millis(NEWS)).await;
        let (now, after) = (clock::now_ms(), passed(&hub));
        for app in &hub.apps {
            let present = hub.attendance.count(app.index);
            let sockets = present.connections as u64;
            let stats = Stats {
                server_id: &name,
                hostname: HOST,
                pid: std::process::id(),
                uptime: now.saturating_sub(began) / SECOND,
                clients_count: sockets,
                polling_clients_count: app.polling.load(Ordering::Relaxed) as u64,
                aggregated_events: counts(before, after, now),
                namespaces: vec![Space { name: "/", sockets }],
            };
            said(&hub, app.index, stats.json(), now);
        }
        before = after;
    }
}

fn said(hub: &Hub, app: usize, json: String, now: Millis) {
    let id = EventId::from_random(clock::random_bytes());
    let channel = ChannelName::parse(CHANNEL).expect("the built-in names are well formed");
    let name = EventName::parse("server_stats").expect("the built-in names are well formed");
    let event = Event { id, channel, name, data: Data::json(json), at: now };
    // Numbers of a moment: whoever does not listen now is owed nothing.
    let draft = Draft { kind: Kind::Whisper, ..Draft::message(event) };
    // A log that is being written down tells nobody anything more.
    let _ = hub.apps[app].log.with(|log| log.append(draft, None, now));
}

fn passed(hub: &Hub) -> Passed {
    let metrics = &hub.metrics;
    Passed {
        connected: metrics.connected.get(),
        messages: metrics.messages_in.get(),
        deliveries: metrics.deliveries.get(),
    }
}

fn counts(before: Passed, after: Passed, now: Millis) -> Vec<Count> {
    let timestamp = now / SECOND * SECOND;
    let all = [
        ("rawConnection", after.connected - before.connected),
        ("packetsIn", after.messages - before.messages),
        ("packetsOut", after.deliveries - before.deliveries),
    ];
    all.into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| Count { timestamp, what, count })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_happened_is_not_told() {
        let before = Passed { connected: 1, messages: 2, deliveries: 3 };
        let after = Passed { messages: 7, ..before };
        let told = counts(before, after, 12_345);
        assert_eq!(told, [Count { timestamp: 12_000, what: "packetsIn", count: 5 }]);
    }
}
