//! Questions to all shards at once.

use std::time::Duration;

use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use tokio::sync::oneshot;

use crate::hub::Hub;
use crate::shard::Letter;

/// Asks every shard, and waits for all answers.
pub async fn ask<T>(hub: &Hub, letter: impl Fn(oneshot::Sender<T>) -> Letter) -> Result<Vec<T>, Refusal> {
    let mut questions = Vec::with_capacity(hub.mailboxes.len());
    for mailbox in &hub.mailboxes {
        let (done, answer) = oneshot::channel();
        mailbox.post(letter(done)).map_err(|_| stuck())?;
        questions.push(answer);
    }
    let all = async {
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            answers.push(question.await.map_err(|_| stopping())?);
        }
        Ok(answers)
    };
    tokio::time::timeout(Duration::from_millis(limits::SHARD_ANSWER), all).await.map_err(|_| stuck())?
}

/// The refusal where a shard takes nothing in or does not answer.
pub fn stuck() -> Refusal {
    Refusal::new(Code::Unavailable, "the server is too busy to take this in; try again in a moment")
}

/// The refusal where a shard went away with the question.
pub fn stopping() -> Refusal {
    Refusal::new(Code::Draining, "the server is stopping; try again in a moment")
}
