//! The disk itself: files by name, what is open, what is counted, and where the faults strike.
//!
//! Errors are SQLite's own numbers, because SQLite is the only one who is told.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_int;

use rusqlite::ffi;

use super::dice::{Dice, Purpose};
use super::file::{File, SECTOR};
use super::locks::{Levels, Shared};
use super::plan::{Counts, Cut, Dirty, Plan};
use super::{Loss, Names};

/// A file that is open. It outlives a crash, and then nothing can be done with it any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    /// The number of this opening.
    pub(super) me: u64,
    /// The number of the file, which a reboot changes.
    file: u64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    seed: u64,
    names: Names,
    files: BTreeMap<u64, File>,
    /// Names as programs see them.
    shown: BTreeMap<String, u64>,
    /// Names as they surely are on the disk.
    kept: BTreeMap<String, u64>,
    /// The file of each opening.
    open: BTreeMap<u64, u64>,
    levels: BTreeMap<u64, Levels>,
    shared: BTreeMap<u64, Shared>,
    next: u64,
    reboots: u64,
    calls: u64,
    counts: Counts,
    plan: Plan,
    /// The length of all files up to which they may grow.
    full_at: Option<u64>,
    crashed: bool,
}

impl State {
    pub(super) fn new(seed: u64, names: Names) -> Self {
        Self { seed, names, ..Self::default() }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn crashed(&self) -> bool {
        self.crashed
    }

    pub(super) fn crash(&mut self) {
        self.crashed = true;
    }

    pub(super) fn set_plan(&mut self, plan: Plan) {
        self.plan = plan;
        self.full_at = plan.room.map(|room| self.used() + room);
    }

    /// Counts a call of any kind, and says what SQLite's dice are seeded with after it.
    pub(super) fn call(&mut self) -> u64 {
        self.calls += 1;
        Dice::new(self.seed, Purpose::Random, self.calls).roll()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.shown.iter().map(|(name, file)| (name.as_str(), self.files[file].shown()))
    }

    pub(super) fn length_of(&self, name: &str) -> Option<usize> {
        self.shown.get(name).and_then(|file| self.files.get(file)).map(File::len)
    }

    fn used(&self) -> u64 {
        let there: BTreeSet<&u64> = self.shown.values().chain(self.open.values()).collect();
        there.into_iter().filter_map(|file| self.files.get(file)).map(|file| file.len() as u64).sum()
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn alive(&self) -> Result<(), c_int> {
        if self.crashed { Err(ffi::SQLITE_IOERR) } else { Ok(()) }
    }

    fn valid(&self, open: &Open) -> Result<(), c_int> {
        self.alive()?;
        // A file from before a reboot is not there under its number.
        if self.files.contains_key(&open.file) { Ok(()) } else { Err(ffi::SQLITE_IOERR) }
    }

    fn file(&mut self, open: &Open) -> Result<&mut File, c_int> {
        self.valid(open)?;
        self.files.get_mut(&open.file).ok_or(ffi::SQLITE_IOERR)
    }

    /// Counts an operation. At the crash it gives the dice that say how far the operation came;
    /// the caller does that part and fails.
    fn operation(&mut self) -> Option<Dice> {
        self.counts.operations += 1;
        let now = self.plan.crash == Some(self.counts.operations);
        self.crashed |= now;
        now.then(|| Dice::new(self.seed, Purpose::Crash, self.counts.operations))
    }

    /// Makes an empty file that is safely there, as a program may find one at its start.
    pub(super) fn create(&mut self, name: &str) {
        if !self.shown.contains_key(name) {
            let file = self.number();
            self.files.insert(file, File::default());
            self.shown.insert(name.to_owned(), file);
            self.kept.insert(name.to_owned(), file);
        }
    }

    /// Opens a file; one without a name goes when it is closed.
    pub(super) fn open(&mut self, name: Option<&str>, create: bool, exclusive: bool) -> Result<Open, c_int> {
        self.alive()?;
        let found = name.and_then(|name| self.shown.get(name)).copied();
        let file = match found {
            Some(_) if create && exclusive => return Err(ffi::SQLITE_CANTOPEN),
            Some(file) => file,
            None if !create => return Err(ffi::SQLITE_CANTOPEN),
            None => self.make(name)?,
        };
        let me = self.number();
        self.open.insert(me, file);
        Ok(Open { me, file })
    }

    fn make(&mut self, name: Option<&str>) -> Result<u64, c_int> {
        let crash = self.operation();
        let done = crash.clone().is_none_or(|mut dice| dice.one_in(2));
        let file = self.number();
        if done {
            self.files.insert(file, File::default());
            if let Some(name) = name {
                self.shown.insert(name.to_owned(), file);
            }
        }
        if crash.is_some() { Err(ffi::SQLITE_IOERR) } else { Ok(file) }
    }

    /// Closing never fails, also after a crash.
    pub(super) fn close(&mut self, open: &Open) {
        self.leave_shared(open);
        self.unlock(open, ffi::SQLITE_LOCK_NONE);
        self.open.remove(&open.me);
        self.forget(open.file);
    }

    /// Drops a file that has neither a name nor anybody who has it open.
    fn forget(&mut self, file: u64) {
        let mut used = self.shown.values().chain(self.kept.values()).chain(self.open.values());
        if !used.any(|used| *used == file) {
            self.files.remove(&file);
        }
    }

    pub(super) fn delete(&mut self, name: &str, safely: bool) -> Result<(), c_int> {
        self.alive()?;
        if !self.shown.contains_key(name) {
            return Err(ffi::SQLITE_IOERR_DELETE_NOENT);
        }
        let crash = self.operation();
        let done = crash.clone().is_none_or(|mut dice| dice.one_in(2));
        let gone = if done { self.shown.remove(name) } else { None };
        if crash.is_some() {
            return Err(ffi::SQLITE_IOERR_DELETE);
        }
        if safely {
            self.kept.remove(name);
        }
        if let Some(file) = gone {
            self.forget(file);
        }
        Ok(())
    }

    pub(super) fn length(&mut self, open: &Open) -> Result<usize, c_int> {
        Ok(self.file(open)?.len())
    }

    /// Fills `into` and says how many bytes there were.
    pub(super) fn read(&mut self, open: &Open, at: usize, into: &mut [u8]) -> Result<usize, c_int> {
        self.valid(open)?;
        self.counts.reads += 1;
        if self.plan.read == Some(self.counts.reads) {
            return Err(ffi::SQLITE_IOERR_READ);
        }
        Ok(self.file(open)?.read(at, into))
    }

    pub(super) fn write(&mut self, open: &Open, at: usize, bytes: &[u8]) -> Result<(), c_int> {
        self.valid(open)?;
        let crash = self.operation();
        self.counts.writes += 1;
        let (part, error) = self.how_much(open, at, bytes.len(), crash)?;
        self.counts.bytes += part as u64;
        self.file_after_crash(open)?.write(at, &bytes[..part]);
        error.map_or(Ok(()), Err)
    }

    /// How much of a write is done, and with which error it ends.
    fn how_much(
        &mut self,
        open: &Open,
        at: usize,
        length: usize,
        crash: Option<Dice>,
    ) -> Result<(usize, Option<c_int>), c_int> {
        if let Some(mut dice) = crash {
            return Ok((cut(length, &mut dice), Some(ffi::SQLITE_IOERR_WRITE)));
        }
        if let Some((write, how)) = self.plan.write
            && write == self.counts.writes
        {
            let mut dice = Dice::new(self.seed, Purpose::Cut, write);
            let part = if how == Cut::Short { cut(length, &mut dice) } else { 0 };
            return Ok((part, Some(ffi::SQLITE_IOERR_WRITE)));
        }
        let grows = (at + length).saturating_sub(self.file(open)?.len());
        if let Some(bound) = self.full_at
            && grows > 0
        {
            let over = (self.used() + grows as u64).saturating_sub(bound) as usize;
            if over > 0 {
                return Ok((length.saturating_sub(over), Some(ffi::SQLITE_FULL)));
            }
        }
        Ok((length, None))
    }

    /// The operation during which the disk crashes still reaches its file.
    fn file_after_crash(&mut self, open: &Open) -> Result<&mut File, c_int> {
        self.files.get_mut(&open.file).ok_or(ffi::SQLITE_IOERR)
    }

    pub(super) fn set_len(&mut self, open: &Open, length: usize) -> Result<(), c_int> {
        self.valid(open)?;
        let crash = self.operation();
        let done = crash.clone().is_none_or(|mut dice| dice.one_in(2));
        if done {
            self.file_after_crash(open)?.set_len(length);
        }
        if crash.is_some() { Err(ffi::SQLITE_IOERR_TRUNCATE) } else { Ok(()) }
    }

    pub(super) fn sync(&mut self, open: &Open) -> Result<(), c_int> {
        self.valid(open)?;
        let crash = self.operation();
        self.counts.syncs += 1;
        if let Some((sync, dirty)) = self.plan.sync
            && sync == self.counts.syncs
            && crash.is_none()
        {
            if dirty == Dirty::Dropped {
                self.file(open)?.drop_pending();
            }
            return Err(ffi::SQLITE_IOERR_FSYNC);
        }
        let done = crash.clone().is_none_or(|mut dice| dice.one_in(2));
        if done {
            self.file_after_crash(open)?.sync();
            self.keep_names(open.file);
        }
        if crash.is_some() { Err(ffi::SQLITE_IOERR_FSYNC) } else { Ok(()) }
    }

    /// A file that is safe can be found again under its name. Where names are kept in order, as
    /// in the journal of a file system, all earlier deletions are safe with it.
    fn keep_names(&mut self, synced: u64) {
        let Self { shown, kept, names, .. } = self;
        if *names == Names::InOrder {
            kept.retain(|name, file| shown.get(name) == Some(file));
        }
        let made = shown.iter().filter(|(_, file)| **file == synced);
        kept.extend(made.map(|(name, file)| (name.clone(), *file)));
    }

    pub(super) fn lock(&mut self, open: &Open, level: c_int) -> Result<(), c_int> {
        self.valid(open).map_err(|_| ffi::SQLITE_IOERR_LOCK)?;
        self.levels.entry(open.file).or_default().raise(open.me, level)
    }

    pub(super) fn unlock(&mut self, open: &Open, level: c_int) {
        if let Some(levels) = self.levels.get_mut(&open.file) {
            levels.lower(open.me, level);
            if levels.is_free() {
                self.levels.remove(&open.file);
            }
        }
    }

    pub(super) fn is_reserved(&self, open: &Open) -> Result<bool, c_int> {
        self.valid(open)?;
        Ok(self.levels.get(&open.file).is_some_and(Levels::is_reserved))
    }

    /// The memory that is shared by those who have the file open.
    pub(super) fn shared(&mut self, open: &Open) -> Result<&mut Shared, c_int> {
        self.valid(open)?;
        Ok(self.shared.entry(open.file).or_default())
    }

    pub(super) fn unlock_shared(&mut self, open: &Open, first: usize, count: usize, how: c_int) {
        if let Some(shared) = self.shared.get_mut(&open.file) {
            // Who holds nothing frees nothing.
            let _ = shared.lock(open.me, first, count, how);
        }
    }

    pub(super) fn leave_shared(&mut self, open: &Open) {
        if self.shared.get_mut(&open.file).is_some_and(|shared| shared.leave(open.me)) {
            self.shared.remove(&open.file);
        }
    }

    /// The machine starts again. What was open before can only be closed; its locks and its
    /// memory hang on the files' old numbers, so nobody who comes now meets them.
    pub(super) fn reboot(&mut self, loss: Loss) {
        self.reboots += 1;
        self.crashed = false;
        self.set_plan(Plan::NONE);
        match loss {
            Loss::Kill => self.renumber(),
            Loss::Power => self.lose(),
        }
    }

    /// The system lives on and keeps all that was written, synced or not.
    fn renumber(&mut self) {
        let old = std::mem::take(&mut self.files);
        let mut numbers = BTreeMap::new();
        for (number, file) in old {
            let named = |names: &BTreeMap<String, u64>| names.values().any(|named| *named == number);
            if named(&self.shown) || named(&self.kept) {
                let new = self.number();
                numbers.insert(number, new);
                self.files.insert(new, file);
            }
        }
        for named in self.shown.values_mut().chain(self.kept.values_mut()) {
            *named = numbers[named];
        }
    }

    fn lose(&mut self) {
        let files = std::mem::take(&mut self.files);
        let (shown, kept) = (std::mem::take(&mut self.shown), std::mem::take(&mut self.kept));
        // Crashes at different moments of one run are different losses.
        let mut dice = Dice::new(self.seed, Purpose::Loss, self.counts.operations << 16 | self.reboots);
        let names: BTreeSet<&String> = shown.keys().chain(kept.keys()).collect();
        for name in names {
            let (new, old) = (shown.get(name), kept.get(name));
            // A name that was made or deleted and not made safe is as before, or as it was seen.
            let left = if new == old || dice.one_in(2) { new } else { old };
            if let Some(file) = left.and_then(|number| files.get(number)) {
                let number = self.number();
                self.files.insert(number, file.clone().after_power_loss(&mut dice));
                self.shown.insert(name.clone(), number);
                self.kept.insert(name.clone(), number);
            }
        }
    }
}

/// How much of a write is done when it is cut off: whole sectors, from nothing to everything.
fn cut(length: usize, dice: &mut Dice) -> usize {
    let sectors = length.div_ceil(SECTOR) as u64;
    (dice.below(sectors + 1) as usize * SECTOR).min(length)
}
