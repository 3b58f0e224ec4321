//! Conversations: who is in them, what is said, who has read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Done, Stop, Work, refuse};
use crate::ids::{ConversationId, EventId, Principal, UserId};
use crate::limits;
use crate::mac;
use crate::post::command::Beginning;
use crate::post::memberships::Membership;
use crate::post::model::{Conversation, Member, Message};
use crate::post::outcome::{Reply, ShownConversation, Told};
use crate::post::slice::Key;
use crate::refusal::{Code, Refusal};

impl Work<'_> {
    /// Begins a conversation.
    pub(super) fn create(
        &mut self,
        id: Option<&ConversationId>,
        title: Option<&Arc<str>>,
        data: Option<&RawValue>,
        members: &[UserId],
    ) -> Result<Done, Stop> {
        let id = id.cloned().unwrap_or_else(|| ConversationId::derive(self.moment.seed, 0));
        self.may_manage(&id)?;
        match self.slice.conversation(&id) {
            None => return Err(Stop::NeedMore(vec![Key::Conversation(id)])),
            Some(Some(_)) => {
                let sentence =
                    "there is a conversation of this id already; add members to it, or take another id";
                return refuse(Code::BadState, sentence);
            }
            Some(None) => {}
        }
        self.room_for(0, members)?;
        let now = self.moment.now;
        let mut conversation = Conversation {
            id,
            title: title.cloned(),
            data: data.map(ToOwned::to_owned),
            created: now,
            last_at: now,
            newest: 0,
            gone_up_to: 0,
            members: BTreeMap::new(),
        };
        for user in members {
            self.take_in(&mut conversation, user, Beginning::Now);
        }
        Ok(self.conversed(conversation))
    }

    /// Takes somebody in.
    pub(super) fn add(&mut self, id: &ConversationId, user: &UserId, from: Beginning) -> Result<Done, Stop> {
        self.may_manage(id)?;
        let found = self.conversation(id)?;
        if found.members.contains_key(user) {
            return Ok(Done::Same(self.shown(&found)));
        }
        self.room_for(found.members.len(), std::slice::from_ref(user))?;
        let mut conversation = (*found).clone();
        self.take_in(&mut conversation, user, from);
        Ok(self.conversed(conversation))
    }

    /// Is there room for so many more, in the conversation, with each of them, and in memory?
    fn room_for(&self, there: usize, users: &[UserId]) -> Result<(), Stop> {
        if there + users.len() > limits::MEMBERS {
            return refuse(Code::LimitReached, "a conversation has at most 100 members; begin another one");
        }
        let all = self.memberships(users)?;
        if all + users.len() > limits::MEMBERSHIPS {
            let sentence = "the app has as many memberships as it may have; end conversations that are over";
            return refuse(Code::LimitReached, sentence);
        }
        let full = users.iter().find(|user| self.slice.joined(user) >= Some(limits::CONVERSATIONS));
        match full {
            None => Ok(()),
            Some(user) => {
                let sentence = format!("`{user}` is in 1,000 conversations already; end some of them");
                Err(Stop::Refused(Refusal::new(Code::Quota, sentence)))
            }
        }
    }

    /// How many memberships there are in all, once it is known too in how many conversations these users are. Both
    /// are counted on from here, so they must be known before they change.
    fn memberships(&self, users: &[UserId]) -> Result<usize, Stop> {
        let unknown = users.iter().filter(|user| self.slice.joined(user).is_none());
        let mut unknown: Vec<Key> = unknown.map(|user| Key::Conversations(user.clone())).collect();
        match self.slice.memberships() {
            Some(all) if unknown.is_empty() => return Ok(all),
            Some(_) => {}
            None => unknown.push(Key::Memberships),
        }
        Err(Stop::NeedMore(unknown))
    }

    fn take_in(&mut self, conversation: &mut Conversation, user: &UserId, from: Beginning) {
        let (from_row, from) = match from {
            Beginning::Start => (0, 0),
            // The row of this very change tells of it, and is the first that the member reads.
            Beginning::Now => (self.moment.position.saturating_sub(1), conversation.newest),
        };
        let member = Member { joined: self.moment.now, from_row, from, read: from };
        conversation.members.insert(user.clone(), member);
        let (conversation, user) = (conversation.id.clone(), user.clone());
        self.change.told.push(Told::Joined(user.clone()));
        self.change.memberships.push(Membership { conversation, user, from_row: Some(from_row) });
    }

    /// Takes somebody out. Everybody may go.
    pub(super) fn remove(&mut self, id: &ConversationId, named: Option<&UserId>) -> Result<Done, Stop> {
        let own = match &self.actor.identity.principal {
            Principal::User(own) if named.is_none_or(|named| named == own) => Some(own.clone()),
            _ => None,
        };
        let user = match own {
            Some(own) => own,
            None => {
                self.may_manage(id)?;
                named.cloned().ok_or_else(|| {
                    Refusal::new(Code::BadField, "`user` is missing; a backend says whom it takes out")
                })?
            }
        };
        let found = self.conversation(id)?;
        if !found.members.contains_key(&user) {
            return Ok(Done::Same(self.shown(&found)));
        }
        self.memberships(std::slice::from_ref(&user))?;
        let mut conversation = (*found).clone();
        conversation.members.remove(&user);
        let (id, user) = (conversation.id.clone(), user);
        self.change.told.push(Told::Left(user.clone()));
        self.change.memberships.push(Membership { conversation: id, user, from_row: None });
        Ok(self.conversed(conversation))
    }

    /// Says something.
    pub(super) fn send(
        &mut self,
        id: &ConversationId,
        of: Option<&UserId>,
        message: Option<&EventId>,
        data: &RawValue,
    ) -> Result<Done, Stop> {
        let from = match (&self.actor.identity.principal, of) {
            (Principal::Backend, None) => None,
            _ => Some(self.whose(of)?),
        };
        let mut conversation = (*self.conversation(id)?).clone();
        let (now, number) = (self.moment.now, conversation.newest + 1);
        if let Some(from) = &from {
            let Some(member) = conversation.members.get_mut(from) else {
                return refuse(
                    Code::Denied,
                    "only members speak here; add the user to the conversation first",
                );
            };
            // Whoever answers has read what was said before.
            member.read = number;
        }
        let fallen = number.saturating_sub(limits::MESSAGES);
        if fallen > conversation.gone_up_to {
            conversation.gone_up_to = fallen;
            self.change.gone_message = Some(fallen);
        }
        (conversation.newest, conversation.last_at) = (number, now);
        let id = message.cloned().unwrap_or_else(|| {
            let tag = mac::tag(&self.moment.seed, &[b"message"]);
            EventId::from_random(tag.first_chunk().copied().unwrap_or_default())
        });
        self.change.message = Some(Message { number, at: now, id, from, data: data.to_owned() });
        self.change.told.push(Told::Said);
        self.change.conversation = Some(conversation);
        Ok(Done::Changed(Reply { number: Some(number), ..Reply::default() }))
    }

    /// Has read up to a message.
    pub(super) fn mark(
        &mut self,
        id: &ConversationId,
        user: &UserId,
        number: Option<u64>,
    ) -> Result<Done, Stop> {
        let mut conversation = (*self.conversation(id)?).clone();
        let newest = conversation.newest;
        let Some(member) = conversation.members.get_mut(user) else {
            return refuse(Code::Denied, "only members read here; add the user to the conversation first");
        };
        let read = number.map_or(newest, |number| number.min(newest));
        let news = read > member.read.max(member.from);
        member.read = member.read.max(read);
        let member = *member;
        let reply = Reply { unread: Some(conversation.unread(&member)), ..Reply::default() };
        if !news {
            return Ok(Done::Same(reply));
        }
        self.change.told.push(Told::Marked(user.clone(), member));
        self.change.conversation = Some(conversation);
        Ok(Done::Changed(reply))
    }

    fn conversed(&mut self, conversation: Conversation) -> Done {
        let reply = self.shown(&conversation);
        self.change.conversation = Some(conversation);
        Done::Changed(reply)
    }

    /// The conversation as whoever asks sees it. Whoever has left sees no more of it than that.
    fn shown(&self, conversation: &Conversation) -> Reply {
        let user = match &self.actor.identity.principal {
            Principal::User(user) => Some(user),
            Principal::Backend | Principal::Visitor(_) => None,
        };
        let mut shown = ShownConversation::of(conversation, user);
        if !super::can_see(&self.actor.identity, &self.actor.rules, conversation, self.moment.now) {
            shown.members = BTreeMap::new();
        }
        Reply { conversation: Some(Box::new(shown)), ..Reply::default() }
    }
}
