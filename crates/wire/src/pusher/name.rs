//! What a channel's name says.

use deskbell_core::ids::ChannelName;
use deskbell_core::refusal::{Code, Refusal};

/// Who may subscribe, as the name has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard<'a> {
    /// Everybody who has the key.
    Public,
    /// Whoever shows a signature.
    Private,
    /// The same; what is said there is encrypted between the ends.
    Encrypted,
    /// Whoever shows a signature, and is seen there.
    Presence,
    /// This signed-in user alone.
    User(&'a str),
}

/// The channel on which a signed-in user is reached begins so.
pub const SERVER_TO_USER: &str = "#server-to-user-";

/// The channel on which a signed-in user is seen by those who watch it. No client can name it.
pub const WATCH: &str = "#watch-";

impl<'a> Guard<'a> {
    /// Reads a name.
    ///
    /// ```
    /// use deskbell_wire::pusher::Guard;
    /// assert_eq!(Guard::of("private-encrypted-a"), Guard::Encrypted);
    /// assert_eq!(Guard::of("cache-a"), Guard::Public);
    /// assert_eq!(Guard::of("#server-to-user-7"), Guard::User("7"));
    /// ```
    pub fn of(name: &'a str) -> Self {
        if let Some(user) = name.strip_prefix(SERVER_TO_USER) {
            Self::User(user)
        } else if name.starts_with("private-encrypted-") {
            Self::Encrypted
        } else if name.starts_with("private-") {
            Self::Private
        } else if name.starts_with("presence-") {
            Self::Presence
        } else {
            Self::Public
        }
    }

    /// May its clients speak to each other there?
    pub fn lets_clients_speak(self) -> bool {
        matches!(self, Self::Private | Self::Presence)
    }
}

/// A name without a guard that is said twice. Laravel and Echo put `private-` before whatever they are given,
/// so an application whose names have it already says it twice; rules and projections are written with one.
///
/// ```
/// use deskbell_wire::pusher::name::single;
/// assert_eq!(single("private-private-notifications.5"), "private-notifications.5");
/// assert_eq!(single("presence-clinic.1"), "presence-clinic.1");
/// ```
pub fn single(name: &str) -> &str {
    let twice = |guard: &str| {
        let rest = name.strip_prefix(guard)?;
        rest.starts_with(guard).then_some(rest)
    };
    twice("private-").or_else(|| twice("presence-")).unwrap_or(name)
}

/// Checks the name of a channel against the grammar that all libraries share. A channel of the server's
/// own, which has a `:` in its name, is none that this dialect can spell.
pub fn channel(name: &str) -> Result<ChannelName, Refusal> {
    let plain = name.strip_prefix(SERVER_TO_USER).unwrap_or(name);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_=@,.;".contains(&b);
    if plain.is_empty() || !plain.bytes().all(allowed) {
        return Err(Refusal::new(
            Code::BadChannel,
            "a channel name has 1 to 200 characters out of A-Z a-z 0-9 - _ = @ , . ;",
        ));
    }
    ChannelName::parse(name)
}

/// Checks the id of a user.
pub fn user(id: &str) -> Result<(), Refusal> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_=@,.;".contains(&b);
    let longest = deskbell_core::limits::PUSHER_USER_ID;
    if !id.is_empty() && id.len() <= longest && id.bytes().all(allowed) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadField, "a user id has 1 to 128 characters out of A-Z a-z 0-9 - _ = @ , . ;"))
}

/// Checks the name of an event that a backend sends.
pub fn event(name: &str) -> Result<deskbell_core::ids::EventName, Refusal> {
    if name.starts_with("pusher:") || name.starts_with("pusher_internal:") {
        return Err(Refusal::new(
            Code::BadName,
            "names that begin with pusher: and pusher_internal: are the protocol's own; choose another",
        ));
    }
    deskbell_core::ids::EventName::parse(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_names() {
        for (name, good) in [
            ("a-b_c=d@e,f.g;h", true),
            ("#server-to-user-7", true),
            ("#server-to-user-", false),
            ("#watch-7", false),
            ("user:7", false),
            ("a b", false),
            ("", false),
            ("ä", false),
        ] {
            assert_eq!(channel(name).is_ok(), good, "{name}");
        }
        assert!(channel(&"x".repeat(200)).is_ok());
        assert!(channel(&"x".repeat(201)).is_err());
        assert!(event("pusher:ping").is_err() && event("pusher_internal:x").is_err() && event("x").is_ok());
        assert!(user("a@b.c").is_ok() && user("").is_err() && user(&"1".repeat(129)).is_err());
    }
}
