//! Keys and key sets: what is taken, what is left out, and what is refused with a sentence.

use super::super::jwk::{self, Origin};
use super::super::keys::{Algorithm, KeySet};
use super::*;

fn refused(pem: &str) -> String {
    KeySet::default().push_pem(pem.as_bytes()).unwrap_err().0
}

#[test]
fn every_kind_of_pem_key_is_known_by_its_content() {
    let mut keys = KeySet::default();
    let all: String = [Signer::rsa(), Signer::p256(), Signer::ed25519()].map(|s| s.public_pem()).concat();
    keys.push_pem(all.as_bytes()).unwrap();
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        assert_eq!(keys.fitting(algorithm, Some("any")).count(), 1, "{algorithm:?}");
    }
    assert_eq!(keys.fitting(Algorithm::Hs256, None).count(), 0);
}

#[test]
fn what_is_no_public_key_is_refused_with_what_to_do() {
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().public_key_pem();
    assert!(refused(RSA_PRIVATE).contains("private key"));
    assert!(refused("no PEM at all").contains("openssl pkey -pubout"));
    assert!(refused(&p384).contains("P-256"));
    assert!(
        refused("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").contains("no public key")
    );
    assert!(refused("-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----\n").contains("no PEM"));
}

#[test]
fn a_weak_rsa_key_is_refused() {
    use super::super::keys::Key;
    let number = |bytes: usize| vec![0xff; bytes];
    assert!(Key::rsa(None, &number(128), &[1, 0, 1]).unwrap_err().0.contains("1024 bits"));
    assert!(Key::rsa(None, &number(1_025), &[1, 0, 1]).is_err());
    assert!(Key::rsa(None, &number(256), &[1, 0, 0]).is_err());
    assert!(Key::rsa(None, &number(256), &[1]).is_err());
    assert!(Key::rsa(None, &number(256), &[1, 0, 1]).is_ok());
}

#[test]
fn a_key_set_of_every_kind_verifies() {
    let signers = Signer::every();
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk(signer.algorithm())).collect();
    let json = json!({ "keys": keys }).to_string().into_bytes();
    let verifier = verifier(Settings { key_set: Some(json), ..Settings::default() });
    for signer in &signers {
        known(verifier.check(&signer.token(Some(signer.algorithm()), &ann()), NOW));
    }
}

#[test]
fn a_fetched_set_never_brings_a_shared_secret() {
    let json = json!({ "keys": [Signer::shared().jwk("a"), Signer::ed25519().jwk("b")] }).to_string();
    let keys = jwk::parse(json.as_bytes(), Origin::Fetched).unwrap();
    assert!(!keys.knows("a") && keys.knows("b"));
}

#[test]
fn keys_for_other_uses_are_left_out() {
    let other = |name: &str, value: Value| {
        let mut key = Signer::ed25519().jwk(name);
        key[name] = value;
        key["kid"] = json!(name);
        key
    };
    let json = json!({ "keys": [
        other("use", json!("enc")),
        other("key_ops", json!(["encrypt"])),
        other("alg", json!("RS256")),
        other("crv", json!("Ed448")),
        other("kty", json!("EC")),
        other("x", json!("short")),
        other("kid-number", json!(1)),
        json!(7),
    ]});
    let keys = jwk::parse(json.to_string().as_bytes(), Origin::Fetched).unwrap();
    assert_eq!(keys.len(), 1);
    assert!(keys.knows("kid-number"));
}

#[test]
fn a_set_is_bounded_and_must_be_one() {
    let many: Vec<Value> = (0..65).map(|n| Signer::shared().jwk(&n.to_string())).collect();
    let parse = |json: &[u8]| jwk::parse(json, Origin::Own).unwrap_err().0;
    assert!(parse(json!({ "keys": many }).to_string().as_bytes()).contains("more than 64 keys"));
    assert!(parse(&vec![b' '; 256 * 1024 + 1]).contains("bytes"));
    assert!(parse(b"{}").contains("`keys`"));
    assert!(parse(b"{\"keys\":[]}").contains("no key"));
    assert!(jwk::parse(b"{\"keys\":[]}", Origin::Fetched).unwrap().is_empty());
}

#[test]
fn settings_are_replaced_at_once_or_not_at_all() {
    let (old, new) = (Signer::ed25519(), Signer::p256());
    let verifier = verifier(old.settings());
    let bad = Settings { public_keys: vec![RSA_PRIVATE.into()], ..Settings::default() };
    assert!(verifier.replace(bad).unwrap_err().0.contains("private key"));
    known(verifier.check(&old.token(None, &ann()), NOW));
    verifier.replace(new.settings()).unwrap();
    unknown(verifier.check(&old.token(None, &ann()), NOW));
    known(verifier.check(&new.token(None, &ann()), NOW));
}

#[test]
fn an_operator_is_warned() {
    assert!(Secret::new(b"").is_err());
    let short = Settings { secrets: vec![Secret::new(b"short").unwrap()], ..Settings::default() };
    assert!(verifier(short).warnings()[0].contains("openssl rand"));
    assert!(verifier(Settings::default()).warnings()[0].contains("no key"));
    assert!(verifier(Signer::shared().settings()).warnings().is_empty());
}
