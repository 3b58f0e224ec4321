//! Keys that are fetched: rotation, one fetch for many, and an endpoint that is down.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::fetch::Endpoint;
use super::super::{Pace, Source};
use super::key_server::KeyServer;
use super::*;

const SOON: Duration = Duration::from_secs(20);

/// A pace at which nothing happens by schedule.
const ON_DEMAND: Pace = Pace {
    every: Duration::from_hours(1),
    gap: Duration::ZERO,
    retry: Duration::from_hours(1),
    timeout: Duration::from_secs(5),
};

fn settings(url: &str, roots: Option<&str>, pace: Pace) -> Settings {
    let endpoint = Endpoint::new(url, roots.map(str::as_bytes)).unwrap();
    Settings { source: Some(Source { endpoint, pace }), ..Settings::default() }
}

struct Running(Arc<Verifier>, JoinHandle<()>);

impl Running {
    fn start(settings: Settings) -> Self {
        let verifier = Arc::new(verifier(settings));
        let driven = Arc::clone(&verifier);
        Self(verifier, tokio::spawn(async move { driven.run().await }))
    }

    async fn check(&self, token: &str) -> Result<Identity, Refusal> {
        timeout(SOON, self.0.check_and_wait(token, || NOW)).await.expect("the wait is bounded")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.1.abort();
    }
}

#[tokio::test]
async fn a_key_that_rotates_is_fetched_once_for_everybody() {
    let (old, new) = (Signer::ed25519(), Signer::p256());
    let server = KeyServer::start(&[old.jwk("old")]).await;
    let running = Running::start(settings(&server.url, None, ON_DEMAND));
    running.check(&old.token(Some("old"), &ann())).await.unwrap();
    assert_eq!(server.asked().len(), 1);

    server.publish(&[old.jwk("old"), new.jwk("new")]);
    server.open(false);
    let token = new.token(Some("new"), &ann());
    assert!(
        matches!(running.0.check(&token, NOW), Verdict::NeedsKeys { key_id: Some(id), .. } if id == "new")
    );
    let many: Vec<_> = (0..100)
        .map(|_| {
            let (verifier, token) = (Arc::clone(&running.0), token.clone());
            tokio::spawn(async move { verifier.check_and_wait(&token, || NOW).await })
        })
        .collect();
    timeout(SOON, async {
        while server.asked().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the unknown key is asked for");
    let mut late = std::pin::pin!(running.check(&token));
    tokio::select! {
        biased;
        _ = &mut late => panic!("the answer is held back"),
        () = std::future::ready(()) => {}
    }
    server.open(true);
    late.await.unwrap();
    for one in many {
        assert_eq!(timeout(SOON, one).await.unwrap().unwrap().unwrap().user_id(), Some("ann"));
    }
    running.check(&old.token(Some("old"), &ann())).await.unwrap();
    timeout(SOON, running.0.refreshed(Some("new"))).await.expect("a known key is not waited for");
    assert_eq!(server.asked().len(), 2, "one fetch at the start, one for a hundred checks");
}

#[tokio::test]
async fn a_key_that_is_withdrawn_is_no_longer_taken() {
    let (old, new) = (Signer::ed25519(), Signer::ed25519());
    let server = KeyServer::start(&[old.jwk("old")]).await;
    let running = Running::start(settings(&server.url, None, ON_DEMAND));
    running.check(&old.token(Some("old"), &ann())).await.unwrap();
    server.publish(&[new.jwk("new")]);
    running.check(&new.token(Some("new"), &ann())).await.unwrap();
    assert_eq!(running.check(&old.token(Some("old"), &ann())).await.unwrap_err().code, Code::Unauthorized);
}

#[tokio::test]
async fn forged_key_ids_do_not_flood_the_endpoint() {
    let signer = Signer::ed25519();
    let server = KeyServer::start(&[signer.jwk("known")]).await;
    let gap = Duration::from_millis(150);
    let running = Running::start(settings(&server.url, None, Pace { gap, ..ON_DEMAND }));
    for n in 0..4 {
        let refusal = running.check(&signer.token(Some(&format!("forged-{n}")), &ann())).await.unwrap_err();
        assert!(refusal.message.contains("not in the key set"), "{refusal}");
    }
    let asked = server.asked();
    assert!(asked.len() >= 4, "each waits for a fetch of its own: {}", asked.len());
    for pair in asked.windows(2) {
        assert!(pair[1] - pair[0] >= gap, "{:?}", pair[1] - pair[0]);
    }
}

#[tokio::test]
async fn tokens_that_no_fetch_can_help_ask_for_none() {
    let signer = Signer::ed25519();
    let server = KeyServer::start(&[signer.jwk("known")]).await;
    let running = Running::start(settings(&server.url, None, ON_DEMAND));
    running.check(&signer.token(Some("known"), &ann())).await.unwrap();
    let over = json!({ "sub": "ann", "exp": NOW_S - 60 });
    let refusal = unknown(running.0.check(&signer.token(Some("gone"), &over), NOW));
    assert_eq!(refusal.code, Code::TokenExpired);
    unknown(running.0.check(&Signer::shared().token(Some("gone"), &ann()), NOW));
    unknown(running.0.check(&Signer::ed25519().token(Some("known"), &ann()), NOW));
    unknown(running.0.check(&Signer::ed25519().token(None, &ann()), NOW));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_down_leaves_the_old_keys() {
    let (old, new) = (Signer::ed25519(), Signer::ed25519());
    let server = KeyServer::start(&[old.jwk("old")]).await;
    let running = Running::start(settings(&server.url, None, ON_DEMAND));
    let token = old.token(Some("old"), &ann());
    running.check(&token).await.unwrap();

    let good = json!({ "keys": [new.jwk("new")] }).to_string();
    let broken = [(503, good.clone()), (302, good), (200, "<html>".to_owned())];
    for (status, body) in broken {
        server.say(status, body.into());
        let refusal = running.check(&new.token(Some("new"), &ann())).await.unwrap_err();
        assert_eq!(refusal.code, Code::Unavailable, "{status}");
        running.check(&token).await.unwrap();
    }
    server.publish(&[new.jwk("new")]);
    running.check(&new.token(Some("new"), &ann())).await.unwrap();

    drop(server);
    let refusal = running.check(&token).await.unwrap_err();
    assert_eq!(refusal.code, Code::Unavailable);
    running.check(&new.token(Some("new"), &ann())).await.unwrap();
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_not_taken() {
    let server = KeyServer::start(&[]).await;
    server.say(200, vec![b' '; 256 * 1024 + 1].into());
    let error = Endpoint::new(&server.url, None).unwrap().fetch().await.unwrap_err();
    assert!(error.0.contains("the body cannot be taken"), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_given_up() {
    let signer = Signer::ed25519();
    let server = KeyServer::start(&[signer.jwk("known")]).await;
    server.open(false);
    let pace = Pace { timeout: Duration::from_millis(100), ..ON_DEMAND };
    let running = Running::start(settings(&server.url, None, pace));
    let token = signer.token(Some("known"), &ann());
    assert_eq!(running.check(&token).await.unwrap_err().code, Code::Unavailable);
    server.open(true);
    running.check(&token).await.unwrap();
}

#[tokio::test]
async fn a_failed_fetch_is_tried_again_and_keys_are_fetched_on_schedule() {
    let signer = Signer::ed25519();
    let server = KeyServer::start(&[signer.jwk("known")]).await;
    server.say(500, "".into());
    let quick = Duration::from_millis(20);
    let running =
        Running::start(settings(&server.url, None, Pace { every: quick, retry: quick, ..ON_DEMAND }));
    let until_asked = |count: usize| {
        let server = &server;
        async move {
            while server.asked().len() < count {
                tokio::task::yield_now().await;
            }
        }
    };
    timeout(SOON, until_asked(3)).await.expect("a failed fetch is tried again");
    server.publish(&[signer.jwk("known")]);
    // The first check may join a fetch whose answer was still the old one.
    let token = signer.token(None, &ann());
    let until_known = async { while running.check(&token).await.is_err() {} };
    timeout(SOON, until_known).await.expect("the keys come");
    let so_far = server.asked().len();
    timeout(SOON, until_asked(so_far + 3)).await.expect("keys are fetched on schedule");
}

#[tokio::test]
async fn keys_come_over_https_from_whom_we_trust() {
    let signer = Signer::rsa();
    let (server, certificate) = KeyServer::start_tls(&[signer.jwk("known")]).await;
    let token = signer.token(Some("known"), &ann());
    let trusting = Running::start(settings(&server.url, Some(&certificate), ON_DEMAND));
    trusting.check(&token).await.unwrap();

    let (_, other) = KeyServer::start_tls(&[]).await;
    let distrusting = Running::start(settings(&server.url, Some(&other), ON_DEMAND));
    assert_eq!(distrusting.check(&token).await.unwrap_err().code, Code::Unavailable);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_reload_keeps_the_keys_of_the_same_address_only() {
    let (here, there) = (Signer::ed25519(), Signer::ed25519());
    let (first, second) =
        (KeyServer::start(&[here.jwk("a")]).await, KeyServer::start(&[there.jwk("b")]).await);
    let running = Running::start(settings(&first.url, None, ON_DEMAND));
    running.check(&here.token(Some("a"), &ann())).await.unwrap();
    running.0.replace(settings(&first.url, None, ON_DEMAND)).unwrap();
    known(running.0.check(&here.token(Some("a"), &ann()), NOW));
    assert_eq!(first.asked().len(), 1);
    running.0.replace(settings(&second.url, None, ON_DEMAND)).unwrap();
    assert!(matches!(running.0.check(&here.token(Some("a"), &ann()), NOW), Verdict::NeedsKeys { .. }));
    running.check(&there.token(Some("b"), &ann())).await.unwrap();
    running.0.replace(Settings::default()).unwrap();
    unknown(running.0.check(&there.token(Some("b"), &ann()), NOW));
}

#[test]
fn an_address_must_be_one() {
    for bad in ["", "/jwks.json", "ftp://a.example/", "http://", "https://user:word@a.example/", "a.example"]
    {
        assert!(Endpoint::new(bad, None).is_err(), "{bad}");
    }
    assert!(Endpoint::new("https://a.example/", Some(b"no certificate")).unwrap_err().0.contains("CA file"));
    assert_eq!(Endpoint::new("http://[::1]:81/x", None).unwrap().name(), "::1:81");
}
