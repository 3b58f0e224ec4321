//! Who asks for what: four people, their inboxes, and three conversations that hardly last.

use std::sync::Arc;

use deskbell_core::access::{Identity, Rules};
use deskbell_core::ids::{ConversationId, EventId, Topic, UserId};
use deskbell_core::log::Once;
use deskbell_core::post::{Act, Beginning, Command, Content, Preferences, Tone, Ways};
use deskbell_core::reservation::Actor;
use deskbell_server::store::Errand;
use serde_json::value::RawValue;

use super::naive::Naive;
use crate::disk::dice::{Dice, Purpose};
use crate::world::APP;

/// Everybody.
pub const PEOPLE: [&str; 4] = ["ann", "bob", "cem", "dora"];
/// All conversations that there may be.
pub const TALKS: [&str; 3] = ["one", "two", "three"];
const TOPICS: [&str; 2] = ["news", "booking"];

/// One request, as it is sent and sent again.
#[derive(Debug, Clone)]
pub struct Call {
    /// The user who asks; a backend, where there is none.
    pub who: Option<UserId>,
    /// What is asked.
    pub act: Act,
    /// Its idempotency key.
    pub once: Once,
}

impl Call {
    /// As the store takes it.
    pub fn errand(&self) -> Errand {
        let identity = |who: &UserId| Identity::user(who.clone());
        let actor = match &self.who {
            None => Actor::backend(),
            Some(who) => {
                Actor { identity: Arc::new(identity(who)), rules: Rules::default(), connected: true }
            }
        };
        Errand { app: APP, command: Command { actor, act: self.act.clone() }, once: Some(self.once) }
    }
}

/// Makes requests.
pub struct Program {
    dice: Dice,
    made: u64,
    sent: Vec<Call>,
}

/// A user's id.
pub fn user(name: &str) -> UserId {
    UserId::parse(name).expect("letters are a name")
}

/// A conversation's id.
pub fn talk(name: &str) -> ConversationId {
    ConversationId::parse(name).expect("letters are a name")
}

impl Program {
    /// The program of a seed.
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed, Purpose::Program, 3), made: 0, sent: Vec::new() }
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.dice.below(all.len() as u64) as usize]
    }

    /// A request; now and then an old one, rarely with another body under the same key.
    pub fn call(&mut self, naive: &Naive) -> Call {
        if !self.sent.is_empty() && self.dice.one_in(6) {
            let mut call = self.sent[self.dice.below(self.sent.len() as u64) as usize].clone();
            if self.dice.one_in(8) {
                call.once.body += 1_000_000;
            }
            return call;
        }
        self.made += 1;
        let of = user(self.one_of(&PEOPLE));
        let (by_user, act) = self.act(naive, &of);
        let who = (by_user && self.dice.one_in(2)).then_some(of);
        let key = u128::from(self.made) << 64 | u128::from(self.dice.below(1 << 32));
        let call = Call { who, act, once: Once { key, body: self.made } };
        self.sent.push(call.clone());
        if self.sent.len() > 24 {
            self.sent.remove(0);
        }
        call
    }

    /// What is asked, and whether a user may ask for it. A user names itself, as a backend must name it.
    fn act(&mut self, naive: &Naive, me: &UserId) -> (bool, Act) {
        let of = Some(me.clone());
        let newest = naive.inboxes.get(me.as_str()).map_or(0, |inbox| inbox.newest);
        let id = talk(self.one_of(&TALKS));
        match self.dice.below(20) {
            0..5 => (false, self.notify()),
            5 | 6 => (true, Act::Read { of, numbers: self.numbers(newest) }),
            7 => {
                let up_to = self.dice.one_in(2).then(|| self.dice.below(newest + 2));
                (true, Act::ReadAll { of, up_to })
            }
            8 | 9 => (true, Act::Delete { of, numbers: self.numbers(newest) }),
            10 if self.dice.one_in(3) => (true, Act::Clear { of }),
            10 | 11 => (true, Act::Prefer { of, preferences: Box::new(self.preferences()) }),
            12 => {
                let members = self.some_people();
                (false, Act::Create { id: Some(id), title: None, data: None, members })
            }
            13 => {
                let from = self.one_of(&[Beginning::Now, Beginning::Now, Beginning::Start]);
                (false, Act::Add { id, user: me.clone(), from })
            }
            14 => (true, Act::Remove { id, user: of }),
            15..18 => {
                let data = RawValue::from_string(format!("\"words {}\"", self.made)).expect("a text is JSON");
                (true, Act::Send { id, of, message: None, data })
            }
            _ => {
                let number = self.dice.one_in(2).then(|| self.dice.below(6));
                (true, Act::Mark { id, of, number })
            }
        }
    }

    fn some_people(&mut self) -> Vec<UserId> {
        let some = PEOPLE.into_iter().filter(|_| self.dice.one_in(2));
        let some: Vec<UserId> = some.map(user).collect();
        if some.is_empty() { vec![user(PEOPLE[0])] } else { some }
    }

    fn notify(&mut self) -> Act {
        let content = Content {
            id: EventId::parse(&format!("n{}", self.made)).expect("a letter and digits are an id"),
            topic: Topic::parse(self.one_of(&TOPICS)).expect("letters are a type"),
            title: format!("title {}", self.made).into(),
            body: None,
            data: None,
        };
        let ways = Ways { in_app: true, webhook: false };
        Act::Notify { users: self.some_people(), content: Arc::new(content), ways, tone: Tone::Rings }
    }

    /// Numbers that are there, were there, or never were.
    fn numbers(&mut self, newest: u64) -> Vec<u64> {
        (0..=self.dice.below(3)).map(|_| self.dice.below(newest + 2)).collect()
    }

    fn preferences(&mut self) -> Preferences {
        let mut preferences = Preferences::default();
        if self.dice.one_in(2) {
            let topic = Topic::parse(self.one_of(&TOPICS)).expect("letters are a type");
            preferences.types.insert(topic, Ways { in_app: false, webhook: true });
        }
        preferences
    }
}
