//! Names and ids: parsed once at the door, trusted after.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;
use crate::refusal::{Code, Refusal};

/// One tenant. Numeric, because Python's Pusher library accepts nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(pub u64);

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $parse:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text against the grammar.
            pub fn parse(text: &str) -> Result<Self, Refusal> {
                $parse(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(from)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }
    };
}

text_id!(
    /// A channel's name: `[A-Za-z0-9_\-=@,.;:#]{1,200}`, opaque for delivery.
    ///
    /// ```
    /// use deskbell_core::ids::ChannelName;
    /// assert!(ChannelName::parse("slots:room-1").is_ok());
    /// assert!(ChannelName::parse("a b").is_err());
    /// ```
    ChannelName,
    check_channel
);
text_id!(
    /// An event's name: any printable text without control characters, 1 to 200 bytes.
    EventName,
    check_event_name
);
text_id!(
    /// An event's id, which is the publisher's idempotency id where it gave one.
    EventId,
    check_event_id
);
text_id!(
    /// The key of a value on a `latest` channel.
    Key,
    check_key
);
text_id!(
    /// A user as the site's tokens name him: the `sub` of a token, or a signed e-mail address.
    UserId,
    check_user
);

text_id!(
    /// What can be booked: a name that the site chose. Its grammar is that of channels, so that
    /// `slots:{resource}` is one.
    ///
    /// ```
    /// use deskbell_core::ids::ResourceId;
    /// assert!(ResourceId::parse("room-12").is_ok());
    /// assert!(ResourceId::parse("room 12").is_err());
    /// ```
    ResourceId,
    check_resource
);
text_id!(
    /// A reservation's id. The server makes it, and nobody can guess it.
    ReservationId,
    check_made
);
text_id!(
    /// The id of an entry of a waitlist. The server makes it.
    WaitId,
    check_made
);
text_id!(
    /// Where a set of blocks comes from: `holidays`, the name of a calendar feed.
    SourceName,
    check_source
);
text_id!(
    /// What the host's own database calls a booking, or what it wants to find there again.
    ExternalRef,
    check_external
);

text_id!(
    /// A conversation: a name that the site chose, or one that the server made. Its grammar is that of
    /// channels, so that `conversation:{id}` is one.
    ConversationId,
    check_conversation
);
text_id!(
    /// What a notification is about, as the site sorts them: `booking`, `marketing.news`.
    Topic,
    check_topic
);

fn check_conversation(text: &str) -> Result<(), Refusal> {
    if text.len() <= limits::CONVERSATION_ID && check_channel(text).is_ok() {
        return Ok(());
    }
    Err(Refusal::new(
        Code::BadField,
        "a conversation's id has 1 to 120 characters out of A-Z a-z 0-9 _ - = @ , . ; : #",
    ))
}

fn check_topic(text: &str) -> Result<(), Refusal> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.:".contains(&b);
    if !text.is_empty() && text.len() <= limits::TOPIC && text.bytes().all(allowed) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::BadField,
        "a notification's type has 1 to 64 characters out of A-Z a-z 0-9 _ - . :",
    ))
}

fn check_resource(text: &str) -> Result<(), Refusal> {
    if text.len() <= limits::RESOURCE_ID && check_channel(text).is_ok() {
        return Ok(());
    }
    Err(Refusal::new(
        Code::BadField,
        "a resource's id has 1 to 120 characters out of A-Z a-z 0-9 _ - = @ , . ; : #",
    ))
}

fn check_made(text: &str) -> Result<(), Refusal> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !text.is_empty() && text.len() <= limits::MADE_ID && text.bytes().all(allowed) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadField, "this is no id that the server made; send it as you got it"))
}

fn check_source(text: &str) -> Result<(), Refusal> {
    if printable(text, limits::SOURCE_NAME) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadField, "a source's name has 1 to 120 bytes and no control characters"))
}

fn check_external(text: &str) -> Result<(), Refusal> {
    if printable(text, limits::EXTERNAL_REF) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadField, "`external_ref` has 1 to 200 bytes and no control characters"))
}

fn check_channel(text: &str) -> Result<(), Refusal> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-=@,.;:#".contains(&b);
    if text.is_empty() || text.len() > limits::CHANNEL_NAME || !text.bytes().all(allowed) {
        return Err(Refusal::new(
            Code::BadChannel,
            "a channel name has 1 to 200 characters out of A-Z a-z 0-9 _ - = @ , . ; : #",
        ));
    }
    Ok(())
}

fn printable(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && !text.chars().any(char::is_control)
}

fn check_event_name(text: &str) -> Result<(), Refusal> {
    if printable(text, limits::EVENT_NAME) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadName, "an event name has 1 to 200 bytes and no control characters"))
}

fn check_event_id(text: &str) -> Result<(), Refusal> {
    if !text.is_empty() && text.len() <= limits::EVENT_ID && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadField, "an id has 1 to 128 visible ASCII characters and no spaces"))
}

fn check_key(text: &str) -> Result<(), Refusal> {
    if printable(text, limits::KEY) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadField, "a key has 1 to 200 bytes and no control characters"))
}

fn check_user(text: &str) -> Result<(), Refusal> {
    if printable(text, limits::USER_ID) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadField, "a user id has 1 to 256 bytes and no control characters"))
}

impl EventId {
    /// An id for an event whose publisher gave none, from 96 random bits.
    pub fn from_random(random: [u8; 12]) -> Self {
        use base64::Engine as _;
        Self(Arc::from(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random)))
    }
}

impl From<&EventName> for Key {
    /// The default key of a value on a `latest` channel is the event's name; its grammar fits.
    fn from(name: &EventName) -> Self {
        Self(name.0.clone())
    }
}

/// A session's public id, safe to show to others and to name in `except`.
///
/// The text form is two numbers with a dot, which is what every Pusher library accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicId(pub u64);

impl PublicId {
    /// Reads the text form back.
    ///
    /// ```
    /// use deskbell_core::ids::PublicId;
    /// let id = PublicId(0x0000_0007_0000_0009);
    /// assert_eq!(id.to_string(), "7.9");
    /// assert_eq!(PublicId::parse("7.9").unwrap(), id);
    /// ```
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let parsed = text.split_once('.').and_then(|(high, low)| {
            let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse::<u32>().ok())?;
            Some(u64::from(digits(high)?) << 32 | u64::from(digits(low)?))
        });
        parsed.map(Self).ok_or_else(|| {
            Refusal::new(Code::BadField, "a session id is two numbers with a dot, as `welcome` gave it")
        })
    }
}

impl fmt::Display for PublicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

macro_rules! made_id {
    ($name:ident, $prefix:literal) => {
        impl $name {
            /// The `nth` id that a command makes out of its random seed: 120 bits, which nobody guesses.
            pub fn derive(seed: [u8; 16], nth: u32) -> Self {
                use base64::Engine as _;
                let tag = crate::mac::tag(&seed, &[$prefix.as_bytes(), &nth.to_be_bytes()]);
                let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&tag[..15]);
                Self(Arc::from(format!("{}{text}", $prefix)))
            }
        }
    };
}

/// Digits of base 64 in the order of their bytes.
const IN_ORDER: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

impl ReservationId {
    /// The `nth` id that a command makes at a time out of its random seed.
    ///
    /// It begins with the time, so that what is made together lies together in a store and lists are
    /// in order; 120 bits behind it are what nobody guesses.
    ///
    /// ```
    /// use deskbell_core::ids::ReservationId;
    /// let (early, late) = (ReservationId::derive(63, [1; 16], 1), ReservationId::derive(64, [0; 16], 1));
    /// assert!(early < late);
    /// assert_eq!(ReservationId::parse(early.as_str()).unwrap(), early);
    /// ```
    pub fn derive(now: limits::Millis, seed: [u8; 16], nth: u32) -> Self {
        use base64::Engine as _;
        let tag = crate::mac::tag(&seed, &[b"r_", &nth.to_be_bytes()]);
        let mut text = String::with_capacity(32);
        text.push_str("r_");
        let digits = (0..8).rev().map(|place| IN_ORDER[(now >> (6 * place)) as usize % 64]);
        text.extend(digits.map(char::from));
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode_string(&tag[..15], &mut text);
        Self(Arc::from(text))
    }

    /// An id that no reservation has.
    pub fn nobodys() -> Self {
        Self(Arc::from("nobodys"))
    }

    /// The one reservation that holds all blocks of a source.
    pub fn of_source(source: &SourceName) -> Self {
        use base64::Engine as _;
        let tag = crate::mac::tag(b"blocks", &[source.as_str().as_bytes()]);
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&tag[..15]);
        Self(Arc::from(format!("b_{text}")))
    }
}

made_id!(WaitId, "w_");
made_id!(ConversationId, "c_");

/// Who acts: a token's subject, or a visitor whose signed id all tabs of a browser share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// A backend that showed the app's secret.
    Backend,
    /// A user whom a token or a signature names.
    User(UserId),
    /// Nobody in particular, but always the same nobody.
    Visitor(u64),
}

impl Principal {
    /// Reads the text form back.
    ///
    /// ```
    /// use deskbell_core::ids::Principal;
    /// for text in ["backend", "user:7", "visitor:00000000000000ff"] {
    ///     assert_eq!(Principal::parse(text).unwrap().to_string(), text);
    /// }
    /// assert!(Principal::parse("nobody").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let unknown = || Refusal::new(Code::BadField, "a principal is `backend`, `user:ID` or `visitor:ID`");
        match text.split_once(':') {
            None if text == "backend" => Ok(Self::Backend),
            Some(("user", id)) => Ok(Self::User(UserId::parse(id)?)),
            Some(("visitor", hex)) if hex.len() == 16 => {
                u64::from_str_radix(hex, 16).map(Self::Visitor).map_err(|_| unknown())
            }
            _ => Err(unknown()),
        }
    }
}

impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Principal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backend => f.write_str("backend"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Visitor(id) => write!(f, "visitor:{id:016x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_grammar_is_exact() {
        for good in ["a", "A-Z_0=9@,.;:#", &"x".repeat(200)] {
            assert!(ChannelName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ä", "a\n", "a*", "{x}", &"x".repeat(201)] {
            assert_eq!(ChannelName::parse(bad).unwrap_err().code, Code::BadChannel, "{bad}");
        }
    }

    #[test]
    fn public_ids_refuse_what_they_did_not_write() {
        for bad in ["", ".", "1.", ".1", "1.2.3", "+1.2", "1.4294967296", "-1.2", "1 .2"] {
            assert!(PublicId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_refuse_control_characters() {
        assert!(EventName::parse("slot taken ✓").is_ok());
        assert!(EventName::parse("a\u{0}").is_err());
        assert!(EventName::parse(&"n".repeat(201)).is_err());
        assert!(EventId::parse("has space").is_err());
    }
}
