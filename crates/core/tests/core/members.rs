//! Presence as the log tells it: joins gathered after a crash, and lists that are owed.

use std::collections::BTreeSet;

use bytes::Bytes;
use deskbell_core::event::{Kind, SharedEntry};
use deskbell_core::ids::EventId;
use deskbell_core::limits;
use deskbell_core::log::{Bounds, Log, Members, Page, PresenceNote, Want};
use deskbell_core::position::{Epoch, Position};
use deskbell_core::presence::{Change, Holder, Presence};

use crate::world::{classes, name};

const WIDE: Bounds = Bounds { events: 10_000, bytes: 1 << 30 };

struct Room {
    log: Log,
    now: u64,
    ids: u64,
}

impl Room {
    fn new(gather_until: u64) -> Self {
        let mut log = Log::new(Epoch(1), 0, 0, classes());
        log.gather_joins(gather_until);
        Self { log, now: 0, ids: 0 }
    }

    fn id(&mut self) -> EventId {
        self.ids += 1;
        EventId::parse(&format!("p{}", self.ids)).unwrap()
    }

    fn enter(&mut self, member: &str, tab: u64, data: &str) -> Change {
        let note = PresenceNote { id: self.id(), now: self.now };
        let holder = Holder { session: tab, generation: 1 };
        self.log.enter(&name(0), member, holder, Bytes::copy_from_slice(data.as_bytes()), note).unwrap()
    }

    fn leave(&mut self, member: &str, tab: u64) -> Change {
        let note = PresenceNote { id: self.id(), now: self.now };
        self.log.leave(&name(0), member, Holder { session: tab, generation: 1 }, note)
    }

    fn flush(&mut self) -> bool {
        let mut ids = self.ids + 1_000_000;
        self.log.flush_joins(self.now, || {
            ids += 1;
            EventId::parse(&format!("f{ids}")).unwrap()
        })
    }

    fn told(&self) -> Vec<(Kind, String)> {
        let mut entries: Vec<SharedEntry> = Vec::new();
        self.log.pull(0, usize::MAX, &mut entries);
        let text = |e: &SharedEntry| String::from_utf8(e.event.data.bytes.to_vec()).unwrap();
        entries.iter().map(|entry| (entry.kind, text(entry))).collect()
    }

    fn listed(&self) -> Vec<String> {
        let presence = self.log.presence("few").into_iter();
        presence.flat_map(Presence::members).map(|(id, _)| id.to_string()).collect()
    }

    fn read(&self, at: &Position, members: Members) -> Page {
        self.log.read(at, &[Want { members, ..Want::plain(name(0)) }], None, WIDE)
    }
}

#[test]
fn gathered_joins_are_one_entry() {
    let mut room = Room::new(1_000);
    assert_eq!(room.enter("ann", 1, "{\"n\":1}"), Change::Gathered);
    assert_eq!(room.enter("bob", 2, "2"), Change::Gathered);
    assert_eq!(room.enter("ann", 3, "{\"n\":2}"), Change::None);
    assert_eq!(room.log.head().seq, 0);
    assert!(room.listed().is_empty(), "who was not told of is in no list");
    room.now = 250;
    assert!(room.flush(), "there may be more until the time is over");
    let joined = "[{\"id\":\"ann\",\"data\":{\"n\":2}},{\"id\":\"bob\",\"data\":2}]";
    assert_eq!(room.told(), [(Kind::Joined, joined.to_owned())]);
    assert_eq!(room.listed(), ["ann", "bob"]);
    room.now = 500;
    assert!(room.flush());
    assert_eq!(room.told().len(), 1, "nobody is told twice");
}

#[test]
fn who_goes_before_the_flush_was_never_there() {
    let mut room = Room::new(1_000);
    room.enter("ann", 1, "1");
    room.enter("bob", 2, "1");
    room.enter("bob", 3, "1");
    assert_eq!(room.leave("ann", 1), Change::None);
    assert_eq!(room.leave("bob", 2), Change::None);
    room.flush();
    assert_eq!(room.told(), [(Kind::Joined, "[{\"id\":\"bob\",\"data\":1}]".to_owned())]);
    assert_eq!(room.leave("bob", 3), Change::Left);
    assert_eq!(room.told().last().unwrap(), &(Kind::Left, "[{\"id\":\"bob\"}]".to_owned()));
}

#[test]
fn a_join_of_a_member_who_is_seen_already_is_told_at_once() {
    let mut room = Room::new(1_000);
    room.enter("ann", 1, "1");
    room.flush();
    assert_eq!(room.enter("ann", 2, "1"), Change::None);
    assert_eq!(room.enter("ann", 2, "2"), Change::Updated);
    assert_eq!(room.told().len(), 2);
}

#[test]
fn after_the_time_joins_are_told_one_by_one() {
    let mut room = Room::new(1_000);
    room.enter("ann", 1, "1");
    room.now = 1_000;
    assert_eq!(room.enter("bob", 2, "1"), Change::Joined);
    assert!(!room.flush(), "this was the last time");
    let kinds: Vec<_> = room.told().into_iter().map(|(_, members)| members).collect();
    assert_eq!(kinds, ["[{\"id\":\"bob\",\"data\":1}]", "[{\"id\":\"ann\",\"data\":1}]"]);
}

#[test]
fn a_gathered_join_is_split_before_it_is_too_large() {
    let mut room = Room::new(1_000);
    let data = format!("\"{}\"", "x".repeat(limits::PRESENCE_DATA - 2));
    for member in 0..40 {
        room.enter(&format!("m{member:02}"), member, &data);
    }
    room.flush();
    let told = room.told();
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|(_, members)| members.len() <= limits::JOIN_BYTES + 2));
    let named: BTreeSet<_> =
        (0..40).filter(|m| told.iter().any(|(_, t)| t.contains(&format!("\"m{m:02}\"")))).collect();
    assert_eq!(named.len(), 40);
}

#[test]
fn a_stop_between_a_join_and_its_flush_forgets_nobody() {
    let mut room = Room::new(1_000);
    room.enter("ann", 1, "1");
    let carry = serde_json::to_string(&room.log.carry()).unwrap();
    room.log = Log::resume(serde_json::from_str(&carry).unwrap(), 0, 0, classes(), 300);
    assert!(room.listed().is_empty());
    assert!(!room.flush());
    assert_eq!(room.listed(), ["ann"]);
    assert_eq!(room.told().len(), 1);
}

#[test]
fn the_bound_on_members_counts_those_who_are_coming() {
    let mut room = Room::new(1_000);
    for member in 0..limits::PRESENCE_MEMBERS as u64 {
        room.enter(&member.to_string(), member, "1");
    }
    let note = PresenceNote { id: room.id(), now: 0 };
    let holder = Holder { session: u64::MAX, generation: 1 };
    assert!(room.log.enter(&name(0), "one more", holder, "1".into(), note).is_err());
}

#[test]
fn a_list_is_owed_exactly_to_whom_changes_do_not_help() {
    let mut room = Room::new(0);
    let start = room.log.head();
    room.enter("ann", 1, "1");
    let first = room.log.head();
    room.enter("bob", 2, "1");
    let head = room.log.head();
    let table = [
        (start, Members::Ignored, false, 0),
        (start, Members::Unknown, true, 0),
        (head, Members::Unknown, true, 0),
        (start, Members::Listed(start), false, 2),
        (start, Members::Listed(first), false, 1),
        (first, Members::Listed(start), false, 1),
        (head, Members::Listed(head), false, 0),
        (head, Members::Listed(Position { epoch: Epoch(0), ..head }), true, 0),
        (head, Members::Listed(Position { seq: 9, ..head }), true, 0),
        (head, Members::Listed(Position { check: 77, ..head }), true, 0),
    ];
    for (at, members, list, changes) in table {
        let page = room.read(&at, members);
        assert_eq!((!page.rosters.is_empty(), page.entries.len()), (list, changes), "{at:?} {members:?}");
    }
    // The changes are gone when their time is over, and then the list is owed; so it is where the
    // whole record is gone, and the list is empty.
    room.now = limits::RESUME_WINDOW + 1;
    room.log.sweep(10, room.now);
    assert_eq!(room.read(&first, Members::Listed(first)).rosters.len(), 1);
    assert!(room.read(&head, Members::Listed(head)).rosters.is_empty());
    room.leave("ann", 1);
    room.leave("bob", 2);
    room.now += limits::RESUME_WINDOW + 1;
    room.log.sweep(10, room.now);
    assert!(room.log.presence("few").is_none());
    assert_eq!(room.read(&head, Members::Listed(head)).rosters.len(), 1);
    assert_eq!(room.read(&head, Members::Unknown).rosters.len(), 1);
}
