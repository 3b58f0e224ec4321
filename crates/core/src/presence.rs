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
    /// A member came while joins are gathered: the others see it when they are announced.
    Gathered,
}

impl Member {
    /// Takes a session in, unless it is an older life of one that is here.
    fn hold(&mut self, holder: Holder) -> bool {
        match self.holders.iter_mut().find(|h| h.session == holder.session) {
            Some(known) if known.generation > holder.generation => return false,
            Some(known) => *known = holder,
            None => self.holders.push(holder),
        }
        true
    }

    /// Lets a session go, unless a newer life of it is here. Is nobody left?
    fn release(&mut self, holder: Holder) -> bool {
        self.holders.retain(|h| h.session != holder.session || h.generation > holder.generation);
        self.holders.is_empty()
    }
}

/// The members of one channel.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Presence {
    members: BTreeMap<Arc<str>, Member>,
    /// Members of whom the others have not been told yet. They are in no list, so that whoever
    /// goes again before that was never there.
    coming: BTreeMap<Arc<str>, Member>,
}

impl Presence {
    /// A session enters, returns under a new generation, or changes what it shows.
    pub fn enter(&mut self, id: &str, holder: Holder, data: Bytes) -> Result<Change, Refusal> {
        self.enter_as(id, holder, data, Change::Joined)
    }

    /// The same while joins are gathered: a new member is seen from [`Presence::announce`] on.
    pub fn enter_gathered(&mut self, id: &str, holder: Holder, data: Bytes) -> Result<Change, Refusal> {
        self.enter_as(id, holder, data, Change::Gathered)
    }

    fn enter_as(&mut self, id: &str, holder: Holder, data: Bytes, new: Change) -> Result<Change, Refusal> {
        if let Some(member) = self.members.get_mut(id) {
            if !member.hold(holder) || member.data == data {
                return Ok(Change::None);
            }
            member.data = data;
            return Ok(Change::Updated);
        }
        if let Some(member) = self.coming.get_mut(id) {
            if member.hold(holder) {
                member.data = data;
            }
            return Ok(Change::None);
        }
        if self.members.len() + self.coming.len() >= limits::PRESENCE_MEMBERS {
            return Err(Refusal::new(
                Code::LimitReached,
                "this channel's presence is full; spread the members over several channels",
            ));
        }
        let map = if new == Change::Gathered { &mut self.coming } else { &mut self.members };
        map.insert(Arc::from(id), Member { data, holders: vec![holder] });
        Ok(new)
    }

    /// A session goes: at once when it says so, or when its grace is over.
    pub fn leave(&mut self, id: &str, holder: Holder) -> Change {
        if let Some(member) = self.members.get_mut(id) {
            if member.release(holder) {
                self.members.remove(id);
                return Change::Left;
            }
        } else if let Some(member) = self.coming.get_mut(id)
            && member.release(holder)
        {
            self.coming.remove(id);
        }
        Change::None
    }

    /// Lets everybody who is coming be seen, and says who and what they show.
    pub fn announce(&mut self) -> Vec<(Arc<str>, Bytes)> {
        let coming = std::mem::take(&mut self.coming);
        let announced = coming.iter().map(|(id, member)| (id.clone(), member.data.clone())).collect();
        self.members.extend(coming);
        announced
    }

    /// Everybody of whom the others have not been told yet, by id.
    pub fn coming(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Member)> {
        self.coming.iter()
    }

    /// Everybody who is here, by id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Member)> {
        self.members.iter()
    }

    /// One member.
    pub fn get(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    /// How many members the others see.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Is nobody here, nor coming?
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.coming.is_empty()
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

    #[test]
    fn an_older_generation_changes_nothing_when_it_enters_late() {
        let mut presence = Presence::default();
        presence.enter("ann", holder(1, 2), Bytes::from_static(b"2")).unwrap();
        assert_eq!(presence.enter("ann", holder(1, 1), Bytes::from_static(b"1")), Ok(Change::None));
        assert_eq!(presence.get("ann").unwrap().data, "2");
        assert_eq!(presence.leave("ann", holder(1, 1)), Change::None);
        assert_eq!(presence.len(), 1);
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
                    Change::None | Change::Updated | Change::Gathered => {}
                }
            }
            let expected: BTreeSet<String> = truth.iter().map(|(member, _)| member.to_string()).collect();
            prop_assert_eq!(&seen, &expected);
            prop_assert_eq!(presence.len(), expected.len());
        }
    }
}
