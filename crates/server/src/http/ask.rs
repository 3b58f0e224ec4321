//! `POST /v1/ask`: a backend asks the Socket.IO clients in a room something, and waits for their answers.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use deskbell_core::limits;
use deskbell_core::refusal::Code;
use deskbell_core::vocabulary::Publish;
use deskbell_wire::socketio::encode::is_sayable;

use super::answer;
use super::asked::Backend;
use super::problem::{Problem, bad_field};
use super::publish::body::{self, Wanted};
use super::shards;
use crate::hub::Hub;
use crate::shard::Letter;
use crate::socketio::Question;

/// Asks, and answers when everybody has answered or gone, or when the time is over.
pub async fn ask(State(hub): State<Arc<Hub>>, Backend(asked): Backend) -> Result<Response, Problem> {
    asked.query.only(&["wait"])?;
    let wait = asked.query.number("wait", limits::QUESTION_SECONDS, limits::QUESTION_SECONDS_MOST)?;
    let publish = event(&asked.body)?;
    let Some((number, _place)) = hub.apps[asked.app].questions.begin() else {
        let sentence = "too many questions wait for answers; wait for some of them, or ask with less `wait`";
        return Err(Problem::new(Code::LimitReached, sentence));
    };
    let what = (publish.channel, publish.name, publish.data);
    let question = Arc::new(Question::new(asked.app, number, what, publish.except));
    shards::ask(&hub, |done| Letter::Question { question: question.clone(), done }).await?;
    question.wait(Duration::from_secs(wait as u64)).await;
    Ok(answer::of(&question.outcome()))
}

/// The event of which the question is made.
fn event(text: &[u8]) -> Result<Publish, Problem> {
    let Wanted::One(publish) = body::parse(text)? else {
        return Err(bad_field("events", "is for /v1/publish; ask one thing at a time").into());
    };
    if publish.id.is_some() || publish.key.is_some() {
        let sentence = "`id` and `key` are for what is kept; a question is asked once and kept nowhere";
        return Err(Problem::new(Code::BadField, sentence));
    }
    if !is_sayable(publish.name.as_str()) {
        return Err(bad_field("name", "is one that clients keep for themselves; choose another").into());
    }
    Ok(publish)
}
