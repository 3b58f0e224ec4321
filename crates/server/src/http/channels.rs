//! What channels hold and who is there: `/v1/channels` and below.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use deskbell_core::class::{Class, Shape};
use deskbell_core::ids::ChannelName;
use deskbell_core::presence::Presence;
use deskbell_core::refusal::Refusal;
use serde::Serialize;
use serde_json::value::RawValue;

use super::answer;
use super::asked::Backend;
use super::problem::Problem;
use super::shards;
use crate::app::App;
use crate::hub::Hub;
use crate::shard::Letter;

/// Channels in one answer, if nothing is asked for.
const CHANNELS: usize = 100;
/// Channels in one answer at most.
const MOST_CHANNELS: usize = 1_000;

/// What is known of one channel.
#[derive(Serialize)]
struct Facts {
    channel: String,
    class: &'static str,
    durable: bool,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Counts {
    events: usize,
    subscribers: usize,
    presence: usize,
}

#[derive(Serialize)]
struct Channels {
    channels: Vec<Facts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Channel {
    #[serde(flatten)]
    facts: Facts,
    cursor: String,
}

#[derive(Serialize)]
struct Members<'a> {
    channel: &'a str,
    members: Vec<Member<'a>>,
    cursor: String,
}

#[derive(Serialize)]
struct Member<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

impl Facts {
    fn new(channel: String, class: &Class, counts: Counts) -> Self {
        let word = match class.shape {
            Shape::Stream => "stream",
            Shape::Latest => "latest",
            Shape::Ephemeral => "ephemeral",
        };
        Self { channel, class: word, durable: class.durable, counts }
    }
}

/// Lists channels that somebody reads or that hold something, by name.
pub async fn list(State(hub): State<Arc<Hub>>, asked: Backend) -> Result<Response, Problem> {
    let query = &asked.0.query;
    query.only(&["prefix", "after", "limit"])?;
    let limit = query.number("limit", CHANNELS, MOST_CHANNELS)?;
    let (prefix, after) = (query.get("prefix").unwrap_or_default(), query.get("after").unwrap_or_default());
    let fits = |name: &str| name.starts_with(prefix) && name > after;
    let app = asked.app(&hub);
    let occupied = occupancy(&hub, app, fits).await?;
    let mut found: BTreeMap<String, Counts> =
        kept(app, fits).into_iter().map(|(name, counts)| (name.to_string(), counts)).collect();
    for (name, subscribers) in occupied {
        found.entry(name).or_default().subscribers += subscribers;
    }
    let more = found.len() > limit;
    let channels: Vec<Facts> = app.log.with(|log| {
        let facts = |(name, counts): (String, Counts)| Facts::new(name.clone(), &log.class(&name), counts);
        found.into_iter().take(limit).map(facts).collect()
    });
    let next = channels.last().filter(|_| more).map(|last| last.channel.clone());
    Ok(answer::of(&Channels { channels, next }))
}

/// Channels that hold something. The log is locked meanwhile, so nothing is made of them here.
fn kept(app: &App, fits: impl Fn(&str) -> bool) -> Vec<(ChannelName, Counts)> {
    app.log.with(|log| {
        let fitting = log.channels().filter(|(name, _)| fits(name.as_str()));
        let counts = fitting.map(|(name, events)| {
            let presence = log.presence(name.as_str()).map_or(0, Presence::len);
            (name.clone(), Counts { events, presence, subscribers: 0 })
        });
        counts.collect()
    })
}

/// Tells about one channel. Every name is a channel, so there is no "not found".
pub async fn one(
    State(hub): State<Arc<Hub>>,
    Path(channel): Path<String>,
    asked: Backend,
) -> Result<Response, Problem> {
    asked.0.query.only(&[])?;
    let channel = ChannelName::parse(&channel)?;
    let app = asked.app(&hub);
    let occupied = occupancy(&hub, app, |name| name == channel.as_str()).await?;
    let subscribers = occupied.into_iter().map(|(_, subscribers)| subscribers).sum();
    let (facts, head) = app.log.with(|log| {
        let name = channel.as_str();
        let presence = log.presence(name).map_or(0, Presence::len);
        let counts = Counts { events: log.kept(name), subscribers, presence };
        (Facts::new(name.to_owned(), &log.class(name), counts), log.head())
    });
    Ok(answer::of(&Channel { facts, cursor: app.seal(head) }))
}

/// Lists who is present in a channel.
pub async fn presence(
    State(hub): State<Arc<Hub>>,
    Path(channel): Path<String>,
    asked: Backend,
) -> Result<Response, Problem> {
    asked.0.query.only(&[])?;
    let channel = ChannelName::parse(&channel)?;
    let app = asked.app(&hub);
    let (present, head) =
        app.log.with(|log| (log.presence(channel.as_str()).cloned().unwrap_or_default(), log.head()));
    // A member who shows nothing has no data, and no JSON is empty.
    let shown = |data| serde_json::from_slice(data).ok();
    let members = present.members().map(|(id, member)| Member { id, data: shown(&member.data) });
    let members = Members { channel: channel.as_str(), members: members.collect(), cursor: app.seal(head) };
    Ok(answer::of(&members))
}

/// Subscribers of the channels that fit, from every shard.
async fn occupancy(
    hub: &Hub,
    app: &App,
    fits: impl Fn(&str) -> bool,
) -> Result<Vec<(String, usize)>, Refusal> {
    let answers = shards::ask(hub, |done| Letter::Occupancy { app: app.index, done }).await?;
    Ok(answers.into_iter().flatten().filter(|(name, _)| fits(name)).collect())
}
