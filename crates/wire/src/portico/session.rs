//! A session's id, and the room that it opens.

use std::fmt;
use std::sync::Arc;

use deskbell_core::ids::ChannelName;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};

use crate::http_head::percent_decode;
use crate::object::quoted;

/// What a session's room begins with.
const ROOM: &str = "session_";

/// Which part of the site a session belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The booking front end.
    Booking,
    /// The back office.
    Admin,
    /// Any PHP application.
    Standard,
}

/// The cookies of sessions; the first that is there counts.
const COOKIES: [(&str, Kind); 3] = [
    ("bookingfrontendsession", Kind::Booking),
    ("sessionphpgwsessid", Kind::Admin),
    ("PHPSESSID", Kind::Standard),
];

impl Kind {
    /// The word for it in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Booking => "booking",
            Self::Admin => "admin",
            Self::Standard => "standard",
        }
    }
}

/// The id of a session, as the site issued it. Whoever has it is in its room, so it is a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Arc<str>);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

impl SessionId {
    /// Reads an id: what is the name of a channel behind `session_`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let room = ChannelName::parse(&format!("{ROOM}{text}"));
        if text.is_empty() || room.is_err() {
            return Err(Refusal::new(Code::BadField, "Invalid session ID provided"));
        }
        Ok(Self(text.into()))
    }

    /// Is it long enough that nobody guesses it? Shorter ones open a room only where everything is open.
    pub fn is_strong(&self) -> bool {
        self.0.len() >= limits::PORTICO_SESSION
    }

    /// The id, for whoever issued it; never for showing it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its room.
    pub fn room(&self) -> String {
        format!("{ROOM}{}", self.0)
    }

    /// So much of it as may be shown: eight characters of one that nobody guesses, of others none.
    pub fn short(&self) -> String {
        let shown: String = if self.is_strong() { self.0.chars().take(8).collect() } else { String::new() };
        format!("{shown}...")
    }
}

/// A session, and of what kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// Of which part of the site.
    pub kind: Kind,
}

impl Session {
    /// What is added to messages that a page of this session sends to others.
    pub fn context(&self) -> String {
        format!(r#"{{"hasSession":true,"sessionType":{}}}"#, quoted(self.kind.as_str()))
    }
}

/// Which cookies count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The site's own two.
    Own,
    /// Also that of every PHP application: on a listener that serves this dialect alone.
    AlsoPhp,
}

/// What a request's cookies say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hail {
    /// There are none. Such a client hears nothing until it speaks.
    Silent,
    /// There are some, and no session is among them. It is asked for one.
    Sessionless,
    /// A session.
    Session(Session),
}

/// Reads the value of `Cookie`.
pub fn hail(cookies: Option<&str>, trust: Trust) -> Hail {
    let Some(cookies) = cookies else { return Hail::Silent };
    let found = counted(trust).find_map(|(name, kind)| {
        let id = SessionId::parse(&percent_decode(cookie(cookies, name)?)).ok()?;
        Some(Session { id, kind })
    });
    found.map_or(Hail::Sessionless, Hail::Session)
}

/// Does one of these cookies stand there, so that `/` is this dialect's?
pub fn is_ours(cookies: Option<&str>, trust: Trust) -> bool {
    cookies.is_some_and(|cookies| counted(trust).any(|(name, _)| cookie(cookies, name).is_some()))
}

fn counted(trust: Trust) -> impl Iterator<Item = (&'static str, Kind)> {
    COOKIES.into_iter().filter(move |(_, kind)| *kind != Kind::Standard || trust == Trust::AlsoPhp)
}

/// The value of the first cookie with a name.
fn cookie<'a>(cookies: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.trim_matches('"'))
}

/// What a session's id does that a page names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It had none.
    Set,
    /// It had another one, whose room it leaves.
    Updated,
    /// It is the one that it has.
    None,
}

impl Change {
    /// Decides.
    pub fn of(old: Option<&SessionId>, new: &SessionId) -> Self {
        match old {
            None => Self::Set,
            Some(old) if old == new => Self::None,
            Some(_) => Self::Updated,
        }
    }

    /// The word for it.
    pub const fn action(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Updated => "updated",
            Self::None => "none",
        }
    }

    /// The sentence for it.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Set => "Session ID set",
            Self::Updated => "Session ID updated",
            Self::None => "Session ID is unchanged",
        }
    }
}
