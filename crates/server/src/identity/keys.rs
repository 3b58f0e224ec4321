//! One key, a set of keys, and what each may verify.
//!
//! A key fits exactly one algorithm, which follows from what the key *is*. So a token cannot
//! choose that a public key be used as a shared secret.

use std::fmt;

use deskbell_core::limits;
use ring::{hmac, signature};
use rustls_pki_types::pem::{PemObject as _, SectionKind};

use super::settings::BadSettings;
use crate::tls::der::{self, Reader};

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All that this server takes.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// The word in a token's header and in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads the word, letter by letter as the standard spells it.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == word)
    }
}

/// A shared secret. It never shows itself.
#[derive(Clone)]
pub struct Secret {
    key: hmac::Key,
    strong: bool,
}

impl Secret {
    /// Any text that is not empty; a backend's libraries take nothing else.
    pub fn new(bytes: &[u8]) -> Result<Self, BadSettings> {
        if bytes.is_empty() {
            return Err(BadSettings::new("the secret of tokens is empty; write a long random text"));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        Ok(Self { key, strong: bytes.len() >= limits::STRONG_SECRET })
    }

    /// Is it too long to be guessed from a token?
    pub fn is_strong(&self) -> bool {
        self.strong
    }

    pub(super) fn sign(&self, message: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key, message)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[derive(Debug, Clone)]
enum Material {
    Shared(Secret),
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key that verifies.
#[derive(Debug, Clone)]
pub struct Key {
    id: Option<String>,
    material: Material,
}

impl Key {
    /// A shared secret.
    pub fn shared(id: Option<String>, secret: Secret) -> Self {
        Self { id, material: Material::Shared(secret) }
    }

    /// An RSA key from its numbers, most significant byte first.
    pub fn rsa(id: Option<String>, modulus: &[u8], exponent: &[u8]) -> Result<Self, BadSettings> {
        let strip = |bytes: &[u8]| bytes.iter().copied().skip_while(|b| *b == 0).collect::<Vec<u8>>();
        let (modulus, exponent) = (strip(modulus), strip(exponent));
        let bits = modulus.len() * 8 - modulus.first().map_or(0, |b| b.leading_zeros() as usize);
        if !(2_048..=8_192).contains(&bits) {
            return Err(BadSettings(format!("the RSA key has {bits} bits; use one with 2048 to 8192")));
        }
        // Beyond 33 bits an exponent only costs time; an even one is no exponent.
        if exponent.len() > 4 || exponent.last().is_none_or(|b| b % 2 == 0) || exponent == [1] {
            return Err(BadSettings::new("the RSA key's exponent is unusable; 65537 is the usual one"));
        }
        Ok(Self { id, material: Material::Rsa { modulus, exponent } })
    }

    /// A P-256 key from its uncompressed point: 4, x, y.
    pub fn p256(id: Option<String>, point: &[u8]) -> Result<Self, BadSettings> {
        if point.len() != 65 || point[0] != 4 {
            return Err(BadSettings::new("the EC key is no uncompressed point of P-256, which ES256 needs"));
        }
        Ok(Self { id, material: Material::P256(point.to_vec()) })
    }

    /// An Ed25519 key.
    pub fn ed25519(id: Option<String>, bytes: &[u8]) -> Result<Self, BadSettings> {
        if bytes.len() != 32 {
            return Err(BadSettings::new("the Ed25519 key does not have 32 bytes"));
        }
        Ok(Self { id, material: Material::Ed25519(bytes.to_vec()) })
    }

    /// A public key as `openssl pkey -pubout` writes it, without the armour.
    pub fn from_spki(id: Option<String>, spki: &[u8]) -> Result<Self, BadSettings> {
        let (algorithm, parameter, key) =
            read_spki(spki).ok_or_else(|| BadSettings::new("the PEM section holds no public key"))?;
        if algorithm == OID_RSA {
            let (modulus, exponent) =
                read_rsa(key).ok_or_else(|| BadSettings::new("the RSA key is not well formed"))?;
            return Self::rsa(id, modulus, exponent);
        }
        if algorithm == OID_ED25519 {
            return Self::ed25519(id, key);
        }
        if algorithm == OID_EC && parameter == Some(OID_P256) {
            return Self::p256(id, key);
        }
        Err(BadSettings::new("the public key is of an unknown kind; use RSA, EC P-256 or Ed25519"))
    }

    /// The key's id, by which tokens name it.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The one algorithm that this key is for.
    pub fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Shared(_) => Algorithm::Hs256,
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// Was the message signed by this key's owner?
    pub fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        let public = |how: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            signature::UnparsedPublicKey::new(how, key).verify(message, tag).is_ok()
        };
        match &self.material {
            Material::Shared(secret) => hmac::verify(&secret.key, message, tag).is_ok(),
            Material::Rsa { modulus: n, exponent: e } => signature::RsaPublicKeyComponents { n, e }
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, tag)
                .is_ok(),
            Material::P256(point) => public(&signature::ECDSA_P256_SHA256_FIXED, point),
            Material::Ed25519(key) => public(&signature::ED25519, key),
        }
    }
}

const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const OID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];

type Spki<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

fn read_spki(spki: &[u8]) -> Option<Spki<'_>> {
    let mut body = Reader::new(Reader::new(spki).take(der::SEQUENCE)?);
    let mut algorithm = Reader::new(body.take(der::SEQUENCE)?);
    let oid = algorithm.take(der::OBJECT_ID)?;
    let parameter = algorithm.take(der::OBJECT_ID);
    let (unused, key) = body.take(der::BIT_STRING)?.split_first()?;
    (*unused == 0 && body.is_empty()).then_some((oid, parameter, key))
}

fn read_rsa(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut numbers = Reader::new(Reader::new(key).take(der::SEQUENCE)?);
    let modulus = der::positive(numbers.take(der::INTEGER)?)?;
    let exponent = der::positive(numbers.take(der::INTEGER)?)?;
    numbers.is_empty().then_some((modulus, exponent))
}

/// Keys, in the order in which they are tried.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// Takes one more key, up to the bound.
    pub fn push(&mut self, key: Key) -> Result<(), BadSettings> {
        if self.0.len() == limits::TOKEN_KEYS {
            let sentence = format!("more than {} keys; take out those no longer used", limits::TOKEN_KEYS);
            return Err(BadSettings(sentence));
        }
        self.0.push(key);
        Ok(())
    }

    /// Takes every public key of a PEM text.
    pub fn push_pem(&mut self, pem: &[u8]) -> Result<(), BadSettings> {
        let before = self.0.len();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
            let (kind, der) = section
                .map_err(|_| BadSettings::new("the text is no PEM; it begins -----BEGIN PUBLIC KEY-----"))?;
            match kind {
                SectionKind::PublicKey => self.push(Key::from_spki(None, &der)?)?,
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                    return Err(BadSettings::new(
                        "this is a private key, which belongs to the signer alone; give the public one \
                         (openssl pkey -pubout)",
                    ));
                }
                _ => {}
            }
        }
        if self.0.len() == before {
            return Err(BadSettings::new(
                "no public key in the PEM text; it needs a section -----BEGIN PUBLIC KEY----- \
                 (openssl pkey -pubout, or openssl x509 -pubkey for a certificate)",
            ));
        }
        Ok(())
    }

    /// Is a key with this id here?
    pub fn knows(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id() == Some(id))
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is no key here?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys that may have signed a token of this algorithm and key id. A key without an id is
    /// tried for every id: whoever configures one PEM file rarely knows what its signer calls it.
    pub fn fitting(&self, algorithm: Algorithm, id: Option<&str>) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| {
            key.algorithm() == algorithm && (id.is_none() || key.id().is_none() || key.id() == id)
        })
    }
}
