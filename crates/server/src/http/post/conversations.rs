//! Conversations, their members, and what is said.

use std::sync::Arc;

use axum::extract::{Path, State};
use deskbell_core::ids::{ConversationId, UserId};
use deskbell_core::post::Look;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Typing;
use deskbell_wire::ledger::named;
use deskbell_wire::post::Kind;
use serde::Serialize;

use super::super::answer;
use super::super::asked::Caller;
use super::super::ledger::TOKEN;
use super::super::problem::bad_field;
use super::{Answered, USER, before, limit, look, of};
use crate::clock;
use crate::hub::Hub;
use crate::post;

#[derive(Serialize)]
struct Nothing {}

/// Begins one.
pub async fn create(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    super::ask(&hub, &caller.0, Kind::Create).await
}

/// A user's, the one with the newest message first.
pub async fn list(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    let query = &caller.0.query;
    query.only(&[USER, "skip", "limit", TOKEN])?;
    let skip = query.number("skip", 0, usize::MAX / 2)?;
    look(&hub, &caller.0, Look::Conversations { of: of(query)?, skip, limit: limit(query)? }).await
}

/// One of them.
pub async fn one(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    caller.0.query.only(&[USER, TOKEN])?;
    let of = of(&caller.0.query)?;
    look(&hub, &caller.0, Look::Conversation { id: conversation(&id)?, of }).await
}

/// Takes somebody in.
pub async fn add(
    State(hub): State<Arc<Hub>>,
    Path((id, user)): Path<(String, String)>,
    caller: Caller,
) -> Answered {
    super::ask(&hub, &caller.0, Kind::Add(conversation(&id)?, member(&user)?)).await
}

/// Takes somebody out, or oneself.
pub async fn remove(
    State(hub): State<Arc<Hub>>,
    Path((id, user)): Path<(String, String)>,
    caller: Caller,
) -> Answered {
    super::ask(&hub, &caller.0, Kind::Remove(conversation(&id)?, Some(member(&user)?))).await
}

/// What was said, the newest first.
pub async fn messages(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    let query = &caller.0.query;
    query.only(&[USER, "before", "limit", TOKEN])?;
    let wanted = Look::Messages {
        id: conversation(&id)?,
        of: of(query)?,
        before: before(query)?,
        limit: limit(query)?,
    };
    look(&hub, &caller.0, wanted).await
}

/// Says something.
pub async fn send(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    super::ask(&hub, &caller.0, Kind::Send(conversation(&id)?)).await
}

/// Has read what was said.
pub async fn mark(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    super::ask(&hub, &caller.0, Kind::Mark(conversation(&id)?)).await
}

/// Says that somebody writes, or has stopped.
pub async fn typing(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[serde(default)]
        typing: Option<bool>,
    }
    let asked = &caller.0;
    asked.query.only(&[USER, TOKEN])?;
    let body = if asked.body.trim_ascii().is_empty() { b"{}" } else { &asked.body[..] };
    let body: Body = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            return bad_field("typing", "is `true` or `false`, and the only field");
        }
        Refusal::new(Code::BadMessage, "the body is one JSON object; send `{\"typing\":true}`, or nothing")
    })?;
    let typing = Typing {
        conversation: conversation(&id)?,
        of: of(&asked.query)?,
        typing: body.typing.unwrap_or(true),
    };
    post::typing(&hub, &hub.apps[asked.app], &asked.identity, &typing, clock::now_ms())?;
    Ok(answer::of(&Nothing {}))
}

fn conversation(text: &str) -> Result<ConversationId, Refusal> {
    ConversationId::parse(text).map_err(|no| named("id", no))
}

fn member(text: &str) -> Result<UserId, Refusal> {
    UserId::parse(text).map_err(|no| named("user", no))
}
