//! Triggers: each becomes one event for each of its channels, on the way of all events.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use deskbell_core::access::Identity;
use deskbell_core::ids::ChannelName;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Publish;
use deskbell_wire::pusher::trigger::{self, Info, Trigger};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::answer;
use super::super::problem::Problem;
use super::super::publish::{settled, start};
use super::channels;
use super::signed::Signed;
use crate::app::App;
use crate::clock;
use crate::hub::Hub;

/// One event for up to a hundred channels.
pub async fn trigger(State(hub): State<Arc<Hub>>, asked: Signed) -> Result<Response, Problem> {
    let trigger = trigger::one(&asked.body, asked.terms.bounds)?;
    let app = asked.app(&hub);
    let (channels, info) = (trigger.channels.clone(), trigger.info);
    publish(&hub, app, vec![trigger]).await?;
    if info.is_empty() {
        return Ok(answer::of(&json!({})));
    }
    let told = channels.iter().map(|channel| (channel.to_string(), facts(app, channel, info)));
    Ok(answer::of(&json!({ "channels": told.collect::<Map<_, _>>() })))
}

/// Up to ten events, each for one channel.
pub async fn batch(State(hub): State<Arc<Hub>>, asked: Signed) -> Result<Response, Problem> {
    let triggers = trigger::batch(&asked.body, asked.terms.bounds)?;
    let app = asked.app(&hub);
    let wanted: Vec<(ChannelName, Info)> =
        triggers.iter().filter_map(|one| Some((one.channels.first()?.clone(), one.info))).collect();
    publish(&hub, app, triggers).await?;
    if wanted.iter().all(|(_, info)| info.is_empty()) {
        return Ok(answer::of(&json!({})));
    }
    let told: Vec<Value> = wanted.iter().map(|(channel, info)| facts(app, channel, *info)).collect();
    Ok(answer::of(&json!({ "batch": told })))
}

/// The oldest form: the channel in the path, the name in the query, the data as the body.
pub async fn old(
    State(hub): State<Arc<Hub>>,
    Path((_, channel)): Path<(String, String)>,
    asked: Signed,
) -> Result<Response, Problem> {
    let name = asked.query.get("name").unwrap_or_default();
    let body = String::from_utf8_lossy(&asked.body);
    let written =
        json!({ "name": name, "channel": channel, "data": body, "socket_id": asked.query.get("socket_id") });
    let trigger = trigger::one(written.to_string().as_bytes(), asked.terms.bounds)?;
    publish(&hub, asked.app(&hub), vec![trigger]).await?;
    Ok((StatusCode::ACCEPTED, answer::of(&json!({}))).into_response())
}

/// Publishes all of them, in their order, and waits until they are where they belong.
async fn publish(hub: &Hub, app: &App, triggers: Vec<Trigger>) -> Result<(), Refusal> {
    let (who, now) = (Identity::backend(), clock::now_ms());
    let mut started = Vec::with_capacity(triggers.len());
    for trigger in triggers {
        let Trigger { name, channels, data, except, .. } = trigger;
        for channel in channels {
            let (name, data) = (name.clone(), data.clone());
            let publish = Publish { channel, name, data, id: None, key: None, except };
            started.push(start(hub, app, &who, publish, now));
        }
    }
    let mut refused = None;
    for one in started {
        match settled(one).await {
            Ok(_) => {
                hub.metrics.published.inc();
            }
            Err(refusal) => {
                refused.get_or_insert(refusal);
            }
        }
    }
    refused.map_or(Ok(()), Err)
}

/// What is told of a channel: what does not fit its kind is left out.
fn facts(app: &App, channel: &ChannelName, info: Info) -> Value {
    let is_presence = channel.as_str().starts_with("presence-");
    let fitting = Info { user_count: info.user_count && is_presence, ..info };
    Value::Object(channels::facts(app, channel.as_str(), fitting))
}

/// A refusal of an attribute that does not fit.
pub(super) fn misfit(sentence: &'static str) -> Refusal {
    Refusal::new(Code::BadField, sentence)
}
