//! What channels there are, and who is in them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use deskbell_core::class::is_cached;
use deskbell_core::limits;
use deskbell_core::presence::Presence;
use deskbell_wire::pusher::name;
use deskbell_wire::pusher::trigger::Info;
use serde_json::{Map, Value, json};

use super::super::answer;
use super::super::problem::Problem;
use super::events::misfit;
use super::signed::Signed;
use crate::app::App;
use crate::clock;
use crate::hub::Hub;

/// Every channel that has subscriptions.
pub async fn list(State(hub): State<Arc<Hub>>, asked: Signed) -> Result<Response, Problem> {
    let prefix = asked.query.get("filter_by_prefix").unwrap_or_default();
    let info = Info::parse(asked.query.get("info").unwrap_or_default())?;
    if info.user_count && !prefix.starts_with("presence-") {
        let sentence = "user_count is for presence channels; add filter_by_prefix=presence-";
        return Err(misfit(sentence).into());
    }
    if info.cache {
        return Err(misfit("cache is told of one channel; ask for that channel").into());
    }
    let app = asked.app(&hub);
    let told = app.occupancy.list(prefix).into_iter().map(|(channel, _)| {
        let facts = facts(app, channel.as_str(), info);
        (channel.to_string(), Value::Object(facts))
    });
    Ok(answer::of(&json!({ "channels": told.collect::<Map<_, _>>() })))
}

/// One channel. Every name is a channel, so one without subscriptions is no error.
pub async fn one(
    State(hub): State<Arc<Hub>>,
    Path((_, channel)): Path<(String, String)>,
    asked: Signed,
) -> Result<Response, Problem> {
    let channel = name::channel(&channel)?;
    let info = Info::parse(asked.query.get("info").unwrap_or_default())?;
    if info.user_count && !channel.as_str().starts_with("presence-") {
        return Err(misfit("user_count is for presence channels; leave it out for this one").into());
    }
    if info.cache && !is_cached(channel.as_str()) {
        return Err(
            misfit("cache is for channels whose names begin with cache-, private-cache- and so on").into()
        );
    }
    let app = asked.app(&hub);
    let mut told = facts(app, channel.as_str(), info);
    told.insert("occupied".to_owned(), (app.occupancy.of(channel.as_str()) > 0).into());
    Ok(answer::of(&told))
}

/// The members of a presence channel.
pub async fn users(
    State(hub): State<Arc<Hub>>,
    Path((_, channel)): Path<(String, String)>,
    asked: Signed,
) -> Result<Response, Problem> {
    let channel = name::channel(&channel)?;
    if !channel.as_str().starts_with("presence-") {
        return Err(
            misfit("only presence channels know their users; ask for one whose name begins so").into()
        );
    }
    let ids: Vec<Arc<str>> = asked.app(&hub).log.with(|log| {
        let there = log.presence(channel.as_str());
        there.map(|there| there.members().map(|(id, _)| id.clone()).collect()).unwrap_or_default()
    });
    let users: Vec<Value> = ids.iter().map(|id| json!({ "id": &**id })).collect();
    Ok(answer::of(&json!({ "users": users })))
}

/// What is told of a channel.
pub(super) fn facts(app: &App, channel: &str, info: Info) -> Map<String, Value> {
    let mut told = Map::new();
    if info.user_count {
        let members = app.log.with(|log| log.presence(channel).map_or(0, Presence::len));
        told.insert("user_count".to_owned(), members.into());
    }
    if info.subscription_count {
        told.insert("subscription_count".to_owned(), app.occupancy.of(channel).into());
    }
    if info.cache {
        let now = clock::now_ms();
        let last = app.log.with(|log| log.cached(channel, now));
        let cached = last.map_or(Value::Null, |entry| {
            let until = entry.event.at + limits::CACHED_AGE;
            let data = String::from_utf8_lossy(&entry.event.data.bytes).into_owned();
            json!({ "data": data, "ttl": until.saturating_sub(now) / limits::SECOND })
        });
        told.insert("cache".to_owned(), cached);
    }
    told
}
