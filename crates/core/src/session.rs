//! One tab: its keys, its generation, its subscriptions. Only a cache: losing it loses no event.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ids::{ChannelName, Principal, PublicId, ReservationId};
use crate::limits;
use crate::log::Members;
use crate::mac;
use crate::position::Position;

/// A session's inner number. It is secret towards others; they see the [`PublicId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Seals and opens resume keys and visitor ids: what an anonymous client carries for us.
#[derive(Clone)]
pub struct Seals {
    key: mac::Keyed,
}

impl std::fmt::Debug for Seals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seals(..)")
    }
}

impl Seals {
    /// Derives the keys from the installation's stored secret.
    pub fn derive(stored: &[u8]) -> Self {
        Self { key: mac::Keyed::new(&mac::tag(stored, &[b"deskbell seals v1"])) }
    }

    /// The key with which a client comes back to its session.
    pub fn resume_key(&self, session: SessionId) -> String {
        self.seal(b"resume", session.0)
    }

    /// Which session a resume key names; `None` for a key that was not made here.
    ///
    /// ```
    /// use deskbell_core::session::{Seals, SessionId};
    /// let seals = Seals::derive(b"stored secret");
    /// let key = seals.resume_key(SessionId(7));
    /// assert_eq!(seals.open_resume(&key), Some(SessionId(7)));
    /// assert_eq!(seals.open_visitor(&key), None);
    /// ```
    pub fn open_resume(&self, key: &str) -> Option<SessionId> {
        self.open(b"resume", key).map(SessionId)
    }

    /// The signed visitor id that all tabs of a browser share.
    pub fn visitor(&self, id: u64) -> String {
        self.seal(b"visitor", id)
    }

    /// Reads a visitor id back.
    pub fn open_visitor(&self, text: &str) -> Option<u64> {
        self.open(b"visitor", text)
    }

    /// The name under which a principal appears to others: a user by its id, a visitor by an alias
    /// from which its id cannot be found.
    pub fn member_id(&self, principal: &Principal) -> String {
        match principal {
            Principal::User(id) => id.to_string(),
            Principal::Backend => "backend".to_owned(),
            Principal::Visitor(id) => {
                let tag = self.tag(b"alias", *id);
                format!("visitor-{}", URL_SAFE_NO_PAD.encode(&tag[..9]))
            }
        }
    }

    /// A reservation's fence as somebody sees it who must not read the number: a number that rises with
    /// each grant would tell how much is booked. The same fence always looks the same.
    ///
    /// ```
    /// use deskbell_core::ids::ReservationId;
    /// use deskbell_core::session::Seals;
    /// let seals = Seals::derive(b"stored secret");
    /// let (mine, other) = (ReservationId::parse("r_1").unwrap(), ReservationId::parse("r_2").unwrap());
    /// let sealed = seals.fence(&mine, 4181);
    /// assert_eq!(seals.open_fence(&mine, &sealed), Some(4181));
    /// assert_eq!(seals.open_fence(&other, &sealed), None);
    /// ```
    pub fn fence(&self, id: &ReservationId, fence: u64) -> String {
        let tag = self.fence_tag(id, fence);
        let hidden = fence ^ self.fence_mask(id, &tag);
        let mut bytes = hidden.to_be_bytes().to_vec();
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a sealed fence of this reservation back.
    pub fn open_fence(&self, id: &ReservationId, text: &str) -> Option<u64> {
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (hidden, tag) = bytes.split_first_chunk::<8>()?;
        let tag: &[u8; 16] = tag.try_into().ok()?;
        let fence = u64::from_be_bytes(*hidden) ^ self.fence_mask(id, tag);
        self.key
            .verify(&[b"fence\0", id.as_str().as_bytes(), b"\0", &fence.to_be_bytes()], tag)
            .then_some(fence)
    }

    /// The check value of a fence, out of which its mask is made: no two fences share a mask.
    fn fence_tag(&self, id: &ReservationId, fence: u64) -> [u8; 16] {
        let tag = self.key.tag(&[b"fence\0", id.as_str().as_bytes(), b"\0", &fence.to_be_bytes()]);
        *tag.first_chunk().expect("a tag has 32 bytes")
    }

    fn fence_mask(&self, id: &ReservationId, tag: &[u8; 16]) -> u64 {
        let mask = self.key.tag(&[b"fence mask\0", id.as_str().as_bytes(), b"\0", tag]);
        u64::from_be_bytes(*mask.first_chunk().expect("a tag has 32 bytes"))
    }

    fn seal(&self, purpose: &[u8], value: u64) -> String {
        let mut bytes = value.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.tag(purpose, value)[..16]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(&self, purpose: &[u8], text: &str) -> Option<u64> {
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (value, tag) = bytes.split_first_chunk::<8>()?;
        let value = u64::from_be_bytes(*value);
        self.key.verify(&[purpose, &value.to_be_bytes()], tag).then_some(value)
    }

    fn tag(&self, purpose: &[u8], value: u64) -> [u8; 32] {
        self.key.tag(&[purpose, &value.to_be_bytes()])
    }
}

/// One subscription of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Which channel.
    pub channel: ChannelName,
    /// The channel's own start, where it is later than the session's position: a grant's `from`, a
    /// `since` that is ahead, or the place after a reset.
    pub after: Option<Position>,
    /// What the client knows of who is in the channel.
    pub members: Members,
}

/// The public ids of a session, newest last, so that `except` still holds after a reconnect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicIds(Vec<PublicId>);

impl PublicIds {
    /// Takes a new id and forgets the oldest beyond the bound.
    pub fn push(&mut self, id: PublicId) {
        if self.0.contains(&id) {
            return;
        }
        if self.0.len() == limits::PUBLIC_IDS {
            self.0.remove(0);
        }
        self.0.push(id);
    }

    /// Takes an id that was the session's before the present one, as long as there is room.
    pub fn remember(&mut self, id: PublicId) {
        if !self.0.contains(&id) && self.0.len() < limits::PUBLIC_IDS {
            self.0.insert(0, id);
        }
    }

    /// Was this ever (recently) the session's id?
    pub fn contains(&self, id: PublicId) -> bool {
        self.0.contains(&id)
    }

    /// All of them, oldest first.
    pub fn as_slice(&self) -> &[PublicId] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn seals_open_only_what_they_sealed(id: u64, flip in 0usize..32, by in 1u8..64) {
            let seals = Seals::derive(b"stored");
            let key = seals.resume_key(SessionId(id));
            prop_assert_eq!(seals.open_resume(&key), Some(SessionId(id)));
            let mut bytes = URL_SAFE_NO_PAD.decode(&key).unwrap();
            let place = flip % bytes.len();
            bytes[place] ^= by;
            prop_assert_eq!(seals.open_resume(&URL_SAFE_NO_PAD.encode(bytes)), None);
            prop_assert_eq!(Seals::derive(b"other").open_resume(&key), None);
        }
    }

    proptest! {
        #[test]
        fn a_fence_is_hidden_and_opens_only_for_its_own_reservation(fence: u64, flip in 0usize..24, by in 1u8..=255) {
            let seals = Seals::derive(b"stored");
            let id = ReservationId::parse("r_1").unwrap();
            let sealed = seals.fence(&id, fence);
            prop_assert_eq!(seals.fence(&id, fence), sealed.clone());
            prop_assert_eq!(seals.open_fence(&id, &sealed), Some(fence));
            prop_assert_eq!(seals.open_fence(&ReservationId::parse("r_2").unwrap(), &sealed), None);
            let mut bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
            prop_assert!(!bytes.starts_with(&fence.to_be_bytes()));
            bytes[flip] ^= by;
            prop_assert_eq!(seals.open_fence(&id, &URL_SAFE_NO_PAD.encode(bytes)), None);
        }
    }

    #[test]
    fn public_ids_keep_the_newest() {
        let mut ids = PublicIds::default();
        for id in 0..10 {
            ids.push(PublicId(id));
        }
        assert_eq!(ids.as_slice().len(), limits::PUBLIC_IDS);
        assert!(!ids.contains(PublicId(1)) && ids.contains(PublicId(2)) && ids.contains(PublicId(9)));
    }

    #[test]
    fn an_earlier_id_is_remembered_and_is_not_the_present_one() {
        let mut ids = PublicIds::default();
        ids.push(PublicId(7));
        ids.remember(PublicId(5));
        ids.remember(PublicId(7));
        assert_eq!(ids.as_slice(), [PublicId(5), PublicId(7)]);
        for id in 10..30 {
            ids.remember(PublicId(id));
        }
        assert_eq!(ids.as_slice().len(), limits::PUBLIC_IDS);
        assert_eq!(ids.as_slice().last(), Some(&PublicId(7)));
    }

    #[test]
    fn a_visitor_alias_hides_the_id() {
        let seals = Seals::derive(b"stored");
        let alias = seals.member_id(&Principal::Visitor(7));
        assert!(alias.starts_with("visitor-") && alias.len() == 20);
        assert_ne!(alias, seals.member_id(&Principal::Visitor(8)));
    }
}
