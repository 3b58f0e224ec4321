//! An inbox as a list, against which the marks and the kept count are held.

use deskbell_core::limits::{self, DAY, Millis};
use deskbell_core::post::Act;
use proptest::prelude::*;

use super::*;

/// One notification: its number, when it came, whether it is read.
type One = (u64, Millis, bool);

/// The list.
#[derive(Debug, Default)]
struct Naive {
    list: Vec<One>,
    newest: u64,
}

impl Naive {
    fn unread(&self) -> u64 {
        self.list.iter().filter(|(_, _, read)| !read).count() as u64
    }
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Notify,
    Read(u8, u8),
    ReadAll,
    ReadUpTo(u8),
    Delete(u8, u8),
    Clear,
    Save,
    Fail,
    Wait(u8),
    Expire(u8),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => Just(Deed::Notify),
        4 => (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Deed::Read(a, b)),
        1 => Just(Deed::ReadAll),
        3 => any::<u8>().prop_map(Deed::ReadUpTo),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Deed::Delete(a, b)),
        1 => Just(Deed::Clear),
        5 => Just(Deed::Save),
        1 => Just(Deed::Fail),
        2 => any::<u8>().prop_map(Deed::Wait),
        2 => any::<u8>().prop_map(Deed::Expire),
    ]
}

/// A number that is there, was there, or never was.
fn some(newest: u64, from: u8) -> u64 {
    u64::from(from) % (newest + 3)
}

/// Does a deed to both. A batch that fails takes both back to the last save.
struct Pair {
    real: Post,
    naive: Naive,
    saved: (Vec<One>, u64),
    unsaved: bool,
}

impl Pair {
    fn ask(&mut self, act: Act) -> Option<u64> {
        self.unsaved = true;
        let reply = self.real.ask(&site(), act).unwrap();
        let told = self.real.heard("user:ann");
        if let Some((_, data)) = told.last() {
            assert_eq!(data["unread"], self.real.slice.inbox(&user("ann")).unwrap().unread, "{data}");
        }
        reply.unread
    }

    fn act(&mut self, deed: Deed) {
        let (ann, newest, now) = (Some(user("ann")), self.naive.newest, self.real.now);
        match deed {
            Deed::Notify => {
                self.ask(notify(&["ann"], "t", IN_APP));
                self.naive.newest += 1;
                self.naive.list.push((self.naive.newest, now, false));
            }
            Deed::Read(a, b) => {
                let numbers = vec![some(newest, a), some(newest, b), some(newest, a)];
                let read = numbers.clone();
                let unread = self.ask(Act::Read { of: ann, numbers });
                for one in &mut self.naive.list {
                    one.2 |= read.contains(&one.0);
                }
                assert_eq!(unread, Some(self.naive.unread()));
            }
            Deed::ReadAll | Deed::ReadUpTo(_) => {
                let up_to = if let Deed::ReadUpTo(from) = deed { Some(some(newest, from)) } else { None };
                let unread = self.ask(Act::ReadAll { of: ann, up_to });
                for one in &mut self.naive.list {
                    one.2 |= one.0 <= up_to.unwrap_or(u64::MAX);
                }
                assert_eq!(unread, Some(self.naive.unread()));
            }
            Deed::Delete(a, b) => {
                let gone = vec![some(newest, a), some(newest, b)];
                self.ask(Act::Delete { of: ann, numbers: gone.clone() });
                self.naive.list.retain(|one| !gone.contains(&one.0));
            }
            Deed::Clear => {
                assert_eq!(self.ask(Act::Clear { of: ann }), Some(0));
                self.naive.list.clear();
            }
            Deed::Save => self.save(),
            Deed::Fail => {
                self.real.fail();
                (self.naive.list, self.naive.newest) = self.saved.clone();
                self.unsaved = false;
            }
            Deed::Wait(days) => self.real.now += u64::from(days) * DAY,
            Deed::Expire(rows) => self.expire(1 + usize::from(rows) % 3),
        }
    }

    fn save(&mut self) {
        self.real.save();
        self.saved = (self.naive.list.clone(), self.naive.newest);
        self.unsaved = false;
    }

    /// Expiry runs between batches, until nothing is too old.
    fn expire(&mut self, rows: usize) {
        self.save();
        let cutoff = self.real.now.saturating_sub(limits::NOTIFICATION_AGE);
        for _ in 0..10_000 {
            self.real.expire(&user("ann"), rows, cutoff);
        }
        self.naive.list.retain(|one| one.1 > cutoff);
        self.save();
    }

    /// What a page and the count show.
    fn check(&mut self) {
        if self.unsaved {
            return;
        }
        let inbox = self.real.inboxes.get(&user("ann")).cloned().unwrap_or_default();
        let rows = self.real.rows.get(&user("ann")).cloned().unwrap_or_default();
        let shown: Vec<One> = rows
            .iter()
            .filter(|(number, _)| inbox.may_have(**number))
            .map(|(number, (at, marked))| (*number, *at, inbox.is_read(*number, *marked)))
            .collect();
        assert_eq!(shown, self.naive.list);
        assert_eq!(inbox.unread, self.naive.unread());
        assert!(rows.values().next().is_none_or(|(at, _)| inbox.oldest.is_some_and(|oldest| oldest <= *at)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn an_inbox_of_marks_is_the_list_of_its_notifications(deeds in prop::collection::vec(deed(), 1..80)) {
        let real = Post { now: 1_000 * DAY, ..Post::default() };
        let mut pair = Pair { real, naive: Naive::default(), saved: (Vec::new(), 0), unsaved: false };
        for deed in deeds {
            pair.act(deed);
            pair.check();
        }
        pair.act(Deed::Save);
        pair.check();
    }
}
