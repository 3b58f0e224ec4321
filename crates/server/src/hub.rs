//! The acts on channels that both the HTTP API and the shards perform.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use arc_swap::ArcSwap;
use deskbell_core::access::Identity;
use deskbell_core::event::{Data, Draft, Event, Kind};
use deskbell_core::ids::{ChannelName, EventId, EventName, Key, PublicId};
use deskbell_core::limits::{self, Millis};
use deskbell_core::link::LinkKey;
use deskbell_core::log::Once;
use deskbell_core::mac;
use deskbell_core::news::News;
use deskbell_core::operator::Operator;
use deskbell_core::position::{Position, fnv};
use deskbell_core::refusal::Refusal;
use deskbell_core::session::Seals;
use deskbell_core::vocabulary::Publish;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::app::{App, Apps};
use crate::attendance::Attendance;
use crate::calendars::Calendars;
use crate::clock;
use crate::door::Front;
use crate::handlers::Handlers;
use crate::limiter::Limiter;
use crate::metrics::Metrics;
use crate::portico::Applications;
use crate::pusher::Hooks;
use crate::redis::Redis;
use crate::shard::{Directory, Letter, Mailbox, Tuning};
use crate::store::{self, Receipt, Store};
use crate::tenants::Tenants;
use crate::webhooks::Webhooks;

/// What all parts of the running server share.
#[derive(Debug)]
pub struct Hub {
    /// The apps, by index.
    pub apps: Apps,
    /// What apps are made from, while the server runs.
    pub tenants: Tenants,
    /// Seals resume keys and visitor ids.
    pub seals: Seals,
    /// The data file.
    pub store: Store,
    /// The shards' mailboxes.
    pub mailboxes: Vec<Arc<Mailbox>>,
    /// Which shard has which session.
    pub directory: Directory,
    /// What a reload may change.
    pub tuning: ArcSwap<Tuning>,
    /// The same for the front door and the HTTP API.
    pub front: ArcSwap<Front>,
    /// Who is connected, and holds something by it.
    pub attendance: Attendance,
    /// Other people's servers that are told what happens.
    pub webhooks: Webhooks,
    /// Backends that are told what happens in their channels.
    pub hooks: Hooks,
    /// Backends that handle events of Socket.IO clients.
    pub handlers: Handlers,
    /// Who may look at the server with the admin UI of Socket.IO.
    pub operator: Option<Operator>,
    /// Calendars that are fetched.
    pub calendars: Calendars,
    /// Where the applications of Portico's sessions come from.
    pub applications: Arc<Applications>,
    /// The Redis through which backends publish.
    pub redis: Redis,
    /// Seals calendar links.
    pub links: LinkKey,
    /// Rates of addresses and identities.
    pub limiter: Limiter,
    /// Counters.
    pub metrics: Metrics,
    /// Where waiting work runs.
    pub runtime: Handle,
    /// The server is stopping.
    pub draining: AtomicBool,
    /// The shard that takes the next connection.
    pub next_shard: AtomicUsize,
}

/// What a client says to those who listen now.
#[derive(Debug, Clone)]
pub struct Whisper {
    /// Where.
    pub channel: ChannelName,
    /// What it is called.
    pub name: EventName,
    /// The data.
    pub data: Data,
    /// Whose own connection must not get it.
    pub from: PublicId,
    /// As whom the others know the speaker.
    pub by: Option<Arc<str>>,
}

/// What became of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The event's id.
    pub id: EventId,
    /// Where a reader stands who has it.
    pub at: Position,
    /// The publish was taken before.
    pub repeated: bool,
}

/// The answer of a publish, now or later.
pub type Outcome = Result<Published, Refusal>;

impl Hub {
    /// Publishes an event that somebody may publish.
    ///
    /// A memory channel's event is in the log when this returns `Some`. A durable channel's event
    /// is given to the store; `later` is called when it is safe there and in the log.
    pub fn publish(
        &self,
        app: &App,
        who: &Identity,
        publish: Publish,
        now: Millis,
        later: impl FnOnce(Outcome) + Send + 'static,
    ) -> Option<Outcome> {
        let once =
            publish.id.as_ref().map(|id| Once { key: key(app, who, id), body: what_is_said(&publish) });
        self.publish_once(app, publish, once, now, later)
    }

    /// The same for an event of which only a part comes again with a retry; `body` is the hash of that part.
    pub fn publish_again(
        &self,
        app: &App,
        (who, id, body): (&Identity, &EventId, u64),
        publish: Publish,
        now: Millis,
        later: impl FnOnce(Outcome) + Send + 'static,
    ) -> Option<Outcome> {
        self.publish_once(app, publish, Some(Once { key: key(app, who, id), body }), now, later)
    }

    fn publish_once(
        &self,
        app: &App,
        publish: Publish,
        once: Option<Once>,
        now: Millis,
        later: impl FnOnce(Outcome) + Send + 'static,
    ) -> Option<Outcome> {
        let draft = draft(publish, now);
        let mut draft = Some(draft);
        let appended = app.log.with(|log| {
            let memory = draft.take_if(|draft| !log.class(draft.event.channel.as_str()).durable)?;
            Some(log.append(memory, once, now))
        });
        let Some(draft) = draft else {
            return appended
                .map(|result| result.map(|a| Published { id: a.id, at: a.at, repeated: a.repeated }));
        };
        let done = move |result: Result<Receipt, Refusal>| {
            later(result.and_then(|receipt| {
                let id = receipt.ids.into_iter().next().ok_or_else(lost_receipt)?;
                Ok(Published { id, at: receipt.at, repeated: receipt.repeated })
            }));
        };
        let submission = store::Publish { app: app.id, drafts: vec![draft], once, now };
        self.store.submit(submission, Box::new(done));
        None
    }

    /// Gives what a client says to those who listen now.
    pub fn whisper(&self, app: &App, whisper: Whisper, now: Millis) -> Result<(), Refusal> {
        let Whisper { channel, name, data, from, by } = whisper;
        let id = EventId::from_random(clock::random_bytes());
        let event = Event { id, channel, name, data, at: now };
        let draft = Draft { kind: Kind::Whisper, except: Some(from), by, ..Draft::message(event) };
        app.log.with(|log| log.append(draft, None, now)).map(|_| ())
    }

    /// Tells a channel how many subscriptions it has.
    pub fn tell_count(&self, app: &App, channel: &ChannelName, count: usize, now: Millis) {
        self.hooks.tell(app, now, || News::Count(channel.clone(), count));
        let id = EventId::from_random(clock::random_bytes());
        let name = EventName::parse("subscription_count").expect("the built-in names are well formed");
        let data = Data::json(format!("{{\"subscription_count\":{count}}}"));
        let event = Event { id, channel: channel.clone(), name, data, at: now };
        let draft = Draft { kind: Kind::Count, ..Draft::message(event) };
        // A log that is being written down tells nobody anything more.
        let _ = app.log.with(|log| log.append(draft, None, now));
    }

    /// Returns when every shard has handed out what is in the logs by now. `false`: one of them did not say so.
    pub async fn handed_out(&self) -> bool {
        // A letter is opened before its turn's deliveries, so the answer to a second one comes behind those.
        let both = async {
            for _ in 0..2 {
                let ask = |mailbox: &Arc<Mailbox>| {
                    let (done, answer) = oneshot::channel();
                    mailbox.post(Letter::Here { done }).ok().map(|()| answer)
                };
                for answer in self.mailboxes.iter().map(ask).collect::<Vec<_>>() {
                    answer?.await.ok()?;
                }
            }
            Some(())
        };
        let patience = Duration::from_millis(limits::SHARD_ANSWER);
        matches!(tokio::time::timeout(patience, both).await, Ok(Some(())))
    }

    /// The app that a key names; the first app where no key is given.
    pub fn app(&self, key: Option<&str>) -> Option<&App> {
        match key {
            None => self.apps.first(),
            Some(key) => self.apps.of_key(key),
        }
    }
}

/// A receipt names every event of its publish, so this is a bug of the store.
fn lost_receipt() -> Refusal {
    Refusal::new(
        deskbell_core::refusal::Code::Unavailable,
        "the event is safe but its receipt was lost; read the channel",
    )
}

fn draft(publish: Publish, now: Millis) -> Draft {
    let id = publish.id.unwrap_or_else(|| EventId::from_random(clock::random_bytes()));
    let key: Option<Key> = publish.key;
    Draft {
        event: Event { id, channel: publish.channel, name: publish.name, data: publish.data, at: now },
        kind: Kind::Message,
        key,
        except: publish.except,
        by: None,
    }
}

/// The identity of a publish: the same app, principal and id are the same publish.
fn key(app: &App, who: &Identity, id: &EventId) -> u128 {
    let principal = who.principal.to_string();
    let tag = mac::tag(
        b"once",
        &[&app.id.0.to_be_bytes(), b"publish\0", principal.as_bytes(), b"\0", id.as_str().as_bytes()],
    );
    let mut key = [0; 16];
    key.copy_from_slice(&tag[..16]);
    u128::from_be_bytes(key)
}

/// A hash of everything in it.
fn what_is_said(publish: &Publish) -> u64 {
    let Data { form, bytes } = &publish.data;
    let body = [
        fnv(publish.channel.as_str().as_bytes()),
        fnv(publish.name.as_str().as_bytes()),
        fnv(form.letter().as_bytes()),
        fnv(bytes),
        fnv(publish.key.as_ref().map_or("", |key| key.as_str()).as_bytes()),
    ];
    body.iter().fold(0u64, |hash, part| hash.rotate_left(13) ^ part)
}
