//! One resource, reservation, entry of a waitlist or set of blocks, as whoever asks may see it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use deskbell_core::access::Action;
use deskbell_core::ids::{ReservationId, ResourceId, SourceName, WaitId};
use deskbell_core::limits::Millis;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{
    Actor, Onlooker, Reservation, Resource, ShownReservation, ShownResource, Span, WaitView,
};
use deskbell_wire::ledger::named;
use serde::Serialize;

use super::super::answer;
use super::super::asked::{Asked, Backend, Caller};
use super::super::problem::Problem;
use super::{TOKEN, actor, look};
use crate::hub::Hub;
use crate::ledger;
use crate::store::{Look, Seen};

#[derive(Serialize)]
struct OneReservation<'a> {
    reservation: ShownReservation<'a>,
    now: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

#[derive(Serialize)]
struct OneWait<'a> {
    wait: WaitView<'a>,
    now: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

#[derive(Serialize)]
struct OneResource<'a> {
    resource: ShownResource<'a>,
    position: u64,
}

#[derive(Serialize)]
struct Blocks<'a> {
    source: &'a SourceName,
    as_of: Millis,
    blocks: Vec<Block<'a>>,
    version: u64,
    position: u64,
}

#[derive(Serialize)]
struct Block<'a> {
    resource: &'a ResourceId,
    #[serde(flatten)]
    span: Span,
}

/// Tells about a resource: to backends and whoever manages it.
pub async fn resource(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.0.query.only(&[TOKEN])?;
    let id = ResourceId::parse(&id).map_err(|no| named("id", no))?;
    let actor = actor(&hub, &caller.0);
    if !actor.may(Action::Manage, &id, ledger::onlooker(&hub, &actor).now) {
        let sentence = "only a backend reads resources; an access rule can allow `manage`";
        return Err(Problem::new(Code::Denied, sentence));
    }
    let sighting = look(&hub, caller.0.app, Look::Resource(id)).await?;
    let Seen::Resource(Some(found)) = sighting.seen else {
        let sentence = "there is no such resource; make it with PUT on the same path";
        return Err(Problem::new(Code::NotFound, sentence));
    };
    Ok(answer::of(&OneResource { resource: ShownResource::of(&found), position: sighting.position }))
}

/// Tells about a reservation, whatever it is by now: its holder, its provider, and backends.
pub async fn reservation(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.0.query.only(&[TOKEN])?;
    let id = ReservationId::parse(&id).map_err(|no| named("id", no))?;
    let sighting = look(&hub, caller.0.app, Look::Reservation(id)).await?;
    let nobody =
        || Problem::new(Code::NotFound, "there is no such reservation; use an id that the server gave");
    let Seen::Reservation(Some(found)) = sighting.seen else { return Err(nobody()) };
    if found.block.is_some() {
        return Err(nobody());
    }
    let actor = actor(&hub, &caller.0);
    let onlooker = ledger::onlooker(&hub, &actor);
    let serves = serves(&hub, &caller.0, &onlooker, &actor, &found).await?;
    let sight = onlooker.sight(&found, serves).ok_or_else(nobody)?;
    let reservation = onlooker.reservation(&found, sight);
    let position = actor.is_backend().then_some(sighting.position);
    Ok(answer::of(&OneReservation { reservation, now: onlooker.now, position }))
}

/// Does the caller serve at every resource of a reservation? It is looked up only where that decides.
async fn serves(
    hub: &Hub,
    asked: &Asked,
    onlooker: &Onlooker<'_>,
    actor: &Actor,
    found: &Reservation,
) -> Result<bool, Refusal> {
    if actor.identity.user_id().is_none() || onlooker.sight(found, false).is_some() {
        return Ok(false);
    }
    for granted in &found.claims {
        let Some(resource) = one_resource(hub, asked.app, &granted.claim.resource).await? else {
            return Ok(false);
        };
        if !ShownResource::is_served_by(&resource, &actor.identity.principal) {
            return Ok(false);
        }
    }
    Ok(!found.claims.is_empty())
}

/// A resource, if it is there.
pub async fn one_resource(hub: &Hub, app: usize, id: &ResourceId) -> Result<Option<Arc<Resource>>, Refusal> {
    match look(hub, app, Look::Resource(id.clone())).await?.seen {
        Seen::Resource(found) => Ok(found),
        _ => Ok(None),
    }
}

/// Tells about an entry of a waitlist: whoever waits, and backends.
pub async fn wait(
    State(hub): State<Arc<Hub>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.0.query.only(&[TOKEN])?;
    let id = WaitId::parse(&id).map_err(|no| named("id", no))?;
    let sighting = look(&hub, caller.0.app, Look::Wait(id)).await?;
    let nobody = || Problem::new(Code::NotFound, "there is no such entry; use an id that the server gave");
    let Seen::Wait(Some(found)) = sighting.seen else { return Err(nobody()) };
    let actor = actor(&hub, &caller.0);
    let onlooker = ledger::onlooker(&hub, &actor);
    let wait = onlooker.wait(&found).ok_or_else(nobody)?;
    let position = actor.is_backend().then_some(sighting.position);
    Ok(answer::of(&OneWait { wait, now: onlooker.now, position }))
}

/// Tells all blocks of a source.
pub async fn blocks(
    State(hub): State<Arc<Hub>>,
    Path(source): Path<String>,
    asked: Backend,
) -> Result<Response, Problem> {
    asked.0.query.only(&[])?;
    let source = SourceName::parse(&source).map_err(|no| named("source", no))?;
    let sighting = look(&hub, asked.0.app, Look::Reservation(ReservationId::of_source(&source))).await?;
    let found = match &sighting.seen {
        Seen::Reservation(Some(found)) => found.block.as_ref().map(|block| (found, block)),
        _ => None,
    };
    let Some((found, block)) = found else {
        let sentence = "there are no blocks of this source; send some with PUT on the same path";
        return Err(Problem::new(Code::NotFound, sentence));
    };
    let blocks = found
        .claims
        .iter()
        .map(|granted| Block { resource: &granted.claim.resource, span: granted.claim.span() });
    Ok(answer::of(&Blocks {
        source: &source,
        as_of: block.as_of,
        blocks: blocks.collect(),
        version: found.version,
        position: sighting.position,
    }))
}
