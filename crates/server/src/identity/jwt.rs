//! The compact form of a signed token (RFC 7515, 7519) and its signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use serde_json::{Map, Value};

use super::keys::{Algorithm, KeySet};

/// A token taken apart, not yet believed.
#[derive(Debug)]
pub struct Token<'a> {
    /// How it says it is signed; one of those that are taken.
    pub algorithm: Algorithm,
    /// With which key.
    pub key_id: Option<String>,
    /// What it says.
    pub claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

pub(super) fn refuse(sentence: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Code::Unauthorized, sentence)
}

impl<'a> Token<'a> {
    /// Takes a token apart. `taken` are the algorithms that the operator allows.
    pub fn parse(text: &'a str, taken: &[Algorithm]) -> Result<Self, Refusal> {
        if text.len() > limits::TOKEN {
            return Err(refuse(format!(
                "the token has more than {} bytes; sign fewer claims",
                limits::TOKEN
            )));
        }
        let parts: Vec<&str> = text.splitn(4, '.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(refuse(
                "the token is no JWT; send the signed form, which is three parts with dots between",
            ));
        };
        let (header_json, claims) = (object(header, "header")?, object(claims, "claims")?);
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| refuse("the token's signature is not base64url; send the token unchanged"))?;
        if header_json.contains_key("crit") {
            return Err(refuse(
                "the token asks for extensions (`crit`) that are not known here; sign without",
            ));
        }
        Ok(Self {
            algorithm: algorithm(&header_json, taken)?,
            key_id: key_id(&header_json)?,
            claims,
            signed: &text[..text.rfind('.').unwrap_or(0)],
            signature,
        })
    }

    /// Did a key of this set sign it?
    pub fn is_signed_by(&self, keys: &KeySet) -> bool {
        keys.fitting(self.algorithm, self.key_id.as_deref())
            .any(|key| key.verifies(self.signed.as_bytes(), &self.signature))
    }
}

fn object(part: &str, name: &str) -> Result<Map<String, Value>, Refusal> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| refuse(format!("the token's {name} is not base64url; send the token unchanged")))?;
    serde_json::from_slice(&bytes)
        .map_err(|_| refuse(format!("the token's {name} is no JSON object; sign it with a JWT library")))
}

fn algorithm(header: &Map<String, Value>, taken: &[Algorithm]) -> Result<Algorithm, Refusal> {
    let word = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    Algorithm::parse(word).filter(|algorithm| taken.contains(algorithm)).ok_or_else(|| {
        let words: Vec<&str> = taken.iter().map(|algorithm| algorithm.as_str()).collect();
        refuse(format!("the token's algorithm is not taken here; sign it with {}", words.join(" or ")))
    })
}

fn key_id(header: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(id)) if id.len() <= limits::KEY_ID => Ok(Some(id.clone())),
        Some(_) => Err(refuse(format!(
            "the token's `kid` is no text of at most {} bytes; sign it with a shorter one",
            limits::KEY_ID
        ))),
    }
}
