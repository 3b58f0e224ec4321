//! What one change of the ledger tells several channels is handed out together, because whoever hears more than one
//! of them is told everything once.

use deskbell_core::event::{Data, Draft, Event, SharedEntry};
use deskbell_core::ids::{ChannelName, EventId, EventName};
use deskbell_core::limits;
use deskbell_core::log::{Log, Pull, Row};
use deskbell_core::position::ledger;

use super::super::chunk::pull;
use super::{CHANNELS, Stage, publish};

/// A change that tells so many channels.
fn change(log: &mut Log, channels: usize) {
    let row = ledger::row(log.head().ledger) + 1;
    let draft = |nth: usize| {
        Draft::message(Event {
            id: EventId::parse(&format!("c{row}.0.{nth}")).unwrap(),
            channel: ChannelName::parse(&format!("ledger{nth}")).unwrap(),
            name: EventName::parse("e").unwrap(),
            data: Data::json("1"),
            at: 0,
        })
    };
    let row = Row { row, check: row as u32, drafts: (0..channels).map(draft).collect() };
    log.append_if(vec![row], 0).unwrap();
}

#[test]
fn a_change_is_never_pulled_in_two() {
    let stage = Stage::new("pulled", CHANNELS);
    let log = &stage.hub.apps[0].log;
    let start = log.with(|log| log.ring_end().0);
    for n in 0..3 {
        log.with(|log| change(log, 3));
        stage.publish("large", n, 10);
        log.with(|log| change(log, 1));
    }
    for most in 1..=20 {
        let (mut next, mut all) = (start, Vec::new());
        while next < start + 15 {
            let mut entries: Vec<SharedEntry> = Vec::new();
            let Pull::Next(place) = log.with(|log| pull(log, next, most, &mut entries)) else { panic!() };
            assert_eq!(place, next + entries.len() as u64);
            assert!(place > next && entries.len() <= most, "pulls of {most} go on");
            if let (Some(last), true) = (all.last(), most >= 3) {
                let last: &SharedEntry = last;
                assert!(!last.is_of_one_change(&entries[0]), "pulls of {most}");
            }
            next = place;
            all.append(&mut entries);
        }
        let seqs: Vec<u64> = all.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (seqs[0]..seqs[0] + 15).collect::<Vec<_>>());
    }
}

#[test]
fn a_change_is_never_handed_out_in_two() {
    let mut stage = Stage::new("handed", CHANNELS);
    let names: Vec<String> = (0..limits::JOIN_CHANNELS).map(|nth| format!("news{nth}")).collect();
    let mut channels: Vec<&str> = names.iter().map(String::as_str).collect();
    channels.extend(["ledger0", "ledger1", "ledger2"]);
    let _reader = stage.reader(&channels);
    let hub = stage.hub.clone();
    let log = &hub.apps[0].log;
    for before in [0, 1, limits::JOIN_CHANNELS - 1, limits::JOIN_CHANNELS] {
        let start = log.with(|log| log.ring_end().0);
        names[..before].iter().for_each(|name| publish(&stage.hub, name, 0, 10, None));
        log.with(|log| change(log, 3));
        log.with(|log| change(log, 3));
        let mut entries = Vec::new();
        log.with(|log| log.pull(start, usize::MAX, &mut entries));
        let chunk = stage.shard.gather(0, 0, &entries);
        let whole = [before, before + 3, before + 6];
        assert!(whole.contains(&chunk.bits.len()), "{} of {before} and two changes", chunk.bits.len());
        stage.turn();
    }
}
