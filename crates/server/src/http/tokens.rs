//! `POST /v1/tokens`: a token for a user, for sites that have no library to sign with.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use deskbell_core::access::{self, Action, Grant};
use deskbell_core::ids::UserId;
use deskbell_core::limits::{self, Millis, SECOND};
use deskbell_core::pattern::Pattern;
use deskbell_core::refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};

use super::answer;
use super::asked::Backend;
use super::problem::{Problem, bad_field, shown};
use crate::clock;
use crate::hub::Hub;
use crate::identity::mint::Order;

/// Seconds that a token holds if nothing is asked for.
const TTL: u64 = 3_600;
/// Seconds that a token holds at most: nobody can take one back, so a year is already long.
const LONGEST_TTL: u64 = 366 * 24 * 3_600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    user: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    ttl_s: Option<u64>,
    #[serde(default)]
    channels: BTreeMap<String, Allowed>,
}

/// What a token allows on a pattern, in the form of the token's own claim.
#[derive(Deserialize)]
#[serde(untagged)]
enum Allowed {
    Actions(Vec<String>),
    From(Start),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    allow: Vec<String>,
    #[serde(default)]
    from: Option<String>,
}

#[derive(Serialize)]
struct Token {
    token: String,
    expires_at: Millis,
}

/// Signs a token.
pub async fn mint(State(hub): State<Arc<Hub>>, asked: Backend) -> Result<Response, Problem> {
    asked.0.query.only(&[])?;
    let order = order(&asked.0.body)?;
    let now = clock::now_ms();
    let token = asked.app(&hub).verifier.mint(&order, now)?;
    // The token says it in whole seconds.
    let expires_at = now.saturating_add(order.lifetime) / SECOND * SECOND;
    Ok(answer::of(&Token { token, expires_at }))
}

fn order(body: &[u8]) -> Result<Order, Refusal> {
    let wish: Wish = serde_json::from_slice(body).map_err(|error| {
        let code = if error.is_data() { Code::BadField } else { Code::BadMessage };
        let why: String = error.to_string().chars().take(200).flat_map(char::escape_debug).collect();
        Refusal::new(code, format!("the body is no order for a token: {why}"))
    })?;
    let ttl = wish.ttl_s.unwrap_or(TTL);
    if !(1..=LONGEST_TTL).contains(&ttl) {
        return Err(bad_field("ttl_s", "is from 1 to 31,622,400 seconds, which is 366 days"));
    }
    if wish.roles.len() > limits::TOKEN_ROLES || wish.roles.iter().any(|role| role.len() > limits::ROLE) {
        let rule = format!("has at most {} roles of {} bytes", limits::TOKEN_ROLES, limits::ROLE);
        return Err(bad_field("roles", &rule));
    }
    if wish.channels.len() > limits::TOKEN_GRANTS {
        let sentence =
            format!("`channels` has more than {} patterns; use patterns with *", limits::TOKEN_GRANTS);
        return Err(Refusal::new(Code::LimitReached, sentence));
    }
    let user =
        UserId::parse(&wish.user).map_err(|no| Refusal::new(no.code, format!("`user`: {}", no.message)))?;
    let grants = wish.channels.into_iter().map(grant).collect::<Result<_, _>>()?;
    Ok(Order { user, roles: wish.roles, grants, lifetime: ttl * SECOND })
}

fn grant((name, allowed): (String, Allowed)) -> Result<Grant, Refusal> {
    let (words, from) = match allowed {
        Allowed::Actions(words) => (words, None),
        Allowed::From(start) => (start.allow, start.from),
    };
    if name.len() > limits::CHANNEL_NAME {
        return Err(bad_field("channels", "has a pattern longer than a channel name can be"));
    }
    let pattern = Pattern::parse(&name)
        .map_err(|bad| bad_field("channels", &format!("has the pattern `{}`: {bad}", shown(&name))))?;
    let mut allow = Vec::new();
    for word in &words {
        let action = Action::parse(word).ok_or_else(|| {
            let rule = format!("allows `{}`; the actions are {}", shown(word), access::words());
            bad_field("channels", &rule)
        })?;
        if !allow.contains(&action) {
            allow.push(action);
        }
    }
    if from.as_ref().is_some_and(|from| from.len() > limits::CURSOR) {
        return Err(bad_field("channels", "has a `from` that is no cursor; take it as an answer gave it"));
    }
    Ok(Grant { pattern, allow, from })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read() {
        let order = order(
            br#"{"user":"ann","roles":["staff"],"ttl_s":60,
                "channels":{"a-*":["subscribe","subscribe"],"b":{"allow":["publish"],"from":"cur"}}}"#,
        );
        let order = order.unwrap();
        assert_eq!((order.user.as_str(), order.lifetime), ("ann", 60_000));
        assert_eq!(order.roles, ["staff"]);
        let [first, second] = &order.grants[..] else { panic!() };
        assert_eq!((first.pattern.as_str(), &first.allow[..]), ("a-*", &[Action::Subscribe][..]));
        assert_eq!((second.pattern.as_str(), second.from.as_deref()), ("b", Some("cur")));
    }

    #[test]
    fn a_bare_order_holds_an_hour() {
        assert_eq!(order(br#"{"user":"7"}"#).unwrap().lifetime, 3_600_000);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, code, word) in [
            (r"{}", Code::BadField, "user"),
            (r#"{"user":""}"#, Code::BadField, "`user`"),
            (r#"{"user":"a","role":"x"}"#, Code::BadField, "role"),
            (r#"{"user":"a","ttl_s":0}"#, Code::BadField, "`ttl_s`"),
            (r#"{"user":"a","ttl_s":18446744073709551615}"#, Code::BadField, "`ttl_s`"),
            (r#"{"user":"a","channels":{"a":["read"]}}"#, Code::BadField, "`read`"),
            (r#"{"user":"a","channels":{"{x}":["publish"]}}"#, Code::BadField, "{x}"),
            (r#"{"user":"a","channels":{"a":{"allow":[],"form":"x"}}}"#, Code::BadField, "channels"),
            (r#"{"user":"a""#, Code::BadMessage, "EOF"),
        ] {
            let no = order(body.as_bytes()).unwrap_err();
            assert_eq!(no.code, code, "{body}: {no}");
            assert!(no.message.contains(word) || word == "channels", "{body}: {no}");
        }
    }
}
