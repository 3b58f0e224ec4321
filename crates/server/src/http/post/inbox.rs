//! Notifications and preferences.

use std::sync::Arc;

use axum::extract::{Path, State};
use deskbell_core::ids::{EventId, Topic};
use deskbell_core::post::Look;
use deskbell_wire::ledger::named;
use deskbell_wire::post::Kind;

use super::super::asked::Caller;
use super::super::ledger::TOKEN;
use super::super::problem::bad_field;
use super::{Answered, USER, before, limit, look, of, switch};
use crate::clock;
use crate::hub::Hub;

/// Puts a notification into inboxes.
pub async fn notify(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    let made = EventId::from_random(clock::random_bytes());
    super::ask(&hub, &caller.0, Kind::Notify(made)).await
}

/// A page of an inbox, the newest first.
pub async fn list(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    let query = &caller.0.query;
    query.only(&[USER, "before", "limit", "unread", "type", TOKEN])?;
    let topic =
        query.get("type").map(|text| Topic::parse(text).map_err(|no| named("type", no))).transpose()?;
    let wanted = Look::Notifications {
        of: of(query)?,
        before: before(query)?,
        limit: limit(query)?,
        unread: switch(query, "unread")?,
        topic,
    };
    look(&hub, &caller.0, wanted).await
}

/// How much is unread, and what is preferred.
pub async fn inbox(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    caller.0.query.only(&[USER, TOKEN])?;
    let of = of(&caller.0.query)?;
    look(&hub, &caller.0, Look::Inbox { of }).await
}

/// Marks some as read.
pub async fn read(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    super::ask(&hub, &caller.0, Kind::Read).await
}

/// Marks all as read.
pub async fn read_all(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    super::ask(&hub, &caller.0, Kind::ReadAll).await
}

/// Deletes some.
pub async fn delete(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    super::ask(&hub, &caller.0, Kind::Delete(None)).await
}

/// Deletes one.
pub async fn delete_one(State(hub): State<Arc<Hub>>, Path(number): Path<String>, caller: Caller) -> Answered {
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return Err(bad_field("number", "is the number of a notification").into());
    }
    // Digits that do not fit are a number that no notification has.
    let number = number.parse().unwrap_or(u64::MAX);
    super::ask(&hub, &caller.0, Kind::Delete(Some(number))).await
}

/// Deletes all.
pub async fn clear(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    super::ask(&hub, &caller.0, Kind::Clear).await
}

/// Wants something else than before.
pub async fn prefer(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    super::ask(&hub, &caller.0, Kind::Prefer).await
}
