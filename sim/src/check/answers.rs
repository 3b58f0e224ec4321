//! One answer, and what was told, against the reference's.

use std::collections::BTreeSet;
use std::fmt::Debug;

use deskbell_core::limits::{self, Millis};
use deskbell_core::reservation::{Announcement, Conflict, Refused, Reply, Sight, View};
use serde_json::Value;

use super::{Checked, Checker, RowSeen};
use crate::naive::{Answer, InTheWay, Naive, No, shared};
use crate::world::APP;

/// The change id that is made of random bytes.
pub(super) fn change_of(seed: [u8; 16]) -> String {
    let mut announcement = Announcement::new(APP, 0, seed);
    announcement.reset_slots(&crate::world::resource(0));
    let first = announcement.into_drafts().into_iter().next();
    first.map_or_else(String::new, |draft| {
        draft.event.id.as_str().split('.').next().unwrap_or_default().to_owned()
    })
}

fn equal<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Checked {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found:?} and should be {expected:?}")) }
}

/// Names and ids of what staff is told, and of resources that are to be loaded anew.
pub(super) fn told(row: &RowSeen) -> Vec<(String, String, Value)> {
    let staff = Checker::channel("staff");
    let mut told = Vec::new();
    for event in &row.events {
        let data: Value = serde_json::from_slice(&event.data.bytes).unwrap_or_default();
        let id = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        let name = event.name.to_string();
        if event.channel.as_str() == staff {
            let subject = if data["reservation"].is_null() { &data["wait"] } else { &data["reservation"] };
            told.push((name, id(&subject["id"]), data));
        } else if name == "slots.reset" {
            told.push((name, id(&data["resource"]), data));
        }
    }
    told
}

/// What a row tells is what the reference tells, and shows what the reference has.
pub(super) fn same_told(row: &RowSeen, answer: &Answer, naive: &Naive) -> Checked {
    let told = told(row);
    let names: Vec<(String, String)> = told.iter().map(|(name, id, _)| (name.clone(), id.clone())).collect();
    equal("what is told", &names, &answer.told)?;
    for (_, id, data) in told {
        let Some(shown) = data.get("reservation") else { continue };
        let found = naive.reservations.iter().find(|reservation| reservation.id.as_str() == id);
        let expected = found.and_then(|found| serde_json::to_value(View::of(found, Sight::Everything)).ok());
        equal("what staff sees", &Some(shown), &expected.as_ref())?;
    }
    Ok(())
}

/// A reply says what the reference says, at this position and time.
pub(super) fn same_reply(reply: &Reply, answer: &Answer, position: u64, now: Millis) -> Checked {
    equal("the reservation", &shared(reply.reservation.as_ref()), &answer.reservation)?;
    equal("the wait", &shared(reply.wait.as_ref()), &answer.wait)?;
    equal("the resource", &shared(reply.resource.as_ref()), &answer.resource)?;
    equal("`evicted`", &reply.evicted, &answer.evicted)?;
    same_conflicts(&reply.conflicts, &answer.conflicts)?;
    equal("the position", &reply.position, &position)?;
    equal("`now`", &reply.now, &now)
}

/// A refusal names the reasons of the reference.
pub(super) fn same_refusal(refused: &Refused, no: &No) -> Checked {
    equal("the code", &refused.refusal.code, &no.code)?;
    same_conflicts(&refused.conflicts, &no.conflicts)?;
    let starts: Vec<Millis> = refused.alternatives.iter().map(|other| other.start).collect();
    equal("the alternatives", &starts, &no.alternatives)?;
    equal("`waiting`", &refused.waiting, &no.waiting)
}

fn same_conflicts(conflicts: &[Conflict], expected: &InTheWay) -> Checked {
    equal("how much is in the way", &conflicts.len(), &expected.len().min(limits::CONFLICTS))?;
    let known: BTreeSet<_> = expected.iter().map(|(resource, id)| (resource, id.as_ref())).collect();
    for conflict in conflicts.iter().filter(|conflict| conflict.reservation.is_some()) {
        if !known.contains(&(&conflict.resource, conflict.reservation.as_ref())) {
            return Err(format!("{conflict:?} is not in the way: {expected:?}"));
        }
    }
    Ok(())
}
