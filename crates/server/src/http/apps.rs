//! Apps that are added while the server runs: `/v1/apps`. For the operator of the server, not for the apps'
//! own backends.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Path, Request, State};
use axum::response::Response;
use bytes::Bytes;
use deskbell_core::ids::AppId;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};

use super::answer;
use super::asked::whole;
use super::auth;
use super::problem::{Problem, bad_field};
use super::query::Query;
use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::pusher::Own;
use crate::store::{Filed, Tenant, TenantNote};
use crate::tenants::{self, Record};

type Answered = Result<Response, Problem>;

/// The largest number of an app, as the configuration has it.
const MOST_ID: u64 = u32::MAX as u64;

/// A request of the operator.
#[derive(Debug)]
pub struct Operator {
    body: Bytes,
}

impl FromRequest<Arc<Hub>> for Operator {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        Query::parse(parts.uri.query())?.only(&[])?;
        let shown = auth::bearer(&parts.headers);
        let refused = match &hub.tenants.operator {
            _ if shown.is_none() => {
                Some((Code::Unauthorized, "send `Authorization: Bearer` with operator.secret"))
            }
            None => Some((Code::Denied, "nobody may do this here; set operator.secret and restart")),
            Some(secret) if shown.is_some_and(|shown| secret.is(shown)) => None,
            Some(_) => {
                Some((Code::Unauthorized, "this is not operator.secret; compare it with the configuration"))
            }
        };
        if let Some((code, sentence)) = refused {
            auth::count(hub, &auth::peer(&parts))?;
            return Err(Problem::new(code, sentence));
        }
        let patience = Duration::from_millis(limits::BODY_TIME);
        let body = whole(&parts.headers, body, hub.front.load().body, patience).await?;
        Ok(Self { body })
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    pusher: Own,
}

#[derive(Serialize)]
struct List {
    apps: Vec<Shown>,
}

#[derive(Serialize)]
struct One {
    app: Shown,
    /// Only where it is new: nobody reads it from here later.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    id: u64,
    key: String,
    name: String,
    /// Can it be changed here, or does it stand in the configuration?
    stored: bool,
    pusher: Own,
}

/// Lists the apps, those of the configuration first.
pub async fn list(State(hub): State<Arc<Hub>>, _asked: Operator) -> Answered {
    let apps = hub.apps.iter().map(shown).collect::<Result<_, _>>()?;
    Ok(answer::of(&List { apps }))
}

/// One app.
pub async fn read(State(hub): State<Arc<Hub>>, Path(id): Path<String>, _asked: Operator) -> Answered {
    Ok(answer::of(&One { app: shown(known(&hub, number(&id)?)?)?, secret: None }))
}

/// Adds an app with a number that is free.
pub async fn add(State(hub): State<Arc<Hub>>, asked: Operator) -> Answered {
    let wish = wish(&asked.body)?;
    let newest = hub.apps.ever().map(|app| app.id.0).max().unwrap_or(0);
    let id = wish.id.unwrap_or(newest + 1);
    if !(1..=MOST_ID).contains(&id) {
        return Err(bad_field("id", "is a number from 1 to 4,294,967,295").into());
    }
    if hub.apps.of_id(id).is_some() {
        return Err(taken("an app with this number is there already; PUT /v1/apps/{id} changes it").into());
    }
    create(&hub, AppId(id), wish).await
}

/// Adds the app with this number, or changes it.
pub async fn put(State(hub): State<Arc<Hub>>, Path(id): Path<String>, asked: Operator) -> Answered {
    let (id, wish) = (number(&id)?, wish(&asked.body)?);
    if wish.id.is_some_and(|named| named != id.0) {
        return Err(bad_field("id", "is another number than that of the path").into());
    }
    let Some(app) = hub.apps.of_id(id.0) else { return create(&hub, id, wish).await };
    let before = stored(app)?;
    if wish.key.is_some_and(|key| key != app.key) {
        let sentence =
            "an app keeps its key as long as it is there; add another app, or take this one away first";
        return Err(taken(sentence).into());
    }
    let record =
        Record { secret: wish.secret.clone().unwrap_or(before.secret), name: wish.name, pusher: wish.pusher };
    check(&hub, &record)?;
    match tenants::file(&hub, TenantNote::Changed(record.tenant(id, &app.key))).await? {
        Filed::Done => Ok(answer::of(&One { app: shown(known(&hub, id)?)?, secret: wish.secret })),
        _ => Err(missing().into()),
    }
}

/// Takes an app away: its connections end, and what the ledger has of it stays for when it is added again.
pub async fn take(State(hub): State<Arc<Hub>>, Path(id): Path<String>, _asked: Operator) -> Answered {
    let app = known(&hub, number(&id)?)?;
    stored(app)?;
    let shown = shown(app)?;
    match tenants::file(&hub, TenantNote::Taken(app.id)).await? {
        Filed::Done => Ok(answer::of(&One { app: shown, secret: None })),
        _ => Err(missing().into()),
    }
}

async fn create(hub: &Arc<Hub>, id: AppId, wish: Wish) -> Answered {
    if hub.apps.count() >= limits::APPS {
        let sentence = "there were as many apps since the start as there may be; restart the server";
        return Err(Problem::new(Code::LimitReached, sentence));
    }
    let key = wish.key.unwrap_or_else(|| hex(&clock::random_bytes::<10>()));
    if key.is_empty() || key.len() > limits::APP_KEY || !key.bytes().all(is_of_key) {
        return Err(bad_field("key", "has 1 to 128 of A-Z, a-z, 0-9, `-`, `_` and `.`").into());
    }
    let secret = wish.secret.unwrap_or_else(|| hex(&clock::random_bytes::<20>()));
    let record = Record { secret: secret.clone(), name: wish.name, pusher: wish.pusher };
    check(hub, &record)?;
    if hub.apps.of_key(&key).is_some() {
        return Err(key_taken().into());
    }
    match tenants::file(hub, TenantNote::Added(record.tenant(id, &key))).await? {
        Filed::Done => Ok(answer::of(&One { app: shown(known(hub, id)?)?, secret: Some(secret) })),
        Filed::KeyTaken => Err(key_taken().into()),
        _ => Err(taken("another server has just added an app with this number; take another one").into()),
    }
}

fn check(hub: &Hub, record: &Record) -> Result<(), Refusal> {
    let secret = &record.secret;
    let long = (limits::APP_SECRET_LEAST..=limits::APP_SECRET).contains(&secret.len());
    if !long || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad_field("secret", "has 16 to 200 visible ASCII characters without spaces"));
    }
    if record.name.len() > limits::APP_NAME || record.name.chars().any(char::is_control) {
        return Err(bad_field("name", "has at most 200 bytes, none of them a control character"));
    }
    if let Some((name, least, most)) = record.pusher.beyond() {
        return Err(bad_field(&format!("pusher.{name}"), &format!("is from {least} to {most}")));
    }
    let portion = hub.tenants.recipe.load().portion(secret, &record.pusher);
    portion.map(drop).map_err(|why| Refusal::new(Code::BadField, why))
}

fn wish(body: &[u8]) -> Result<Wish, Refusal> {
    if body.is_empty() {
        return Ok(Wish::default());
    }
    serde_json::from_slice(body).map_err(|error| {
        let code = if error.is_data() { Code::BadField } else { Code::BadMessage };
        let why: String = error.to_string().chars().take(200).flat_map(char::escape_debug).collect();
        Refusal::new(code, format!("the body is no app: {why}"))
    })
}

fn number(text: &str) -> Result<AppId, Refusal> {
    let number = text.parse().ok().filter(|id| (1..=MOST_ID).contains(id));
    number.map(AppId).ok_or_else(|| bad_field("id", "is a number from 1 to 4,294,967,295"))
}

fn known(hub: &Hub, id: AppId) -> Result<&App, Refusal> {
    hub.apps.of_id(id.0).ok_or_else(missing)
}

/// What is stored of an app; the others are changed where they stand.
fn stored(app: &App) -> Result<Record, Refusal> {
    let Some(tenant) = app.tenant.load_full() else {
        return Err(taken("this app stands in the configuration; change it there"));
    };
    record(&tenant)
}

fn record(tenant: &Tenant) -> Result<Record, Refusal> {
    Record::read(tenant).map_err(|why| Refusal::new(Code::Unavailable, why))
}

fn shown(app: &App) -> Result<Shown, Refusal> {
    let (id, key) = (app.id.0, app.key.clone());
    let Some(tenant) = app.tenant.load_full() else {
        return Ok(Shown { id, key, name: String::new(), stored: false, pusher: Own::default() });
    };
    let Record { name, pusher, .. } = record(&tenant)?;
    Ok(Shown { id, key, name, stored: true, pusher })
}

fn missing() -> Refusal {
    Refusal::new(Code::NotFound, "no app has this number; GET /v1/apps lists them")
}

fn key_taken() -> Refusal {
    taken("another app has this key; take another one, or leave it out and have one made")
}

fn taken(sentence: &'static str) -> Refusal {
    Refusal::new(Code::Conflict, sentence)
}

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
