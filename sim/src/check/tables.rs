//! The data file against the reference: what was acknowledged is there, and nothing else.

use std::collections::BTreeMap;

use deskbell_core::limits::{self, Millis};
use deskbell_core::reservation::{State, WaitState};
use serde::Serialize;

use super::{Checked, Checker};
use crate::world::Process;

impl Checker {
    /// Compares every reservation, wait and resource of the file with the reference, and lets the store check
    /// its own file.
    pub fn tables(&mut self, process: &mut Process) -> Checked {
        let verdict =
            process.ledger.verify().map_err(|failure| format!("the file cannot be read: {failure}"))?;
        if !verdict.problems.is_empty() {
            return Err(format!("the file is damaged: {:?}", verdict.problems));
        }
        self.forget_what_may_be_gone(process)?;
        let naive = &self.naive;
        same("reservations", process, naive.reservations.iter().map(|found| (found.id.as_str(), found)))?;
        same("waits", process, naive.waits.iter().map(|found| (found.id.as_str(), found)))?;
        same("resources", process, naive.resources.iter().map(|found| (found.id.as_str(), found)))
    }

    /// Housekeeping deletes holds and waits that were over a day ago, and nothing else.
    fn forget_what_may_be_gone(&mut self, process: &Process) -> Checked {
        let (now, dates) = (self.latest, dates(process)?);
        let old = |version: u64| dates.get(&version).is_none_or(|at| at + limits::IDEMPOTENCY <= now);
        let there = ids(process, "reservations")?;
        self.naive.reservations.retain(|found| {
            let ended = matches!(found.state, State::Released | State::Expired);
            there.contains(&found.id.to_string()) || !ended || !old(found.version)
        });
        let there = ids(process, "waits")?;
        self.naive.waits.retain(|wait| {
            let ended = !matches!(wait.state, WaitState::Waiting | WaitState::Offered);
            there.contains(&wait.id.to_string()) || !ended || !old(wait.joined)
        });
        Ok(())
    }
}

fn dates(process: &Process) -> Checked<BTreeMap<u64, Millis>> {
    let question = "SELECT position || ' ' || at FROM changes ORDER BY position";
    let rows = process.texts(question).map_err(|error| format!("the rows cannot be read: {error}"))?;
    let pair = |row: &String| {
        let (row, at) = row.split_once(' ')?;
        Some((row.parse().ok()?, at.parse().ok()?))
    };
    Ok(rows.iter().filter_map(pair).collect())
}

fn ids(process: &Process, table: &str) -> Checked<Vec<String>> {
    let found = process.texts(&format!("SELECT id FROM {table} ORDER BY id"));
    found.map_err(|error| format!("{table} cannot be read: {error}"))
}

fn same<'a, T: Serialize + 'a>(
    table: &str,
    process: &Process,
    expected: impl Iterator<Item = (&'a str, &'a T)>,
) -> Checked {
    let found = process.texts(&format!("SELECT body FROM {table} ORDER BY id"));
    let found = found.map_err(|error| format!("{table} cannot be read: {error}"))?;
    let mut expected: Vec<_> = expected.collect();
    expected.sort_by_key(|(id, _)| *id);
    let texts: Vec<String> =
        expected.into_iter().filter_map(|(_, body)| serde_json::to_string(body).ok()).collect();
    let missing = texts.iter().find(|text| !found.contains(text));
    let strange = found.iter().find(|text| !texts.contains(text));
    match (missing, strange) {
        (None, None) => Ok(()),
        (missing, strange) => Err(format!("{table}: {missing:?} should be there, and there is {strange:?}")),
    }
}
