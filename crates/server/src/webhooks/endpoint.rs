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
use super::{Ask, Hook, OPERATOR, Shown, delivery};
use crate::clock;
use crate::hub::Hub;
use crate::store::{Found, Letter, Note, Question, Rows, Turn, Which};

/// Time until a store that could not be asked is asked again.
const AGAIN: Millis = SECOND;
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
    hub: Arc<Hub>,
    hook: Arc<Hook>,
    app: AppId,
    queue: Queue,
    hold: Hold,
    /// What became of events since the last note.
    died: Vec<Letter>,
    delivered: Vec<u64>,
    /// Something is to be noted.
    changed: bool,
    noted_at: Millis,
    /// There may be letters that are tried again and are not in the queue.
    letters: bool,
    /// The store could not be asked; until then it is left alone.
    wait_until: Millis,
    rows: watch::Receiver<u64>,
    lease: Lease,
    flights: JoinSet<(Place, Answer)>,
    shown: Arc<Mutex<Shown>>,
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
        let kept = loop {
            match question(&hub, Question::Endpoint(app, hook.name.clone())).await {
                Ok(Found::Endpoint(kept, _)) => break kept,
                _ => tokio::time::sleep(Duration::from_millis(AGAIN)).await,
            }
        };
        let is_new = kept.is_none();
        let kept = kept.unwrap_or_else(|| Kept { read_to: ledger::end(since), ..Kept::default() });
        let mut endpoint = Self {
            queue: Queue::new(hook.terms, kept.read_to, kept.off),
            hub,
            hook,
            app,
            hold: Hold::default(),
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
            // Its row was deleted, or it was a gap already.
            let cargo = cargo.unwrap_or_else(|| Cargo::of_gap(self.app, ledger::row(at), clock::now_ms()));
            let tried = (count > 0).then_some(Tries { count, since });
            self.load(Place::Ledger(at), cargo, tried);
        }
    }

    fn load(&mut self, place: Place, cargo: Cargo, tried: Option<Tries>) {
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
        [self.queue.next(), note, store, self.lease.next()]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(longest)
            .min(longest)
    }

    /// Reads rows while there is room for their events. Rows without any event for this endpoint pass quickly.
    async fn read_in(&mut self) {
        if clock::now_ms() < self.wait_until {
            return;
        }
        self.wait_until = 0;
        if self.letters && self.queue.room() > 0 {
            self.letters = false;
            self.read_letters().await;
        }
        while self.queue.off().is_none()
            && self.queue.room() > 0
            && self.hold.bytes() < limits::WEBHOOK_BYTES
            && ledger::whole_row(self.queue.read_to()) < *self.rows.borrow_and_update()
        {
            let wanted = Question::Rows {
                app: self.app,
                after: self.queue.read_to(),
                rows: limits::WEBHOOK_ROWS,
                bytes: limits::WEBHOOK_BYTES / 8,
            };
            let Ok(Found::Rows(rows)) = question(&self.hub, wanted).await else {
                self.wait_until = clock::now_ms() + AGAIN;
                return;
            };
            self.take_rows(rows);
        }
    }

    fn take_rows(&mut self, rows: Rows) {
        if rows.floor > ledger::whole_row(self.queue.read_to()) {
            tracing::error!(
                webhook = self.hook.name,
                "this endpoint was behind for longer than history.durable_age: rows up to {} are deleted and \
                 were not all delivered; it is told so by webhook.gap",
                rows.floor
            );
            self.hub.metrics.webhook(&self.hook.name, "gap");
            let gap = Cargo::of_gap(self.app, rows.floor, clock::now_ms());
            self.load(Place::Ledger(ledger::end(rows.floor)), gap, None);
            self.queue.set_read_to(ledger::end(rows.floor));
        }
        let last = rows.rows.last().map_or(rows.head, |(row, _)| *row);
        for (row, drafts) in rows.rows {
            for (place, draft) in drafts.iter().enumerate() {
                let at = ledger::event(row, place);
                if self.hook.wants.takes(&draft.event)
                    && let Some(cargo) = Cargo::of_draft(self.app, draft, at)
                {
                    self.load(Place::Ledger(at), cargo, None);
                }
            }
        }
        self.queue.set_read_to(ledger::end(last));
        self.changed = true;
    }

    /// Letters that are tried again, as many as there is room for.
    async fn read_letters(&mut self) {
        let wanted = Question::Letters {
            app: self.app,
            name: self.hook.name.clone(),
            after: 0,
            limit: self.hook.terms.window,
            which: Which::Due,
        };
        let Ok(Found::Letters(letters, _)) = question(&self.hub, wanted).await else {
            self.letters = true;
            self.wait_until = clock::now_ms() + AGAIN;
            return;
        };
        // Behind a full page there may be others, for which whoever lands makes room.
        self.letters = letters.len() >= self.hook.terms.window;
        // What landed since the last note is marked in the store as it was before.
        let landed = |at: u64| self.delivered.contains(&at) || self.died.iter().any(|dead| dead.at == at);
        let is_new = |letter: &Letter| !self.queue.has(Place::Letter(letter.at)) && !landed(letter.at);
        let new: Vec<Letter> = letters.into_iter().filter(is_new).collect();
        for letter in new {
            if self.queue.room() == 0 || self.hold.bytes() >= limits::WEBHOOK_BYTES {
                // Whoever lands makes room.
                self.letters = true;
                return;
            }
            self.load(Place::Letter(letter.at), Cargo::of_letter(letter), None);
        }
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

    /// Notes how far it is, in one act with what became of events.
    async fn note(&mut self) {
        let (died, delivered) = (std::mem::take(&mut self.died), std::mem::take(&mut self.delivered));
        let letters = !died.is_empty() || !delivered.is_empty();
        let again: Vec<Letter> = died.clone();
        let note = Note::Endpoint {
            app: self.app,
            name: self.hook.name.clone(),
            kept: self.queue.kept(),
            died,
            delivered: delivered.clone(),
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
            }
            Err(_) => {
                self.died = again;
                self.delivered = delivered;
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
