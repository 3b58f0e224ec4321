//! Signs tokens as a site would, and tells times from now.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::SECRET;

/// Seconds since 1970, plus some.
pub fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

/// Quiet hours between two minutes from now, whatever the time is, and the second of their end. Both come from one
/// look at the clock, because the minute may change before a test asks again.
pub fn quiet(from: i64, to: i64) -> (Value, u64) {
    let now = in_seconds(0) / 60;
    let at = |minute: i64| format!("{:02}:{:02}", minute % 1_440 / 60, minute % 60);
    let hours = json!({"from": at(now + from), "to": at(now + to), "time_zone": "UTC"});
    (hours, u64::try_from((now + to) * 60).unwrap())
}

/// A token with these claims, signed with the app's secret. It ends in an hour unless it says otherwise.
pub fn token(claims: &Value) -> String {
    token_signed(claims, SECRET)
}

/// The same with any secret.
pub fn token_signed(claims: &Value, secret: &str) -> String {
    let mut claims = claims.clone();
    if claims.get("exp").is_none() {
        claims["exp"] = json!(in_seconds(3_600));
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(&claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// A user's token without anything special.
pub fn user(id: &str) -> String {
    token(&json!({"sub": id}))
}
