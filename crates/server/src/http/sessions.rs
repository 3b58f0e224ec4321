//! Who is connected, and how to end it: `/v1/sessions`, `/v1/users/{user}/disconnect`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use deskbell_core::ids::{Principal, PublicId, UserId};
use deskbell_core::refusal::{Code, Refusal};
use serde::Serialize;

use super::answer;
use super::asked::Backend;
use super::problem::Problem;
use super::shards;
use crate::hub::Hub;
use crate::shard::{Letter, SessionFacts, Whom};

/// Sessions in one answer, if nothing is asked for.
const SESSIONS: usize = 100;
/// Sessions in one answer at most; each holds the names of its channels.
const MOST_SESSIONS: usize = 10_000;
/// Sessions of one shard that are looked through for a user's.
const LOOKED_THROUGH: usize = 100_000;

#[derive(Serialize)]
struct Sessions {
    sessions: Vec<SessionFacts>,
}

#[derive(Serialize)]
struct Disconnected {
    disconnected: usize,
}

/// Lists sessions of the app, parked ones too.
pub async fn list(State(hub): State<Arc<Hub>>, asked: Backend) -> Result<Response, Problem> {
    let (app, query) = (asked.0.app, &asked.0.query);
    query.only(&["limit", "user"])?;
    let limit = query.number("limit", SESSIONS, MOST_SESSIONS)?;
    let user = query.get("user").map(UserId::parse).transpose()?;
    let whose = user.map(|user| Principal::User(user).to_string());
    let each = if whose.is_some() { LOOKED_THROUGH } else { limit };
    let answers = shards::ask(&hub, |done| Letter::Sessions { app, limit: each, done }).await?;
    let fits = |facts: &SessionFacts| whose.as_ref().is_none_or(|whose| facts.principal == *whose);
    let sessions = answers.into_iter().flatten().filter(fits).take(limit).collect();
    Ok(answer::of(&Sessions { sessions }))
}

/// Ends one session for good.
pub async fn end(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    asked: Backend,
) -> Result<Response, Problem> {
    asked.0.query.only(&[])?;
    let id = PublicId::parse(&id)?;
    let disconnected = disconnect(&hub, &Whom::Session(asked.0.app, id)).await?;
    if disconnected == 0 {
        return Err(Problem::new(Code::NotFound, "there is no such session; it may have ended already"));
    }
    Ok(answer::of(&Disconnected { disconnected }))
}

/// Ends every session of a user.
pub async fn end_user(
    State(hub): State<Arc<Hub>>,
    Path(user): Path<String>,
    asked: Backend,
) -> Result<Response, Problem> {
    asked.0.query.only(&[])?;
    let user = UserId::parse(&user)?;
    let disconnected = disconnect(&hub, &Whom::User(asked.0.app, user.to_string())).await?;
    Ok(answer::of(&Disconnected { disconnected }))
}

async fn disconnect(hub: &Hub, whom: &Whom) -> Result<usize, Refusal> {
    let ended = shards::ask(hub, |done| Letter::Disconnect { whom: whom.clone(), done }).await?;
    Ok(ended.into_iter().sum())
}
