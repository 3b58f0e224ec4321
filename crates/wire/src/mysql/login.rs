//! Who signs in, and the proof of the password.

use sha1::{Digest, Sha1};

use super::Fault;
use super::field::Fields;

/// The one kind of proof that is given.
pub const NATIVE: &[u8] = b"mysql_native_password";

/// Bytes of the salt of that kind.
const SALT: usize = 20;

/// Long passwords, a database by its name, protocol 4.1, transactions, salted proofs, kinds of proofs.
const CAPABILITIES: u32 = 0x0000_0001 | 0x0000_0008 | 0x0000_0200 | 0x0000_2000 | 0x0000_8000 | 0x0008_0000;

/// UTF-8 with all of its letters, compared in the general way.
const UTF8MB4: u8 = 45;

/// The salt of a greeting.
pub fn salt(greeting: &[u8]) -> Result<[u8; SALT], Fault> {
    let mut fields = Fields(greeting);
    if fields.byte()? != 10 {
        return Err(Fault::Strange);
    }
    // Its version, and the number of the connection.
    fields.until_zero()?;
    fields.bytes(4)?;
    let first = fields.bytes(8)?;
    // A zero, what it can do, its letters, its state, more of what it can do, the salt's length, nothing.
    fields.bytes(1 + 2 + 1 + 2 + 2 + 1 + 10)?;
    let second = fields.bytes(12)?;
    salt_of(&[first, second].concat())
}

/// A salt that stands by itself.
pub fn salt_of(bytes: &[u8]) -> Result<[u8; SALT], Fault> {
    // A zero may stand behind it.
    bytes.get(..SALT).and_then(|salt| salt.try_into().ok()).ok_or(Fault::Strange)
}

/// The answer to a greeting.
pub fn login(salt: &[u8; SALT], user: &str, password: &str, database: &str) -> Vec<u8> {
    let mut said = CAPABILITIES.to_le_bytes().to_vec();
    said.extend_from_slice(&(super::LONGEST_PACKET as u32).to_le_bytes());
    said.push(UTF8MB4);
    said.extend_from_slice(&[0; 23]);
    said.extend(user.bytes().filter(|byte| *byte != 0));
    said.push(0);
    let proof = proof(salt, password);
    said.push(proof.len() as u8);
    said.extend_from_slice(&proof);
    said.extend(database.bytes().filter(|byte| *byte != 0));
    said.push(0);
    said.extend_from_slice(NATIVE);
    said.push(0);
    said
}

/// The proof that somebody knows a password; nothing for none.
pub fn proof(salt: &[u8; SALT], password: &str) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = Sha1::digest(password.as_bytes());
    let mask = Sha1::new().chain_update(salt).chain_update(Sha1::digest(once)).finalize();
    once.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}
