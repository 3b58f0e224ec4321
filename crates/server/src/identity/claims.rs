//! What a token says: its times, for whom it is, and who it names.

use deskbell_core::access::{Action, Grant, Identity};
use deskbell_core::ids::{Principal, UserId};
use deskbell_core::limits::{self, Millis, SECOND};
use deskbell_core::pattern::Pattern;
use deskbell_core::refusal::{Code, Refusal};
use serde_json::{Map, Value};

use super::jwt::refuse;
use super::settings::Policy;

type Claims = Map<String, Value>;

/// Our own claim, with what the token allows.
pub const CLAIM: &str = "deskbell";

/// Seconds beyond which a time must have been written in milliseconds: the year 5138.
const LAST_SECOND: f64 = 100_000_000_000.0;

/// Checks every claim and says who it is. The signature is checked before.
pub fn identity(policy: &Policy, claims: &Claims, now: Millis) -> Result<Identity, Refusal> {
    let expires = times(policy, claims, now)?;
    addressed(policy, claims)?;
    Ok(Identity {
        principal: Principal::User(user(policy, claims)?),
        roles: roles(policy, claims)?,
        grants: grants(claims)?,
        // The rules of access add their own grace, which is the usual leeway. Where the operator
        // chose another, it is moved here, so that one number holds on arrival and after.
        expires_at: expires.map(|at| at.saturating_add(policy.leeway).saturating_sub(limits::TOKEN_GRACE)),
        name: name(claims),
    })
}

/// What others call the user. It opens nothing, so one that cannot be used is none.
fn name(claims: &Claims) -> Option<String> {
    let name = claims.get("name")?.as_str()?;
    (!name.is_empty() && name.len() <= limits::SHOWN_NAME).then(|| name.to_owned())
}

/// Checks the times alone, and gives `exp`.
pub fn times(policy: &Policy, claims: &Claims, now: Millis) -> Result<Option<Millis>, Refusal> {
    let expires = time(claims, "exp")?;
    if expires.is_none() && policy.require_expiry {
        return Err(refuse("the token never ends; sign it with an `exp`"));
    }
    if expires.is_some_and(|at| at.saturating_add(policy.leeway) <= now) {
        return Err(Refusal::new(Code::TokenExpired, "the token has expired; ask your site for a new one"));
    }
    let latest = now.saturating_add(policy.leeway);
    if time(claims, "nbf")?.is_some_and(|at| at > latest) {
        return Err(refuse("the token does not hold yet (`nbf`); compare the clocks of signer and server"));
    }
    if time(claims, "iat")?.is_some_and(|at| at > latest) {
        return Err(refuse(
            "the token was signed in the future (`iat`); compare the clocks of signer and server",
        ));
    }
    Ok(expires)
}

fn time(claims: &Claims, name: &str) -> Result<Option<Millis>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if (0.0..=LAST_SECOND).contains(&seconds) => {
                Ok(Some((seconds * SECOND as f64) as Millis))
            }
            _ => {
                Err(refuse(format!("the token's `{name}` is no time; write seconds since 1970 as a number")))
            }
        },
    }
}

fn addressed(policy: &Policy, claims: &Claims) -> Result<(), Refusal> {
    let issuer = claims.get("iss").and_then(Value::as_str);
    if !policy.issuers.is_empty() && !policy.issuers.iter().any(|known| Some(known.as_str()) == issuer) {
        return Err(refuse("the token's `iss` is not the configured issuer; compare it with auth.issuer"));
    }
    let named = |audience: &String| match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    };
    if !policy.audiences.is_empty() && !policy.audiences.iter().any(named) {
        return Err(refuse("the token is for another audience; compare its `aud` with auth.audience"));
    }
    Ok(())
}

/// Finds a claim by its name, or else by the path that the dots in the name spell. The name comes
/// first because some providers name their claims by URL.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let mut steps = name.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    })
}

/// The first of these claims that is there, by its name; the usual name where none is.
fn first<'a>(claims: &'a Claims, usual: &'a str, others: &'a [String]) -> (&'a str, Option<&'a Value>) {
    let mut names = std::iter::once(usual).chain(others.iter().map(String::as_str));
    let found = names.find_map(|name| Some((name, find(claims, name)?)));
    found.map_or((usual, None), |(name, value)| (name, Some(value)))
}

fn user(policy: &Policy, claims: &Claims) -> Result<UserId, Refusal> {
    let (name, value) = first(claims, &policy.user_claim, &policy.other_user_claims);
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        Some(_) => {
            return Err(refuse(format!(
                "the token's `{name}` is no text and no whole number; it is the user's id"
            )));
        }
        None => return Err(refuse(format!("the token names no user; sign it with `{name}`"))),
    };
    UserId::parse(&text)
        .map_err(|refusal| refuse(format!("the token's `{name}` is no user id: {}", refusal.message)))
}

fn roles(policy: &Policy, claims: &Claims) -> Result<Vec<String>, Refusal> {
    let (name, value) = first(claims, &policy.roles_claim, &policy.other_roles_claims);
    let wrong = || refuse(format!("the token's `{name}` is no role and no list of roles, which are texts"));
    let role = |value: &Value| value.as_str().filter(|text| text.len() <= limits::ROLE).map(str::to_owned);
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(many)) if many.len() > limits::TOKEN_ROLES => {
            Err(refuse(format!("the token states more than {} roles; sign fewer", limits::TOKEN_ROLES)))
        }
        Some(Value::Array(many)) => many.iter().map(|value| role(value).ok_or_else(wrong)).collect(),
        Some(value) => Ok(vec![role(value).ok_or_else(wrong)?]),
    }
}

/// Reads our own claim. A member that is not known is refused: a misspelt `from` would otherwise
/// show the past that it was meant to hide.
fn grants(claims: &Claims) -> Result<Vec<Grant>, Refusal> {
    let Some(claim) = claims.get(CLAIM) else { return Ok(Vec::new()) };
    let wrong = || {
        refuse(
            "the token's `deskbell` claim has an unknown form; write \
             {\"channels\": {\"name or pattern\": [\"subscribe\"]}}",
        )
    };
    let members = claim.as_object().ok_or_else(wrong)?;
    if members.keys().any(|name| name != "channels") {
        return Err(wrong());
    }
    let Some(channels) = members.get("channels") else { return Ok(Vec::new()) };
    let channels = channels.as_object().ok_or_else(wrong)?;
    if channels.len() > limits::TOKEN_GRANTS {
        let sentence =
            format!("the token grants more than {} patterns; use patterns with *", limits::TOKEN_GRANTS);
        return Err(refuse(sentence));
    }
    let mut grants: Vec<Grant> =
        channels.iter().map(|(pattern, what)| grant(pattern, what)).collect::<Result<_, _>>()?;
    // The first grant that fits decides, and each may only open further: those with the whole past
    // come first.
    grants.sort_by_key(|grant| grant.from.is_some());
    Ok(grants)
}

fn grant(pattern: &str, what: &Value) -> Result<Grant, Refusal> {
    let wrong = |why: &str| refuse(format!("a grant in the token's `deskbell` claim is wrong: {why}"));
    let parsed = Pattern::parse(pattern).map_err(|bad| wrong(bad.0))?;
    if pattern.len() > limits::CHANNEL_NAME {
        return Err(wrong("the pattern is longer than a channel name can be"));
    }
    let (allow, from) = match what {
        Value::Object(members) => {
            if members.keys().any(|name| name != "allow" && name != "from") {
                return Err(wrong("its members are `allow` and `from`"));
            }
            (members.get("allow"), members.get("from"))
        }
        other => (Some(other), None),
    };
    let words = allow
        .and_then(Value::as_array)
        .ok_or_else(|| wrong("`allow` is a list of \"subscribe\", \"publish\" and \"presence\""))?;
    let mut actions: Vec<Action> = Vec::new();
    for word in words {
        let action = word.as_str().and_then(Action::parse);
        let action =
            action.ok_or_else(|| wrong("the actions are \"subscribe\", \"publish\" and \"presence\""))?;
        if !actions.contains(&action) {
            actions.push(action);
        }
    }
    let from = match from {
        None => None,
        Some(Value::String(cursor)) if cursor.len() <= limits::CURSOR => Some(cursor.clone()),
        Some(_) => return Err(wrong("`from` is a cursor, as an event or `welcome` carries it")),
    };
    Ok(Grant { pattern: parsed, allow: actions, from })
}
