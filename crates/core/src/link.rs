//! Calendar links: whose calendar somebody may read who has nothing but an address.
//!
//! A link holds, sealed, whose calendar it is and how often the links of that calendar were changed when it was
//! made. It counts as long as they were not changed again. What is in it cannot be read from it: an address
//! passes through the logs of other people's programs, and a user's id may be an e-mail address.

use std::fmt;

use aes_siv::KeyInit as _;
use aes_siv::siv::Aes128Siv;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ids::{AppId, ResourceId, UserId};
use crate::mac;

/// Bytes of a link: the longest user id, its numbers and the seal fit.
const LONGEST: usize = 512;

/// Whose calendar.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The bookings of a user.
    User(UserId),
    /// The bookings of a resource.
    Resource(ResourceId),
}

impl Subject {
    /// Reads the text form back.
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("user", id) => UserId::parse(id).ok().map(Self::User),
            ("resource", id) => ResourceId::parse(id).ok().map(Self::Resource),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Resource(id) => write!(f, "resource:{id}"),
        }
    }
}

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// In which app.
    pub app: AppId,
    /// Whose calendar.
    pub subject: Subject,
    /// How often its links were changed before.
    pub generation: u64,
}

/// The key that seals links.
#[derive(Clone)]
pub struct LinkKey([u8; 32]);

impl LinkKey {
    /// Derives the key from the installation's stored secret.
    pub fn derive(stored: &[u8]) -> Self {
        Self(mac::tag(stored, &[b"deskbell calendar links v1"]))
    }

    /// Seals a link. The same one always looks the same.
    ///
    /// ```
    /// use deskbell_core::ids::{AppId, UserId};
    /// use deskbell_core::link::{Link, LinkKey, Subject};
    /// let key = LinkKey::derive(b"stored secret");
    /// let subject = Subject::User(UserId::parse("ann@example.org").unwrap());
    /// let link = Link { app: AppId(1001), subject, generation: 3 };
    /// let text = key.seal(&link);
    /// assert_eq!(key.open(&text), Some(link));
    /// assert_eq!(LinkKey::derive(b"another secret").open(&text), None);
    /// ```
    pub fn seal(&self, link: &Link) -> String {
        let mut plain = link.app.0.to_be_bytes().to_vec();
        plain.extend_from_slice(&link.generation.to_be_bytes());
        plain.extend_from_slice(link.subject.to_string().as_bytes());
        let sealed = self.cipher().encrypt([b"link"], &plain).expect("a short text always fits");
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens a link; `None` for whatever this key did not seal.
    pub fn open(&self, text: &str) -> Option<Link> {
        if text.len() > LONGEST {
            return None;
        }
        let plain = self.cipher().decrypt([b"link"], &URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (app, rest) = plain.split_first_chunk::<8>()?;
        let (generation, subject) = rest.split_first_chunk::<8>()?;
        Some(Link {
            app: AppId(u64::from_be_bytes(*app)),
            subject: Subject::parse(str::from_utf8(subject).ok()?)?,
            generation: u64::from_be_bytes(*generation),
        })
    }

    fn cipher(&self) -> Aes128Siv {
        Aes128Siv::new(&self.0.into())
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_ids_fit_and_no_bit_may_change() {
        let key = LinkKey::derive(b"stored");
        let user = Subject::User(UserId::parse(&"u".repeat(crate::limits::USER_ID)).unwrap());
        let resource = Subject::Resource(ResourceId::parse("dr:7").unwrap());
        for subject in [user, resource] {
            let link = Link { app: AppId(u64::MAX), subject, generation: u64::MAX };
            let text = key.seal(&link);
            assert_eq!(key.open(&text), Some(link));
            let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
            for at in 0..bytes.len() {
                bytes[at] ^= 1;
                assert_eq!(key.open(&URL_SAFE_NO_PAD.encode(&bytes)), None);
                bytes[at] ^= 1;
            }
        }
        for foreign in ["", "x", &"A".repeat(600)] {
            assert_eq!(key.open(foreign), None);
        }
    }
}
