//! `GET /v1/channels/{channel}/events`: a page of a channel's past.
//!
//! It is the one read of the log over HTTP: every event after the cursor, or a reset with its reason.
//! What memory has dropped of a durable channel comes from the store.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use deskbell_core::class::Shape;
use deskbell_core::event::SharedEntry;
use deskbell_core::ids::ChannelName;
use deskbell_core::limits;
use deskbell_core::log::{Bounds, Page, ResetReason, Want};
use deskbell_core::position::Position;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::{self, Reference, poll};
use tokio::sync::oneshot;

use super::answer;
use super::asked::Backend;
use super::problem::Problem;
use crate::app::App;
use crate::hub::Hub;
use crate::store::{LedgerPage, LedgerRead, LedgerWant};

/// Events in one answer, if nothing is asked for.
const EVENTS: usize = 100;

/// One page on its way out.
struct Found {
    entries: Vec<SharedEntry>,
    reset: Option<ResetReason>,
    at: Position,
    more: bool,
}

/// Answers with the events after the cursor; without one, with the oldest that are kept.
pub async fn events(
    State(hub): State<Arc<Hub>>,
    Path(channel): Path<String>,
    asked: Backend,
) -> Result<Response, Problem> {
    let query = &asked.0.query;
    query.only(&["cursor", "limit"])?;
    let channel = ChannelName::parse(&channel)?;
    let limit = query.number("limit", EVENTS, limits::PAGE_EVENTS)?.max(1);
    let bounds = Bounds { events: limit, bytes: limits::PAGE_BYTES };
    let app = asked.app(&hub);
    let opened = query.get("cursor").map(|text| app.cursors.open(text));
    let found = match opened {
        None => oldest(&hub, app, &channel, bounds).await?,
        Some(None) => from_reset(app, &channel, ResetReason::Foreign),
        Some(Some(cursor)) => {
            let shape = app.log.with(|log| log.class(channel.as_str()).shape);
            read(&hub, app, &channel, cursor.place_of(&channel, shape == Shape::Latest), bounds).await?
        }
    };
    if let Some(reason) = found.reset {
        hub.metrics.reset(reason);
    }
    Ok(answer::json(body(app, &channel, &found)))
}

/// The oldest events that are kept, which nobody can have missed anything before.
async fn oldest(hub: &Hub, app: &App, channel: &ChannelName, bounds: Bounds) -> Result<Found, Refusal> {
    let (first, in_memory) = app.log.with(|log| log.beginnings(channel.as_str()));
    let found = read(hub, app, channel, first, bounds).await?;
    match found.reset {
        // The store has dropped the oldest as well; what memory has is complete from there on.
        Some(_) => read(hub, app, channel, in_memory, bounds).await,
        None => Ok(found),
    }
}

async fn read(
    hub: &Hub,
    app: &App,
    channel: &ChannelName,
    at: Position,
    bounds: Bounds,
) -> Result<Found, Refusal> {
    let want = [Want::plain(channel.clone())];
    let (page, head, shape) = app
        .log
        .with(|log| (log.read(&at, &want, None, bounds), log.head(), log.class(channel.as_str()).shape));
    let Some(older) = page.older.first() else { return Ok(from_memory(page, &head)) };
    let wants =
        vec![LedgerWant { channel: channel.clone(), after: older.after, latest: shape == Shape::Latest }];
    let read = LedgerRead { app: app.id, at, wants, until: head.ledger, bounds };
    let (tell, told) = oneshot::channel();
    // Whoever asked may have gone; the page is read for nobody then.
    hub.store.read(read, Box::new(move |page| drop(tell.send(page))));
    let stopped = |_| Refusal::new(Code::Draining, "the server is stopping; try again in a moment");
    let page = told.await.map_err(stopped)??;
    Ok(match page.resets.first() {
        Some((_, reason)) => from_reset(app, channel, *reason),
        None => from_store(page, at),
    })
}

/// What a reader gets who cannot go on: the reason, and the place to begin anew. At the head of a
/// stream nothing is owed; on `latest` all values are.
fn from_reset(app: &App, channel: &ChannelName, reason: ResetReason) -> Found {
    let (at, head) = app.log.with(|log| (log.start_of(channel.as_str()), log.head()));
    Found { entries: Vec::new(), reset: Some(reason), at, more: !at.covers(&head) }
}

fn from_memory(page: Page, head: &Position) -> Found {
    match page.resets.first() {
        Some(reset) => Found {
            entries: Vec::new(),
            reset: Some(reset.reason),
            at: reset.after,
            more: !reset.after.covers(head),
        },
        None => Found { entries: page.entries, reset: None, at: page.at, more: !page.complete },
    }
}

fn from_store(page: LedgerPage, mut at: Position) -> Found {
    for entry in &page.entries {
        at.advance(&entry.after);
    }
    if page.at_ledger > at.ledger {
        (at.ledger, at.ledger_check) = (page.at_ledger, 0);
    }
    Found { entries: page.entries, reset: None, at, more: !page.complete }
}

/// The same form as a poll's answer, and whether there is more.
fn body(app: &App, channel: &ChannelName, found: &Found) -> Vec<u8> {
    let (mut events, mut resets, mut frame) = (Vec::new(), Vec::new(), Vec::new());
    let cursor = app.seal(found.at);
    for entry in &found.entries {
        frame.clear();
        native::event_body(entry, &mut frame);
        native::finish(&app.seal(entry.after), &mut frame);
        poll::gather(&frame, &mut events);
    }
    if let Some(reason) = found.reset {
        frame.clear();
        let notice = Notice::Reset { channel: Some(channel), reason, reload_in_ms: None, cursor: &cursor };
        native::encode(&notice, &Reference::none(), &mut frame);
        poll::gather(&frame, &mut resets);
    }
    let mut out = Vec::with_capacity(events.len() + resets.len() + 256);
    out.extend_from_slice(b"{\"more\":");
    out.extend_from_slice(if found.more { b"true" } else { b"false" });
    // A poll's answer is an object of its own; its fields follow here.
    let mut rest = Vec::new();
    poll::answer(&events, &resets, &cursor, &mut rest);
    out.push(b',');
    out.extend_from_slice(&rest[1..]);
    out
}
