//! One file: what programs see of it, and what a loss of power would leave of it.

use super::dice::Dice;

/// The unit that a disk writes whole or not at all. SQLite counts on no larger one.
pub(super) const SECTOR: usize = 512;

/// A file's contents.
#[derive(Debug, Clone, Default)]
pub(super) struct File {
    /// What a read sees: the system's cache over the disk.
    shown: Vec<u8>,
    /// What surely is on the disk.
    kept: Vec<u8>,
    /// What was done since the last sync, oldest first.
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
            Self::Length(length) => to.resize(*length, 0),
        }
    }

    /// The sectors of a write that arrived when the power went during it. Bytes outside of the
    /// write are never touched: that is what disks promise and SQLite is told.
    fn torn(&self, dice: &mut Dice) -> Vec<Self> {
        let Self::Write { at, bytes } = self else { return Vec::new() };
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < bytes.len() {
            let to = (from + SECTOR - (at + from) % SECTOR).min(bytes.len());
            if dice.one_in(2) {
                pieces.push(Self::Write { at: at + from, bytes: bytes[from..to].to_vec() });
            }
            from = to;
        }
        pieces
    }
}

impl File {
    pub(super) fn len(&self) -> usize {
        self.shown.len()
    }

    pub(super) fn shown(&self) -> &[u8] {
        &self.shown
    }

    /// Fills `into` from the place on and says how many bytes there were; the rest becomes zero.
    pub(super) fn read(&self, at: usize, into: &mut [u8]) -> usize {
        let there = self.shown.get(at..).unwrap_or_default();
        let count = there.len().min(into.len());
        into[..count].copy_from_slice(&there[..count]);
        into[count..].fill(0);
        count
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.change(Change::Write { at, bytes: bytes.to_vec() });
        }
    }

    pub(super) fn set_len(&mut self, length: usize) {
        self.change(Change::Length(length));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.shown);
        self.pending.push(change);
    }

    /// Everything that was done so far is safe.
    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.kept);
        }
    }

    /// A sync failed and the system took the pages for clean: programs go on seeing what they
    /// wrote, and no later sync writes it.
    pub(super) fn drop_pending(&mut self) {
        self.pending.clear();
    }

    /// What the file is after the power was lost.
    pub(super) fn after_power_loss(self, dice: &mut Dice) -> Self {
        let mut left = self.kept;
        if !self.pending.is_empty() {
            for change in arrived(self.pending, dice) {
                change.apply(&mut left);
            }
            // A file system may note the new length before the data is there.
            if left.len() < self.shown.len() && dice.one_in(4) {
                left.resize(self.shown.len(), 0);
            }
        }
        Self { shown: left.clone(), kept: left, pending: Vec::new() }
    }
}

/// Which of the changes reached the disk, in which order, and what is left of the torn ones.
///
/// An even choice for each change would nearly never take all, none, or all but one, and it is
/// those that break programs. So the way of choosing is itself thrown.
fn arrived(mut pending: Vec<Change>, dice: &mut Dice) -> Vec<Change> {
    let count = pending.len() as u64;
    match dice.below(6) {
        0 => return Vec::new(),
        1 => return pending,
        2 => pending.truncate(dice.below(count) as usize + 1),
        3 => drop(pending.remove(dice.below(count) as usize)),
        4 => pending.retain(|_| dice.one_in(2)),
        _ => {
            pending.retain(|_| !dice.one_in(4));
            dice.shuffle(&mut pending);
        }
    }
    let mut pieces = Vec::with_capacity(pending.len());
    // After an orderly start only the last one is torn; otherwise any may be.
    let last = pending.len().saturating_sub(1);
    let orderly = dice.one_in(2);
    for (place, change) in pending.into_iter().enumerate() {
        let may_tear = if orderly { place == last } else { true };
        if may_tear && dice.one_in(2) {
            pieces.extend(change.torn(dice));
        } else {
            pieces.push(change);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::super::dice::Purpose;
    use super::*;

    fn losses(file: &File) -> impl Iterator<Item = Vec<u8>> {
        (0..300).map(|number| file.clone().after_power_loss(&mut Dice::new(1, Purpose::Loss, number)).shown)
    }

    #[test]
    fn what_was_synced_stays_and_what_was_not_may_go() {
        let mut file = File::default();
        file.write(0, &[1; 1024]);
        file.sync();
        file.write(1024, &[2; 1024]);
        let left: Vec<_> = losses(&file).collect();
        assert!(left.iter().all(|bytes| bytes[..1024] == [1; 1024]));
        assert!(left.iter().any(|bytes| bytes.len() == 1024), "all is lost");
        assert!(left.iter().any(|bytes| bytes[1024..] == [2; 1024]), "nothing is lost");
        assert!(left.iter().any(|bytes| bytes[1024..] == [0; 1024]), "the length came without the data");
        assert!(
            left.iter().any(|bytes| bytes.get(1024..) == Some([[0; 512], [2; 512]].concat().as_slice())),
            "torn"
        );
    }

    #[test]
    fn an_overwrite_is_torn_at_sectors_and_touches_nothing_else() {
        let mut file = File::default();
        file.write(0, &[1; 2048]);
        file.sync();
        file.write(100, &[2; 1000]);
        let mut torn = 0;
        for bytes in losses(&file) {
            assert!(bytes[..100] == [1; 100] && bytes[1100..] == [1; 948]);
            let parts = [&bytes[100..512], &bytes[512..1024], &bytes[1024..1100]];
            assert!(parts.iter().all(|part| part.iter().all(|byte| *byte == part[0])));
            torn += usize::from(parts.iter().any(|part| part[0] != parts[0][0]));
        }
        assert!(torn > 20, "{torn}");
    }

    #[test]
    fn a_later_write_can_arrive_without_the_earlier_one() {
        let mut file = File::default();
        file.write(0, &[1; 512]);
        file.write(512, &[2; 512]);
        assert!(losses(&file).any(|bytes| bytes == [[0; 512], [2; 512]].concat()));
    }

    #[test]
    fn a_shortening_can_be_lost() {
        let mut file = File::default();
        file.write(0, &[1; 512]);
        file.sync();
        file.set_len(0);
        let left: Vec<_> = losses(&file).map(|bytes| bytes.len()).collect();
        assert!(left.contains(&512) && left.contains(&0));
        file.sync();
        assert!(losses(&file).all(|bytes| bytes.is_empty()));
    }

    #[test]
    fn dropped_writes_are_seen_and_never_kept() {
        let mut file = File::default();
        file.write(0, &[1; 512]);
        file.drop_pending();
        file.write(512, &[2; 512]);
        file.sync();
        assert_eq!(file.shown(), [[1; 512], [2; 512]].concat());
        assert!(losses(&file).all(|bytes| bytes == [[0; 512], [2; 512]].concat()));
    }
}
