//! Users whose tokens are proven by a key set that somebody else publishes, and changes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::harness::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

/// An identity provider: publishes a key set and counts who asked for it.
struct Provider {
    address: std::net::SocketAddr,
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<Mutex<usize>>,
}

/// One of its signing keys.
struct Signer {
    id: &'static str,
    pair: Ed25519KeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { id, pair: Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap() }
    }

    fn public(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.id, "x": x})
    }

    fn token(&self, user: &str) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(json!({"alg": "EdDSA", "kid": self.id}));
        let text = format!("{head}.{}", part(json!({"sub": user, "exp": in_seconds(600)})));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(text.as_bytes()));
        format!("{text}.{signature}")
    }
}

impl Provider {
    fn start(keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (keys, asked) = (Arc::new(Mutex::new(keys)), Arc::new(Mutex::new(0)));
        let (shared, counted) = (keys.clone(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0; 1];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                    head.push(byte[0]);
                }
                *counted.lock().unwrap() += 1;
                let body = json!({"keys": *shared.lock().unwrap()}).to_string();
                // Who asked may have gone; then nobody misses the answer.
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { address, keys, asked }
    }
}

fn server(provider: &Provider) -> Server {
    Server::start(Start::with(&format!(
        "[auth]\njwks_url = \"http://{}/keys\"\n[[access]]\npattern = \"private-{{user}}\"\nallow = [\"subscribe\"]\nto = \"user\"\n",
        provider.address
    )))
}

#[test]
fn tokens_are_proven_by_a_fetched_key_set_and_go_on_when_it_rotates() {
    let (first, second, stranger) = (Signer::new("first"), Signer::new("second"), Signer::new("stranger"));
    let provider = Provider::start(vec![first.public()]);
    let server = server(&provider);
    let mut ws = Ws::open(&server, &format!("/v1/ws?token={}", first.token("7")));
    ws.subscribe("private-7");
    let refused = Ws::open_with(&server, &format!("/v1/ws?token={}", stranger.token("7")), &[]);
    assert!(refused.is_err(), "a key that nobody published proves nothing");
    // The provider changes its key; the next token that names the new one makes the server look.
    *provider.keys.lock().unwrap() = vec![second.public()];
    let begun = Instant::now();
    let mut rotated = loop {
        assert!(begun.elapsed() < DEADLINE, "the new key was never fetched");
        match Ws::open_with(&server, &format!("/v1/ws?token={}", second.token("8")), &[]) {
            Ok(ws) => break ws,
            Err(refused) => assert!(
                refused.starts_with("HTTP/1.1 401") || refused.starts_with("HTTP/1.1 503"),
                "{refused}"
            ),
        }
    };
    rotated.subscribe("private-8");
    let mut old = server.ws();
    let answer = old.ask(json!({"type": "authenticate", "token": first.token("7")}));
    assert_eq!(answer["code"], "unauthorized", "the old key is gone: {answer}");
    server.send("private-7", 1);
    assert_eq!(ws.event(), 1, "who was let in before stays until its token ends");
    let asked = *provider.asked.lock().unwrap();
    assert!(asked <= 4, "{asked} fetches: forged key ids must not flood the provider");
}

#[test]
fn a_frame_that_waits_for_keys_holds_back_the_frames_behind_it() {
    let signer = Signer::new("first");
    let provider = Provider::start(vec![signer.public()]);
    let server = server(&provider);
    let mut ws = server.ws();
    ws.send(&json!({"type": "authenticate", "ref": 1, "token": signer.token("7")}));
    ws.send(&json!({"type": "subscribe", "ref": 2, "channel": "private-7"}));
    let answer = ws.next();
    assert_eq!((&answer["ref"], &answer["type"]), (&json!(1), &json!("ok")), "{answer}");
    assert_eq!(ws.expect("subscribed")["ref"], 2, "it was acted on as the user");
}
