//! Nobody is told anything private of somebody else: looked for in everything that the clients here receive.
//!
//! What is private has a form of its own in the tests, so that it can be found wherever it turns up: the address
//! `NAME@private.test`, words that begin with `secret words of NAME`, and the principal `user:NAME` as a value. Each
//! client knows who it is, as far as its credentials say so, and may be told of that person alone. A backend may be
//! told of everybody, and so may a user whose token has the role [`SERVES`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::SECRET;

/// The role of users in these tests to whom others' bookings are opened: who serves them, or manages.
pub const SERVES: &str = "serves";

/// What stands in front of a name, and behind it.
const FORMS: [(&str, &str); 3] = [("", "@private.test"), ("secret words of ", ""), ("\"user:", "\"")];

/// Of whom a client may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sees {
    /// Of everybody.
    Everybody,
    /// Of this user.
    One(String),
    /// Of nobody.
    Nobody,
}

impl Sees {
    /// As the credentials of a request say.
    pub fn of(path: &str, headers: &[(&str, &str)]) -> Self {
        let header = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let bearer = header.and_then(|(_, value)| value.strip_prefix("Bearer "));
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let asked = query.split('&').find_map(|pair| pair.strip_prefix("token="));
        bearer.or(asked).map_or(Self::Nobody, Self::of_token)
    }

    /// As a token says, or the secret.
    pub fn of_token(text: &str) -> Self {
        if text == SECRET {
            return Self::Everybody;
        }
        let claims = text.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims: Value = claims.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if claims["roles"].as_array().is_some_and(|roles| roles.iter().any(|role| role == SERVES)) {
            return Self::Everybody;
        }
        claims["sub"].as_str().map_or(Self::Nobody, |name| Self::One(name.to_owned()))
    }

    /// Looks through what the client was sent.
    pub fn check(&self, text: &str) {
        if *self == Self::Everybody {
            return;
        }
        for (before, behind) in FORMS {
            for name in names(text, before, behind) {
                let own = matches!(self, Self::One(own) if own == name);
                assert!(own, "{self:?} is told of {name}: {text}");
            }
        }
    }
}

/// The names that stand in this form in a text.
fn names<'a>(text: &'a str, before: &'a str, behind: &'a str) -> impl Iterator<Item = &'a str> {
    let mark = if before.is_empty() { behind } else { before };
    text.match_indices(mark).filter_map(move |(at, _)| {
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if before.is_empty() {
            let start = text[..at].rfind(|c| !inside(c)).map_or(0, |end| end + 1);
            return Some(&text[start..at]);
        }
        let rest = &text[at + mark.len()..];
        let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        // A refusal says which channel was asked for, and whoever asked knows that.
        if text[..at].ends_with("\"channel\":") && text.contains("\"denied\"") {
            return None;
        }
        rest[end..].starts_with(behind).then(|| &rest[..end])
    })
}

#[test]
fn what_is_private_is_found_in_each_of_its_forms() {
    let bert = Sees::of("/v1/ws?token=x", &[("Authorization", &format!("Bearer {}", super::user("bert")))]);
    assert_eq!(bert, Sees::One("bert".into()));
    assert_eq!(Sees::of(&format!("/v1/ws?a=1&token={}", super::user("bert")), &[]), bert);
    assert_eq!(Sees::of("/v1/ws", &[]), Sees::Nobody);
    let told = |sees: &Sees, text: &str| std::panic::catch_unwind(|| sees.check(text)).is_err();
    for text in [r#"{"email":"anna@private.test"}"#, r#""secret words of anna""#, r#"{"holder":"user:anna"}"#]
    {
        assert!(told(&bert, text) && told(&Sees::Nobody, text), "{text}");
        assert!(!told(&Sees::One("anna".into()), text), "{text}");
        assert!(!told(&Sees::of_token(SECRET), text), "{text}");
    }
    assert!(!told(&bert, r#"{"channel":"user:anna","code":"denied"}"#));
    assert!(told(&bert, r#"{"type":"event","channel":"user:anna"}"#));
    assert!(!told(&bert, r#"{"type":"error","message":"`user:anna` is no channel of yours"}"#));
}
