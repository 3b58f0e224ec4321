//! A shard's alarms, in slots of a quarter of a second: most of them are far away and never exact.

use std::collections::BTreeMap;

use deskbell_core::limits::Millis;

/// What to look at when an alarm goes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Sign of life: send one, and look whether the client gave one.
    Life,
    /// A page of the Portico dialect within a session of Engine.IO, which has signs of life of its own.
    Pulse,
    /// A poll has waited long enough.
    Poll,
    /// The identity's proof ends.
    Expiry,
    /// A stream has lasted long enough.
    Rotate,
    /// The presence grace of a parked session is over.
    Grace,
    /// The resume window of a parked session is over.
    Forget,
    /// The other side has had time enough to end its direction.
    Linger,
    /// A client that comes by requests has been without one for long enough.
    Away,
    /// The turn of this client to be closed in a drain.
    Drain,
}

/// One alarm of one client.
#[derive(Debug, Clone, Copy)]
pub struct Alarm {
    /// Whose.
    pub slot: u32,
    /// The use of the slot for which it was set.
    pub stamp: u32,
    /// What for.
    pub what: What,
}

/// All alarms of a shard.
#[derive(Debug, Default)]
pub struct Timers {
    slots: BTreeMap<u64, Vec<Alarm>>,
}

/// Alarms that are far away are gathered; those that are near go off closer to their time.
const SLOT: Millis = 256;
const FINE: Millis = 16;
/// From how far on they are gathered.
const FAR: Millis = 2_000;

impl Timers {
    /// Sets an alarm; it goes off at that time or up to a slot later.
    pub fn set(&mut self, now: Millis, at: Millis, alarm: Alarm) {
        let slot = if at < now + FAR { FINE } else { SLOT };
        self.slots.entry((at / slot + 1) * slot).or_default().push(alarm);
    }

    /// Takes the alarms that are due.
    pub fn due(&mut self, now: Millis, into: &mut Vec<Alarm>) {
        while let Some(slot) = self.slots.first_entry() {
            if *slot.key() > now {
                return;
            }
            into.append(&mut slot.remove());
        }
    }

    /// How long nothing is due.
    pub fn idle(&self, now: Millis) -> Option<Millis> {
        self.slots.keys().next().map(|slot| slot.saturating_sub(now))
    }
}
