//! Inboxes and conversations over HTTP: for backends on behalf of a user, whom `user` names, and for users.
//!
//! | part | what |
//! |---|---|
//! | `inbox` | notifications and preferences |
//! | `conversations` | conversations, their members, and what is said |

pub mod conversations;
pub mod inbox;

use std::sync::Arc;

use axum::response::Response;
use deskbell_core::ids::UserId;
use deskbell_core::post::{Look, Reply};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::ledger::named;
use deskbell_wire::post::{self as forms, Kind};
use serde::Serialize;
use tokio::sync::oneshot;

use super::answer;
use super::asked::{Asked, idempotency_key};
use super::ledger::{TOKEN, stopped};
use super::problem::{Problem, bad_field};
use super::query::Query;
use crate::hub::Hub;
use crate::post::{self, Shown};

type Answered = Result<Response, Problem>;

/// The parameter by which a backend says for whom it asks.
const USER: &str = "user";
/// Things on one page, if nothing is asked for.
const USUAL: usize = 50;
/// Things on one page at most.
const MOST: usize = 500;

#[derive(Serialize)]
struct Ran<'a> {
    #[serde(flatten)]
    reply: &'a Reply,
    cursor: String,
}

#[derive(Serialize)]
struct Looked<'a> {
    #[serde(flatten)]
    shown: &'a Shown,
    cursor: String,
}

/// Asks what a body asks for, and waits for what becomes of it.
async fn ask(hub: &Arc<Hub>, asked: &Asked, kind: Kind) -> Answered {
    asked.query.only(if kind.concerns_a_user() { &[USER, TOKEN] } else { &[TOKEN] })?;
    let text = str::from_utf8(&asked.body)
        .map_err(|_| Refusal::new(Code::BadMessage, "the body is no text; send JSON in UTF-8"))?;
    let mut plea = forms::body(kind, of(&asked.query)?, text)?;
    if let Some(key) = idempotency_key(&asked.headers)? {
        plea.key = Some(key);
    }
    let app = &hub.apps[asked.app];
    let (tell, told) = oneshot::channel();
    // Nobody may be waiting any more; what was asked for happens all the same.
    let actor = post::actor(app, Arc::new(asked.identity.clone()));
    post::ask(hub, app, actor, plea, move |result| drop(tell.send(result)));
    let ran = told.await.map_err(|_| stopped())??;
    Ok(answer::of(&Ran { reply: &ran.reply, cursor: app.seal(ran.at) }))
}

/// Looks, and waits for what is seen.
async fn look(hub: &Arc<Hub>, asked: &Asked, look: Look) -> Answered {
    let app = &hub.apps[asked.app];
    let (tell, told) = oneshot::channel();
    let actor = post::actor(app, Arc::new(asked.identity.clone()));
    post::look(hub, app, actor, look, move |found| drop(tell.send(found)));
    let (shown, at) = told.await.map_err(|_| stopped())??.show()?;
    Ok(answer::of(&Looked { shown: &shown, cursor: app.seal(at) }))
}

/// For whom a backend asks.
fn of(query: &Query) -> Result<Option<UserId>, Refusal> {
    query.get(USER).map(|text| UserId::parse(text).map_err(|no| named(USER, no))).transpose()
}

fn limit(query: &Query) -> Result<usize, Refusal> {
    Ok(query.number("limit", USUAL, MOST)?.max(1))
}

/// The number that a page ends before.
fn before(query: &Query) -> Result<Option<u64>, Refusal> {
    match query.get("before") {
        None => Ok(None),
        Some(_) => Ok(Some(query.number("before", 0, usize::MAX)? as u64)),
    }
}

/// A truth value of the query.
fn switch(query: &Query, name: &str) -> Result<bool, Refusal> {
    match query.get(name) {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(_) => Err(bad_field(name, "is `true` or `false`")),
    }
}
