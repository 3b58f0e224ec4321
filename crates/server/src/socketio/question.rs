//! A question of a backend: an event that each socket in a room answers, until its time is over.
//!
//! Whoever is asked holds a [`Place`]; it is given back with an answer, or empty where the socket goes. The question
//! itself lives only as long as somebody waits for its end, so an answer that comes later finds nothing to answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventName, PublicId};
use deskbell_core::limits;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// The questions of an app.
#[derive(Debug)]
pub struct Questions {
    /// Room for backends that wait for answers.
    room: Semaphore,
    /// The number of the next one.
    next: AtomicU64,
}

impl Default for Questions {
    fn default() -> Self {
        Self { room: Semaphore::new(limits::QUESTIONS), next: AtomicU64::new(0) }
    }
}

impl Questions {
    /// A number for one more, and the place that it takes for as long as somebody waits for its end; nothing, where
    /// too many wait already.
    pub fn begin(&self) -> Option<(u64, SemaphorePermit<'_>)> {
        let place = self.room.try_acquire().ok()?;
        Some((self.next.fetch_add(1, Ordering::Relaxed), place))
    }
}

/// What is asked, where, and what was said.
#[derive(Debug)]
pub struct Question {
    /// The app's index.
    pub app: usize,
    /// The number under which clients answer it.
    pub number: u64,
    /// The room.
    pub channel: ChannelName,
    /// What the event is called.
    pub name: EventName,
    /// Its data.
    pub data: Data,
    /// Whose own socket must not get it.
    pub except: Option<PublicId>,
    answers: Mutex<Answers>,
    /// Somebody has answered or gone.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Answers {
    asked: usize,
    open: usize,
    unasked: usize,
    bytes: usize,
    said: Vec<Answer>,
}

/// What one socket has answered.
#[derive(Debug, Serialize)]
struct Answer {
    session: String,
    namespace: Arc<str>,
    args: Box<RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<String>,
}

impl Answer {
    fn weight(&self) -> usize {
        self.args.get().len() + self.attachments.iter().map(String::len).sum::<usize>()
    }
}

/// What became of a question.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// So many were asked.
    asked: usize,
    /// So many were in the room and were not asked, because there were too many.
    unasked: usize,
    /// What they answered. Those who are missing have not.
    answers: Vec<Answer>,
}

impl Question {
    /// A question that nobody has been asked yet.
    pub fn new(
        app: usize,
        number: u64,
        (channel, name, data): (ChannelName, EventName, Data),
        except: Option<PublicId>,
    ) -> Self {
        let (answers, changed) = (Mutex::default(), Notify::new());
        Self { app, number, channel, name, data, except, answers, changed }
    }

    /// A place for one more socket, as long as there is one.
    pub fn place(self: &Arc<Self>, namespace: &Arc<str>) -> Option<Place> {
        let mut answers = self.answers();
        if answers.asked == limits::QUESTIONED {
            answers.unasked += 1;
            return None;
        }
        answers.asked += 1;
        answers.open += 1;
        let question = Arc::downgrade(self);
        Some(Place { number: self.number, namespace: namespace.clone(), question, is_open: true })
    }

    /// Waits until nobody is left who might answer, or the time is over.
    pub async fn wait(&self, time: Duration) {
        let all = async {
            loop {
                let changed = self.changed.notified();
                if self.answers().open == 0 {
                    return;
                }
                changed.await;
            }
        };
        // Whoever has not answered by then is missing in the outcome.
        let _ = tokio::time::timeout(time, all).await;
    }

    /// What has been answered by now.
    pub fn outcome(&self) -> Outcome {
        let mut answers = self.answers();
        let said = std::mem::take(&mut answers.said);
        Outcome { asked: answers.asked, unasked: answers.unasked, answers: said }
    }

    fn end_one(&self, answer: Option<Answer>) {
        let mut answers = self.answers();
        answers.open -= 1;
        if let Some(answer) = answer {
            let bytes = answers.bytes + answer.weight();
            if bytes <= limits::ANSWERS_BYTES {
                answers.bytes = bytes;
                answers.said.push(answer);
            }
        }
        drop(answers);
        self.changed.notify_one();
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, Answers> {
        // Each change of it is one step, so whoever panicked elsewhere has left it whole.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One socket that was asked.
#[derive(Debug)]
pub struct Place {
    /// The number under which it answers.
    pub number: u64,
    /// In which namespace it was asked.
    pub namespace: Arc<str>,
    question: Weak<Question>,
    is_open: bool,
}

impl Place {
    /// The socket answers; `args` are JSON values with commas between them, and bytes may belong to them.
    pub fn answer(mut self, socket: PublicId, args: &str, attachments: &[Bytes]) {
        let args = RawValue::from_string(format!("[{args}]"));
        let answer = args.ok().map(|args| Answer {
            session: socket.to_string(),
            namespace: self.namespace.clone(),
            args,
            attachments: attachments.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
        });
        self.is_open = false;
        if let Some(question) = self.question.upgrade() {
            question.end_one(answer);
        }
    }

    /// Does anybody still wait for the answer?
    pub fn is_awaited(&self) -> bool {
        self.question.strong_count() > 0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(question) = self.question.upgrade().filter(|_| self.is_open) {
            question.end_one(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Arc<Question> {
        let what = (
            ChannelName::parse("lobby").unwrap(),
            EventName::parse("ready").unwrap(),
            Data::json("1".to_owned()),
        );
        Arc::new(Question::new(0, 0, what, None))
    }

    fn shown(question: &Question) -> String {
        serde_json::to_string(&question.outcome()).unwrap()
    }

    #[tokio::test]
    async fn it_ends_when_each_has_answered_or_gone() {
        let question = question();
        let root: Arc<str> = "/".into();
        let [one, other] = [(); 2].map(|()| question.place(&root).unwrap());
        one.answer(PublicId(7 << 32 | 9), "true,2", &[]);
        drop(other);
        question.wait(Duration::MAX).await;
        let expected =
            r#"{"asked":2,"unasked":0,"answers":[{"session":"7.9","namespace":"/","args":[true,2]}]}"#;
        assert_eq!(shown(&question), expected);
    }

    #[tokio::test]
    async fn whoever_is_silent_is_waited_for_no_longer_than_the_time() {
        let question = question();
        let silent = question.place(&"/".into()).unwrap();
        question.wait(Duration::ZERO).await;
        assert_eq!(shown(&question), r#"{"asked":1,"unasked":0,"answers":[]}"#);
        drop(question);
        assert!(!silent.is_awaited());
        silent.answer(PublicId(1), "1", &[]);
    }

    #[test]
    fn so_many_wait_at_once_and_each_has_a_number_of_its_own() {
        let questions = Questions::default();
        let mut waiting: Vec<_> =
            std::iter::from_fn(|| questions.begin()).take(2 * limits::QUESTIONS).collect();
        let numbers: Vec<u64> = waiting.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (0..limits::QUESTIONS as u64).collect::<Vec<_>>());
        waiting.pop();
        assert_eq!(questions.begin().map(|(number, _)| number), Some(limits::QUESTIONS as u64));
    }

    #[test]
    fn its_places_and_the_bytes_of_its_answers_are_bounded() {
        let question = question();
        let root: Arc<str> = "/".into();
        let places: Vec<Place> = (0..=limits::QUESTIONED).filter_map(|_| question.place(&root)).collect();
        assert_eq!(places.len(), limits::QUESTIONED);
        let half = "1".repeat(limits::ANSWERS_BYTES / 2);
        places.into_iter().for_each(|place| place.answer(PublicId(1), &half, &[]));
        let outcome = question.outcome();
        assert_eq!((outcome.asked, outcome.unasked), (limits::QUESTIONED, 1));
        assert!(outcome.answers.len() < 2, "brackets count, too");
    }
}
