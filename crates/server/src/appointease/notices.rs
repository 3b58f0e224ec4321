//! What the site's backend says of its appointments. It has happened already, and the ledger follows.

use std::sync::Arc;

use deskbell_core::ids::ExternalRef;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{Act, Claim, Reservation};
use deskbell_core::slotted::{Known, Notice, in_the_slot};
use deskbell_wire::appointease::broadcast::{Broadcast, What};
use deskbell_wire::appointease::poll;
use tokio::sync::oneshot;

use super::news::{self, News};
use super::{acts, site};
use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::store::{Filter, Ruling};

/// Makes the ledger agree with what the site has of an appointment, which is no news: those who watch or poll hear what
/// the ledger tells of it.
pub async fn settle(hub: &Arc<Hub>, app: &App, notice: &Notice) -> Result<(), Refusal> {
    let _turn = app.appointease.notices.lock().await;
    follow(hub, app, notice).await.map(drop)
}

/// Takes in what happened at the site. Notices of one app are taken in one after the other: each is decided by what
/// the ledger has of its appointment.
pub async fn take(hub: &Arc<Hub>, app: &App, told: &Broadcast) -> Result<(), Refusal> {
    let now = clock::now_ms();
    match &told.what {
        What::Appointment(notice) => {
            let _turn = app.appointease.notices.lock().await;
            let person = follow(hub, app, notice).await?;
            let (event, data) = (told.event.as_str().to_owned(), told.data.get().to_owned());
            // What is nobody's whose address is known is told to nobody.
            let person = person.as_deref().unwrap_or_default().to_owned();
            app.appointease.update(poll::What::Appointment(event, data), Some(person), now);
        }
        What::SlotTaken(slot) => {
            let (resource, wall) = (slot.day.employee.resource()?, slot.wall()?);
            news::tell(hub, app, &resource, &News::taken(wall, String::new()), now);
            app.appointease.update(poll::What::Conflict(slot.clone()), None, now);
        }
        What::Told => news::tell_event(hub, app, told, now),
    }
    Ok(())
}

/// Makes the ledger say the same as the site. Gives the address of whose appointment it is.
pub async fn follow(hub: &Arc<Hub>, app: &App, notice: &Notice) -> Result<Option<Arc<str>>, Refusal> {
    let (name, claim, email) = match notice {
        Notice::Is(one) => (&one.external_ref, Some(&one.claim), one.email.clone()),
        Notice::Cancelled(name) => (name, None, None),
    };
    let named = named(hub, app, name).await?;
    let email = email.or_else(|| named.as_ref().and_then(|named| named.email.clone()));
    let there = match claim {
        Some(claim) => of_claim(hub, app, claim).await?,
        None => Vec::new(),
    };
    let now = clock::now_ms();
    let in_the_slot = claim.and_then(|claim| in_the_slot(there.iter().map(Arc::as_ref), claim, now));
    let known = Known { named: named.as_deref(), in_the_slot };
    let Some(act) = notice.act(known, now) else { return Ok(email) };
    let ruling = match (ask(hub, app, act, claim).await, notice.all_the_same()) {
        (Err(refused), Some(act)) if refused.refusal.code == Code::Conflict => {
            ask(hub, app, act, claim).await
        }
        (ruling, _) => ruling,
    };
    ruling.map(|_| email).map_err(|refused| refused.refusal)
}

async fn ask(hub: &Arc<Hub>, app: &App, act: Act, claim: Option<&Claim>) -> Ruling {
    let (tell, told) = oneshot::channel();
    let heard = move |ruling| drop(tell.send(ruling));
    match claim {
        Some(claim) => {
            acts::with_employee(hub, app, acts::backend(app), act, claim.resource.clone(), heard);
        }
        None => acts::ask(hub, app, acts::backend(app), act, heard),
    }
    told.await.unwrap_or_else(|_| Err(crate::store::plainly(stopped())))
}

/// The newest reservation that bears the site's name for it.
async fn named(hub: &Hub, app: &App, name: &ExternalRef) -> Result<Option<Arc<Reservation>>, Refusal> {
    let filter = Filter { external_ref: Some(name.clone()), ..Filter::default() };
    let (tell, told) = oneshot::channel();
    acts::list(hub, app, filter, site::NAMESAKES, move |found| drop(tell.send(found)));
    let found = told.await.map_err(|_| stopped())??;
    // One that was called off may have been made again under the same name.
    Ok(found.into_iter().max_by_key(|one| (!one.state.is_over(), one.version)))
}

async fn of_claim(hub: &Hub, app: &App, claim: &Claim) -> Result<Vec<Arc<Reservation>>, Refusal> {
    let (tell, told) = oneshot::channel();
    acts::of_claim(hub, app, claim, move |found| drop(tell.send(found)));
    told.await.map_err(|_| stopped())?
}

fn stopped() -> Refusal {
    Refusal::new(Code::Draining, "the server is stopping; try again in a moment")
}
