//! What becomes of a message from Redis: the same as of an event that a backend publishes over HTTP.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use deskbell_core::access::Identity;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Publish;
use deskbell_wire::portico::published::{self, Published};
use deskbell_wire::redis::{Message, Table, Taken};
use tokio::sync::oneshot;

use crate::clock;
use crate::hub::{Hub, Outcome};
use crate::portico;

/// The longest part of a channel's name that a log line repeats.
const LONGEST_NAME: usize = 100;

/// Publishes messages, one after the other.
pub(super) struct Intake {
    hub: Arc<Hub>,
    /// Events for the disk, in their order. Beyond their bounds nothing is read from Redis.
    going: VecDeque<Going>,
    bytes: usize,
    /// Codes that the log has named already.
    told: BTreeSet<&'static str>,
}

/// An event on its way to the disk.
struct Going {
    answer: oneshot::Receiver<Outcome>,
    channel: String,
    bytes: usize,
}

impl Intake {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, going: VecDeque::new(), bytes: 0, told: BTreeSet::new() }
    }

    /// Publishes a message, or says why not. Waits while there is no room for it.
    pub(super) async fn take(&mut self, table: &Table, message: &Message) {
        match table.take(message) {
            Taken::ByAnother => {}
            Taken::Publish(app, publish) => {
                self.count();
                self.publish(app, publish).await;
            }
            Taken::Portico(app, topic) => {
                self.count();
                let payload = message.payload.as_deref().unwrap_or_default();
                let now = clock::now_ms();
                let read = published::read(topic, payload, self.hub.apps[app].portico.load().stamp(now));
                match read {
                    Ok(Published::Tell { channel, message }) => {
                        self.publish(app, portico::publish_of(channel, &message, None)).await;
                    }
                    Ok(Published::LookUpApplications(session)) => {
                        portico::applications::refresh(&self.hub, app, session);
                    }
                    Err(refusal) => self.refused(topic.as_str(), &refusal),
                }
            }
            Taken::Refused(refusal) => {
                self.count();
                let channel = message.channel.as_deref().unwrap_or_default();
                self.refused(&String::from_utf8_lossy(channel), &refusal);
            }
        }
    }

    fn count(&self) {
        self.hub.metrics.redis_received.inc();
        self.hub.redis.note(|shown| shown.received += 1);
    }

    async fn publish(&mut self, app: usize, publish: Publish) {
        let bytes = publish.data.bytes.len();
        while self.going.len() >= limits::REDIS_WINDOW
            || (self.bytes + bytes > limits::REDIS_WINDOW_BYTES && !self.going.is_empty())
        {
            self.settled().await;
        }
        loop {
            let (tell, mut answer) = oneshot::channel();
            // Nobody may be waiting any more; the event is published all the same.
            let later = move |outcome| drop(tell.send(outcome));
            let hub = &self.hub;
            let now =
                hub.publish(&hub.apps[app], &Identity::backend(), publish.clone(), clock::now_ms(), later);
            // A store without room says so at once. Then the message waits here, and Redis behind it.
            let refused = now.or_else(|| answer.try_recv().ok());
            match refused {
                Some(Err(no)) if no.code == Code::Unavailable && hub.store.is_writing() => self.room().await,
                Some(Err(no)) => return self.refused(publish.channel.as_str(), &no),
                Some(Ok(_)) => return,
                None => {
                    self.bytes += bytes;
                    let channel = publish.channel.to_string();
                    return self.going.push_back(Going { answer, channel, bytes });
                }
            }
        }
    }

    /// Waits until the store may have room again.
    async fn room(&mut self) {
        if self.going.is_empty() {
            tokio::time::sleep(Duration::from_millis(limits::REDIS_ROOM)).await;
        } else {
            self.settled().await;
        }
    }

    /// Whether something is on its way to the disk.
    pub(super) fn is_going(&self) -> bool {
        !self.going.is_empty()
    }

    /// Waits until the first of what is on its way is settled. Nothing is lost when that is given up.
    pub(super) async fn settled(&mut self) {
        let Some(first) = self.going.front_mut() else { return };
        let outcome = (&mut first.answer).await;
        let Some(Going { channel, bytes, .. }) = self.going.pop_front() else { return };
        self.bytes -= bytes;
        let lost = || Err(Refusal::new(Code::Unavailable, "the store stopped before it answered"));
        if let Err(refusal) = outcome.unwrap_or_else(|_| lost()) {
            self.refused(&channel, &refusal);
        }
    }

    /// Counts what was not published, and tells the first of each kind.
    fn refused(&mut self, channel: &str, refusal: &Refusal) {
        let code = refusal.code.as_str();
        self.hub.metrics.redis_refused(refusal.code);
        self.hub.redis.note(|shown| *shown.refused.entry(code).or_default() += 1);
        if self.told.insert(code) {
            let channel: String = channel.chars().take(LONGEST_NAME).flat_map(char::escape_debug).collect();
            tracing::warn!(
                channel,
                code,
                "a message from Redis was not published: {}; further ones of this kind are only counted",
                refusal.message
            );
        }
    }
}
