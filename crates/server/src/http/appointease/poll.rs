//! The long poll of pages without a WebSocket.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use deskbell_core::ids::Principal;
use deskbell_core::pollers::Begun;
use deskbell_core::refusal::Refusal;
use deskbell_wire::appointease::poll::{self as forms, Question, Update};

use super::{Visit, told};
use crate::app::App;
use crate::appointease::{locked, persons};
use crate::clock;
use crate::hub::Hub;

/// Answers with what happened since the question's time, as soon as there is something.
pub async fn poll(
    State(hub): State<Arc<Hub>>,
    axum::extract::RawQuery(raw): axum::extract::RawQuery,
    visit: Visit,
) -> Response {
    let question = forms::question(raw.as_deref().unwrap_or_default());
    let answered = answer(&hub, &visit, &question).await;
    if visit.cookie.is_some() {
        // With the cookie of this answer the next question comes under the visitor's own name.
        let own = visit.asked.identity.principal.to_string();
        let mut updates = locked(&visit.app(&hub).appointease.updates);
        updates.renamed(&poller(&visit.from, &question), &poller(&own, &question));
    }
    visit.answer(answered)
}

async fn answer(hub: &Arc<Hub>, visit: &Visit, question: &Question) -> Result<String, Refusal> {
    let app = visit.app(hub);
    let person = match &visit.asked.identity.principal {
        Principal::User(user) => Some(user.as_str()),
        Principal::Backend | Principal::Visitor(_) => None,
    };
    let who = poller(&visit.from, question);
    let mut newest = app.appointease.newest.subscribe();
    let now = clock::now_ms();
    let mut polling = app.appointease.poll(&who, question.last_update, now);
    let begun = match (&visit.cookie, &question.client_id) {
        (Some(_), None) => {
            let head = locked(&app.appointease.updates).last();
            polling.begun.of_many(question.last_update, head, now)
        }
        _ => polling.begun,
    };
    let patience = Duration::from_millis(hub.front.load().poll_wait);
    let over = tokio::time::sleep(patience);
    tokio::pin!(over);
    loop {
        match since(app, &who, begun, person) {
            None => return Ok(forms::answer(&[], None, begun.after, question.unit)),
            Some((updates, upto)) if !updates.is_empty() || question.last_update.is_none() => {
                return full(hub, app, &who, begun, (&updates, upto), person, question).await;
            }
            Some(_) => {}
        }
        tokio::select! {
            changed = newest.changed() => {
                if changed.is_err() || hub.draining.load(Ordering::Relaxed) {
                    return Err(super::stopped());
                }
            }
            // A newer question is there, and the next look finds that.
            _ = &mut polling.over => {}
            () = &mut over => {
                let upto = since(app, &who, begun, person).map_or(begun.after, |(_, upto)| upto);
                locked(&app.appointease.updates).answered(&who, begun.turn, upto);
                return Ok(forms::answer(&[], None, upto, question.unit));
            }
        }
    }
}

fn since(app: &App, who: &str, begun: Begun, person: Option<&str>) -> Option<(Vec<Update>, u64)> {
    locked(&app.appointease.updates).since(who, begun, person)
}

/// An answer that says something, with the person's appointments where it may be shown them.
async fn full(
    hub: &Arc<Hub>,
    app: &App,
    who: &str,
    begun: Begun,
    (updates, upto): (&[Update], u64),
    person: Option<&str>,
    question: &Question,
) -> Result<String, Refusal> {
    let rows = match person {
        Some(email) => Some(told(|tell| persons::look_up(hub, app, email, tell)).await?.or_newer(app, email)),
        None => None,
    };
    locked(&app.appointease.updates).answered(who, begun.turn, upto);
    Ok(forms::answer(updates, rows.as_ref().map(persons::Appointments::list), upto, question.unit))
}

/// Who polls: several pages of one browser are told apart by what they call themselves.
fn poller(from: &str, question: &Question) -> String {
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{from} {} {}", said(&question.client_id), said(&question.email))
}
