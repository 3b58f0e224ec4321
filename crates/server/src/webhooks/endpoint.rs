//! The task of one endpoint: reads rows, starts attempts, notes how far it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deskbell_core::ids::AppId;
use deskbell_core::limits::{self, Millis, SECOND};
use deskbell_core::position::ledger;
use deskbell_core::refusal::Refusal;
use deskbell_core::webhook::{Answer, Kept, Open, Place, Queue, Tries, Verdict};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};

use super::cargo::{Cargo, Hold};
use super::turn::Lease;
use super::waiting::Waiting;
use super::{Ask, Hook, OPERATOR, Shown, delivery};
use crate::clock;
use crate::hub::Hub;
use crate::store::{Found, Letter, Note, Question, Turn, Which};

/// Time until a store that could not be asked is asked again.
pub(super) const AGAIN: Millis = SECOND;
/// Time for answers that are under way when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// The longest sleep: something may always have been forgotten.
const LONGEST_SLEEP: Millis = 60 * SECOND;

/// How a run ended.
pub(super) enum Ended {
    Stopped,
    /// Another server serves it now.
    Lost,
}

/// One endpoint at work.
pub(super) struct Endpoint {
    pub(super) hub: Arc<Hub>,
    pub(super) hook: Arc<Hook>,
    pub(super) app: AppId,
    pub(super) queue: Queue,
    pub(super) hold: Hold,
    pub(super) waiting: Waiting,
    /// What became of events since the last note.
    pub(super) died: Vec<Letter>,
    pub(super) delivered: Vec<u64>,
    /// Something is to be noted.
    pub(super) changed: bool,
    pub(super) noted_at: Millis,
    /// There may be letters that are tried again and are not in the queue.
    pub(super) letters: bool,
    /// The store could not be asked; until then it is left alone.
    pub(super) wait_until: Millis,
    pub(super) rows: watch::Receiver<u64>,
    lease: Lease,
    pub(super) flights: JoinSet<(Place, Answer)>,
    pub(super) shown: Arc<Mutex<Shown>>,
}

impl Endpoint {
    /// Opens an endpoint where it stood, or behind a row where it was never seen.
    pub(super) async fn open(
        hub: Arc<Hub>,
        hook: Arc<Hook>,
        shown: Arc<Mutex<Shown>>,
        (lease, since): (Lease, u64),
    ) -> Self {
        let app = hub.apps[hook.app].id;
        let rows = hub.apps[hook.app].rows.subscribe();
        let standing = loop {
            match question(&hub, Question::Endpoint(app, hook.name.clone())).await {
                Ok(Found::Endpoint(standing)) => break standing,
                _ => tokio::time::sleep(Duration::from_millis(AGAIN)).await,
            }
        };
        let is_new = standing.kept.is_none();
        let anew = || Kept { read_to: ledger::end(since), ..Kept::default() };
        let kept = standing.kept.unwrap_or_else(anew);
        let mut endpoint = Self {
            queue: Queue::new(hook.terms, kept.read_to, kept.off),
            hub,
            hook,
            app,
            hold: Hold::default(),
            waiting: Waiting::new(standing.later, standing.hour),
            died: Vec::new(),
            delivered: Vec::new(),
            changed: is_new,
            noted_at: 0,
            letters: true,
            wait_until: 0,
            rows,
            lease,
            flights: JoinSet::new(),
            shown,
        };
        endpoint.take_up(kept.open).await;
        endpoint.count_letters().await;
        endpoint
    }

    /// Takes up what was on its way when the last run ended.
    async fn take_up(&mut self, open: Vec<Open>) {
        let coordinates: Vec<u64> = open.iter().map(|open| open.at).collect();
        let events = loop {
            match question(&self.hub, Question::Events(self.app, coordinates.clone())).await {
                Ok(Found::Events(events)) => break events,
                _ => tokio::time::sleep(Duration::from_millis(AGAIN)).await,
            }
        };
        for Open { at, count, since } in open {
            let found = events.iter().find(|(of, _)| *of == at);
            let cargo = found.and_then(|(_, draft)| Cargo::of_draft(self.app, draft, at));
            // It was a gap already, where its row was not deleted.
            let cargo = cargo.unwrap_or_else(|| self.gap(at));
            let tried = (count > 0).then_some(Tries { count, since });
            self.load(Place::Ledger(at), cargo, tried);
        }
    }

    /// What is told in place of an event whose row was deleted.
    pub(super) fn gap(&self, at: u64) -> Cargo {
        Cargo::of_gap(self.app, ledger::row(at), clock::now_ms())
    }

    pub(super) fn load(&mut self, place: Place, cargo: Cargo, tried: Option<Tries>) {
        self.queue.take_in(place, cargo.lane.clone(), tried);
        self.hold.load(place, cargo);
    }

    /// Works until it is told to stop, or until another server does.
    pub(super) async fn run(mut self, asks: &mut mpsc::Receiver<Ask>) -> Ended {
        loop {
            match self.lease.renew(&self.hub, &self.hook).await {
                None => {}
                Some(Turn::Elsewhere) => return Ended::Lost,
                Some(turn) => self.renewed(turn).await,
            }
            self.read_in().await;
            self.launch();
            self.note_in_time().await;
            self.show();
            let sleep = Duration::from_millis(self.wake().saturating_sub(clock::now_ms()));
            tokio::select! {
                Some(landed) = self.flights.join_next() => self.land(landed),
                grown = self.rows.changed() => if grown.is_err() { return Ended::Stopped },
                () = tokio::time::sleep(sleep) => {}
                ask = asks.recv() => match ask {
                    None => return Ended::Stopped,
                    Some(Ask::Letters) => {
                        self.letters = true;
                        self.count_letters().await;
                    }
                    Some(Ask::Switch(off, done)) => self.switch(off, done).await,
                    Some(Ask::Stop(done)) => {
                        self.stop(done).await;
                        return Ended::Stopped;
                    }
                },
            }
        }
    }

    /// Others may have marked letters, or wished for something, meanwhile.
    async fn renewed(&mut self, turn: Turn) {
        self.letters = true;
        match (turn, self.queue.off()) {
            (Turn::HereToRest, None) => self.queue.switch(Some(OPERATOR.to_owned())),
            (Turn::HereToGoOn, Some(_)) => self.queue.switch(None),
            (Turn::HereToRest | Turn::HereToGoOn, _) => {}
            _ => return,
        }
        self.note().await;
    }

    /// When something is to be done although nothing happens.
    fn wake(&self) -> Millis {
        let longest = clock::now_ms() + LONGEST_SLEEP;
        let note = self.changed.then(|| self.noted_at + limits::WEBHOOK_NOTE);
        let store = (self.wait_until > 0).then_some(self.wait_until);
        // Where there is no room, whoever lands makes some.
        let hour = self.waiting.hour().filter(|_| self.has_room()).map(|hour| hour.max(self.wait_until));
        let times = [self.queue.next(), note, store, hour, self.lease.next()];
        times.into_iter().flatten().min().unwrap_or(longest).min(longest)
    }

    /// Starts every attempt that may start.
    fn launch(&mut self) {
        let now = clock::now_ms();
        while let Some(start) = self.queue.start(now) {
            let Some(cargo) = self.hold.get(start.place) else { continue };
            let hook = self.hook.clone();
            let secrets = hook.secrets(&self.hub.apps[hook.app].secret.expose());
            self.flights
                .spawn(async move { (start.place, delivery::attempt(&hook, &secrets, &cargo, now).await) });
        }
    }

    fn land(&mut self, landed: Result<(Place, Answer), JoinError>) {
        // An attempt that panics is a bug, and ends the task: nothing was noted as delivered.
        let (place, answer) = landed.expect("an attempt neither panics nor is given up");
        let now = clock::now_ms();
        let Some((verdict, tries)) = self.queue.finish(place, answer, now, clock::random_u64()) else {
            return;
        };
        self.changed = true;
        let name = self.hook.name.clone();
        match verdict {
            Verdict::Done => {
                self.hold.unload(place);
                if let Place::Letter(at) = place {
                    self.delivered.push(at);
                }
                self.hub.metrics.webhook(&name, "done");
                self.shown(|shown| (shown.trouble, shown.delivered_at) = (None, Some(now)));
            }
            Verdict::Again { .. } => {
                self.hub.metrics.webhook(&name, "again");
                self.shown(|shown| shown.trouble = Some(answer.words()));
            }
            Verdict::Dead => {
                self.bury(place, tries, answer, now);
                self.hub.metrics.webhook(&name, "dead");
                self.shown(|shown| shown.trouble = Some(answer.words()));
            }
            Verdict::Gone => {
                tracing::error!(
                    webhook = name,
                    "this endpoint answered 410 and is switched off; `deskbell webhooks enable` goes on where it was"
                );
                self.hub.metrics.webhook(&name, "gone");
                self.noted_at = 0;
            }
        }
    }

    fn bury(&mut self, place: Place, tries: Tries, answer: Answer, now: Millis) {
        let Some(cargo) = self.hold.unload(place) else { return };
        let at = match place {
            Place::Ledger(at) | Place::Letter(at) => at,
        };
        tracing::warn!(
            webhook = self.hook.name,
            id = cargo.id,
            attempts = tries.count,
            "an event could not be delivered ({}); `deskbell webhooks resend` tries it again",
            answer.words()
        );
        self.died.push(cargo.into_letter(at, now, tries.count, answer.words()));
        self.noted_at = 0;
    }

    async fn note_in_time(&mut self) {
        let now = clock::now_ms();
        if self.changed && now >= self.noted_at + limits::WEBHOOK_NOTE && now >= self.wait_until {
            self.note().await;
        }
    }

    /// Notes how far it is, in one act with what became of events; says whether it is noted.
    pub(super) async fn note(&mut self) -> bool {
        let (later, came) = self.waiting.take_news();
        let (died, delivered) = (std::mem::take(&mut self.died), std::mem::take(&mut self.delivered));
        let letters = !died.is_empty() || !delivered.is_empty();
        let again: Vec<Letter> = died.clone();
        let note = Note::Endpoint {
            app: self.app,
            name: self.hook.name.clone(),
            kept: self.queue.kept(),
            died,
            delivered: delivered.clone(),
            later: later.clone(),
            came: came.clone(),
        };
        self.noted_at = clock::now_ms();
        match write(&self.hub, note).await {
            Ok(dropped) => {
                self.changed = false;
                if dropped > 0 {
                    let most = limits::DEAD_LETTERS;
                    tracing::error!(
                        webhook = self.hook.name,
                        dropped,
                        "more than {most} dead letters: the oldest were dropped"
                    );
                }
                if letters {
                    self.count_letters().await;
                }
                true
            }
            Err(_) => {
                (self.died, self.delivered) = (again, delivered);
                self.waiting.take_back(later, came);
                false
            }
        }
    }

    async fn count_letters(&mut self) {
        let wanted = Question::Letters {
            app: self.app,
            name: self.hook.name.clone(),
            after: 0,
            limit: 0,
            which: Which::All,
        };
        if let Ok(Found::Letters(_, total)) = question(&self.hub, wanted).await {
            self.shown(|shown| shown.dead = total);
        }
    }

    async fn switch(&mut self, off: Option<String>, done: oneshot::Sender<()>) {
        self.queue.switch(off);
        self.note().await;
        // Whoever asked may have gone.
        let _ = done.send(());
    }

    /// Waits a moment for answers, and notes how far it is. What has no answer is sent again by the next run.
    async fn stop(mut self, done: oneshot::Sender<()>) {
        let landing = async {
            while let Some(landed) = self.flights.join_next().await {
                self.land(landed);
            }
        };
        let _ = tokio::time::timeout(LAST_ANSWERS, landing).await;
        if self.changed {
            self.note().await;
        }
        self.lease.free(&self.hub, &self.hook).await;
        let _ = done.send(());
    }

    fn show(&self) {
        let (position, open, going) =
            (ledger::whole_row(self.queue.read_to()), self.queue.len(), self.queue.going());
        let head = *self.rows.borrow();
        self.hub.metrics.webhook_state(&self.hook.name, open as u64 + head.saturating_sub(position));
        self.shown(|shown| {
            (shown.position, shown.head, shown.open, shown.going) = (position, head, open, going);
            shown.later = self.waiting.count();
            shown.off = self.queue.off().map(str::to_owned);
        });
    }

    fn shown(&self, change: impl FnOnce(&mut Shown)) {
        // What is shown is whole between any two changes.
        change(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

pub(super) async fn question(hub: &Hub, question: Question) -> Result<Found, Refusal> {
    let (tell, told) = oneshot::channel();
    hub.store.question(question, Box::new(move |found| drop(tell.send(found))));
    told.await.unwrap_or_else(|_| Err(gone()))
}

pub(super) async fn write(hub: &Hub, note: Note) -> Result<u64, Refusal> {
    let (tell, told) = oneshot::channel();
    hub.store.note(note, Box::new(move |said| drop(tell.send(said))));
    told.await.unwrap_or_else(|_| Err(gone()))
}

fn gone() -> Refusal {
    Refusal::new(deskbell_core::refusal::Code::Unavailable, "the store is gone; try again after the restart")
}
