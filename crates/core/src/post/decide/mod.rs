//! The decisions: one command on what is known, at one moment.

mod conversation;
mod inbox;

use std::sync::Arc;

use super::command::{Act, Command};
use super::model::{Conversation, Inbox};
use super::outcome::{Change, Decision, Reply};
use super::slice::{Key, Slice};
use crate::access::{Action, Identity, Rules};
use crate::ids::{ChannelName, ConversationId, Principal, UserId};
use crate::limits::Millis;
use crate::refusal::{Code, Refusal};
use crate::reservation::{Actor, Moment};

/// Decides one command.
///
/// ```
/// use deskbell_core::ids::UserId;
/// use deskbell_core::post::{Act, Command, Decision, Key, Slice, decide};
/// use deskbell_core::reservation::{Actor, Moment};
/// let ann = UserId::parse("ann").unwrap();
/// let command = Command { actor: Actor::backend(), act: Act::Clear { of: Some(ann.clone()) } };
/// let moment = Moment { now: 0, position: 1, seed: [0; 16] };
/// let Decision::NeedMore(keys) = decide(&Slice::default(), moment, &command) else { panic!() };
/// assert_eq!(keys, [Key::Inbox(ann)]);
/// ```
pub fn decide(slice: &Slice, moment: Moment, command: &Command) -> Decision {
    let mut work = Work { slice, moment, actor: &command.actor, change: Change::default() };
    match work.act(&command.act) {
        Ok(Done::Changed(reply)) => {
            work.change.reply = reply;
            Decision::Change(Box::new(work.change))
        }
        Ok(Done::Same(reply)) => Decision::Same(Box::new(reply)),
        Err(Stop::NeedMore(keys)) => Decision::NeedMore(keys),
        Err(Stop::Refused(refusal)) => Decision::Refused(refusal),
    }
}

/// May this identity see a conversation that has these members, or hear that there is one?
pub fn can_see(who: &Identity, rules: &Rules, conversation: &Conversation, now: Millis) -> bool {
    let own = match &who.principal {
        Principal::User(user) => conversation.members.contains_key(user),
        Principal::Backend | Principal::Visitor(_) => false,
    };
    own || can_manage(who, rules, &conversation.id, now)
}

/// Who makes conversations and says who is in them: backends, and whom a rule lets `manage` their channel.
pub fn can_manage(who: &Identity, rules: &Rules, id: &ConversationId, now: Millis) -> bool {
    ChannelName::parse(&format!("conversation:{id}"))
        .is_ok_and(|channel| rules.decide(who, Action::Manage, &channel, now).is_ok())
}

/// How a decision ended that was not stopped.
enum Done {
    /// What the work's change says happens.
    Changed(Reply),
    /// It is so already.
    Same(Reply),
}

/// Why a decision cannot go on.
enum Stop {
    NeedMore(Vec<Key>),
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn refuse<T>(code: Code, sentence: &'static str) -> Result<T, Stop> {
    Err(Stop::Refused(Refusal::new(code, sentence)))
}

/// A decision under way: what is known, and what it has decided so far.
struct Work<'a> {
    slice: &'a Slice,
    moment: Moment,
    actor: &'a Actor,
    change: Change,
}

impl Work<'_> {
    fn act(&mut self, act: &Act) -> Result<Done, Stop> {
        match act {
            Act::Notify { users, content, ways, tone } => self.notify(users, content, *ways, *tone),
            Act::Read { of, numbers } => self.read(&self.whose(of.as_ref())?, numbers),
            Act::ReadAll { of, up_to } => self.read_all(&self.whose(of.as_ref())?, *up_to),
            Act::Delete { of, numbers } => self.delete(&self.whose(of.as_ref())?, numbers),
            Act::Clear { of } => self.clear(&self.whose(of.as_ref())?),
            Act::Prefer { of, preferences } => self.prefer(&self.whose(of.as_ref())?, preferences),
            Act::Create { id, title, data, members } => {
                self.create(id.as_ref(), title.as_ref(), data.as_deref(), members)
            }
            Act::Add { id, user, from } => self.add(id, user, *from),
            Act::Remove { id, user } => self.remove(id, user.as_ref()),
            Act::Send { id, of, message, data } => self.send(id, of.as_ref(), message.as_ref(), data),
            Act::Mark { id, of, number } => self.mark(id, &self.whose(of.as_ref())?, *number),
        }
    }

    fn whose(&self, named: Option<&UserId>) -> Result<UserId, Stop> {
        Ok(super::command::whose(&self.actor.identity, named)?)
    }

    fn inbox(&self, user: &UserId) -> Result<Inbox, Stop> {
        match self.slice.inbox(user) {
            Some(inbox) => Ok((**inbox).clone()),
            None => Err(Stop::NeedMore(vec![Key::Inbox(user.clone())])),
        }
    }

    /// A conversation that there is, for whoever may know of it.
    fn conversation(&self, id: &ConversationId) -> Result<Arc<Conversation>, Stop> {
        let Some(known) = self.slice.conversation(id) else {
            return Err(Stop::NeedMore(vec![Key::Conversation(id.clone())]));
        };
        let found = known.filter(|conversation| {
            can_see(&self.actor.identity, &self.actor.rules, conversation, self.moment.now)
        });
        // Nobody learns by trying which conversations there are.
        found
            .cloned()
            .map_or_else(|| refuse(Code::NotFound, "there is no such conversation, or you are not in it"), Ok)
    }

    fn may_manage(&self, id: &ConversationId) -> Result<(), Stop> {
        if can_manage(&self.actor.identity, &self.actor.rules, id, self.moment.now) {
            return Ok(());
        }
        let sentence = "only a backend makes conversations and says who is in them; an access rule can allow `manage` on `conversation:*`";
        refuse(Code::Denied, sentence)
    }
}
