//! The compact form and its signature: what is taken, and every way in which it is not.

use super::super::keys::Algorithm;
use super::*;
use proptest::prelude::*;

#[test]
fn a_token_of_every_algorithm_names_its_user() {
    for signer in Signer::every() {
        let verifier = verifier(signer.settings());
        let identity = known(verifier.check(&signer.token(None, &ann()), NOW));
        assert_eq!(identity.user_id(), Some("ann"), "{}", signer.algorithm());
        assert_eq!(identity.expires_at, Some(NOW + 60_000));
    }
}

/// The examples of RFC 7515, A.1 and A.3: tokens that other people's code has signed.
#[test]
fn the_standards_own_examples_are_taken() {
    let claims =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let shared = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{claims}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let public = format!(
        "eyJhbGciOiJFUzI1NiJ9.{claims}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let keys = json!({ "keys": [
        { "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" },
        { "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
          "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" },
    ]});
    let policy = Policy { user_claim: "iss".to_owned(), ..Policy::default() };
    let verifier =
        verifier(Settings { policy, key_set: Some(keys.to_string().into_bytes()), ..Settings::default() });
    for token in [shared, public] {
        assert_eq!(known(verifier.check(&token, 1_300_819_380_000 - 1)).user_id(), Some("joe"));
    }
}

#[test]
fn a_public_key_is_never_a_shared_secret() {
    for signer in [Signer::rsa(), Signer::p256(), Signer::ed25519()] {
        let verifier = verifier(signer.settings());
        let pem = signer.public_pem();
        for bytes in [pem.as_bytes(), pem.trim().as_bytes()] {
            let forger = Signer::Shared(Secret::new(bytes).unwrap());
            let refusal = unknown(verifier.check(&forger.token(None, &ann()), NOW));
            assert_eq!(refusal.code, Code::Unauthorized);
        }
    }
}

#[test]
fn the_header_cannot_choose_another_algorithm_for_a_key() {
    for signer in Signer::every() {
        let verifier = verifier(signer.settings());
        for word in ["HS256", "RS256", "ES256", "EdDSA", "none", "None", "", "hs256", "HS512", "PS256"] {
            let token = signer.sign(&json!({ "alg": word }), &ann());
            let is_taken = matches!(verifier.check(&token, NOW), Verdict::Known(_));
            assert_eq!(is_taken, word == signer.algorithm(), "{word} with {}", signer.algorithm());
        }
    }
}

#[test]
fn an_unsigned_token_is_refused() {
    let verifier = verifier(Signer::shared().settings());
    let signed = Signer::shared().token(None, &ann());
    let unsigned = format!("{}.", &signed[..signed.rfind('.').unwrap()]);
    assert_eq!(unknown(verifier.check(&unsigned, NOW)).code, Code::Unauthorized);
    let none =
        format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), signed.split('.').nth(1).unwrap());
    assert!(unknown(verifier.check(&none, NOW)).message.contains("algorithm is not taken"));
}

#[test]
fn only_listed_algorithms_are_taken() {
    let signer = Signer::shared();
    let policy = Policy { algorithms: vec![Algorithm::Rs256, Algorithm::EdDsa], ..Policy::default() };
    let verifier = verifier(Settings { policy, ..signer.settings() });
    let refusal = unknown(verifier.check(&signer.token(None, &ann()), NOW));
    assert!(refusal.message.contains("sign it with RS256 or EdDSA"), "{refusal}");
}

#[test]
fn a_key_id_chooses_among_keys_that_have_one() {
    let (first, second) = (Signer::ed25519(), Signer::ed25519());
    let keys = json!({ "keys": [first.jwk("first"), second.jwk("second")] });
    let verifier = verifier(Settings { key_set: Some(keys.to_string().into_bytes()), ..Settings::default() });
    known(verifier.check(&first.token(Some("first"), &ann()), NOW));
    known(verifier.check(&second.token(Some("second"), &ann()), NOW));
    known(verifier.check(&second.token(None, &ann()), NOW));
    for wrong in ["second", "third"] {
        unknown(verifier.check(&first.token(Some(wrong), &ann()), NOW));
    }
}

#[test]
fn what_is_no_token_is_refused_with_what_to_do() {
    let verifier = verifier(Signer::shared().settings());
    let signer = Signer::shared();
    let header = |value: Value| signer.sign(&value, &ann());
    let long = json!({ "sub": "ann", "exp": NOW_S + 60, "more": "x".repeat(8_192) });
    let table = [
        (String::new(), "three parts"),
        ("a.b".to_owned(), "three parts"),
        ("a.b.c.d".to_owned(), "three parts"),
        ("a.b.c.d.e".to_owned(), "three parts"),
        ("!.b.c".to_owned(), "header is not base64url"),
        (format!("{}.e30.", URL_SAFE_NO_PAD.encode("[]")), "header is no JSON object"),
        (format!("{}.bm8.", URL_SAFE_NO_PAD.encode("{}")), "claims is no JSON object"),
        (format!("{}.e30.=", URL_SAFE_NO_PAD.encode("{}")), "signature is not base64url"),
        (signer.token(None, &long), "more than 8192 bytes"),
        (header(json!({ "alg": "HS256", "crit": ["b64"], "b64": false })), "extensions"),
        (header(json!({ "alg": "HS256", "kid": 7 })), "`kid`"),
        (header(json!({ "alg": "HS256", "kid": "k".repeat(257) })), "`kid`"),
        (header(json!({ "typ": "JWT" })), "algorithm is not taken"),
    ];
    for (token, expected) in table {
        let refusal = unknown(verifier.check(&token, NOW));
        assert_eq!(refusal.code, Code::Unauthorized);
        assert!(refusal.message.contains(expected), "{expected}: {refusal}");
    }
}

#[test]
fn a_stranger_is_refused_and_no_secret_shows() {
    for signer in Signer::every() {
        let verifier = verifier(signer.settings());
        let stranger = match &signer {
            Signer::Shared(_) => Signer::Shared(Secret::new(b"another secret").unwrap()),
            // The second RSA key would be another file; a foreign signature shows the same.
            Signer::Rsa(_) | Signer::P256(..) => Signer::p256(),
            Signer::Ed25519(..) => Signer::ed25519(),
        };
        let refusal =
            unknown(verifier.check(&stranger.sign(&json!({ "alg": signer.algorithm() }), &ann()), NOW));
        assert!(refusal.message.contains("no key here verifies"));
        assert!(!format!("{verifier:?}").contains("thirty-two"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_token_with_any_other_byte_is_refused(place in 0usize..10_000, by in 1u8..=127) {
        for signer in [Signer::shared(), Signer::ed25519()] {
            let verifier = verifier(signer.settings());
            let mut token = signer.token(None, &ann()).into_bytes();
            let place = place % token.len();
            token[place] = (token[place] ^ by) & 0x7f;
            let tampered = String::from_utf8(token).unwrap();
            prop_assert!(matches!(verifier.check(&tampered, NOW), Verdict::Unknown(_)));
        }
    }

    #[test]
    fn any_text_is_answered(text in ".{0,200}") {
        let verifier = verifier(Signer::shared().settings());
        prop_assert!(matches!(verifier.check(&text, NOW), Verdict::Unknown(_)));
    }
}

#[test]
fn a_minted_token_is_taken_with_all_that_it_carries() {
    use super::super::mint::Order;
    use deskbell_core::access::{Action, Grant};
    use deskbell_core::pattern::Pattern;

    let policy = Policy {
        issuers: vec!["https://site.example".to_owned()],
        audiences: vec!["deskbell".to_owned()],
        user_claim: "uid".to_owned(),
        roles_claim: "realm_access.roles".to_owned(),
        ..Policy::default()
    };
    let verifier = verifier(Settings { policy, ..Signer::shared().settings() });
    let grant = |pattern: &str, from: Option<&str>| Grant {
        pattern: Pattern::parse(pattern).unwrap(),
        allow: vec![Action::Subscribe, Action::Publish],
        from: from.map(str::to_owned),
    };
    let order = Order {
        user: deskbell_core::ids::UserId::parse("ann@example.org").unwrap(),
        roles: vec!["staff".to_owned()],
        grants: vec![grant("room-*", None), grant("conversation:5", Some("cursor"))],
        lifetime: 90_000,
    };
    let identity = known(verifier.check(&verifier.mint(&order, NOW).unwrap(), NOW));
    assert_eq!(identity.user_id(), Some("ann@example.org"));
    assert_eq!(identity.roles, order.roles);
    assert_eq!(identity.grants, order.grants);
    assert_eq!(identity.expires_at, Some(NOW + 90_000));
}

#[test]
fn nothing_is_minted_without_a_secret_or_beyond_the_bounds() {
    use super::super::mint::Order;
    let user = || deskbell_core::ids::UserId::parse("ann").unwrap();
    let order = Order::for_user(user(), 60_000);
    let elsewhere = verifier(Signer::rsa().settings());
    assert_eq!(elsewhere.mint(&order, NOW).unwrap_err().code, Code::Denied);
    let here = verifier(Signer::shared().settings());
    assert_eq!(here.mint(&Order::for_user(user(), 999), NOW).unwrap_err().code, Code::BadField);
    let large = Order { roles: vec!["r".repeat(9_000)], ..order };
    assert_eq!(here.mint(&large, NOW).unwrap_err().code, Code::TooLarge);
}
