//! Key sets as JSON (RFC 7517): those an identity provider publishes, and our own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deskbell_core::limits;
use serde::Deserialize;

use super::keys::{Algorithm, Key, KeySet, Secret};
use super::settings::BadSettings;

/// From where a key set comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The operator's own file; it may hold shared secrets.
    Own,
    /// Fetched. A shared secret that anybody can fetch proves nothing, so it is left out.
    Fetched,
}

#[derive(Deserialize)]
struct SetText {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct KeyText {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

/// Reads a key set. Keys of other kinds and for other uses are left out, as the standard asks, so
/// that a provider can add a new kind without breaking anybody.
pub fn parse(json: &[u8], origin: Origin) -> Result<KeySet, BadSettings> {
    if json.len() > limits::KEY_SET {
        return Err(BadSettings(format!("the key set has more than {} bytes", limits::KEY_SET)));
    }
    let text: SetText = serde_json::from_slice(json)
        .map_err(|_| BadSettings::new("this is no key set; it is JSON with a list `keys`"))?;
    let mut keys = KeySet::default();
    for value in text.keys {
        let Ok(text) = KeyText::deserialize(value) else { continue };
        if let Some(key) = read_key(text, origin) {
            keys.push(key)?;
        }
    }
    // A provider that takes all its keys back means it; an operator's own empty set is a mistake.
    if keys.is_empty() && origin == Origin::Own {
        return Err(BadSettings::new(
            "the key set holds no key that can verify; RSA, EC P-256 and Ed25519 are taken",
        ));
    }
    Ok(keys)
}

fn read_key(text: KeyText, origin: Origin) -> Option<Key> {
    let for_signatures = text.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        && text.key_ops.as_ref().is_none_or(|uses| uses.iter().any(|word| word == "verify"));
    if !for_signatures || text.kid.as_ref().is_some_and(|id| id.len() > limits::KEY_ID) {
        return None;
    }
    let named = text.alg.as_deref().map(Algorithm::parse);
    let key = build_key(text, origin)?;
    // A key that says it is for another algorithm (RS512, PS256) must not serve for ours.
    named.is_none_or(|algorithm| algorithm == Some(key.algorithm())).then_some(key)
}

fn build_key(text: KeyText, origin: Origin) -> Option<Key> {
    let bytes = |field: &Option<String>| URL_SAFE_NO_PAD.decode(field.as_deref()?).ok();
    match (text.kty.as_str(), text.crv.as_deref()) {
        ("RSA", _) => Key::rsa(text.kid, &bytes(&text.n)?, &bytes(&text.e)?).ok(),
        ("EC", Some("P-256")) => {
            let (x, y) = (bytes(&text.x)?, bytes(&text.y)?);
            // The two halves have a fixed width, so that no byte can move from one to the other.
            (x.len() == 32 && y.len() == 32).then_some(())?;
            Key::p256(text.kid, &[&[4], x.as_slice(), y.as_slice()].concat()).ok()
        }
        ("OKP", Some("Ed25519")) => Key::ed25519(text.kid, &bytes(&text.x)?).ok(),
        ("oct", _) if origin == Origin::Own => {
            Some(Key::shared(text.kid, Secret::new(&bytes(&text.k)?).ok()?))
        }
        _ => None,
    }
}
