//! The connections of a user: those that have signed in as it, and those that are present as it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use deskbell_wire::pusher::name;
use serde_json::json;

use super::super::problem::Problem;
use super::super::{answer, shards};
use super::signed::Signed;
use crate::hub::Hub;
use crate::shard::{Letter, Whom};

/// Ends them; their clients do not come back by themselves.
pub async fn terminate(
    State(hub): State<Arc<Hub>>,
    Path((_, user)): Path<(String, String)>,
    asked: Signed,
) -> Result<Response, Problem> {
    end(&hub, asked, user).await
}

/// The same, as one library asks for it: without the app in the path.
pub async fn terminate_by_key(
    State(hub): State<Arc<Hub>>,
    Path(user): Path<String>,
    asked: Signed,
) -> Result<Response, Problem> {
    end(&hub, asked, user).await
}

async fn end(hub: &Hub, asked: Signed, user: String) -> Result<Response, Problem> {
    name::user(&user)?;
    let whom = Whom::User(asked.app, user);
    shards::ask(hub, |done| Letter::Disconnect { whom: whom.clone(), done }).await?;
    Ok(answer::of(&json!({})))
}
