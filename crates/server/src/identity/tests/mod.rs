//! Tests of identity, with keys of every kind and a real little key server.

mod claims;
mod fetched;
mod key_server;
mod keys;
mod tokens;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{self, KeyPair as _};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::keys::Secret;
use super::{Policy, Settings, Verdict, Verifier};
use deskbell_core::access::Identity;
use deskbell_core::limits::Millis;
use deskbell_core::refusal::{Code, Refusal};

const NOW: Millis = 1_800_000_000_000;
const NOW_S: u64 = NOW / 1_000;
const SECRET: &[u8] = b"thirty-two bytes are long enough";
const RSA_PRIVATE: &str = include_str!("rsa-for-tests.pem");
const RSA_PUBLIC: &str = include_str!("rsa-for-tests.pub.pem");

/// A key pair of a test, whose algorithm's name is free to lie about.
enum Signer {
    Shared(Secret),
    Rsa(signature::RsaKeyPair),
    P256(rcgen::KeyPair, signature::EcdsaKeyPair),
    Ed25519(rcgen::KeyPair, signature::Ed25519KeyPair),
}

impl Signer {
    fn shared() -> Self {
        Self::Shared(Secret::new(SECRET).unwrap())
    }

    fn rsa() -> Self {
        let der = PrivatePkcs8KeyDer::from_pem_slice(RSA_PRIVATE.as_bytes()).unwrap();
        Self::Rsa(signature::RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap())
    }

    fn p256() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let how = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let signing =
            signature::EcdsaKeyPair::from_pkcs8(how, pair.serialized_der(), &SystemRandom::new()).unwrap();
        Self::P256(pair, signing)
    }

    fn ed25519() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let signing = signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(pair.serialized_der()).unwrap();
        Self::Ed25519(pair, signing)
    }

    fn every() -> [Self; 4] {
        [Self::shared(), Self::rsa(), Self::p256(), Self::ed25519()]
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Shared(_) => "HS256",
            Self::Rsa(_) => "RS256",
            Self::P256(..) => "ES256",
            Self::Ed25519(..) => "EdDSA",
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.signature(signed.as_bytes())))
    }

    fn token(&self, key_id: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "alg": self.algorithm(), "typ": "JWT" });
        if let Some(id) = key_id {
            header["kid"] = json!(id);
        }
        self.sign(&header, claims)
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Shared(secret) => secret.sign(message).as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut tag = vec![0; pair.public().modulus_len()];
                let how = &signature::RSA_PKCS1_SHA256;
                pair.sign(how, &SystemRandom::new(), message, &mut tag).unwrap();
                tag
            }
            Self::P256(_, pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed25519(_, pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    fn public_pem(&self) -> String {
        match self {
            Self::Shared(_) => unreachable!("a shared secret has no public half"),
            Self::Rsa(_) => RSA_PUBLIC.to_owned(),
            Self::P256(pair, _) | Self::Ed25519(pair, _) => pair.public_key_pem(),
        }
    }

    fn jwk(&self, key_id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut key = match self {
            Self::Shared(_) => json!({ "kty": "oct", "k": text(SECRET) }),
            Self::Rsa(pair) => {
                let numbers: signature::RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({ "kty": "RSA", "n": text(&numbers.n), "e": text(&numbers.e), "use": "sig" })
            }
            Self::P256(_, pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]) })
            }
            Self::Ed25519(_, pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
            }
        };
        key["kid"] = json!(key_id);
        key["alg"] = json!(self.algorithm());
        key
    }

    /// Settings under which this signer's tokens are taken.
    fn settings(&self) -> Settings {
        match self {
            Self::Shared(secret) => Settings { secrets: vec![secret.clone()], ..Settings::default() },
            _ => Settings { public_keys: vec![self.public_pem().into_bytes()], ..Settings::default() },
        }
    }
}

fn ann() -> Value {
    json!({ "sub": "ann", "exp": NOW_S + 60 })
}

fn verifier(settings: Settings) -> Verifier {
    Verifier::new(settings).unwrap()
}

fn known(verdict: Verdict) -> Identity {
    match verdict {
        Verdict::Known(identity) => identity,
        other => panic!("{other:?}"),
    }
}

fn unknown(verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Unknown(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}
