//! A session as its shard holds it, and the forms in which it moves or is carried over.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::access::{Action, Grant, Identity};
use deskbell_core::ids::{ChannelName, Principal, PublicId, UserId};
use deskbell_core::log::Members;
use deskbell_core::pattern::Pattern;
use deskbell_core::position::Position;
use deskbell_core::presence::Holder;
use deskbell_core::session::{PublicIds, SessionId};
use serde::{Deserialize, Serialize};

use super::socketio::{Kind, Right, Room};

/// The session of one client of a shard.
#[derive(Debug)]
pub struct Session {
    /// The secret number.
    pub id: SessionId,
    /// Rises with each connection, so that an older one changes nothing.
    pub generation: u32,
    /// The public ids, newest last.
    pub public: PublicIds,
    /// Who.
    pub identity: Arc<Identity>,
    /// What it is subscribed to.
    pub subs: Vec<Sub>,
    /// Where it is present; most sessions are nowhere.
    // Boxed: hardly any session has it, and every session pays for its size.
    #[allow(clippy::box_collection)]
    pub entered: Option<Box<Vec<Entered>>>,
}

/// One subscription, by the shard's own channel number.
#[derive(Debug)]
pub struct Sub {
    /// The channel's number in the shard's table.
    pub channel: u32,
    /// The lens through which it is seen, by the shard's own number; 0 is none.
    pub lens: u32,
    /// The client may see who is here, and is on the list of those who do.
    pub watch: bool,
    /// In which words it is told, where its dialect has several.
    pub words: u16,
    /// The place in the channel's list, while the client is connected.
    pub place: Option<u32>,
    /// What few subscriptions have.
    pub start: Option<Box<Start>>,
}

/// Where a subscription starts, if not where its connection stands.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Earlier events are not for this reader.
    pub after: Option<Position>,
    /// The client itself has asked for that start. One that follows a reset holds only for this
    /// connection: after a cut nobody knows whether the reset has arrived.
    pub asked: bool,
    /// What the reader knows of who is in the channel.
    pub members: Members,
}

/// One presence of a session.
#[derive(Debug, Clone)]
pub struct Entered {
    /// Where.
    pub channel: ChannelName,
    /// What it shows, as JSON.
    pub data: Bytes,
    /// As whom, where that is not the session's principal.
    pub member: Option<Arc<str>>,
}

impl Session {
    /// A new session.
    pub fn new(id: SessionId, public: PublicId, identity: Arc<Identity>) -> Self {
        let mut ids = PublicIds::default();
        ids.push(public);
        Self { id, generation: 1, public: ids, identity, subs: Vec::new(), entered: None }
    }

    /// The id that others see now.
    pub fn public_id(&self) -> PublicId {
        self.public.as_slice().last().copied().unwrap_or(PublicId(0))
    }

    /// The session as presence knows it.
    pub fn holder(&self) -> Holder {
        Holder { session: self.id.0, generation: self.generation }
    }

    /// Is it present somewhere as this member, by a name that its backend has signed?
    pub fn is_there_as(&self, member: &str) -> bool {
        let entered = self.entered.iter().flat_map(|entered| entered.iter());
        entered.filter_map(|presence| presence.member.as_deref()).any(|known| known == member)
    }

    /// Is there anything that is worth waiting for its client?
    pub fn is_worth_parking(&self) -> bool {
        !self.subs.is_empty() || self.entered.as_ref().is_some_and(|entered| !entered.is_empty())
    }
}

/// A session on its way to another shard, or to another slot of its own.
#[derive(Debug)]
pub struct Moved {
    /// The app's index.
    pub app: usize,
    /// From where its client was connected.
    pub peer: IpAddr,
    /// The secret number.
    pub id: SessionId,
    /// The generation that its new connection has.
    pub generation: u32,
    /// The public ids.
    pub public: PublicIds,
    /// Who.
    pub identity: Arc<Identity>,
    /// The subscriptions by name.
    pub subs: Vec<(ChannelName, Start)>,
    /// Where it is present.
    pub entered: Vec<Entered>,
    /// Its rooms, where its dialect has rooms.
    pub rooms: Vec<Room>,
}

/// A session in the data file between two runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CarriedSession {
    /// The app's id.
    pub app: u64,
    /// The secret number.
    pub id: u64,
    /// The generation.
    pub generation: u32,
    /// From where its client was connected; earlier versions did not write it down.
    #[serde(default)]
    pub peer: Option<IpAddr>,
    /// The public ids.
    pub public: Vec<u64>,
    /// Who.
    pub identity: CarriedIdentity,
    /// The channels.
    pub subs: Vec<String>,
    /// Where it is present, and what it shows.
    pub entered: Vec<(String, String)>,
    /// Namespaces and rooms, where its dialect has them; earlier versions did not.
    #[serde(default)]
    pub rooms: Vec<(String, String, Kind, Right)>,
}

/// An identity in the data file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CarriedIdentity {
    /// The user, or nothing for a visitor.
    pub user: Option<String>,
    /// The visitor.
    pub visitor: u64,
    /// The roles.
    pub roles: Vec<String>,
    /// The grants: pattern, actions, start.
    pub grants: Vec<(String, Vec<String>, Option<String>)>,
    /// When the proof ends.
    pub expires_at: Option<u64>,
}

impl CarriedIdentity {
    /// Writes an identity down. A backend's is not carried: it shows its secret again.
    pub fn of(identity: &Identity) -> Option<Self> {
        let (user, visitor) = match &identity.principal {
            Principal::Backend => return None,
            Principal::User(id) => (Some(id.to_string()), 0),
            Principal::Visitor(id) => (None, *id),
        };
        let grants = identity.grants.iter().map(|grant| {
            let allow = grant.allow.iter().map(|action| action.as_str().to_owned()).collect();
            (grant.pattern.as_str().to_owned(), allow, grant.from.clone())
        });
        Some(Self {
            user,
            visitor,
            roles: identity.roles.clone(),
            grants: grants.collect(),
            expires_at: identity.expires_at,
        })
    }

    /// Reads it back; `None` for what this build does not accept any more.
    pub fn identity(&self) -> Option<Identity> {
        let principal = match &self.user {
            Some(user) => Principal::User(UserId::parse(user).ok()?),
            None => Principal::Visitor(self.visitor),
        };
        let grant = |(pattern, allow, from): &(String, Vec<String>, Option<String>)| {
            Some(Grant {
                pattern: Pattern::parse(pattern).ok()?,
                allow: allow.iter().map(|word| Action::parse(word)).collect::<Option<_>>()?,
                from: from.clone(),
            })
        };
        Some(Identity {
            principal,
            roles: self.roles.clone(),
            grants: self.grants.iter().map(grant).collect::<Option<_>>()?,
            expires_at: self.expires_at,
            name: None,
        })
    }
}
