//! Inboxes and conversations as lists: the rule once more, as naive as can be.

use std::collections::{BTreeMap, HashMap};

use deskbell_core::ids::UserId;
use deskbell_core::limits::Millis;
use deskbell_core::log::Once;
use deskbell_core::post::{Act, Beginning, Preferences, Reply};
use deskbell_core::refusal::Code;

use super::program::Call;

/// What somebody was answered, as far as lists know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Said {
    notified: Option<u64>,
    unread: Option<u64>,
    number: Option<u64>,
}

impl Said {
    /// What the store said.
    pub fn of(reply: &Reply) -> Self {
        Self { notified: reply.notified, unread: reply.unread, number: reply.number }
    }

    const fn unread(unread: u64) -> Self {
        Self { notified: None, unread: Some(unread), number: None }
    }
}

/// What was answered, or why not.
pub type Answer = Result<Said, Code>;

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct One {
    /// Its place in the inbox.
    pub number: u64,
    /// When it came.
    pub at: Millis,
    /// What it says.
    pub title: String,
    /// Its user has read it.
    pub read: bool,
}

/// What there is for one user.
#[derive(Debug, Default)]
pub struct Inbox {
    /// What is there, the oldest first.
    pub list: Vec<One>,
    /// How many there ever were.
    pub newest: u64,
    cleared: u64,
    preferences: Preferences,
}

impl Inbox {
    /// How much of it is not read.
    pub fn unread(&self) -> u64 {
        self.list.iter().filter(|one| !one.read).count() as u64
    }
}

/// Who has read how much of a conversation, and what of it is for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Messages up to this one are not for the member.
    pub from: u64,
    /// Messages up to this one it has read.
    pub read: u64,
}

/// One conversation.
#[derive(Debug, Default)]
pub struct Talk {
    /// Who is in it.
    pub members: BTreeMap<String, Member>,
    /// By whom, and what.
    pub messages: Vec<(String, String)>,
}

impl Talk {
    fn newest(&self) -> u64 {
        self.messages.len() as u64
    }

    /// How much a member has not read.
    pub fn unread(&self, member: Member) -> u64 {
        let seen = |number: u64| number <= member.from.max(member.read);
        (1..=self.newest()).filter(|number| !seen(*number)).count() as u64
    }
}

/// All that there is.
#[derive(Debug, Default)]
pub struct Naive {
    /// Inboxes by their users.
    pub inboxes: BTreeMap<String, Inbox>,
    /// Conversations by their ids.
    pub talks: BTreeMap<String, Talk>,
    /// What changed something is answered the same again.
    answers: HashMap<u128, (u64, Said)>,
}

impl Naive {
    /// What a call is answered, and whether it makes a row.
    pub fn call(&mut self, call: &Call, now: Millis) -> (Answer, bool) {
        let Once { key, body } = call.once;
        match self.answers.get(&key) {
            Some((first, said)) if *first == body => return (Ok(*said), false),
            Some(_) => return (Err(Code::KeyReused), false),
            None => {}
        }
        match self.act(call.who.as_ref(), &call.act, now) {
            Ok((said, true)) => {
                self.answers.insert(key, (body, said));
                (Ok(said), true)
            }
            Ok((said, false)) => (Ok(said), false),
            Err(code) => (Err(code), false),
        }
    }

    fn act(&mut self, who: Option<&UserId>, act: &Act, now: Millis) -> Result<(Said, bool), Code> {
        let whose = |of: &Option<UserId>| of.as_ref().or(who).map(ToString::to_string).unwrap_or_default();
        match act {
            Act::Notify { users, content, ways, .. } => {
                let mut notified = 0;
                for user in users {
                    let inbox = self.inboxes.entry(user.to_string()).or_default();
                    if !inbox.preferences.allow(&content.topic, *ways).in_app {
                        continue;
                    }
                    inbox.newest += 1;
                    let title = content.title.to_string();
                    inbox.list.push(One { number: inbox.newest, at: now, title, read: false });
                    notified += 1;
                }
                Ok((Said { notified: Some(notified), ..Said::default() }, notified > 0))
            }
            Act::Read { of, numbers } => Ok(self.mark(&whose(of), |number| numbers.contains(&number))),
            Act::ReadAll { of, up_to } => {
                Ok(self.mark(&whose(of), |number| up_to.is_none_or(|up_to| number <= up_to)))
            }
            Act::Delete { of, numbers } => {
                let inbox = self.inboxes.entry(whose(of)).or_default();
                let before = inbox.list.len();
                inbox.list.retain(|one| !numbers.contains(&one.number));
                Ok((Said::unread(inbox.unread()), inbox.list.len() < before))
            }
            Act::Clear { of } => {
                let inbox = self.inboxes.entry(whose(of)).or_default();
                let news = inbox.cleared < inbox.newest;
                inbox.list.clear();
                inbox.cleared = inbox.newest;
                Ok((Said::unread(0), news))
            }
            Act::Prefer { of, preferences } => {
                let inbox = self.inboxes.entry(whose(of)).or_default();
                let news = inbox.preferences != **preferences;
                inbox.preferences = (**preferences).clone();
                Ok((Said::default(), news))
            }
            _ => self.converse(who, act, &whose),
        }
    }

    fn mark(&mut self, user: &str, meant: impl Fn(u64) -> bool) -> (Said, bool) {
        let inbox = self.inboxes.entry(user.to_owned()).or_default();
        let before = inbox.unread();
        inbox.list.iter_mut().filter(|one| meant(one.number)).for_each(|one| one.read = true);
        (Said::unread(inbox.unread()), inbox.unread() < before)
    }

    fn converse(
        &mut self,
        who: Option<&UserId>,
        act: &Act,
        whose: &dyn Fn(&Option<UserId>) -> String,
    ) -> Result<(Said, bool), Code> {
        let nothing = Said::default();
        if let Act::Create { id: Some(id), members, .. } = act {
            if self.talks.contains_key(id.as_str()) {
                return Err(Code::BadState);
            }
            let one = |user: &UserId| (user.to_string(), Member { from: 0, read: 0 });
            let talk = Talk { members: members.iter().map(one).collect(), messages: Vec::new() };
            self.talks.insert(id.to_string(), talk);
            return Ok((nothing, true));
        }
        let (Act::Add { id, .. } | Act::Remove { id, .. } | Act::Send { id, .. } | Act::Mark { id, .. }) =
            act
        else {
            return Err(Code::Unavailable);
        };
        // Whoever is not in it hears that there is none.
        let sees = |talk: &&mut Talk| who.is_none_or(|who| talk.members.contains_key(who.as_str()));
        let talk = self.talks.get_mut(id.as_str()).filter(sees).ok_or(Code::NotFound)?;
        let newest = talk.newest();
        match act {
            Act::Add { user, from, .. } => {
                let from = if *from == Beginning::Start { 0 } else { newest };
                let news = !talk.members.contains_key(user.as_str());
                if news {
                    talk.members.insert(user.to_string(), Member { from, read: from });
                }
                Ok((nothing, news))
            }
            Act::Remove { user, .. } => Ok((nothing, talk.members.remove(&whose(user)).is_some())),
            Act::Send { of, data, .. } => {
                let from = whose(of);
                let member = talk.members.get_mut(&from).ok_or(Code::Denied)?;
                member.read = newest + 1;
                talk.messages.push((from, data.get().to_owned()));
                Ok((Said { number: Some(newest + 1), ..nothing }, true))
            }
            Act::Mark { of, number, .. } => {
                let member = talk.members.get_mut(&whose(of)).ok_or(Code::Denied)?;
                let read = number.unwrap_or(newest).min(newest);
                let news = read > member.read.max(member.from);
                member.read = member.read.max(read);
                let member = *member;
                Ok((Said::unread(talk.unread(member)), news))
            }
            _ => Err(Code::Unavailable),
        }
    }
}
