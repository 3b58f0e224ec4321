//! Tokens that this server signs itself: for its command, its API and its tests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deskbell_core::access::Grant;
use deskbell_core::ids::UserId;
use deskbell_core::limits::{self, Millis, SECOND};
use deskbell_core::refusal::{Code, Refusal};
use serde_json::{Map, Value, json};

use super::claims::CLAIM;
use super::keys::Secret;
use super::settings::Policy;

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct Order {
    /// Whom it names.
    pub user: UserId,
    /// Roles it states.
    pub roles: Vec<String>,
    /// Grants it carries.
    pub grants: Vec<Grant>,
    /// How long it holds; a token of ours always ends.
    pub lifetime: Millis,
}

impl Order {
    /// A token that only names its user.
    pub fn for_user(user: UserId, lifetime: Millis) -> Self {
        Self { user, roles: Vec::new(), grants: Vec::new(), lifetime }
    }
}

/// Signs a token that a verifier with this policy and secret takes.
pub fn mint(policy: &Policy, secret: &Secret, order: &Order, now: Millis) -> Result<String, Refusal> {
    if order.lifetime < SECOND {
        return Err(Refusal::new(Code::BadField, "a token holds for at least one second; ask for more"));
    }
    let expires = now.saturating_add(order.lifetime) / SECOND;
    let mut claims = Map::new();
    claims.insert("iat".to_owned(), json!(now / SECOND));
    claims.insert("exp".to_owned(), json!(expires));
    if let Some(issuer) = policy.issuers.first() {
        claims.insert("iss".to_owned(), json!(issuer));
    }
    if let Some(audience) = policy.audiences.first() {
        claims.insert("aud".to_owned(), json!(audience));
    }
    if !order.roles.is_empty() {
        claims.insert(policy.roles_claim.clone(), json!(order.roles));
    }
    if !order.grants.is_empty() {
        claims.insert(CLAIM.to_owned(), json!({ "channels": channels(&order.grants)? }));
    }
    // Last, so that a user claim that shares a name with another one still names the user.
    claims.insert(policy.user_claim.clone(), json!(order.user.as_str()));
    let token = sign(secret, &Value::Object(claims));
    if token.len() > limits::TOKEN {
        let sentence =
            format!("the token would have more than {} bytes; grant patterns with *", limits::TOKEN);
        return Err(Refusal::new(Code::TooLarge, sentence));
    }
    Ok(token)
}

/// Signs any claims with HS256.
pub fn sign(secret: &Secret, claims: &Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let tag = URL_SAFE_NO_PAD.encode(secret.sign(signed.as_bytes()));
    format!("{signed}.{tag}")
}

fn channels(grants: &[Grant]) -> Result<Value, Refusal> {
    let mut channels = Map::new();
    for grant in grants {
        let words: Vec<&str> = grant.allow.iter().map(|action| action.as_str()).collect();
        let what = match &grant.from {
            None => json!(words),
            Some(cursor) => json!({ "allow": words, "from": cursor }),
        };
        if channels.insert(grant.pattern.as_str().to_owned(), what).is_some() {
            return Err(Refusal::new(Code::BadField, "two grants have one pattern; join them into one"));
        }
    }
    if channels.len() > limits::TOKEN_GRANTS {
        let sentence = format!("more than {} grants; use patterns with *", limits::TOKEN_GRANTS);
        return Err(Refusal::new(Code::LimitReached, sentence));
    }
    Ok(Value::Object(channels))
}
