//! Appointments as some sites name them, by a date, a time of the day and an employee, as claims of the ledger.
//!
//! | part | what |
//! |---|---|
//! | [`Grid`] | the site's zone and the length of its slots: a slot becomes a claim, and back |
//! | [`employee`] | the resource of an employee, which is made when somebody first asks for it |
//! | [`lock`](self::lock()) | a lock is a hold: what to ask of the ledger, and what its answer means |
//! | [`Notice`] | what the site's backend says of its appointments, and what that asks of the ledger |
//!
//! An employee serves one at a time. A time that the clock jumps over names no slot; of a time that comes twice the
//! first one is meant.

mod grid;
mod lock;
mod notice;

pub use grid::{Grid, Standing, Unavailable};
pub use lock::{Locked, Then, Unlock, in_the_slot, lock, locked, taken, unlock};
pub use notice::{Appointment, Known, Notice};

use crate::calendar::Hours;
use crate::ids::ResourceId;
use crate::limits;
use crate::refusal::{Code, Refusal};
use crate::reservation::{Policy, ResourceWish, Waitlist};

/// What the resource of an employee begins with.
const EMPLOYEE: &str = "employee:";

/// The resource of an employee.
///
/// ```
/// use deskbell_core::slotted::{employee, employee_of};
/// let anna = employee("7").unwrap();
/// assert_eq!((anna.as_str(), employee_of(&anna)), ("employee:7", Some("7")));
/// assert!(employee("").is_err() && employee("a b").is_err());
/// ```
pub fn employee(id: &str) -> Result<ResourceId, Refusal> {
    let text = format!("{EMPLOYEE}{id}");
    let named = (!id.is_empty() && id.len() <= limits::SLOT_EMPLOYEE).then(|| ResourceId::parse(&text).ok());
    named.flatten().ok_or_else(|| {
        let sentence = "an employee's id has 1 to 64 characters out of A-Z a-z 0-9 _ - = @ , . ; : #";
        Refusal::new(Code::BadField, sentence)
    })
}

/// Whose resource it is; nothing, where it is no employee's.
pub fn employee_of(resource: &ResourceId) -> Option<&str> {
    resource.as_str().strip_prefix(EMPLOYEE)
}

/// What an employee is that nobody has described: one customer at a time, always open. Which times can be booked is
/// for the site's own rules, so also those that are over can be locked, and nobody is kept off for letting locks
/// run out.
pub fn undescribed(id: ResourceId, grid: &Grid) -> ResourceWish {
    ResourceWish {
        id,
        capacity: 1,
        before: 0,
        after: 0,
        time_zone: grid.zone().clone(),
        hours: Hours::default(),
        provider: None,
        policy: Policy {
            hold_ttl_ms: limits::HOLD_TTL,
            // A lock that is locked again lasts no longer for it.
            max_life_ms: limits::HOLD_TTL,
            waitlist: Waitlist::Off,
            holds: limits::SLOT_LOCKS,
            back_off: false,
            past: true,
            ..Policy::default()
        },
    }
}
