//! May this identity do this on that channel? One function decides for every dialect.
//!
//! Closed by default: what no rule and no grant allows is denied.

use std::sync::Arc;

use crate::ids::{ChannelName, Principal, UserId};
use crate::limits::{self, Millis};
use crate::pattern::Pattern;
use crate::post::Memberships;
use crate::refusal::{Code, Refusal};

/// What somebody wants to do on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Receive its events.
    Subscribe,
    /// Publish as a client.
    Publish,
    /// Enter its presence and see who is here.
    Presence,
    /// Hold times of the resource whose `slots:` channel it is, and wait for them.
    Hold,
    /// Make bookings of holds there without a backend, and cancel them.
    Confirm,
    /// Change the resource, its blocks, and everybody's reservations there.
    Manage,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 6] =
        [Self::Subscribe, Self::Publish, Self::Presence, Self::Hold, Self::Confirm, Self::Manage];

    /// The word in rules and tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Presence => "presence",
            Self::Hold => "hold",
            Self::Confirm => "confirm",
            Self::Manage => "manage",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.as_str() == word)
    }
}

/// The words of all actions, for sentences that list them.
pub fn words() -> String {
    Action::ALL.map(Action::as_str).join(", ")
}

/// For whom a rule holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Everybody, also anonymous visitors.
    Everyone,
    /// Whoever has a verified user id.
    User,
    /// Whoever has this role in the token.
    Role(String),
}

/// One declarative rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which channels. `{user}` holds the rule to the user's own.
    pub pattern: Pattern,
    /// What it allows.
    pub allow: Vec<Action>,
    /// To whom.
    pub to: Audience,
}

/// A signed permission that a token carries by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Which channels.
    pub pattern: Pattern,
    /// What it allows.
    pub allow: Vec<Action>,
    /// The cursor at which reading starts; earlier events stay hidden.
    pub from: Option<String>,
}

/// Who somebody is, as far as that is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who acts.
    pub principal: Principal,
    /// Roles that the token states.
    pub roles: Vec<String>,
    /// Grants that the token carries.
    pub grants: Vec<Grant>,
    /// When the proof ends.
    pub expires_at: Option<Millis>,
    /// What its token calls it, for others to see.
    pub name: Option<String>,
}

impl Identity {
    fn of(principal: Principal) -> Self {
        Self { principal, roles: Vec::new(), grants: Vec::new(), expires_at: None, name: None }
    }

    /// Whoever holds the app's secret: may do everything.
    pub fn backend() -> Self {
        Self::of(Principal::Backend)
    }

    /// An anonymous visitor.
    pub fn visitor(id: u64) -> Self {
        Self::of(Principal::Visitor(id))
    }

    /// A user without roles or grants.
    pub fn user(id: UserId) -> Self {
        Self::of(Principal::User(id))
    }

    /// The verified user id.
    pub fn user_id(&self) -> Option<&str> {
        match &self.principal {
            Principal::User(id) => Some(id.as_str()),
            Principal::Backend | Principal::Visitor(_) => None,
        }
    }

    /// Is the proof over, with the grace for clocks that differ?
    pub fn is_over(&self, now: Millis) -> bool {
        self.expires_at.is_some_and(|at| at.saturating_add(limits::TOKEN_GRACE) <= now)
    }
}

/// A "yes", and from where reading may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// What limits the past, where something does.
    pub from: Option<From>,
}

/// Where reading starts for whoever may not see the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// At the cursor of the grant that allowed it.
    Cursor(String),
    /// Behind the ledger row that the membership names.
    Row(u64),
}

/// The rules of an app.
#[derive(Debug, Clone, Default)]
pub struct Rules(Arc<[Rule]>);

impl Rules {
    /// Rules in any order: each can only open.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules.into())
    }

    /// Names any rule this channel, whatever it allows and to whom?
    pub fn speaks_of(&self, channel: &ChannelName) -> bool {
        self.0.iter().any(|rule| rule.pattern.covers(channel.as_str()))
    }

    /// Decides. A rule is stronger than a grant: a grant's `from` hides the past only from those
    /// who may read for no other reason.
    ///
    /// ```
    /// use deskbell_core::access::{Action, Identity, Rules};
    /// use deskbell_core::ids::ChannelName;
    /// let closed = Rules::default();
    /// let channel = ChannelName::parse("staff-room").unwrap();
    /// assert!(closed.decide(&Identity::visitor(1), Action::Subscribe, &channel, 0).is_err());
    /// assert!(closed.decide(&Identity::backend(), Action::Subscribe, &channel, 0).is_ok());
    /// ```
    pub fn decide(
        &self,
        identity: &Identity,
        action: Action,
        channel: &ChannelName,
        now: Millis,
    ) -> Result<Allowed, Refusal> {
        if identity.principal == Principal::Backend {
            return Ok(Allowed { from: None });
        }
        if identity.is_over(now) {
            return Err(Refusal::new(
                Code::TokenExpired,
                "the token has expired; send `authenticate` with a new one",
            ));
        }
        let (name, user) = (channel.as_str(), identity.user_id());
        let holds = |rule: &&Rule| {
            rule.allow.contains(&action) && rule.to.includes(identity) && rule.pattern.matches(name, user)
        };
        if self.0.iter().any(|rule| holds(&rule)) {
            return Ok(Allowed { from: None });
        }
        let grant =
            identity.grants.iter().find(|g| g.allow.contains(&action) && g.pattern.matches(name, user));
        if let Some(grant) = grant {
            return Ok(Allowed { from: grant.from.clone().map(From::Cursor) });
        }
        Err(denied(identity, action))
    }

    /// Decides with what the ledger knows of conversations: a member reads its conversation and hears who
    /// types there, from its own beginning on. Rules, and grants that hide nothing, are stronger.
    pub fn decide_with(
        &self,
        memberships: &Memberships,
        identity: &Identity,
        action: Action,
        channel: &ChannelName,
        now: Millis,
    ) -> Result<Allowed, Refusal> {
        let decided = self.decide(identity, action, channel, now);
        if matches!(&decided, Ok(Allowed { from: None })) || identity.is_over(now) {
            return decided;
        }
        let member = identity.user_id().filter(|_| matches!(action, Action::Subscribe | Action::Presence));
        match member.and_then(|user| memberships.of_channel(channel.as_str(), user)) {
            None => decided,
            Some(0) => Ok(Allowed { from: None }),
            Some(row) => Ok(Allowed { from: Some(From::Row(row)) }),
        }
    }
}

impl Audience {
    fn includes(&self, identity: &Identity) -> bool {
        match self {
            Self::Everyone => true,
            Self::User => identity.user_id().is_some(),
            Self::Role(role) => identity.roles.contains(role),
        }
    }
}

fn denied(identity: &Identity, action: Action) -> Refusal {
    let who = if identity.user_id().is_some() {
        "this user may not"
    } else {
        "anonymous visitors may not; send a token first, or"
    };
    Refusal::new(
        Code::Denied,
        format!("{who} {} here: allow it by a rule in [[access]] or a grant in the token", action.as_str()),
    )
}

/// The rules of an app whose operator wrote none: only what is meant for the public is open.
pub fn default_rules() -> Rules {
    let rule = |pattern: &str, allow: &[Action], to: Audience| Rule {
        pattern: Pattern::parse(pattern).expect("the built-in patterns are well formed"),
        allow: allow.to_vec(),
        to,
    };
    Rules::new(vec![
        rule("public-*", &[Action::Subscribe, Action::Presence], Audience::Everyone),
        rule("slots:*", &[Action::Subscribe, Action::Hold], Audience::Everyone),
        rule("selections:*", &[Action::Subscribe], Audience::Everyone),
        // The id is the key: nobody can guess it, and the channel names nobody.
        rule("booking:*", &[Action::Subscribe], Audience::Everyone),
        rule("user:{user}", &[Action::Subscribe], Audience::User),
        rule("provider:{user}", &[Action::Subscribe], Audience::User),
    ])
}

/// The rules of `--dev`: everything is open to everybody.
pub fn dev_rules() -> Rules {
    Rules::new(vec![Rule {
        pattern: Pattern::parse("*").expect("the star is a pattern"),
        allow: vec![Action::Subscribe, Action::Publish, Action::Presence, Action::Hold, Action::Confirm],
        to: Audience::Everyone,
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> ChannelName {
        ChannelName::parse(name).unwrap()
    }

    fn user(id: &str) -> Identity {
        Identity::user(UserId::parse(id).unwrap())
    }

    #[test]
    fn a_table_of_rules() {
        let rules = Rules::new(vec![
            Rule {
                pattern: Pattern::parse("private-notifications.{user}").unwrap(),
                allow: vec![Action::Subscribe],
                to: Audience::User,
            },
            Rule {
                pattern: Pattern::parse("staff-*").unwrap(),
                allow: vec![Action::Subscribe, Action::Publish],
                to: Audience::Role("staff".into()),
            },
            Rule {
                pattern: Pattern::parse("public-*").unwrap(),
                allow: vec![Action::Subscribe],
                to: Audience::Everyone,
            },
        ]);
        let staff = Identity { roles: vec!["staff".into()], ..user("9") };
        let table = [
            (user("7"), Action::Subscribe, "private-notifications.7", true),
            (user("7"), Action::Subscribe, "private-notifications.8", false),
            (user("7"), Action::Publish, "private-notifications.7", false),
            (Identity::visitor(7), Action::Subscribe, "private-notifications.7", false),
            (staff.clone(), Action::Publish, "staff-room", true),
            (staff, Action::Presence, "staff-room", false),
            (user("7"), Action::Subscribe, "staff-room", false),
            (Identity::visitor(1), Action::Subscribe, "public-lobby", true),
            (Identity::visitor(1), Action::Publish, "public-lobby", false),
            (Identity::backend(), Action::Publish, "anything", true),
        ];
        for (identity, action, name, expected) in table {
            let answer = rules.decide(&identity, action, &channel(name), 0);
            assert_eq!(answer.is_ok(), expected, "{identity:?} {action:?} {name}");
        }
    }

    #[test]
    fn a_grant_opens_and_may_hide_the_past() {
        let grant = Grant {
            pattern: Pattern::parse("conversation:5").unwrap(),
            allow: vec![Action::Subscribe],
            from: Some("cursor".into()),
        };
        let identity = Identity { grants: vec![grant], ..user("7") };
        let allowed = Rules::default().decide(&identity, Action::Subscribe, &channel("conversation:5"), 0);
        assert_eq!(allowed.unwrap().from, Some(From::Cursor("cursor".into())));
        assert!(
            Rules::default().decide(&identity, Action::Subscribe, &channel("conversation:6"), 0).is_err()
        );
    }

    #[test]
    fn a_rule_is_stronger_than_a_grant_and_a_grant_opens_only_what_it_names() {
        let grant = Grant {
            pattern: Pattern::parse("public-{user}").unwrap(),
            allow: vec![Action::Subscribe],
            from: Some("cursor".into()),
        };
        let identity = Identity { grants: vec![grant], ..user("7") };
        let own = channel("public-7");
        assert_eq!(default_rules().decide(&identity, Action::Subscribe, &own, 0).unwrap().from, None);
        let closed = Rules::default();
        assert!(closed.decide(&identity, Action::Subscribe, &own, 0).unwrap().from.is_some());
        assert_eq!(closed.decide(&identity, Action::Publish, &own, 0).unwrap_err().code, Code::Denied);
        assert!(closed.decide(&identity, Action::Subscribe, &channel("public-8"), 0).is_err());
    }

    #[test]
    fn a_member_reads_from_its_own_beginning_and_says_nothing_past_the_ledger() {
        let mut memberships = Memberships::default();
        let membership = |user: &str, from_row| crate::post::Membership {
            conversation: crate::ids::ConversationId::parse("5").unwrap(),
            user: UserId::parse(user).unwrap(),
            from_row,
        };
        memberships.take(membership("7", Some(9)));
        memberships.take(membership("8", Some(0)));
        let decide = |who: &Identity, action, name: &str| {
            Rules::default()
                .decide_with(&memberships, who, action, &channel(name), 0)
                .map(|allowed| allowed.from)
        };
        assert_eq!(decide(&user("7"), Action::Subscribe, "conversation:5"), Ok(Some(From::Row(9))));
        assert_eq!(decide(&user("8"), Action::Subscribe, "conversation:5"), Ok(None));
        assert_eq!(decide(&user("8"), Action::Subscribe, "typing:5"), Ok(None));
        for (who, action, name) in [
            (user("7"), Action::Publish, "conversation:5"),
            (user("7"), Action::Publish, "typing:5"),
            (user("7"), Action::Manage, "conversation:5"),
            (user("7"), Action::Subscribe, "conversation:6"),
            (user("9"), Action::Subscribe, "conversation:5"),
            (Identity::visitor(7), Action::Subscribe, "conversation:5"),
        ] {
            assert!(decide(&who, action, name).is_err(), "{who:?} {action:?} {name}");
        }
        let over = Identity { expires_at: Some(1), ..user("7") };
        let late = limits::TOKEN_GRACE + 1;
        let conversation = channel("conversation:5");
        let decided =
            Rules::default().decide_with(&memberships, &over, Action::Subscribe, &conversation, late);
        assert_eq!(decided.unwrap_err().code, Code::TokenExpired);
        let whole = Grant {
            pattern: Pattern::parse("conversation:*").unwrap(),
            allow: vec![Action::Subscribe],
            from: None,
        };
        let some = Grant { from: Some("cursor".into()), ..whole.clone() };
        let with = |grant: Grant| Identity { grants: vec![grant], ..user("7") };
        assert_eq!(decide(&with(whole), Action::Subscribe, "conversation:5"), Ok(None));
        assert_eq!(decide(&with(some), Action::Subscribe, "conversation:5"), Ok(Some(From::Row(9))));
    }

    #[test]
    fn an_expired_identity_may_nothing() {
        let identity = Identity { expires_at: Some(1_000), ..user("7") };
        let at = |now| dev_rules().decide(&identity, Action::Subscribe, &channel("x"), now);
        assert!(at(1_000 + limits::TOKEN_GRACE - 1).is_ok());
        assert_eq!(at(1_000 + limits::TOKEN_GRACE).unwrap_err().code, Code::TokenExpired);
    }
}
