//! A session's applications that are not finished.

use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{Reservation, State};
use serde_json::value::RawValue;

use super::session::SessionId;
use super::stamp::Stamp;
use crate::loose::Loose;
use crate::native::json;
use crate::object::Object;

/// Applications as they go out: a JSON list whose items are passed on as they came.
#[derive(Debug, Clone)]
pub struct Applications {
    items: Vec<Box<RawValue>>,
}

/// Why there are none to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The page is in no session.
    NoSession,
    /// Where they are kept does not answer.
    Unreachable,
    /// What came from there is none.
    Wrong(Refusal),
}

impl Applications {
    /// Reads what a source gave: a list of objects, or an object that has it under `applications`.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let wrong = |rule: &str| Refusal::new(Code::BadField, format!("the applications are {rule}"));
        json::check("applications", text)?;
        let within = Loose::read(text, &["applications"]).and_then(|whole| whole.raw("applications"));
        let list = within.map_or(text, RawValue::get);
        let items: Vec<Box<RawValue>> =
            serde_json::from_str(list).map_err(|_| wrong("no list; answer with a list of objects"))?;
        if items.len() > limits::PORTICO_APPLICATIONS {
            return Err(wrong("more than 200; answer with those of one session alone"));
        }
        if items.iter().any(|item| !item.get().starts_with('{')) {
            return Err(wrong("a list of something else; answer with a list of objects"));
        }
        Ok(Self { items })
    }

    /// Those that the ledger knows: what the session holds.
    pub fn of_holds<'a>(
        id: &SessionId,
        holds: impl IntoIterator<Item = &'a Reservation>,
        stamp: Stamp<'_>,
    ) -> Self {
        let held = holds.into_iter().filter(|hold| hold.state == State::Held && hold.is_live(stamp.at));
        let rows = held
            .take(limits::PORTICO_APPLICATIONS)
            .filter_map(|hold| RawValue::from_string(row(hold, id, stamp)).ok());
        Self { items: rows.collect() }
    }

    /// The list as JSON.
    pub fn json(&self) -> String {
        let items: Vec<&str> = self.items.iter().map(|item| item.get()).collect();
        format!("[{}]", items.join(","))
    }

    fn data(&self, id: &SessionId) -> Object {
        Object::new()
            .flag("error", false)
            .text("status", "success")
            .raw("applications", &self.json())
            .number("count", self.items.len())
            .text("sessionId", &id.short())
    }
}

impl Missing {
    fn message(&self) -> String {
        match self {
            Self::NoSession => "No session found".to_owned(),
            Self::Unreachable => "Database not connected".to_owned(),
            Self::Wrong(refusal) => format!("Error processing request: {}", refusal.message),
        }
    }
}

/// What a site is asked for the applications of a session.
pub fn question(id: &SessionId) -> String {
    Object::of_type("partial_applications").text("sessionId", id.expose()).end()
}

/// The answer to a page that asked.
pub fn answer(id: Option<&SessionId>, found: Result<&Applications, &Missing>, stamp: Stamp<'_>) -> String {
    let data = match (id, found) {
        (Some(id), Ok(found)) => found.data(id).end(),
        (None, _) => missing(&Missing::NoSession),
        (Some(_), Err(why)) => missing(why),
    };
    response(&data, stamp)
}

/// The same without having been asked.
pub fn push(id: &SessionId, found: &Applications, stamp: Stamp<'_>) -> String {
    let data = found.data(id).text("source", "server_push").text("timestamp", &stamp.text());
    response(&data.end(), stamp)
}

fn missing(why: &Missing) -> String {
    Object::new().flag("error", true).text("message", &why.message()).text("status", "error").end()
}

fn response(data: &str, stamp: Stamp<'_>) -> String {
    let object = Object::of_type("partial_applications_response").raw("data", data);
    object.text("timestamp", &stamp.text()).end()
}

/// A hold in the shape of an application. What the site noted with it comes first, and what the ledger knows better
/// takes its place.
fn row(hold: &Reservation, id: &SessionId, stamp: Stamp<'_>) -> String {
    let said = hold.meta.as_deref().map(RawValue::get).filter(|meta| meta.starts_with('{')).unwrap_or("{}");
    let time = |at| Stamp { at, zone: stamp.zone }.text();
    let dates: Vec<String> = hold
        .claims
        .iter()
        .enumerate()
        .map(|(nth, granted)| {
            let date = Object::new().text("from_", &time(granted.claim.start));
            date.text("to_", &time(granted.claim.end)).number("id", nth + 1).end()
        })
        .collect();
    let mut names: Vec<&str> = hold.claims.iter().map(|granted| granted.claim.resource.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let resources: Vec<String> = names
        .iter()
        .map(|name| Object::new().raw("id", &number_or_text(name)).text("name", name).end())
        .collect();
    let added = super::message::Added::default()
        .text("status", "NEWPARTIAL1")
        .text("session_id", &id.short())
        .text("created", &time(hold.granted_at))
        .text("modified", &time(hold.granted_at))
        .raw("dates", format!("[{}]", dates.join(",")));
    // What has an id and resources of its own in the site's database keeps them: pages open it by them.
    let keeps = Loose::read(said, &["id", "resources"]);
    let has = |name: &str| keeps.as_ref().is_some_and(|keeps| keeps.raw(name).is_some());
    let added = if has("id") { added } else { added.text("id", hold.id.as_str()) };
    let added =
        if has("resources") { added } else { added.raw("resources", format!("[{}]", resources.join(","))) };
    super::message::Message::read(said).map_or_else(|_| "{}".to_owned(), |said| said.with(&added))
}

/// The number behind the last colon of a resource's name, or the name.
fn number_or_text(name: &str) -> String {
    let last = name.rsplit(':').next().unwrap_or(name);
    let number = !last.is_empty() && last.len() <= 15 && last.bytes().all(|byte| byte.is_ascii_digit());
    if number && (last == "0" || !last.starts_with('0')) {
        last.to_owned()
    } else {
        crate::object::quoted(name)
    }
}
