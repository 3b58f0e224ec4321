//! Keyed hashes: the one place that names the algorithm behind seals, cursors and signatures.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

fn over(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac
}

/// A key that is hashed in once, for whoever signs often with the same one.
#[derive(Clone)]
pub struct Keyed(Hmac<Sha256>);

impl Keyed {
    /// Takes a key.
    pub fn new(key: &[u8]) -> Self {
        Self(over(key, &[]))
    }

    /// HMAC-SHA256 over the parts.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Compares a tag as [`verify`] does.
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        tag.len() >= 16 && self.over(parts).verify_truncated_left(tag).is_ok()
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}

/// HMAC-SHA256 over the parts, one after the other.
pub fn tag(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    over(key, parts).finalize().into_bytes().into()
}

/// Compares a tag, which may be cut to its first bytes (but not to nothing), in constant time.
pub fn verify(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    tag.len() >= 16 && over(key, parts).verify_truncated_left(tag).is_ok()
}
