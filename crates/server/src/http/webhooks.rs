//! Webhooks for operators: `/v1/webhooks`. Where they are stands in the configuration; here is how they are.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use deskbell_core::ids::AppId;
use deskbell_core::refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::answer;
use super::asked::Backend;
use super::problem::{Problem, bad_field};
use crate::hub::Hub;
use crate::store::{Fate, Found, Letter, Note, Question, Which};
use crate::webhooks::{Handle, OPERATOR, Shown};

type Answered = Result<Response, Problem>;

/// Letters in one answer, if nothing is asked for.
const USUAL: usize = 100;
/// Letters in one answer at most, and letters that one request names.
const MOST: usize = 500;
/// Bytes of letters in one answer, after which it ends: bodies are as large as events may be.
const MOST_BYTES: usize = 4 * 1024 * 1024;

#[derive(Serialize)]
struct List<'a> {
    webhooks: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    name: &'a str,
    /// Host and port alone: a path may hold what belongs to the receiver.
    host: String,
    #[serde(flatten)]
    state: Shown,
}

#[derive(Serialize)]
struct WithSecret<'a> {
    webhook: One<'a>,
    secret: String,
}

#[derive(Serialize)]
struct Letters {
    letters: Vec<ShownLetter>,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Serialize)]
struct ShownLetter {
    letter: u64,
    id: String,
    #[serde(rename = "type")]
    kind: String,
    about: String,
    died_at: u64,
    attempts: u32,
    why: String,
    resending: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Box<serde_json::value::RawValue>>,
}

#[derive(Serialize)]
struct Count {
    letters: u64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default)]
    letters: Option<Vec<u64>>,
}

fn one(handle: &Handle) -> One<'_> {
    let hook = handle.hook();
    One { name: &hook.name, host: hook.address.name(), state: handle.shown() }
}

/// Lists the webhooks of the app, and how each is.
pub async fn list(State(hub): State<Arc<Hub>>, asked: Backend) -> Answered {
    asked.0.query.only(&[])?;
    Ok(answer::of(&List { webhooks: hub.webhooks.of_app(asked.0.app).map(one).collect() }))
}

/// One webhook with the secret that verifies it.
pub async fn read(State(hub): State<Arc<Hub>>, Path(name): Path<String>, asked: Backend) -> Answered {
    asked.0.query.only(&[])?;
    let handle = hub.webhooks.find(asked.0.app, &name)?;
    let secrets = handle.hook().secrets(&asked.app(&hub).secret.expose());
    let secret = secrets.first().map(deskbell_wire::webhook::Secret::expose).unwrap_or_default();
    Ok(answer::of(&WithSecret { webhook: one(handle), secret }))
}

/// Lists dead letters with their bodies, the oldest first.
pub async fn letters(State(hub): State<Arc<Hub>>, Path(name): Path<String>, asked: Backend) -> Answered {
    let query = &asked.0.query;
    query.only(&["after", "limit"])?;
    let limit = query.number("limit", USUAL, MOST)?.max(1);
    let after = query.number("after", 0, usize::MAX)? as u64;
    let handle = hub.webhooks.find(asked.0.app, &name)?;
    let (app, name) = (asked.app(&hub).id, handle.hook().name.clone());
    let wanted = Question::Letters { app, name, after, limit: limit + 1, which: Which::All };
    let (tell, told) = oneshot::channel();
    hub.store.question(wanted, Box::new(move |found| drop(tell.send(found))));
    let Found::Letters(mut found, total) = told.await.map_err(|_| stopped())?? else {
        return Err(Problem::new(Code::Unavailable, "the store answered another question; report this"));
    };
    let more = cut(&mut found, limit);
    let next = found.last().filter(|_| more).map(|letter| letter.at);
    Ok(answer::of(&Letters { letters: found.into_iter().map(shown).collect(), total, next }))
}

/// Leaves as many letters as fit one answer; says whether there are more.
fn cut(found: &mut Vec<Letter>, limit: usize) -> bool {
    let mut bytes = 0;
    let fits = found.iter().take(limit).take_while(|letter| {
        let first = bytes == 0;
        bytes += letter.body.len();
        first || bytes <= MOST_BYTES
    });
    let fits = fits.count();
    let more = fits < found.len();
    found.truncate(fits);
    more
}

fn shown(letter: Letter) -> ShownLetter {
    ShownLetter {
        letter: letter.at,
        id: letter.id,
        kind: letter.kind,
        about: letter.lane,
        died_at: letter.died,
        attempts: letter.attempts,
        why: letter.why,
        resending: letter.due,
        body: serde_json::from_slice(&letter.body).ok(),
    }
}

/// Tries dead letters again.
pub async fn resend(State(hub): State<Arc<Hub>>, Path(name): Path<String>, asked: Backend) -> Answered {
    decide(&hub, &name, &asked, Fate::Resent).await
}

/// Throws dead letters away.
pub async fn discard(State(hub): State<Arc<Hub>>, Path(name): Path<String>, asked: Backend) -> Answered {
    decide(&hub, &name, &asked, Fate::Discarded).await
}

async fn decide(hub: &Hub, name: &str, asked: &Backend, fate: Fate) -> Answered {
    asked.0.query.only(&[])?;
    let handle = hub.webhooks.find(asked.0.app, name)?;
    let which = wish(&asked.0.body)?.letters;
    let letters = note(hub, asked.app(hub).id, &handle.hook().name, which, fate).await?;
    handle.look_at_letters().await;
    Ok(answer::of(&Count { letters }))
}

async fn note(
    hub: &Hub,
    app: AppId,
    name: &str,
    which: Option<Vec<u64>>,
    fate: Fate,
) -> Result<u64, Refusal> {
    let (tell, told) = oneshot::channel();
    let note = Note::Letters { app, name: name.to_owned(), which, fate };
    hub.store.note(note, Box::new(move |said| drop(tell.send(said))));
    told.await.map_err(|_| stopped())?
}

fn wish(body: &[u8]) -> Result<Wish, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(Wish::default());
    }
    let wish: Wish = serde_json::from_slice(body).map_err(|error| {
        let code = if error.is_data() { Code::BadField } else { Code::BadMessage };
        Refusal::new(code, "the body is `{}` for all letters, or {\"letters\":[NUMBER, …]} for some of them")
    })?;
    match &wish.letters {
        Some(letters) if letters.len() > MOST => {
            Err(bad_field("letters", "names more than 500; send several requests, or none to mean all"))
        }
        Some(letters) if letters.iter().any(|at| i64::try_from(*at).is_err()) => {
            Err(bad_field("letters", "has a number that no letter has; take them from the list"))
        }
        _ => Ok(wish),
    }
}

/// Lets a webhook go on that was switched off.
pub async fn enable(State(hub): State<Arc<Hub>>, Path(name): Path<String>, asked: Backend) -> Answered {
    switch(&hub, &name, &asked, None).await
}

/// Sends nothing more until it is enabled; what happens meanwhile is sent then.
pub async fn disable(State(hub): State<Arc<Hub>>, Path(name): Path<String>, asked: Backend) -> Answered {
    switch(&hub, &name, &asked, Some(OPERATOR.to_owned())).await
}

async fn switch(hub: &Hub, name: &str, asked: &Backend, off: Option<String>) -> Answered {
    asked.0.query.only(&[])?;
    let handle = hub.webhooks.find(asked.0.app, name)?;
    handle.switch(off.clone()).await?;
    let mut webhook = one(handle);
    webhook.state.off = off;
    Ok(answer::of(&webhook))
}

fn stopped() -> Refusal {
    Refusal::new(Code::Draining, "the server is stopping; try again in a moment")
}
