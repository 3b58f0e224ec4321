//! The secret name of a session: whoever knows it may poll and post in its place.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A session's secret name: 128 random bits. The public name of a socket is another one, made separately.
///
/// ```
/// use deskbell_wire::engineio::Sid;
/// let sid = Sid::from_random([7; 16]);
/// assert_eq!(Sid::parse(&sid.to_text()), Some(sid));
/// assert_eq!(Sid::parse(""), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid([u8; 16]);

impl Sid {
    /// Makes one of bits that nobody can guess.
    pub const fn from_random(bits: [u8; 16]) -> Self {
        Self(bits)
    }

    /// Reads what a client sent. What is no name of ours names no session, and so opens none either.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bits = [0; 16];
        // The exact length is asked first: the decoder refuses a slice that is too short in its own way.
        if text.len() != 22 || URL_SAFE_NO_PAD.decode_slice(text, &mut bits) != Ok(16) {
            return None;
        }
        Some(Self(bits))
    }

    /// A number that says nothing of the others: by it a session is given to one of several places.
    pub const fn lot(self) -> u64 {
        // All bits are random, so that a half of them is as good as the other.
        (u128::from_be_bytes(self.0) >> 64) as u64
    }

    /// As clients see it.
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sid(..)")
    }
}
