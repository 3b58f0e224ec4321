//! Everything that changes the ledger: a body becomes a plea, the ruling an answer.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use deskbell_core::ids::{ReservationId, ResourceId, SourceName, WaitId};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{Act, Onlooker, Plea, ShownReply, Step};
use deskbell_wire::ledger::{self as forms, Kind, named};
use serde::Serialize;
use tokio::sync::oneshot;

use super::super::answer;
use super::super::asked::{Asked, Caller, idempotency_key};
use super::super::problem::Problem;
use super::{TOKEN, actor};
use crate::hub::Hub;
use crate::ledger;

pub type Answered = Result<Response, Problem>;

#[derive(Serialize)]
struct Ruled<'a> {
    #[serde(flatten)]
    reply: ShownReply<'a>,
    cursor: String,
}

/// Asks the ledger what a body asks for.
async fn plead(hub: &Arc<Hub>, asked: &Asked, kind: Kind) -> Answered {
    asked.query.only(&[TOKEN])?;
    let text = str::from_utf8(&asked.body)
        .map_err(|_| Refusal::new(Code::BadMessage, "the body is no text; send JSON in UTF-8"))?;
    let mut plea = forms::body(kind, text)?;
    plea.key = idempotency_key(&asked.headers)?;
    plead_for(hub, asked, plea).await
}

/// Asks the ledger, and shows what it rules.
pub async fn plead_for(hub: &Arc<Hub>, asked: &Asked, plea: Plea) -> Answered {
    // Somebody who is neither holder nor staff can only have been allowed a step because it serves there.
    let serves = matches!(plea.act, Act::Step { .. });
    let (app, actor) = (&hub.apps[asked.app], actor(hub, asked));
    let (tell, told) = oneshot::channel();
    // Nobody may be waiting any more; what was asked for happens all the same.
    ledger::ask(hub, app, actor.clone(), plea, move |ruling| drop(tell.send(ruling)));
    let stopped = |_| {
        Refusal::new(
            Code::Unavailable,
            "the store stopped before it answered; send it again with the same key",
        )
    };
    let ruled = told.await.map_err(stopped)??;
    let onlooker = Onlooker { now: ledger::told_at(&ruled), ..ledger::onlooker(hub, &actor) };
    Ok(answer::of(&Ruled { reply: onlooker.reply(&ruled.reply, serves), cursor: app.seal(ruled.at) }))
}

fn reservation(text: &str) -> Result<ReservationId, Refusal> {
    ReservationId::parse(text).map_err(|no| named("id", no))
}

fn wait(text: &str) -> Result<WaitId, Refusal> {
    WaitId::parse(text).map_err(|no| named("id", no))
}

/// Makes or changes a resource.
pub async fn put_resource(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    let id = ResourceId::parse(&id).map_err(|no| named("id", no))?;
    plead(&hub, &caller.0, Kind::PutResource(id)).await
}

/// Replaces the blocks of a source.
pub async fn put_blocks(State(hub): State<Arc<Hub>>, Path(source): Path<String>, caller: Caller) -> Answered {
    let source = SourceName::parse(&source).map_err(|no| named("source", no))?;
    plead(&hub, &caller.0, Kind::Block(source)).await
}

/// Holds a time.
pub async fn hold(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Hold).await
}

/// Holds it longer.
pub async fn extend(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Extend(reservation(&id)?)).await
}

/// Lets go of it.
pub async fn release(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Release(reservation(&id)?)).await
}

/// Makes a booking of it.
pub async fn confirm(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Confirm(reservation(&id)?)).await
}

/// Books without a hold, or over what stands in the way.
pub async fn book(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Book).await
}

/// Moves a booking.
pub async fn reschedule(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Reschedule(reservation(&id)?)).await
}

/// Notes what the host's database calls a booking.
pub async fn link(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Link(reservation(&id)?)).await
}

/// Says yes to a request.
pub async fn approve(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Step(reservation(&id)?, Step::Approve)).await
}

/// Says no to a request.
pub async fn decline(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Step(reservation(&id)?, Step::Decline)).await
}

/// A booking begins.
pub async fn start(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Step(reservation(&id)?, Step::Start)).await
}

/// It is over as planned.
pub async fn complete(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Step(reservation(&id)?, Step::Complete)).await
}

/// It is called off.
pub async fn cancel(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Step(reservation(&id)?, Step::Cancel)).await
}

/// Nobody came.
pub async fn no_show(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Step(reservation(&id)?, Step::NoShow)).await
}

/// Waits for a time.
pub async fn join(State(hub): State<Arc<Hub>>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Join).await
}

/// Waits no more.
pub async fn leave(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Leave(wait(&id)?)).await
}

/// Takes an offer.
pub async fn accept(State(hub): State<Arc<Hub>>, Path(id): Path<String>, caller: Caller) -> Answered {
    plead(&hub, &caller.0, Kind::Accept(wait(&id)?)).await
}
