//! Fields become a plea.

use std::sync::Arc;

use deskbell_core::ids::{ConversationId, EventId, Topic, UserId};
use deskbell_core::limits;
use deskbell_core::position::fnv;
use deskbell_core::post::{Act, Beginning, Content, Plea, Preferences, Tone, Ways};
use deskbell_core::refusal::{Code, Refusal};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::kind::Kind;
use crate::ledger::named;
use crate::native::fields::{Fields, bad_field, shown};
use crate::native::json;

/// Reads the body of a request that concerns a user. An empty one is an object without fields.
pub fn body(kind: Kind, of: Option<UserId>, text: &str) -> Result<Plea, Refusal> {
    let mut fields = Fields::of_body();
    if !text.trim_ascii().is_empty() {
        fields.read(text)?;
    }
    fields.only("this request", kind.fields())?;
    plea(kind, of, &mut fields, None)
}

/// Reads what is left of a frame or a body when it is known what it asks for, and for whom.
pub fn plea(
    kind: Kind,
    of: Option<UserId>,
    fields: &mut Fields<'_>,
    key: Option<EventId>,
) -> Result<Plea, Refusal> {
    let whose = of.as_ref().map_or("", UserId::as_str);
    let body = fields.hash() ^ fnv(kind.about().as_bytes()) ^ fnv(whose.as_bytes()).rotate_left(17);
    // Of a body the id is the name of what it makes, and the key of the request at once.
    let key = match (&kind, key) {
        (Kind::Notify(_) | Kind::Send(_), None) => parsed(fields, "id", EventId::parse)?,
        (_, key) => key,
    };
    Ok(Plea { act: act(kind, of, fields, key.as_ref())?, key, body })
}

fn act(
    kind: Kind,
    of: Option<UserId>,
    fields: &mut Fields<'_>,
    id: Option<&EventId>,
) -> Result<Act, Refusal> {
    Ok(match kind {
        Kind::Notify(made) => notify(fields, id.cloned().unwrap_or(made))?,
        Kind::Read => Act::Read { of, numbers: numbers(fields)? },
        Kind::ReadAll => Act::ReadAll { of, up_to: fields.number("up_to")? },
        Kind::Delete(Some(number)) => Act::Delete { of, numbers: vec![number] },
        Kind::Delete(None) => Act::Delete { of, numbers: numbers(fields)? },
        Kind::Clear => Act::Clear { of },
        Kind::Prefer => Act::Prefer { of, preferences: Box::new(preferences(fields)?) },
        Kind::Create => create(fields)?,
        Kind::Add(id, user) => Act::Add { id, user, from: beginning(fields)? },
        Kind::Remove(id, user) => Act::Remove { id, user },
        Kind::Send(conversation) => Act::Send {
            id: conversation,
            of,
            message: id.cloned(),
            data: needed("data", opaque(fields, "data", limits::MESSAGE_DATA)?)?,
        },
        Kind::Mark(id) => Act::Mark { id, of, number: fields.number("number")? },
    })
}

fn notify(fields: &mut Fields<'_>, id: EventId) -> Result<Act, Refusal> {
    let users = recipients(fields)?;
    let title = needed("title", fields.text("title")?)?;
    if title.is_empty() || title.len() > limits::NOTIFICATION_TITLE {
        return Err(bad_field("title", "has 1 to 300 bytes; put the rest into `body`"));
    }
    let body = fields.text("body")?;
    if body.as_ref().is_some_and(|body| body.len() > limits::NOTIFICATION_BODY) {
        return Err(too_large("body", limits::NOTIFICATION_BODY));
    }
    let topic = needed("type", fields.text("type")?)?;
    let content = Content {
        id,
        topic: Topic::parse(&topic).map_err(|no| named("type", no))?,
        title: title.into(),
        body: body.map(Into::into),
        data: opaque(fields, "data", limits::NOTIFICATION_DATA)?,
    };
    if users.len() * content.weight() > limits::NOTIFIED_BYTES {
        let sentence = "this is more than 1 MiB for all users together; tell fewer of them in one request";
        return Err(Refusal::new(Code::TooLarge, sentence));
    }
    Ok(Act::Notify { users, content: Arc::new(content), ways: ways(fields)?, tone: Tone::Rings })
}

fn recipients(fields: &mut Fields<'_>) -> Result<Vec<UserId>, Refusal> {
    let one = parsed(fields, "user", UserId::parse)?;
    match (one, fields.present("users")) {
        (Some(user), None) => Ok(vec![user]),
        (None, Some(raw)) => {
            let users = users("users", raw, limits::NOTIFIED)?;
            if users.is_empty() {
                return Err(bad_field("users", "is empty; name at least one user"));
            }
            Ok(users)
        }
        (Some(_), Some(_)) => Err(bad_field("users", "and `user` exclude each other; send one")),
        (None, None) => Err(bad_field("user", "is missing; say whom to notify, here or in `users`")),
    }
}

/// Users of a list, each once.
fn users(name: &str, raw: &RawValue, most: usize) -> Result<Vec<UserId>, Refusal> {
    let texts: Vec<String> =
        serde_json::from_str(raw.get()).map_err(|_| bad_field(name, "is a list of user ids as strings"))?;
    if texts.len() > most {
        let message = format!("`{name}` has at most {most} entries; send the others in another request");
        return Err(Refusal::new(Code::LimitReached, message));
    }
    let mut users: Vec<UserId> = texts
        .iter()
        .map(|text| UserId::parse(text))
        .collect::<Result<_, _>>()
        .map_err(|no| named(name, no))?;
    users.sort_unstable();
    users.dedup();
    Ok(users)
}

/// The ways that a notification wants to go. Without any it is for the inbox alone.
fn ways(fields: &mut Fields<'_>) -> Result<Ways, Refusal> {
    let Some(raw) = fields.present("ways") else { return Ok(Ways { in_app: true, webhook: false }) };
    let rule = "is a list of at least one of \"in_app\" and \"webhook\"";
    let words: Vec<String> = serde_json::from_str(raw.get()).map_err(|_| bad_field("ways", rule))?;
    let mut ways = Ways { in_app: false, webhook: false };
    for word in &words {
        match word.as_str() {
            "in_app" => ways.in_app = true,
            "webhook" => ways.webhook = true,
            other => {
                return Err(bad_field(
                    "ways",
                    &format!("has `{}`; the ways are in_app, webhook", shown(other)),
                ));
            }
        }
    }
    if words.is_empty() {
        return Err(bad_field("ways", rule));
    }
    Ok(ways)
}

fn numbers(fields: &mut Fields<'_>) -> Result<Vec<u64>, Refusal> {
    let rule = "is a list of the numbers of notifications";
    let raw = needed("numbers", fields.present("numbers"))?;
    let numbers: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| bad_field("numbers", rule))?;
    if numbers.len() > limits::NOTIFICATIONS_NAMED {
        let message = "`numbers` has at most 100 entries; send the others in another request, or read all";
        return Err(Refusal::new(Code::LimitReached, message));
    }
    numbers.into_iter().map(|raw| crate::ledger::whole("numbers", raw)).collect()
}

fn preferences(fields: &mut Fields<'_>) -> Result<Preferences, Refusal> {
    let ways = "has `in_app` and `webhook`, each `true` or `false`; what is left out is on";
    let types = "is an object of types, each with `in_app` and `webhook`";
    let quiet = "has `from` and `to` as times of the day that differ, such as \"22:00\" and \"07:00\", leaves \
                 some of the day, and has `time_zone`, an IANA name such as \"Europe/Oslo\"";
    let preferences = Preferences {
        otherwise: part(fields, "otherwise", ways)?.unwrap_or_default(),
        types: part(fields, "types", types)?.unwrap_or_default(),
        quiet: part(fields, "quiet", quiet)?,
    };
    preferences.check()
}

fn part<T: DeserializeOwned>(fields: &mut Fields<'_>, name: &str, rule: &str) -> Result<Option<T>, Refusal> {
    let Some(raw) = fields.present(name) else { return Ok(None) };
    serde_json::from_str(raw.get()).map(Some).map_err(|_| bad_field(name, rule))
}

fn create(fields: &mut Fields<'_>) -> Result<Act, Refusal> {
    let title = fields.text("title")?;
    if title.as_ref().is_some_and(|title| title.is_empty() || title.len() > limits::CONVERSATION_TITLE) {
        return Err(bad_field("title", "has 1 to 300 bytes, or is left out"));
    }
    let members = needed("members", fields.present("members"))?;
    Ok(Act::Create {
        id: parsed(fields, "id", ConversationId::parse)?,
        title: title.map(Into::into),
        data: opaque(fields, "data", limits::META)?,
        members: users("members", members, limits::MEMBERS)?,
    })
}

fn beginning(fields: &mut Fields<'_>) -> Result<Beginning, Refusal> {
    match fields.text("from")?.as_deref() {
        None | Some("now") => Ok(Beginning::Now),
        Some("start") => Ok(Beginning::Start),
        Some(_) => {
            Err(bad_field("from", "is `now` or `start`: may the new member read what was said before?"))
        }
    }
}

/// JSON that is kept byte for byte.
fn opaque(fields: &mut Fields<'_>, name: &str, most: usize) -> Result<Option<Box<RawValue>>, Refusal> {
    let Some(raw) = fields.present(name) else { return Ok(None) };
    if raw.get().len() > most {
        return Err(too_large(name, most));
    }
    json::check(name, raw.get())?;
    Ok(Some(raw.to_owned()))
}

fn too_large(name: &str, most: usize) -> Refusal {
    let message = format!("`{name}` has at most {most} bytes; send less, and a link to the rest");
    Refusal::new(Code::TooLarge, message)
}

fn needed<T>(name: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| bad_field(name, "is missing"))
}

pub(super) fn parsed<T>(
    fields: &mut Fields<'_>,
    name: &str,
    parse: fn(&str) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    let Some(text) = fields.text(name)? else { return Ok(None) };
    parse(&text).map(Some).map_err(|no| named(name, no))
}
