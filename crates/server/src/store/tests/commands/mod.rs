//! The ledger's commands on a store: one suite for whatever stores there are.
//!
//! A test gets a [`Stand`]: a ledger that is driven batch by batch, by a clock that stands still until
//! the test moves it. The rule itself is tested in `deskbell-core`.

mod batches;
mod file;
mod holding;
mod looking;
mod times;

use std::sync::Arc;

use deskbell_core::calendar::{Hours, TimeZone};
use deskbell_core::ids::{ExternalRef, ReservationId, ResourceId, UserId};
use deskbell_core::limits::{DAY, HOUR, Millis};
use deskbell_core::log::{Once, Row};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{
    Act, Actor, Claim, Command, Due, Policy, Reservation, ResourceWish, Span, State, Ttl, Wish,
};

use super::postgres::{self, Database};
use super::{APP, NOW, Scratch, options, seeds};
use crate::store::{Decided, Done, Ledger, Look, Opened, Options, Petition, Seen, Shared};

/// Ten o'clock of the day after tomorrow.
pub(super) const TEN: Millis = (NOW / DAY + 2) * DAY + 10 * HOUR;

/// A ledger, where it lies, and what time it is.
pub(super) struct Stand {
    pub(super) scratch: Scratch,
    /// The shared database, where the suite runs over one.
    shared: Option<Database<'static>>,
    ledger: Option<Ledger>,
    pub(super) now: Millis,
    /// Every row that was fed.
    pub(super) rows: Vec<Row>,
}

pub(super) type Answer = Result<Decided, Code>;

impl Stand {
    pub(super) fn new() -> Self {
        let scratch = Scratch::new();
        let shared = module_path!().contains("shared").then(|| postgres::shared().database());
        let mut stand = Self { scratch, shared, ledger: None, now: NOW, rows: Vec::new() };
        stand.open();
        stand
    }

    /// With a resource of capacity 1.
    pub(super) fn with_room() -> Self {
        let mut stand = Self::new();
        stand.ask(put(room(), 1)).unwrap();
        stand
    }

    fn open(&mut self) {
        let shared = self.shared.as_ref().map(|shared| Shared(shared.url()));
        let opened = Opened::open(&Options { shared, ..options(&self.scratch.data()) }).unwrap();
        self.set_time();
        self.ledger = Some(opened.ledger(self.now, seeds()).unwrap());
    }

    /// The process ends without a word and a new one starts.
    pub(super) fn restart(&mut self) {
        self.ledger = None;
        self.open();
    }

    pub(super) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// A shared database has its own time, which stands still, too.
    fn set_time(&self) {
        if let Some(shared) = &self.shared {
            let now = self.now;
            shared.run(&format!(
                "CREATE OR REPLACE FUNCTION deskbell.now_ms() RETURNS bigint LANGUAGE sql VOLATILE
                 AS 'SELECT {now}::bigint'"
            ));
        }
    }

    pub(super) fn ledger(&mut self) -> &mut Ledger {
        self.ledger.as_mut().unwrap()
    }

    pub(super) fn batch(&mut self, petitions: Vec<Petition>) -> Done {
        let now = self.now;
        self.set_time();
        let done = self.ledger().batch(now, &petitions, &[]);
        self.rows.extend(done.rows.iter().map(|(_, row)| row.clone()));
        done
    }

    /// Several commands in one commit.
    pub(super) fn together(&mut self, petitions: Vec<Petition>) -> Vec<Answer> {
        self.batch(petitions).rulings.into_iter().map(|ruling| ruling.map_err(|no| no.refusal.code)).collect()
    }

    pub(super) fn ask(&mut self, petition: Petition) -> Answer {
        self.together(vec![petition]).pop().unwrap()
    }

    pub(super) fn grant(&mut self, petition: Petition) -> Arc<Reservation> {
        self.ask(petition).unwrap().reply.reservation.unwrap()
    }

    /// Moves the clock on, and lets happen what happens by itself.
    pub(super) fn wait(&mut self, time: Millis) -> Done {
        self.now += time;
        self.batch(Vec::new())
    }

    pub(super) fn see(&mut self, look: Look) -> Seen {
        self.ledger().look(APP, &look).unwrap().seen
    }

    pub(super) fn reservation(&mut self, id: &ReservationId) -> Arc<Reservation> {
        match self.see(Look::Reservation(id.clone())) {
            Seen::Reservation(Some(found)) => found,
            other => panic!("{other:?}"),
        }
    }

    /// What is free of the room around ten o'clock: from, until, units.
    pub(super) fn free(&mut self, from: Millis, until: Millis) -> Vec<(Millis, Millis, u32)> {
        let span = Span { start: from, end: until };
        match self.see(Look::Availability { resource: room(), span, now: self.now }) {
            Seen::Availability(Some((_, segments))) => {
                segments.iter().map(|s| (s.span.start, s.span.end, s.free)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Names of the events of the newest rows on a channel.
    pub(super) fn told(&self, channel: &str) -> Vec<String> {
        let events = self.rows.iter().flat_map(|row| &row.drafts).map(|draft| &draft.event);
        events.filter(|event| event.channel.as_str() == channel).map(|event| event.name.to_string()).collect()
    }

    /// Everything in the file fits together.
    pub(super) fn sound(&mut self) {
        let verdict = self.ledger().verify().unwrap();
        assert_eq!(verdict.problems, Vec::<String>::new());
    }

    /// The disk takes no command with this key.
    pub(super) fn cannot_write_key(&mut self, key: u128) {
        let hash: String = key.to_be_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        if let Some(shared) = &self.shared {
            shared.run(&format!(
                "CREATE FUNCTION deskbell.planted() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN RAISE EXCEPTION ''planted by the test''; END';
                 CREATE TRIGGER planted BEFORE INSERT ON deskbell.keys FOR EACH ROW
                 WHEN (NEW.key_hash = '\\x{hash}') EXECUTE FUNCTION deskbell.planted()"
            ));
            return;
        }
        let trigger = format!(
            "CREATE TEMP TRIGGER planted BEFORE INSERT ON main.keys WHEN NEW.key_hash = x'{hash}'
             BEGIN SELECT RAISE(FAIL, 'planted by the test'); END"
        );
        self.ledger().tables.db.file().unwrap().execute_batch(&trigger).unwrap();
    }

    /// JSON is changed in each store's own way.
    pub(super) fn in_words_of_the_store(&self, statement: &str) -> String {
        if self.shared.is_none() {
            return statement.to_owned();
        }
        statement
            .replace("json_set(body, '$.fence', 99)", "jsonb_set(body::jsonb, '{fence}', '99')::text")
            .replace(
                "json_set(body, '$.state', 'offered')",
                "jsonb_set(body::jsonb, '{state}', '\"offered\"')::text",
            )
    }

    /// Changes the tables behind the ledger's back.
    pub(super) fn damage(&mut self, statement: &str) {
        self.ledger().tables.db.execute(statement, &[]).unwrap();
    }

    /// A number out of the file.
    pub(super) fn count(&mut self, question: &str) -> i64 {
        self.ledger().tables.db.number(question, &[]).unwrap()
    }
}

pub(super) fn room() -> ResourceId {
    ResourceId::parse("room").unwrap()
}

pub(super) fn backend(act: Act) -> Petition {
    Petition { app: APP, command: Command::Ask { actor: Actor::backend(), act }, once: None }
}

pub(super) fn keyed(key: u128, body: u64, petition: Petition) -> Petition {
    Petition { once: Some(Once { key, body }), ..petition }
}

pub(super) fn put(id: ResourceId, capacity: u32) -> Petition {
    put_with(id, capacity, Policy::default())
}

pub(super) fn put_with(id: ResourceId, capacity: u32, policy: Policy) -> Petition {
    let wish = ResourceWish {
        id,
        capacity,
        before: 0,
        after: 0,
        time_zone: TimeZone::parse("UTC").unwrap(),
        hours: Hours::default(),
        provider: Some(user("doctor")),
        policy,
    };
    backend(Act::PutResource(Box::new(wish)))
}

pub(super) fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub(super) fn wish(start: Millis, length: Millis, holder: &str) -> Wish {
    let claim = Claim { resource: room(), start, end: start + length, units: 1 };
    Wish { any_of: vec![vec![claim]], holder: Some(user(holder)), email: None, meta: None }
}

/// A hold of half an hour, for somebody.
pub(super) fn hold(start: Millis, holder: &str) -> Petition {
    let wish = wish(start, HOUR / 2, holder);
    backend(Act::Hold { wish, ttl: Ttl::Usual, replace: None })
}

pub(super) fn release(of: &Reservation) -> Petition {
    backend(Act::Release { id: of.id.clone(), fence: Some(of.fence) })
}

pub(super) fn confirm(of: &Reservation) -> Petition {
    backend(Act::Confirm {
        id: of.id.clone(),
        fence: of.fence,
        if_still_free: false,
        external_ref: None,
        email: Some("Ann@Example.org".into()),
        meta: None,
    })
}
