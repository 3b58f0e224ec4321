//! Who is there and what they look at: `get_debug` over the WebSocket, `GET /debug` over HTTP.

use deskbell_core::limits::{Millis, SECOND};
use deskbell_core::projection::iso;
use serde::Serialize;
use serde_json::value::RawValue;

use super::hail::Who;
use super::slot::Slot;
use crate::object::Object;

/// Connections, selections and locks that are listed at most; their numbers are always whole.
pub const LISTED: usize = 200;

/// A connection.
#[derive(Debug, Clone)]
pub struct Client {
    /// Who.
    pub who: Who,
    /// The slot that it watches.
    pub watching: Option<Slot>,
    /// Where it is in the form, as JSON.
    pub step: Option<Box<str>>,
}

/// Somebody looks at a slot.
#[derive(Debug, Clone)]
pub struct Selection {
    /// At which.
    pub slot: Slot,
    /// Who.
    pub who: Who,
    /// Since when.
    pub since: Millis,
}

/// A slot that is locked.
#[derive(Debug, Clone)]
pub struct Lock {
    /// Which.
    pub slot: Slot,
    /// By whom, where that is known here.
    pub who: Option<Who>,
    /// Until when.
    pub until: Millis,
}

/// Everything at one moment.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    /// Connections, all of them.
    pub connected: usize,
    /// Selections, all of them.
    pub selected: usize,
    /// Locks, all of them.
    pub locked: usize,
    /// Some connections.
    pub clients: Vec<Client>,
    /// Some selections.
    pub selections: Vec<Selection>,
    /// Some locks.
    pub locks: Vec<Lock>,
}

#[derive(Serialize)]
struct Watching<'a> {
    date: &'a str,
    time: &'a str,
    #[serde(rename = "employeeId")]
    employee: &'a RawValue,
}

/// What `GET /debug` shows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    connected_clients: usize,
    active_selections: usize,
    clients: Vec<PageClient<'a>>,
    selections: Vec<PageSelection<'a>>,
    timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageClient<'a> {
    id: &'a str,
    email: &'a str,
    is_anonymous: bool,
    watching_slot: Option<Watching<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageSelection<'a> {
    date: &'a str,
    time: &'a str,
    /// A text here, whatever the page sent.
    employee_id: String,
    client_id: &'a str,
    age: String,
}

impl Panel {
    /// The same with every address masked, for whoever has not shown the secret.
    #[must_use]
    pub fn masked(mut self) -> Self {
        self.clients.iter_mut().for_each(|client| client.who = client.who.masked());
        self.selections.iter_mut().for_each(|one| one.who = one.who.masked());
        self.locks.iter_mut().for_each(|one| one.who = one.who.as_ref().map(Who::masked));
        self
    }

    /// The page of `GET /debug`, indented by two.
    pub fn page(&self, now: Millis) -> String {
        let page = Page {
            connected_clients: self.connected,
            active_selections: self.selected,
            clients: self.clients.iter().take(LISTED).map(Client::on_page).collect(),
            selections: self.selections.iter().take(LISTED).map(|one| one.on_page(now)).collect(),
            timestamp: iso(now).unwrap_or_default(),
        };
        serde_json::to_string_pretty(&page).expect("texts and numbers always serialise")
    }

    /// The answer to `get_debug`.
    pub fn info(&self, now: Millis) -> String {
        let clients = self.clients.iter().take(LISTED).map(Client::in_info);
        let selections = self.selections.iter().take(LISTED).map(|one| one.in_info(now));
        let locks = self.locks.iter().take(LISTED).map(|one| one.in_info(now));
        Object::of_type("debug_info")
            .number("connectedClients", self.connected)
            .number("activeSelections", self.selected)
            .number("lockedSlots", self.locked)
            .raw("clients", &list(clients))
            .raw("selections", &list(selections))
            .raw("locks", &list(locks))
            .number("timestamp", now)
            .end()
    }
}

impl Client {
    fn on_page(&self) -> PageClient<'_> {
        PageClient {
            id: self.who.client_id(),
            email: self.who.shown_email(),
            is_anonymous: self.who.is_anonymous(),
            watching_slot: self.watching.as_ref().map(watching),
        }
    }

    fn in_info(&self) -> String {
        Object::new()
            .text("email", self.who.shown_email())
            .value("watchingSlot", &self.watching.as_ref().map(watching))
            .raw("step", self.step.as_deref().unwrap_or(r#""unknown""#))
            .end()
    }
}

impl Selection {
    fn on_page(&self, now: Millis) -> PageSelection<'_> {
        PageSelection {
            date: &self.slot.day.date,
            time: &self.slot.time,
            employee_id: self.slot.day.employee.id(),
            client_id: self.who.client_id(),
            age: self.age(now),
        }
    }

    fn in_info(&self, now: Millis) -> String {
        of_slot(&self.slot).text("age", &self.age(now)).end()
    }

    fn age(&self, now: Millis) -> String {
        format!("{}s", now.saturating_sub(self.since) / SECOND)
    }
}

impl Lock {
    fn in_info(&self, now: Millis) -> String {
        let remaining = format!("{}s", self.until.saturating_sub(now).div_ceil(SECOND));
        of_slot(&self.slot)
            .value("clientId", &self.who.as_ref().map(Who::client_id))
            .text("remaining", &remaining)
            .flag("expired", self.until <= now)
            .end()
    }
}

fn watching(slot: &Slot) -> Watching<'_> {
    let employee = serde_json::from_str(slot.day.employee.json()).expect("an employee's id is JSON");
    Watching { date: &slot.day.date, time: &slot.time, employee }
}

fn of_slot(slot: &Slot) -> Object {
    Object::new()
        .text("date", &slot.day.date)
        .text("time", &slot.time)
        .text("employeeId", &slot.day.employee.id())
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}
