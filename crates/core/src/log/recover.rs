//! The decision behind every read: may this reader go on from where it stands, and if not, why.
//!
//! Memory channels are compared by `(epoch, seq)` and durable ones by ledger position. Each
//! coordinate of the reader's position is judged once; a channel that starts later than the reader
//! is judged by its own start.

use super::Log;
use super::read::{Members, ResetReason, Want};
use super::record::Record;
use crate::class::{Class, Shape};
use crate::position::{Position, ledger};

/// What is wrong with each coordinate of a position, if anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    memory: Option<ResetReason>,
    ledger: Option<ResetReason>,
}

impl Standing {
    /// Nothing of the position is worth anything.
    pub(super) fn worthless(reason: ResetReason) -> Self {
        Self { memory: Some(reason), ledger: Some(reason) }
    }

    /// The ledger itself says that its coordinate is not.
    pub(super) fn ledger_says(self, reason: ResetReason) -> Self {
        Self { ledger: Some(reason), ..self }
    }

    pub(super) fn is_sound(self) -> bool {
        self.memory.is_none() && self.ledger.is_none()
    }
}

/// What a channel can give, with the position that decided.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// Everything after this place in the channel's coordinate.
    After(u64, Position),
    /// Everything, but the ledger must be read first.
    Older(Position),
    Reset(ResetReason),
    /// It owes nothing to anybody who was not there.
    Nothing,
}

/// What a reader must be told of who is in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    List,
    /// The changes after this `seq`.
    Changes(u64),
}

/// The earliest places at which the channels of a read go on. A reader whose own place is worth
/// nothing takes these, so that no channel is skipped.
#[derive(Debug, Default)]
pub(super) struct Settling {
    memory: Option<Position>,
    ledger: Option<Position>,
}

impl Settling {
    pub(super) fn keep(&mut self, class: &Class, at: Position) {
        let earliest = if class.durable { &mut self.ledger } else { &mut self.memory };
        let place = |at: &Position| if class.durable { at.ledger } else { at.seq };
        if earliest.as_ref().is_none_or(|known| place(&at) < place(known)) {
            *earliest = Some(at);
        }
    }
}

impl Log {
    pub(super) fn standing(&self, at: &Position) -> Standing {
        Standing { memory: self.memory_standing(at), ledger: self.ledger_standing(at) }
    }

    pub(super) fn memory_standing(&self, at: &Position) -> Option<ResetReason> {
        if at.epoch != self.head.epoch {
            Some(ResetReason::Epoch)
        } else if at.seq > self.head.seq {
            Some(ResetReason::Ahead)
        } else if self.seqs.contradict(at.seq, at.check) {
            Some(ResetReason::Diverged)
        } else {
            None
        }
    }

    fn ledger_standing(&self, at: &Position) -> Option<ResetReason> {
        if at.ledger > self.head.ledger {
            Some(ResetReason::Ahead)
        } else if self.rows.contradict(ledger::row(at.ledger), at.ledger_check) {
            Some(ResetReason::Diverged)
        } else {
            None
        }
    }

    /// The decision for one channel.
    pub(super) fn recover(
        &self,
        class: &Class,
        record: Option<&Record>,
        at: &Position,
        standing: Standing,
        want: &Want,
    ) -> Found {
        if class.shape == Shape::Ephemeral {
            return Found::Nothing;
        }
        let own = want.after.as_ref();
        let (by, wrong) = if class.durable {
            let own = own.filter(|own| own.ledger > at.ledger);
            own.map_or((at, standing.ledger), |own| (own, self.ledger_standing(own)))
        } else {
            // A start of an earlier life is behind everybody who lives now.
            let later = |own: &&Position| at.epoch != own.epoch || own.seq > at.seq;
            let own = own.filter(|own| own.epoch == self.head.epoch).filter(later);
            own.map_or((at, standing.memory), |own| (own, self.memory_standing(own)))
        };
        if let Some(reason) = wrong {
            return Found::Reset(reason);
        }
        let place = if class.durable { by.ledger } else { by.seq };
        if place >= self.floor(class, record) {
            Found::After(place, *by)
        } else if class.durable {
            Found::Older(*by)
        } else {
            Found::Reset(ResetReason::Expired)
        }
    }

    fn floor(&self, class: &Class, record: Option<&Record>) -> u64 {
        record.map_or_else(|| self.floors.of(class), |record| record.history.floor())
    }

    /// Where a reader begins who has nothing of a channel: a stream at the head, `latest` with all
    /// its values, which lie above its floor or, for a durable one, in the ledger.
    pub fn start_of(&self, channel: &str) -> Position {
        let record = self.records.get(channel);
        let class = record.map_or_else(|| self.classes.of(channel), |record| &record.class);
        self.after_reset(class, record, &self.head)
    }

    /// Where a reader of this channel begins who wants everything that is kept: with what the ledger
    /// has of it, and with what memory has.
    pub fn beginnings(&self, channel: &str) -> (Position, Position) {
        let record = self.records.get(channel);
        let class = record.map_or_else(|| self.classes.of(channel), |record| &record.class);
        let floor = self.floor(class, record);
        let memory = if class.durable {
            Position { ledger: floor, ledger_check: 0, ..self.head }
        } else {
            Position { seq: floor, check: self.seqs.of(floor), ..self.head }
        };
        (Position { ledger: 0, ledger_check: 0, ..memory }, memory)
    }

    /// Where a channel goes on after its reset: as if it were new to the reader.
    pub(super) fn after_reset(&self, class: &Class, record: Option<&Record>, at: &Position) -> Position {
        let latest = class.shape == Shape::Latest;
        let head = self.head;
        match (class.durable, latest) {
            (true, true) => Position { ledger: 0, ledger_check: 0, ..*at },
            (true, false) => Position { ledger: head.ledger, ledger_check: head.ledger_check, ..*at },
            (false, true) => {
                let start = Position::start(head.epoch, at.ledger, at.ledger_check);
                let floor = self.floor(class, record);
                Position { seq: floor, check: self.seqs.of(floor), ..start }
            }
            (false, false) => Position { ledger: at.ledger, ledger_check: at.ledger_check, ..head },
        }
    }

    /// A reader from another life, or from beyond the head, takes its place in this one: at the
    /// head, or earlier where one of its channels still has something for it, so that a cut before
    /// that arrives loses nothing.
    pub(super) fn settle(&self, at: &mut Position, standing: Standing, settling: &Settling) {
        if standing.memory.is_some() {
            let earlier = settling.memory.filter(|place| place.seq < self.head.seq);
            // A place that nobody could verify later is worth less than the beginning.
            let start = Position::start(self.head.epoch, 0, 0);
            let to = earlier.map_or(self.head, |place| if place.check == 0 { start } else { place });
            (at.epoch, at.seq, at.check) = (to.epoch, to.seq, to.check);
        }
        if standing.ledger.is_some() {
            let to = settling.ledger.filter(|place| place.ledger < self.head.ledger).unwrap_or(self.head);
            (at.ledger, at.ledger_check) = (to.ledger, to.ledger_check);
        }
    }

    /// What a reader must be told of a channel's members.
    pub(super) fn told(
        &self,
        record: Option<&Record>,
        at: &Position,
        standing: Standing,
        members: Members,
    ) -> Told {
        let list = match members {
            Members::Ignored => return Told::Nothing,
            Members::Unknown => return Told::List,
            Members::Listed(list) => list,
        };
        // A list from what was rolled back may name members who never came.
        if self.memory_standing(&list).is_some() {
            return Told::List;
        }
        let own = if standing.memory.is_none() { at.seq } else { 0 };
        let seen = list.seq.max(own);
        let floor = record.map_or(self.floors.changes, |record| record.changes_floor);
        if seen < floor { Told::List } else { Told::Changes(seen) }
    }
}
