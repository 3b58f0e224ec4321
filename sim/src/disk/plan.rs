//! Which faults happen, and when. All numbers count from the making of the disk and from one.

use super::dice::{Dice, Purpose};

/// What has happened on a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// What changes the disk or makes a change safe: a file made or deleted, a write, a change of
    /// length, a sync.
    pub operations: u64,
    /// The writes among them.
    pub writes: u64,
    /// The syncs among them.
    pub syncs: u64,
    /// Reads.
    pub reads: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// The faults that a disk has ahead of it. Each happens once, apart from a full disk, which stays
/// full until another plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    /// At this operation the machine stops. The operation may be half done, and everything from
    /// it on fails until [`super::Disk::reboot`].
    pub crash: Option<u64>,
    /// This sync fails.
    pub sync: Option<(u64, Dirty)>,
    /// This write fails.
    pub write: Option<(u64, Cut)>,
    /// This read fails.
    pub read: Option<u64>,
    /// The files may grow by so many bytes from the plan on. Shortening and deleting gives room.
    pub room: Option<u64>,
}

/// What becomes of the unsynced writes when a sync fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dirty {
    /// They wait for the next sync.
    Waits,
    /// The system forgets that they are unsynced: later syncs succeed and do not write them.
    Dropped,
}

/// How a write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A part of it is written.
    Short,
    /// Nothing is written.
    Whole,
}

impl Plan {
    /// No faults.
    pub const NONE: Self = Self { crash: None, sync: None, write: None, read: None, room: None };

    /// A crash at this operation, and nothing else.
    pub const fn crash_at(operation: u64) -> Self {
        Self { crash: Some(operation), ..Self::NONE }
    }

    /// One to three faults somewhere between two counts, which a run without faults has shown.
    pub fn rolled(seed: u64, from: Counts, to: Counts) -> Self {
        let mut dice = Dice::new(seed, Purpose::Plan, 0);
        let between = |dice: &mut Dice, from: u64, to: u64| from + 1 + dice.below(to.saturating_sub(from));
        let mut plan = Self::NONE;
        for _ in 0..=dice.below(3) {
            match dice.below(5) {
                0 => plan.crash = Some(between(&mut dice, from.operations, to.operations)),
                1 => {
                    let dirty = if dice.one_in(2) { Dirty::Waits } else { Dirty::Dropped };
                    plan.sync = Some((between(&mut dice, from.syncs, to.syncs), dirty));
                }
                2 => {
                    let cut = if dice.one_in(2) { Cut::Short } else { Cut::Whole };
                    plan.write = Some((between(&mut dice, from.writes, to.writes), cut));
                }
                3 => plan.read = Some(between(&mut dice, from.reads, to.reads)),
                _ => plan.room = Some(dice.below(to.bytes.saturating_sub(from.bytes))),
            }
        }
        plan
    }
}
