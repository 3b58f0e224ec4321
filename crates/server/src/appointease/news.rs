//! The channels by which pages hear of each other and of the ledger. They begin with `#`, as the server's own ways
//! do, and keep nothing: whoever comes later asks.

use bytes::Bytes;
use deskbell_core::access::Identity;
use deskbell_core::calendar::Wall;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventName, PublicId, ResourceId};
use deskbell_core::limits::Millis;
use deskbell_core::refusal::Refusal;
use deskbell_core::vocabulary::Publish;
use deskbell_wire::appointease::said;
use serde::{Deserialize, Serialize};

use super::site::Changed;
use crate::app::App;
use crate::hub::Hub;

/// What every page hears: frames as they go out.
pub const PAGES: &str = "#appointease";

/// The channel of events that the site publishes for its pages, each under its own name.
pub const EVENTS: &str = "appointease";

/// What becomes of a slot or of a date of an employee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum News {
    /// Somebody has it now.
    Taken {
        /// The date.
        date: String,
        /// The time, as `HH:MM`.
        time: String,
        /// Who, as others may see it. That one need not be told.
        by: String,
    },
    /// These times of the date cannot be had.
    Unavailable {
        /// The date.
        date: String,
        /// The times, as `HH:MM`.
        times: Vec<String>,
    },
}

impl News {
    /// A slot is somebody's.
    pub fn taken(wall: Wall, by: String) -> Self {
        Self::Taken { date: wall.date().to_string(), time: wall.time(), by }
    }

    /// Reads it back.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// The channel of an employee's news.
pub fn channel(resource: &ResourceId) -> Result<ChannelName, Refusal> {
    ChannelName::parse(&format!("{PAGES}:{resource}"))
}

/// Tells those who watch an employee.
pub fn tell(hub: &Hub, app: &App, resource: &ResourceId, news: &News, now: Millis) {
    let Ok(channel) = channel(resource) else { return };
    let json = serde_json::to_vec(news).expect("texts always serialise");
    publish(hub, app, channel, "slot", json.into(), None, now);
}

/// Tells all pages but one what is looked at on a date.
pub fn tell_looks(hub: &Hub, app: &App, (day, times): &Changed, except: Option<PublicId>, now: Millis) {
    let Ok(channel) = ChannelName::parse(PAGES) else { return };
    let frame = said::active_selections(day, times, now);
    publish(hub, app, channel, "active_selections", frame.into(), except, now);
}

fn publish(
    hub: &Hub,
    app: &App,
    channel: ChannelName,
    name: &str,
    json: Bytes,
    except: Option<PublicId>,
    now: Millis,
) {
    let Ok(name) = EventName::parse(name) else { return };
    let publish = Publish { channel, name, data: Data::json(json), id: None, key: None, except };
    // Nobody is owed it, so nobody waits for what became of it.
    drop(hub.publish(app, &Identity::backend(), publish, now, drop));
}
