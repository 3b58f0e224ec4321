//! A person's appointments as the value of a channel of class `latest`, in the shape of the plugin's table.
//!
//! The task that follows the ledger looks them up once when they change, however many pages show them, and a page that
//! is behind gets the newest alone. A page that asks has a look of its own, and is never shown an older state than the
//! channel has.

use deskbell_core::access::Identity;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventName};
use deskbell_core::limits::Millis;
use deskbell_core::refusal::Refusal;
use deskbell_core::reservation::State;
use deskbell_core::vocabulary::Publish;
use deskbell_wire::appointease::rows;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::acts::OF_A_DAY;
use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::store::{Filter, Look, Seen, Sighting};

/// What those channels begin with.
pub const PREFIX: &str = "#appointments:";

/// All of them.
pub const PATTERN: &str = "#appointments:*";

/// A person's appointments, as some row of the ledger left them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Appointments {
    /// The ledger's row up to which they are so.
    row: u64,
    /// How many they are.
    pub count: usize,
    /// The list.
    list: Box<RawValue>,
}

impl Appointments {
    /// The list as JSON.
    pub fn list(&self) -> &str {
        self.list.get()
    }

    /// Reads a channel's value.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// These, or what the person's channel has where that is newer.
    pub fn or_newer(self, app: &App, email: &str) -> Self {
        let Some(channel) = channel(email) else { return self };
        let kept = app.log.with(|log| log.cached(channel.as_str(), clock::now_ms()));
        let kept = kept.and_then(|entry| Self::read(&entry.event.data.bytes));
        kept.filter(|kept| kept.row > self.row).unwrap_or(self)
    }
}

/// The channel whose value a person's appointments are. Nothing, where the address is so long that it has none.
///
/// Channels have fewer characters than addresses; the others are written as numbers.
pub fn channel(email: &str) -> Option<ChannelName> {
    let mut name = PREFIX.to_owned();
    for byte in email.to_ascii_lowercase().bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'@' | b'.' => name.push(char::from(byte)),
            other => name.push_str(&format!("={other:02x}")),
        }
    }
    ChannelName::parse(&name).ok()
}

/// Looks a person's appointments up.
pub fn look_up(
    hub: &Hub,
    app: &App,
    email: &str,
    heard: impl FnOnce(Result<Appointments, Refusal>) + Send + 'static,
) {
    let states = vec![State::Pending, State::Booked, State::Active, State::Completed, State::NoShow];
    let filter = Filter { email: Some(email.into()), states, ..Filter::default() };
    let seen = move |seen: Result<Sighting, Refusal>| heard(seen.map(found));
    let look = Look::Reservations { filter, after: None, limit: OF_A_DAY };
    hub.store.look(app.id, look, Box::new(seen));
}

fn found(sighting: Sighting) -> Appointments {
    let reservations = match sighting.seen {
        Seen::Reservations(found) => found,
        _ => Vec::new(),
    };
    let (list, count) = rows::list(reservations.iter().map(AsRef::as_ref));
    let list = RawValue::from_string(list).expect("a list of objects is JSON");
    Appointments { row: sighting.position, count, list }
}

/// Makes them the value of the person's channel.
pub fn show(hub: &Hub, app: &App, email: &str, appointments: &Appointments, now: Millis) {
    let (Some(channel), Ok(name)) = (channel(email), EventName::parse("appointments")) else { return };
    let json = serde_json::to_vec(appointments).expect("texts and numbers always serialise");
    let publish = Publish { channel, name, data: Data::json(json), id: None, key: None, except: None };
    // Whoever is owed them follows the channel, so nobody waits for what became of it.
    drop(hub.publish(app, &Identity::backend(), publish, now, drop));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_a_channel_of_its_own() {
        let name = |email: &str| channel(email).map(|name| name.to_string());
        assert_eq!(name("Ann@Example.org").as_deref(), Some("#appointments:ann@example.org"));
        assert_eq!(name("ann+x@b.c").as_deref(), Some("#appointments:ann=2bx@b.c"));
        assert_eq!(name("ann=2bx@b.c").as_deref(), Some("#appointments:ann=3d2bx@b.c"));
        assert_eq!(name(&"a".repeat(200)), None);
    }

    #[test]
    fn a_value_comes_back_with_every_member_of_its_rows() {
        let list = RawValue::from_string(r#"[{"total_amount":"12.50"}]"#.to_owned()).unwrap();
        let value = Appointments { row: 7, count: 1, list };
        let again = Appointments::read(&serde_json::to_vec(&value).unwrap()).unwrap();
        assert_eq!((again.row, again.count, again.list()), (7, 1, r#"[{"total_amount":"12.50"}]"#));
        assert!(Appointments::read(b"{}").is_none());
    }
}
