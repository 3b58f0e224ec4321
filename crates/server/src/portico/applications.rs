//! A session's applications that are not finished: from the ledger, a database of the site, or the site itself.
//!
//! What is found is the value of a channel of class `latest`, one for each session, which its pages are subscribed to.
//! So a page that was away gets the newest of them, and a page that asks is answered by a look of its own.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use deskbell_core::access::Identity;
use deskbell_core::ids::{AppId, ChannelName, EventId, Principal, UserId};
use deskbell_core::limits;
use deskbell_core::reservation::State;
use deskbell_wire::portico::SessionId;
use deskbell_wire::portico::applications::{self as said, Applications as Found, Missing};
use deskbell_wire::portico::message::Message;
use deskbell_wire::webhook::{self, Secret};
use http::{Method, header};
use http_body_util::Full;
use tokio::sync::{Notify, Semaphore, oneshot};

use super::publish_of;
use crate::clock;
use crate::hub::{Hub, Outcome};
use crate::outbound::Address;
use crate::store::{Filter, Look, Seen, Shared, connect};

/// Where they come from.
#[derive(Debug)]
pub enum Source {
    /// The holds of the user who is called as the session's room.
    Ledger,
    /// The site's database.
    Postgres {
        /// Which.
        place: Shared,
        /// The query: `$1` is the session's id, the first column of a row is one application.
        query: String,
    },
    /// The site.
    Callback {
        /// Where it is asked.
        address: Address,
        /// What signs; without it one follows from the app's.
        secret: Option<Secret>,
    },
}

/// The looks at one source.
pub struct Applications {
    source: Source,
    timeout: Duration,
    seats: Semaphore,
    /// Sessions of which the ledger has told something, with their apps.
    stale: Mutex<BTreeSet<(AppId, String)>>,
    changed: Notify,
}

impl fmt::Debug for Applications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applications").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// What the channel of a user begins with, on which the ledger tells it of its reservations.
const USER: &str = "user:";
/// What the user begins with who holds for a session.
const SESSION: &str = "session_";
/// What the channel begins with whose value a session's applications are.
const CHANNEL: &str = "applications_";

/// All those channels.
pub const PATTERN: &str = "applications_session_*";

impl Applications {
    /// Looks at this source, each for so long at most.
    pub fn new(source: Source, timeout: Duration) -> Self {
        let seats = Semaphore::new(limits::PORTICO_LOOKS);
        Self { source, timeout, seats, stale: Mutex::default(), changed: Notify::new() }
    }

    /// The ledger has told a user of an app something; where that is a session, its applications have changed.
    pub fn note(&self, app: AppId, channel: &ChannelName) {
        let session = channel.as_str().strip_prefix(USER).filter(|user| user.starts_with(SESSION));
        if let (Source::Ledger, Some(session)) = (&self.source, session) {
            let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
            stale.insert((app, session.to_owned()));
            self.changed.notify_one();
        }
    }

    fn take_stale(&self) -> BTreeSet<(AppId, String)> {
        std::mem::take(&mut *self.stale.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The channel whose value a session's applications are.
pub fn channel(id: &SessionId) -> Option<ChannelName> {
    ChannelName::parse(&format!("{CHANNEL}{}", id.room())).ok()
}

/// Looks a session's applications up.
pub async fn look_up(hub: &Arc<Hub>, app: usize, id: &SessionId) -> Result<Found, Missing> {
    let looking = async {
        let _seat = hub.applications.seats.acquire().await.map_err(|_| Missing::Unreachable)?;
        match &hub.applications.source {
            Source::Ledger => of_ledger(hub, app, id).await,
            Source::Postgres { place, query } => of_database(place, query, id).await,
            Source::Callback { address, secret } => of_site(hub, app, address, secret.as_ref(), id).await,
        }
    };
    let found = tokio::time::timeout(hub.applications.timeout, looking).await;
    found.unwrap_or_else(|_| Err(unreachable(&"there was no answer in time")))
}

async fn of_ledger(hub: &Arc<Hub>, app: usize, id: &SessionId) -> Result<Found, Missing> {
    let holder = UserId::parse(&id.room()).map_err(Missing::Wrong)?;
    let filter =
        Filter { states: vec![State::Held], holder: Some(Principal::User(holder)), ..Filter::default() };
    let look = Look::Reservations { filter, after: None, limit: limits::PORTICO_APPLICATIONS };
    let (tell, told) = oneshot::channel();
    hub.store.look(hub.apps[app].id, look, Box::new(move |seen| drop(tell.send(seen))));
    let seen = told.await.map_err(|_| Missing::Unreachable)?.map_err(Missing::Wrong)?.seen;
    let Seen::Reservations(holds) = seen else { return Err(Missing::Unreachable) };
    let terms = hub.apps[app].portico.load();
    Ok(Found::of_holds(id, holds.iter().map(AsRef::as_ref), terms.stamp(clock::now_ms())))
}

async fn of_database(place: &Shared, query: &str, id: &SessionId) -> Result<Found, Missing> {
    let client = connect(place).await.map_err(|failure| unreachable(&failure))?;
    // A row goes out as text whatever its columns are, because it is passed through as it stands. One more than may
    // be is asked for, so that too many are noticed.
    let most = limits::PORTICO_APPLICATIONS + 1;
    let whole = format!("SELECT row_to_json(found)::text FROM ({query}) AS found LIMIT {most}");
    let rows = client.query(&whole, &[&id.expose()]).await.map_err(|error| unreachable(&error))?;
    let mut list = String::from("[");
    for row in &rows {
        let text: String = row.try_get(0).map_err(|error| unreachable(&error))?;
        if list.len() + text.len() > limits::PORTICO_ANSWER {
            return Err(unreachable(&"the rows have more than 1 MiB"));
        }
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(only_column(&text).unwrap_or(&text));
    }
    list.push(']');
    Found::read(&list).map_err(Missing::Wrong)
}

/// The value of a row's one column, where there is one and it is an object: `{"a":{…}}`.
fn only_column(row: &str) -> Option<&str> {
    let (name, value) = row.split_once(':')?;
    let value = value.strip_suffix('}')?.trim();
    let is_one = name.starts_with('{') && !name.contains(',') && value.starts_with('{');
    is_one.then_some(value).filter(|value| serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok())
}

async fn of_site(
    hub: &Arc<Hub>,
    app: usize,
    address: &Address,
    secret: Option<&Secret>,
    id: &SessionId,
) -> Result<Found, Missing> {
    let body = said::question(id).into_bytes();
    let timestamp = webhook::timestamp(clock::now_ms());
    let name = EventId::from_random(clock::random_bytes());
    let derived = || Secret::derived(&hub.apps[app].secret.expose(), "portico");
    let secret = secret.cloned().unwrap_or_else(derived);
    let request = address
        .request(Method::POST)
        .header(header::CONTENT_TYPE, "application/json")
        .header(webhook::ID, name.as_str())
        .header(webhook::TIMESTAMP, timestamp)
        .header(webhook::SIGNATURE, webhook::signatures(&[secret], name.as_str(), timestamp, &body))
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| unreachable(&error))?;
    let (head, reply) =
        address.whole(request, limits::PORTICO_ANSWER).await.map_err(|broken| unreachable(&broken))?;
    if !head.status.is_success() {
        return Err(unreachable(&format_args!("the site answered {}", head.status.as_u16())));
    }
    Found::read(&String::from_utf8_lossy(&reply)).map_err(Missing::Wrong)
}

/// The operator reads why; the page hears that there is nothing.
fn unreachable(why: &dyn fmt::Display) -> Missing {
    tracing::warn!(%why, "the applications of a session could not be looked up");
    Missing::Unreachable
}

/// Looks a session's applications up, and tells its pages. What cannot be reached is tried again for a while.
pub fn refresh(hub: &Arc<Hub>, app: usize, id: SessionId) {
    let again = hub.clone();
    hub.runtime.spawn(async move {
        let mut wait = Duration::from_millis(limits::PORTICO_FIRST_WAIT);
        for attempt in 1..=limits::PORTICO_ATTEMPTS {
            match look_up(&again, app, &id).await {
                Ok(found) => return show(&again, app, &id, &found),
                Err(Missing::Unreachable) if attempt < limits::PORTICO_ATTEMPTS => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                Err(missing) => {
                    tracing::warn!(?missing, "a session was not told of its applications");
                    return;
                }
            }
        }
    });
}

fn show(hub: &Arc<Hub>, app: usize, id: &SessionId, found: &Found) {
    let (owner, now) = (&hub.apps[app], clock::now_ms());
    let push = said::push(id, found, owner.portico.load().stamp(now));
    let (Some(channel), Ok(message)) = (channel(id), Message::read(&push)) else { return };
    let publish = publish_of(channel, &message, None);
    let heard = |outcome: Outcome| {
        if let Err(refusal) = outcome {
            tracing::warn!(%refusal, "a session was not told of its applications");
        }
    };
    if let Some(outcome) = hub.publish(owner, &Identity::backend(), publish, now, heard) {
        heard(outcome);
    }
}

/// Tells sessions of their applications whenever the ledger has changed them, for ever.
pub async fn follow(hub: Arc<Hub>) {
    loop {
        hub.applications.changed.notified().await;
        for (owner, room) in hub.applications.take_stale() {
            // Another server may have the app.
            let app = hub.apps.iter().find(|app| app.id == owner).map(|app| app.index);
            let id = room.strip_prefix(SESSION).and_then(|id| SessionId::parse(id).ok());
            if let (Some(app), Some(id)) = (app, id) {
                match look_up(&hub, app, &id).await {
                    Ok(found) => show(&hub, app, &id, &found),
                    Err(_) => refresh(&hub, app, id),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_one_object_is_that_object_and_other_rows_are_theirs() {
        assert_eq!(only_column(r#"{"to_json":{"id":1,"b":[]}}"#), Some(r#"{"id":1,"b":[]}"#));
        assert_eq!(only_column(r#"{"id":1,"b":{"c":2}}"#), None);
        assert_eq!(only_column(r#"{"a":{"c":2},"b":{"c":2}}"#), None);
        assert_eq!(only_column(r#"{"a":1}"#), None);
    }

    #[test]
    fn the_ledger_speaks_of_sessions_by_the_channels_of_their_users() {
        let name = |text: &str| ChannelName::parse(text).unwrap();
        let looks = Applications::new(Source::Ledger, Duration::ZERO);
        looks.note(AppId(1), &name("user:session_abc"));
        looks.note(AppId(1), &name("user:session_abc"));
        looks.note(AppId(1), &name("user:7"));
        looks.note(AppId(1), &name("slots:session_abc"));
        assert_eq!(
            looks.take_stale().into_iter().collect::<Vec<_>>(),
            [(AppId(1), "session_abc".to_owned())]
        );
        assert!(looks.take_stale().is_empty());
    }
}
