//! Who may look at the server with the admin UI of Socket.IO: a name, a password, and the session that a browser is
//! given in their place.

use crate::limits::{HOUR, Millis};
use crate::mac;

/// Bytes of a password at least: it can be tried from anywhere.
pub const PASSWORD: usize = 16;
/// How long a browser is an operator's without the password: a working day, and the evening.
pub const SESSION: Millis = 12 * HOUR;

/// One operator. It never shows its password.
pub struct Operator {
    name: String,
    key: [u8; 32],
}

impl Operator {
    /// An operator with this name and password; nothing where the password can be guessed by trying.
    ///
    /// ```
    /// use deskbell_core::operator::Operator;
    /// assert!(Operator::new("ann", "short").is_none());
    /// let ann = Operator::new("ann", "a long enough password").unwrap();
    /// assert!(ann.is("ann", "a long enough password") && !ann.is("ann", "another long password"));
    /// ```
    pub fn new(name: &str, password: &str) -> Option<Self> {
        let long = password.len() >= PASSWORD;
        long.then(|| Self { name: name.to_owned(), key: key(password) })
    }

    /// Is it this one?
    pub fn is(&self, name: &str, password: &str) -> bool {
        // Both are always compared, so that the time says nothing about either.
        let named = mac::verify(
            &self.key,
            &[b"name\0", name.as_bytes()],
            &self.tag(&[b"name\0", self.name.as_bytes()]),
        );
        let known = mac::verify(&key(password), &[b"proof"], &self.tag(&[b"proof"]));
        named & known
    }

    /// What a browser shows the next time in place of the password. Another password ends it.
    pub fn session(&self, now: Millis) -> String {
        let until = now + SESSION;
        format!("{until}.{}", self.seal(until))
    }

    /// Is this such a session, and not over?
    pub fn has(&self, session: &str, now: Millis) -> bool {
        let Some((until, seal)) = session.split_once('.') else { return false };
        let Ok(until) = until.parse::<Millis>() else { return false };
        let expected = self.seal(until);
        let same = mac::verify(b"compare", &[seal.as_bytes()], &mac::tag(b"compare", &[expected.as_bytes()]));
        same && now < until
    }

    fn seal(&self, until: Millis) -> String {
        let tag = self.tag(&[b"session\0", &until.to_be_bytes()]);
        tag.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac::tag(&self.key, parts)
    }
}

fn key(password: &str) -> [u8; 32] {
    mac::tag(b"deskbell operator v1", &[password.as_bytes()])
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Operator(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "correct horse battery";

    fn ann() -> Operator {
        Operator::new("ann", WORDS).unwrap()
    }

    #[test]
    fn both_the_name_and_the_password_must_be_right() {
        for (name, password, expected) in [
            ("ann", WORDS, true),
            ("Ann", WORDS, false),
            ("", WORDS, false),
            ("ann", "", false),
            ("ann", "correct horse batterz", false),
        ] {
            assert_eq!(ann().is(name, password), expected, "{name} {password}");
        }
    }

    #[test]
    fn a_session_holds_until_its_end_and_for_this_password_alone() {
        let session = ann().session(1_000);
        assert!(ann().has(&session, 1_000 + SESSION - 1));
        assert!(!ann().has(&session, 1_000 + SESSION));
        assert!(!Operator::new("ann", "another long password").unwrap().has(&session, 1_000));
        let (until, seal) = session.split_once('.').unwrap();
        let later = format!("{}.{seal}", until.parse::<u64>().unwrap() + 1);
        for forged in [&later, until, "", ".", "9.", &session[..session.len() - 1]] {
            assert!(!ann().has(forged, 1_000), "{forged}");
        }
    }

    #[test]
    fn it_does_not_show_itself() {
        assert_eq!(format!("{:?}", ann()), "Operator(..)");
    }
}
