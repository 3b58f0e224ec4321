//! What a token says: times, addressees, users, roles, grants.

use super::*;
use deskbell_core::access::Action;

fn check(policy: Policy, claims: &Value) -> Verdict {
    let signer = Signer::shared();
    verifier(Settings { policy, ..signer.settings() }).check(&signer.token(None, claims), NOW)
}

/// The usual claims with others put in or, where null, taken out.
fn with(others: Value) -> Value {
    let mut claims = ann();
    for (name, value) in others.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

#[test]
fn a_token_holds_until_its_end_and_the_leeway() {
    let signer = Signer::shared();
    let verifier = verifier(signer.settings());
    let token = signer.token(None, &json!({ "sub": "ann", "exp": NOW_S }));
    known(verifier.check(&token, NOW + 29_999));
    assert_eq!(unknown(verifier.check(&token, NOW + 30_000)).code, Code::TokenExpired);
}

#[test]
fn one_leeway_holds_on_arrival_and_after() {
    for leeway in [0, 5_000, 30_000, 120_000] {
        let policy = Policy { leeway, ..Policy::default() };
        let identity = known(check(policy, &ann()));
        let end = NOW + 60_000 + leeway;
        assert!(!identity.is_over(end - 1), "{leeway}");
        assert!(identity.is_over(end), "{leeway}");
    }
}

#[test]
fn times_are_seconds_and_within_reason() {
    let table = [
        (json!({ "nbf": NOW_S + 30, "iat": NOW_S + 30 }), None),
        (json!({ "exp": NOW_S as f64 + 0.5 }), None),
        (json!({ "nbf": NOW_S + 31 }), Some("does not hold yet")),
        (json!({ "iat": NOW_S + 31 }), Some("signed in the future")),
        (json!({ "exp": null }), Some("never ends")),
        (json!({ "exp": NOW }), Some("seconds since 1970")),
        (json!({ "exp": "soon" }), Some("seconds since 1970")),
        (json!({ "exp": -1 }), Some("seconds since 1970")),
        (json!({ "nbf": [] }), Some("`nbf` is no time")),
        (json!({ "exp": NOW_S - 31 }), Some("has expired")),
    ];
    for (others, expected) in table {
        let verdict = check(Policy::default(), &with(others.clone()));
        match expected {
            None => drop(known(verdict)),
            Some(words) => assert!(unknown(verdict).message.contains(words), "{others}"),
        }
    }
    let endless = Policy { require_expiry: false, ..Policy::default() };
    assert_eq!(known(check(endless, &with(json!({ "exp": null })))).expires_at, None);
}

#[test]
fn issuer_and_audience_must_be_those_configured() {
    let policy = || Policy {
        issuers: vec!["https://a.example".to_owned(), "https://b.example".to_owned()],
        audiences: vec!["deskbell".to_owned()],
        ..Policy::default()
    };
    let table = [
        (json!({ "iss": "https://b.example", "aud": "deskbell" }), None),
        (json!({ "iss": "https://a.example", "aud": ["other", "deskbell"] }), None),
        (json!({ "iss": "https://a.example/", "aud": "deskbell" }), Some("`iss`")),
        (json!({ "aud": "deskbell" }), Some("`iss`")),
        (json!({ "iss": ["https://a.example"], "aud": "deskbell" }), Some("`iss`")),
        (json!({ "iss": "https://a.example" }), Some("`aud`")),
        (json!({ "iss": "https://a.example", "aud": [] }), Some("`aud`")),
        (json!({ "iss": "https://a.example", "aud": "deskbell2" }), Some("`aud`")),
        (json!({ "iss": "https://a.example", "aud": { "deskbell": 1 } }), Some("`aud`")),
    ];
    for (others, expected) in table {
        let verdict = check(policy(), &with(others.clone()));
        match expected {
            None => drop(known(verdict)),
            Some(words) => assert!(unknown(verdict).message.contains(words), "{others}"),
        }
    }
    known(check(Policy::default(), &with(json!({ "iss": "any", "aud": "any" }))));
}

#[test]
fn the_user_is_a_text_or_a_whole_number() {
    let table = [
        (json!({ "sub": 7 }), Some("7")),
        (json!({ "sub": "é@example.org" }), Some("é@example.org")),
        (json!({ "sub": null }), None),
        (json!({ "sub": "" }), None),
        (json!({ "sub": 7.5 }), None),
        (json!({ "sub": true }), None),
        (json!({ "sub": "a\u{0}b" }), None),
        (json!({ "sub": "u".repeat(257) }), None),
    ];
    for (others, expected) in table {
        let verdict = check(Policy::default(), &with(others.clone()));
        match expected {
            Some(id) => assert_eq!(known(verdict).user_id(), Some(id)),
            None => assert!(unknown(verdict).message.contains("user"), "{others}"),
        }
    }
}

#[test]
fn claims_are_found_by_name_and_by_path() {
    let policy = |user: &str, roles: &str| Policy {
        user_claim: user.to_owned(),
        roles_claim: roles.to_owned(),
        ..Policy::default()
    };
    let claims = with(json!({
        "https://site.example/user": "by-url", "profile": { "id": 9 }, "realm_access": { "roles": ["staff"] },
    }));
    let by_url = known(check(policy("https://site.example/user", "role"), &claims));
    assert_eq!((by_url.user_id(), by_url.roles.len()), (Some("by-url"), 0));
    let by_path = known(check(policy("profile.id", "realm_access.roles"), &claims));
    assert_eq!((by_path.user_id(), by_path.roles.as_slice()), (Some("9"), ["staff".to_owned()].as_slice()));
    unknown(check(policy("profile.id.more", "roles"), &claims));
}

#[test]
fn roles_are_one_text_or_a_bounded_list() {
    let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    let table = [
        (json!("front desk"), Some(vec!["front desk"])),
        (json!(["a", "b"]), Some(vec!["a", "b"])),
        (json!([]), Some(vec![])),
        (json!([1]), None),
        (json!(7), None),
        (json!({ "a": 1 }), None),
        (json!("r".repeat(201)), None),
        (json!(many), None),
    ];
    for (roles, expected) in table {
        let verdict = check(Policy::default(), &with(json!({ "roles": roles })));
        match expected {
            Some(expected) => assert_eq!(known(verdict).roles, expected),
            None => assert!(unknown(verdict).message.contains("role"), "{roles}"),
        }
    }
}

#[test]
fn grants_open_what_they_say() {
    let claims = with(json!({ "deskbell": { "channels": {
        "a-hidden-past": { "allow": ["subscribe", "presence"], "from": "cursor" },
        "room-*": ["subscribe", "publish", "subscribe"],
    }}}));
    let grants = known(check(Policy::default(), &claims)).grants;
    let seen: Vec<_> = grants.iter().map(|g| (g.pattern.as_str(), &g.allow[..], g.from.as_deref())).collect();
    assert_eq!(
        seen,
        [
            ("room-*", &[Action::Subscribe, Action::Publish][..], None),
            ("a-hidden-past", &[Action::Subscribe, Action::Presence][..], Some("cursor")),
        ]
    );
}

#[test]
fn a_grant_that_is_not_understood_is_refused() {
    let hundred_and_one: serde_json::Map<String, Value> =
        (0..101).map(|n| (format!("room-{n}"), json!(["subscribe"]))).collect();
    let table = [
        json!("all"),
        json!({ "channel": {} }),
        json!({ "channels": [] }),
        json!({ "channels": { "a b": ["subscribe"] } }),
        json!({ "channels": { "": ["subscribe"] } }),
        json!({ "channels": { "{role}": ["subscribe"] } }),
        json!({ "channels": { "room": "subscribe" } }),
        json!({ "channels": { "room": ["read"] } }),
        json!({ "channels": { "room": [1] } }),
        json!({ "channels": { "room": { "from": "cursor" } } }),
        json!({ "channels": { "room": { "allow": ["subscribe"], "form": "cursor" } } }),
        json!({ "channels": { "room": { "allow": ["subscribe"], "from": 7 } } }),
        json!({ "channels": { "room": { "allow": ["subscribe"], "from": "c".repeat(129) } } }),
        json!({ "channels": { "r".repeat(201): ["subscribe"] } }),
        json!({ "channels": hundred_and_one }),
    ];
    for claim in table {
        let refusal = unknown(check(Policy::default(), &with(json!({ "deskbell": claim }))));
        assert_eq!(refusal.code, Code::Unauthorized);
        assert!(
            refusal.message.contains("grant") || refusal.message.contains("deskbell"),
            "{claim}: {refusal}"
        );
    }
}
