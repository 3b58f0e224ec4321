//! Parts of the ledger into a slice: all that a batch asks for at once, with one question for each kind.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use deskbell_core::ids::{AppId, Principal, ReservationId, ResourceId, WaitId};
use deskbell_core::reservation::{Belongings, Key, Piece, Slice, Strikes, Wait, WaitState};
use serde::de::DeserializeOwned;

use super::session::Session;
use crate::store::database::Row;
use crate::store::failure::Failure;
use crate::store::ledger::rows;
use crate::store::ledger::timers::Holds;

/// Loads what is asked for. What is not there is known to be not there afterwards.
pub(in crate::store) fn load(
    session: &Session,
    app: AppId,
    slice: &mut Slice,
    holds: &Holds,
    keys: &[Key],
) -> Result<(), Failure> {
    let app = app.0.cast_signed();
    let mut wanted = Wanted::default();
    keys.iter().for_each(|key| wanted.add(key));
    let loader = Loader { session, app };
    for (id, body) in loader.bodies("resources", &wanted.resources)? {
        slice.put_resource(&id, body);
    }
    for (id, body) in loader.bodies("reservations", &wanted.reservations)? {
        slice.put_reservation(&id, body);
    }
    for (id, body) in loader.bodies("waits", &wanted.waits)? {
        slice.put_wait(&id, body);
    }
    loader.days(&wanted.days, slice)?;
    loader.all_days(&wanted.all_days, slice)?;
    loader.principals(&wanted.principals, holds, slice)?;
    loader.strikes(&wanted.strikes, slice)?;
    loader.waiting(&wanted.waiting, slice)
}

/// The keys by kind, none of them twice.
#[derive(Default)]
struct Wanted<'a> {
    resources: BTreeSet<&'a ResourceId>,
    reservations: BTreeSet<&'a ReservationId>,
    waits: BTreeSet<&'a WaitId>,
    days: BTreeSet<(&'a ResourceId, u64)>,
    all_days: BTreeSet<&'a ResourceId>,
    principals: Vec<&'a Principal>,
    strikes: Vec<(&'a Principal, &'a ResourceId)>,
    waiting: BTreeSet<&'a ResourceId>,
}

impl<'a> Wanted<'a> {
    fn add(&mut self, key: &'a Key) {
        match key {
            Key::Resource(id) => drop(self.resources.insert(id)),
            Key::Reservation(id) => drop(self.reservations.insert(id)),
            Key::Wait(id) => drop(self.waits.insert(id)),
            Key::Day(resource, day) => drop(self.days.insert((resource, *day))),
            Key::Days(resource) => drop(self.all_days.insert(resource)),
            Key::Principal(principal) => self.principals.push(principal),
            Key::Strikes(principal, resource) => self.strikes.push((principal, resource)),
            Key::Waiting(resource) => drop(self.waiting.insert(resource)),
        }
    }
}

struct Loader<'a> {
    session: &'a Session,
    app: i64,
}

/// An id of whatever kind, as the tables have it.
trait Id: Clone + Ord {
    fn text(&self) -> &str;
}

impl Id for ResourceId {
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Id for ReservationId {
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Id for WaitId {
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Loader<'_> {
    fn bodies<I: Id, T: DeserializeOwned>(
        &self,
        table: &str,
        ids: &BTreeSet<&I>,
    ) -> Result<Vec<(I, Option<Arc<T>>)>, Failure> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let texts: Vec<&str> = ids.iter().map(|id| id.text()).collect();
        let question = format!("SELECT body, id FROM {table} WHERE app = $1 AND id = ANY($2)");
        let found = self.session.query(&question, &[&self.app, &texts])?;
        let mut bodies: HashMap<&str, Arc<T>> = HashMap::new();
        for row in &found {
            bodies.insert(row.get(1), Arc::new(rows::body(Row::Postgres(row), 0)?));
        }
        Ok(ids.iter().map(|id| ((*id).clone(), bodies.remove(id.text()))).collect())
    }

    fn days(&self, days: &BTreeSet<(&ResourceId, u64)>, slice: &mut Slice) -> Result<(), Failure> {
        if days.is_empty() {
            return Ok(());
        }
        let resources: Vec<&str> = days.iter().map(|(resource, _)| resource.as_str()).collect();
        let numbers: Vec<i64> = days.iter().map(|(_, day)| day.cast_signed()).collect();
        let question = format!(
            "SELECT {}, resource, day FROM claims
             JOIN unnest($2::text[], $3::bigint[]) AS wanted (resource, day) USING (resource, day) WHERE app = $1",
            rows::PIECE
        );
        let found = self.session.query(&question, &[&self.app, &resources, &numbers])?;
        let mut pieces: HashMap<(&str, i64), Vec<Piece>> = HashMap::new();
        for row in &found {
            pieces.entry((row.get(7), row.get(8))).or_default().push(rows::piece(Row::Postgres(row))?);
        }
        for (resource, day) in days {
            let of_day = pieces.remove(&(resource.as_str(), day.cast_signed())).unwrap_or_default();
            slice.put_day(resource, *day, of_day);
        }
        Ok(())
    }

    fn all_days(&self, resources: &BTreeSet<&ResourceId>, slice: &mut Slice) -> Result<(), Failure> {
        if resources.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = resources.iter().map(|id| id.as_str()).collect();
        let question = format!(
            "SELECT {}, resource, day FROM claims WHERE app = $1 AND resource = ANY($2)",
            rows::PIECE
        );
        let found = self.session.query(&question, &[&self.app, &texts])?;
        let mut pieces: HashMap<&str, Vec<(u64, Piece)>> = HashMap::new();
        for row in &found {
            let piece = (row.get::<_, i64>(8).cast_unsigned(), rows::piece(Row::Postgres(row))?);
            pieces.entry(row.get(7)).or_default().push(piece);
        }
        for resource in resources {
            slice.put_days(resource, pieces.remove(resource.as_str()).unwrap_or_default());
        }
        Ok(())
    }

    fn principals(&self, principals: &[&Principal], held: &Holds, slice: &mut Slice) -> Result<(), Failure> {
        if principals.is_empty() {
            return Ok(());
        }
        let texts: Vec<String> = principals.iter().map(ToString::to_string).collect();
        let found = self.session.query(
            "SELECT principal, id FROM waits WHERE app = $1 AND principal = ANY($2) AND state < 2",
            &[&self.app, &texts],
        )?;
        let mut waits: BTreeMap<&str, BTreeSet<WaitId>> = BTreeMap::new();
        for row in &found {
            let id: &str = row.get(1);
            let id = WaitId::parse(id).map_err(|_| Failure::Damaged(format!("{id:?} is no wait's id")))?;
            waits.entry(row.get(0)).or_default().insert(id);
        }
        for (principal, text) in principals.iter().zip(&texts) {
            let waits = waits.get(text.as_str()).cloned().unwrap_or_default();
            slice.put_principal(principal, Belongings { holds: held.of(principal), waits });
        }
        Ok(())
    }

    fn strikes(&self, wanted: &[(&Principal, &ResourceId)], slice: &mut Slice) -> Result<(), Failure> {
        if wanted.is_empty() {
            return Ok(());
        }
        let principals: Vec<String> = wanted.iter().map(|(principal, _)| principal.to_string()).collect();
        let resources: Vec<&str> = wanted.iter().map(|(_, resource)| resource.as_str()).collect();
        let found = self.session.query(
            "SELECT DISTINCT body, principal, resource FROM strikes
             JOIN unnest($2::text[], $3::text[]) AS wanted (principal, resource) USING (principal, resource)
             WHERE app = $1",
            &[&self.app, &principals, &resources],
        )?;
        let mut bodies: HashMap<(&str, &str), Strikes> = HashMap::new();
        for row in &found {
            bodies.insert((row.get(1), row.get(2)), rows::body(Row::Postgres(row), 0)?);
        }
        for ((principal, resource), text) in wanted.iter().zip(&principals) {
            let strikes = bodies.get(&(text.as_str(), resource.as_str())).cloned().unwrap_or_default();
            slice.put_strikes(principal, resource, strikes);
        }
        Ok(())
    }

    fn waiting(&self, resources: &BTreeSet<&ResourceId>, slice: &mut Slice) -> Result<(), Failure> {
        if resources.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = resources.iter().map(|id| id.as_str()).collect();
        let found = self.session.query(
            "SELECT body, resource FROM waiting JOIN waits ON waits.app = waiting.app AND waits.id = waiting.wait
             WHERE waiting.app = $1 AND resource = ANY($2) ORDER BY waiting.joined",
            &[&self.app, &texts],
        )?;
        let mut waits: HashMap<&str, Vec<Arc<Wait>>> = HashMap::new();
        for row in &found {
            let wait: Arc<Wait> = Arc::new(rows::body(Row::Postgres(row), 0)?);
            if wait.state == WaitState::Waiting {
                waits.entry(row.get(1)).or_default().push(wait);
            }
        }
        for resource in resources {
            slice.put_waiting(resource, waits.remove(resource.as_str()).unwrap_or_default());
        }
        Ok(())
    }
}
