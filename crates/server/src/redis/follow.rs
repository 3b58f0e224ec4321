//! The one task that follows a Redis: connects, subscribes, and comes back for ever.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use deskbell_core::limits::{self, Millis};
use deskbell_core::webhook::backoff;
use deskbell_wire::redis::Reply;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::intake::Intake;
use super::link::{self, Broken, Link, Owed};
use super::{Plan, Wish};
use crate::clock;
use crate::hub::Hub;

/// Why a Redis is followed no longer.
enum End {
    /// Something else is wished.
    Wished,
    /// The connection broke.
    Broken(Broken),
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Follows whatever Redis is wished, until the stop.
pub(super) async fn run(hub: Arc<Hub>, wishes: watch::Receiver<Wish>) {
    let intake = Intake::new(hub.clone());
    Follower { hub, wishes, intake, outage: Outage::default() }.run().await;
}

struct Follower {
    hub: Arc<Hub>,
    wishes: watch::Receiver<Wish>,
    intake: Intake,
    outage: Outage,
}

/// How the attempts of one outage went.
#[derive(Default)]
struct Outage {
    failures: u32,
    /// When the last connection was good.
    good_since: Option<Millis>,
    told: Option<Broken>,
}

impl Outage {
    /// Notes a failure, tells it once, and gives the time until the next attempt.
    fn again(&mut self, plan: &Plan, broken: &Broken) -> Millis {
        let held = self.good_since.take().map(|since| clock::now_ms().saturating_sub(since));
        if held.is_some_and(|held| held >= limits::REDIS_SETTLED) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        if held.is_some() || self.told.as_ref() != Some(broken) {
            tracing::warn!(
                "Redis at {} is not heard: {broken}; {}. What is published there meanwhile is lost",
                plan.place,
                broken.advice()
            );
            self.told = Some(broken.clone());
        }
        backoff(self.failures, limits::REDIS_FIRST_WAIT, limits::REDIS_LONGEST_WAIT, clock::random_u64())
    }
}

impl Follower {
    async fn run(mut self) {
        loop {
            let wish = self.wishes.borrow_and_update().clone();
            let plan = match wish {
                Wish::Stop => break,
                Wish::Follow(plan) => plan,
                Wish::Rest => {
                    if self.wishes.changed().await.is_err() {
                        break;
                    }
                    continue;
                }
            };
            self.outage = Outage::default();
            self.follow_for_ever(&plan).await;
        }
    }

    /// Comes back again and again, until something else is wished.
    async fn follow_for_ever(&mut self, plan: &Arc<Plan>) {
        loop {
            let end = match self.follow(plan.clone()).await {
                Err(end) => end,
                Ok(never) => match never {},
            };
            self.disconnected(plan, &end);
            let End::Broken(broken) = end else { return };
            let wait = Duration::from_millis(self.outage.again(plan, &broken));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = self.wishes.changed() => return,
            }
        }
    }

    async fn follow(&mut self, plan: Arc<Plan>) -> Result<Infallible, End> {
        let tcp = self.step(link::reach(&plan.place)).await?;
        match plan.place.secure.clone() {
            None => self.listen(plan, tcp).await,
            Some(secure) => {
                let tls = self.step(link::secured(&secure, tcp)).await?;
                self.listen(plan, tls).await
            }
        }
    }

    /// A step on the way to a connection: for a while, and only as long as nothing else is wished.
    async fn step<T>(&mut self, step: impl Future<Output = Result<T, Broken>>) -> Result<T, End> {
        let step = tokio::time::timeout(Duration::from_millis(limits::REDIS_ANSWER), step);
        tokio::select! {
            done = step => Ok(done.unwrap_or(Err(Broken::TimedOut))?),
            _ = self.wishes.changed() => Err(End::Wished),
        }
    }

    async fn listen<S>(&mut self, plan: Arc<Plan>, stream: S) -> Result<Infallible, End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let most = self.hub.front.load().body;
        let link = self.step(Link::open(stream, &plan, most)).await?;
        let owed = Owed::of(&plan);
        Listening { follower: self, plan, link, owed, asked: false }.run().await
    }

    /// Notes that nothing is heard any more.
    fn disconnected(&self, plan: &Plan, end: &End) {
        let place = plan.place.to_string();
        let trouble = match end {
            End::Wished => {
                self.hub.metrics.redis_forgotten(&place);
                None
            }
            End::Broken(broken) => {
                self.hub.metrics.redis_connected(&place, false);
                Some(format!("{broken}; {}", broken.advice()))
            }
        };
        self.hub.redis.note(|shown| {
            if shown.connected || shown.since == 0 {
                shown.since = clock::now_ms();
            }
            shown.connected = false;
            shown.trouble = trouble;
        });
    }
}

/// One connection from its first subscription on.
struct Listening<'a, S> {
    follower: &'a mut Follower,
    plan: Arc<Plan>,
    link: Link<S>,
    /// Subscriptions that Redis has not confirmed.
    owed: Owed,
    /// It was asked whether it is there, and has said nothing since.
    asked: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Listening<'_, S> {
    async fn run(mut self) -> Result<Infallible, End> {
        loop {
            while let Some(reply) = self.link.at_hand()? {
                self.asked = false;
                self.hear(reply).await?;
            }
            let patience = if self.asked { limits::REDIS_ANSWER } else { limits::REDIS_PING };
            let reading = tokio::time::timeout(Duration::from_millis(patience), self.link.read());
            let Follower { intake, wishes, .. } = &mut *self.follower;
            tokio::select! {
                read = reading => match read {
                    Ok(read) => read?,
                    Err(_) => self.silent().await?,
                },
                () = intake.settled(), if intake.is_going() => {}
                _ = wishes.changed() => self.change().await?,
            }
        }
    }

    /// Nothing was heard for a while: asks once, and then it is gone.
    async fn silent(&mut self) -> Result<(), End> {
        if self.asked {
            return Err(End::Broken(Broken::TimedOut));
        }
        self.asked = true;
        Ok(self.link.ping().await?)
    }

    async fn hear(&mut self, reply: Reply) -> Result<(), End> {
        match reply {
            Reply::Message(message) => self.follower.intake.take(&self.plan.table, &message).await,
            Reply::Subscribed if self.owed.subscriptions > 0 => {
                self.owed.confirm();
                if self.owed.subscriptions == 0 {
                    self.connected();
                }
            }
            Reply::Refused(sentence) => {
                let why = self.owed.refuse(sentence)?;
                tracing::warn!(
                    "the channels of PorticoEstate in Redis at {} are not heard: {why}; let the user hear them, \
                     or set portico.redis = false",
                    self.plan.place
                );
                self.connected();
            }
            Reply::Subscribed | Reply::Unsubscribed | Reply::Done | Reply::Pong | Reply::Strange => {}
        }
        Ok(())
    }

    /// Everything that is wished is heard.
    fn connected(&mut self) {
        let now = clock::now_ms();
        let Follower { hub, outage, .. } = &mut *self.follower;
        if outage.good_since.replace(now).is_some() {
            tracing::info!("other channels of Redis at {} are heard", self.plan.place);
            return;
        }
        hub.metrics.redis_connected(&self.plan.place.to_string(), true);
        hub.metrics.redis_connections.inc();
        hub.redis.note(|shown| {
            shown.connected = true;
            shown.since = now;
            shown.connections += 1;
            shown.trouble = None;
        });
        tracing::info!("Redis at {} is heard", self.plan.place);
    }

    /// Lets go of Redis. What it has counted as delivered to us is on its way, and is taken before its answer.
    async fn farewell(&mut self) -> Result<(), End> {
        let globs = self.plan.table.globs();
        self.link.subscribe("PUNSUBSCRIBE", &globs).await?;
        let mut owed = globs.len();
        while owed > 0 {
            match self.link.at_hand()? {
                None => self.link.read().await?,
                Some(Reply::Unsubscribed) => owed -= 1,
                Some(reply) => self.hear(reply).await?,
            }
        }
        Ok(())
    }

    /// Something else is wished. Other channels of the same Redis are taken up on this connection, so that a
    /// reload loses nothing.
    async fn change(&mut self) -> Result<(), End> {
        let wish = self.follower.wishes.borrow_and_update().clone();
        if wish == Wish::Stop {
            let patience = Duration::from_millis(limits::REDIS_FAREWELL);
            // A Redis that does not answer has nothing more for us.
            let _ = tokio::time::timeout(patience, self.farewell()).await;
        }
        let Wish::Follow(next) = wish else { return Err(End::Wished) };
        if next.place != self.plan.place {
            return Err(End::Wished);
        }
        let (before, after) = (self.plan.table.globs(), next.table.globs());
        let only = |of: &[Vec<u8>], not: &[Vec<u8>]| -> Vec<Vec<u8>> {
            of.iter().filter(|glob| !not.contains(glob)).cloned().collect()
        };
        let (new, gone) = (only(&after, &before), only(&before, &after));
        self.owed.subscriptions += new.len();
        self.link.subscribe("PSUBSCRIBE", &new).await?;
        self.link.subscribe("PUNSUBSCRIBE", &gone).await?;
        self.plan = next;
        Ok(())
    }
}
