//! Random lives of a log against the naive model.

use deskbell_core::log::Bounds;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::reader::Reader;
use crate::world::{CHANNELS, DURABLE, MEMORY, Mark, TYPING, World, class_of};

#[derive(Debug, Clone)]
enum Step {
    Append { channel: Index, key: u8, size: usize },
    Type,
    Commit(Vec<(Index, u8)>),
    TakeIn(usize),
    Snapshot,
    Seat { channel: Index, member: u8, tab: u64, enters: bool },
    Flush,
    Pass(u64),
    Sweep(usize),
    Come { mark: Index, wants: Vec<Wanted> },
    Turn { reader: Index, bounds: (usize, usize) },
    Cut(Index),
    Late { mark: Index, until: Index, channel: usize, bounds: (usize, usize) },
    Crash(bool),
    Deploy,
    Save,
    Restore,
    RollLedgerBack { lost: usize, clean: bool },
}

#[derive(Debug, Clone)]
struct Wanted {
    channel: usize,
    after: Option<Index>,
    presence: bool,
}

fn bounds() -> impl Strategy<Value = (usize, usize)> {
    (1usize..6, 200usize..3_000)
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let after = proptest::option::weighted(0.2, any::<Index>());
    (0..CHANNELS.len(), after, proptest::bool::weighted(0.4)).prop_map(|(channel, after, presence)| Wanted {
        channel,
        after,
        presence,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let drafts = proptest::collection::vec((any::<Index>(), 0u8..5), 0..4);
    prop_oneof![
        12 => (any::<Index>(), 0u8..5, 0usize..400).prop_map(|(channel, key, size)| Step::Append { channel, key, size }),
        1 => Just(Step::Type),
        8 => drafts.prop_map(Step::Commit),
        6 => (1usize..4).prop_map(Step::TakeIn),
        1 => Just(Step::Snapshot),
        4 => (any::<Index>(), 0u8..3, 0u64..2, any::<bool>())
            .prop_map(|(channel, member, tab, enters)| Step::Seat { channel, member, tab, enters }),
        1 => Just(Step::Flush),
        4 => prop_oneof![4 => 0u64..8_000, 1 => 0u64..200_000].prop_map(Step::Pass),
        3 => (1usize..9).prop_map(Step::Sweep),
        5 => (any::<Index>(), proptest::collection::vec(wanted(), 1..6))
            .prop_map(|(mark, wants)| Step::Come { mark, wants }),
        20 => (any::<Index>(), bounds()).prop_map(|(reader, bounds)| Step::Turn { reader, bounds }),
        4 => any::<Index>().prop_map(Step::Cut),
        3 => (any::<Index>(), any::<Index>(), 0usize..6, bounds())
            .prop_map(|(mark, until, channel, bounds)| Step::Late { mark, until, channel, bounds }),
        1 => any::<bool>().prop_map(Step::Crash),
        1 => Just(Step::Deploy),
        1 => Just(Step::Save),
        1 => Just(Step::Restore),
        1 => (1usize..5, any::<bool>()).prop_map(|(lost, clean)| Step::RollLedgerBack { lost, clean }),
    ]
}

/// A world and its readers.
struct Life {
    world: World,
    readers: Vec<Reader>,
}

impl Life {
    fn mark(&self, index: Index) -> Mark {
        *index.get(&self.world.marks)
    }

    fn run(&mut self, step: Step) {
        let world = &mut self.world;
        match step {
            Step::Append { channel, key, size } => world.append(*channel.get(&MEMORY), key, size),
            Step::Type => world.append(TYPING, 0, 5),
            Step::Commit(drafts) => {
                let drafts: Vec<_> = drafts.iter().map(|(at, key)| (*at.get(&DURABLE), *key)).collect();
                world.commit(&drafts);
            }
            Step::TakeIn(rows) => world.take_in(rows),
            Step::Snapshot => world.snapshot(),
            Step::Seat { channel, member, tab, enters } => {
                let channel = channel.index(CHANNELS.len());
                world.seat(channel, member, tab, enters);
            }
            Step::Flush => drop(world.flush()),
            Step::Pass(time) => world.now += time,
            Step::Sweep(budget) => world.log.sweep(budget, world.now),
            Step::Come { mark, wants } => self.come(mark, wants),
            Step::Turn { reader, bounds } if !self.readers.is_empty() => {
                let reader = reader.index(self.readers.len());
                self.readers[reader].step(world, of(bounds));
            }
            Step::Cut(reader) if !self.readers.is_empty() => {
                let reader = reader.index(self.readers.len());
                self.readers[reader].cut(world);
            }
            Step::Turn { .. } | Step::Cut(_) => {}
            Step::Late { mark, until, channel, bounds } => self.late(mark, until, channel, bounds),
            Step::Crash(gather) => self.restart(false, |world| world.crash(gather)),
            Step::Deploy => self.restart(true, World::deploy),
            Step::Save => world.save(),
            Step::Restore => self.restore(),
            Step::RollLedgerBack { lost, clean } => {
                self.restart(false, |world| world.roll_ledger_back(lost, clean));
            }
        }
    }

    fn come(&mut self, mark: Index, wants: Vec<Wanted>) {
        let mut chosen: Vec<(usize, Option<Mark>, bool)> = Vec::new();
        for Wanted { channel, after, presence } in wants {
            // A start that was rolled back belongs to a token that no session has any more.
            let after =
                after.map(|after| self.mark(after)).filter(|own| own.memory_holds && own.ledger_holds);
            if chosen.iter().all(|(other, _, _)| *other != channel) {
                chosen.push((channel, after, presence));
            }
        }
        self.readers.push(Reader::new(&self.world, self.mark(mark), chosen));
    }

    fn late(&mut self, mark: Index, until: Index, channel: usize, bounds: (usize, usize)) {
        let (mark, until, head) = (self.mark(mark), self.mark(until), self.world.log.head());
        let current = until.memory_holds && until.ledger_holds && until.at.epoch == head.epoch;
        // A start that lies ahead of the connection is no reason to catch up.
        let behind = !class_of(channel).durable || mark.at.ledger < until.at.ledger;
        if current && behind && until.at.ledger <= head.ledger {
            let mut reader = Reader::late(&self.world, mark, channel, until.at);
            finish(&mut reader, &mut self.world, of(bounds));
        }
    }

    /// A start anew. What was rolled back holds for nobody any more.
    fn restart(&mut self, sessions: bool, how: impl FnOnce(&mut World)) {
        how(&mut self.world);
        for reader in &mut self.readers {
            reader.rolled_back(&self.world);
            reader.restarted(&self.world, sessions);
        }
    }

    fn restore(&mut self) {
        if self.world.saved.is_some() {
            self.restart(false, World::restore);
        }
    }

    /// Lets everything come to rest and looks at what everybody has.
    fn end(&mut self) {
        self.world.now += 1_000;
        assert!(!self.world.flush());
        self.world.take_in(usize::MAX);
        for reader in &mut self.readers {
            finish(reader, &mut self.world, Bounds { events: 3, bytes: 900 });
        }
    }
}

fn of((events, bytes): (usize, usize)) -> Bounds {
    Bounds { events, bytes }
}

fn finish(reader: &mut Reader, world: &mut World, bounds: Bounds) {
    let turns = (0..2_000).position(|_| !reader.step(world, bounds));
    assert!(turns.is_some(), "the reader never comes to an end");
    reader.has_everything(world);
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// G1, G2, G4 and G5, whatever happens in whatever order: each reader is given every event of
    /// its streams once and in order or is told before it is not, a cut at any place loses and
    /// doubles nothing, values and member lists converge, and nobody is reset for nothing.
    #[test]
    fn readers_get_everything_or_are_told(steps in proptest::collection::vec(step(), 1..80)) {
        let mut life = Life { world: World::new(), readers: Vec::new() };
        for step in steps {
            life.run(step);
        }
        life.end();
    }
}
