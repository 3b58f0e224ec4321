//! Who is here: members, the sessions that hold them, and what a change means to the others.
//!
//! Every change carries the session and its generation, and an older generation changes nothing:
//! a late "gone" of a superseded connection cannot remove a member who came back.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::limits;
use crate::refusal::{Code, Refusal};

/// A session as presence knows it: a number that is never reused, and how often it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The session.
    pub session: u64,
    /// Its generation; a reconnect takes the next one.
    pub generation: u32,
}

/// One member: a principal, however many tabs hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What the member shows of itself, as JSON.
    pub data: Bytes,
    /// The sessions that keep it here.
    pub holders: Vec<Holder>,
}

/// What a change means to the others in the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing that anybody sees.
    None,
    /// The member's first session came.
    Joined,
    /// The member shows other data.
    Updated,
    /// The member's last session went.
    Left,
}

/// The members of one channel.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Presence {
    members: BTreeMap<Arc<str>, Member>,
}

impl Presence {
    /// A session enters, returns under a new generation, or changes what it shows.
    pub fn enter(&mut self, id: &str, holder: Holder, data: Bytes) -> Result<Change, Refusal> {
        if let Some(member) = self.members.get_mut(id) {
            match member.holders.iter_mut().find(|h| h.session == holder.session) {
                Some(known) if known.generation > holder.generation => return Ok(Change::None),
                Some(known) => *known = holder,
                None => member.holders.push(holder),
            }
            if member.data == data {
                return Ok(Change::None);
            }
            member.data = data;
            return Ok(Change::Updated);
        }
        if self.members.len() >= limits::PRESENCE_MEMBERS {
            return Err(Refusal::new(
                Code::LimitReached,
                "this channel's presence is full; spread the members over several channels",
            ));
        }
        self.members.insert(Arc::from(id), Member { data, holders: vec![holder] });
        Ok(Change::Joined)
    }

    /// A session goes: at once when it says so, or when its grace is over.
    pub fn leave(&mut self, id: &str, holder: Holder) -> Change {
        let Some(member) = self.members.get_mut(id) else { return Change::None };
        let before = member.holders.len();
        member.holders.retain(|h| h.session != holder.session || h.generation > holder.generation);
        if member.holders.is_empty() {
            self.members.remove(id);
            return Change::Left;
        }
        debug_assert!(member.holders.len() <= before);
        Change::None
    }

    /// Everybody who is here, by id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Member)> {
        self.members.iter()
    }

    /// One member.
    pub fn get(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    /// How many members are here.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Is nobody here?
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn holder(session: u64, generation: u32) -> Holder {
        Holder { session, generation }
    }

    #[test]
    fn the_first_tab_joins_and_the_last_leaves() {
        let mut presence = Presence::default();
        let data = Bytes::from_static(b"{}");
        assert_eq!(presence.enter("ann", holder(1, 1), data.clone()), Ok(Change::Joined));
        assert_eq!(presence.enter("ann", holder(2, 1), data.clone()), Ok(Change::None));
        assert_eq!(presence.enter("ann", holder(2, 1), Bytes::from_static(b"1")), Ok(Change::Updated));
        assert_eq!(presence.leave("ann", holder(1, 1)), Change::None);
        assert_eq!(presence.leave("ann", holder(2, 1)), Change::Left);
        assert!(presence.is_empty());
    }

    #[test]
    fn an_older_generation_removes_nobody() {
        let mut presence = Presence::default();
        presence.enter("ann", holder(1, 1), Bytes::new()).unwrap();
        presence.enter("ann", holder(1, 2), Bytes::new()).unwrap();
        assert_eq!(presence.leave("ann", holder(1, 1)), Change::None);
        assert_eq!(presence.len(), 1);
        assert_eq!(presence.leave("ann", holder(1, 2)), Change::Left);
    }

    proptest! {
        /// The visible changes alone rebuild the member list, whatever the order of tabs.
        #[test]
        fn changes_rebuild_the_list(steps in proptest::collection::vec((0u8..3, 0u64..3, any::<bool>()), 0..60)) {
            let mut presence = Presence::default();
            let mut seen = BTreeSet::new();
            let mut truth: BTreeSet<(u8, u64)> = BTreeSet::new();
            for (member, tab, enters) in steps {
                let (id, holder) = (member.to_string(), holder(u64::from(member) * 10 + tab, 1));
                let change = if enters {
                    truth.insert((member, tab));
                    presence.enter(&id, holder, Bytes::new()).unwrap()
                } else {
                    truth.remove(&(member, tab));
                    presence.leave(&id, holder)
                };
                match change {
                    Change::Joined => prop_assert!(seen.insert(id)),
                    Change::Left => prop_assert!(seen.remove(&id)),
                    Change::None | Change::Updated => {}
                }
            }
            let expected: BTreeSet<String> = truth.iter().map(|(member, _)| member.to_string()).collect();
            prop_assert_eq!(&seen, &expected);
            prop_assert_eq!(presence.len(), expected.len());
        }
    }
}
