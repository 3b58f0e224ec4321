//! The connection is lost in the middle of a commit: what happened is found out, and nothing is decided twice.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::*;

/// What becomes of the next commit that goes through.
const PASSES: u8 = 0;
const DONE_AND_NOT_TOLD: u8 = 1;
const NEVER_ARRIVES: u8 = 2;

/// A way to the database that loses connections at the worst moment.
struct Way {
    port: u16,
    next: Arc<AtomicU8>,
}

impl Way {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let way = Self { port: listener.local_addr().unwrap().port(), next: Arc::default() };
        let next = way.next.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                carry(&client, &server, &next);
            }
        });
        way
    }

    /// The next batch's commit, and no other, has this end.
    fn lose(&self, how: u8) {
        self.next.store(how, Ordering::SeqCst);
    }
}

fn carry(client: &TcpStream, server: &TcpStream, next: &Arc<AtomicU8>) {
    let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let silent = Arc::new(AtomicU8::new(0));
    let (hush, next) = (silent.clone(), next.clone());
    std::thread::spawn(move || {
        let mut bytes = [0; 65_536];
        while let Ok(read @ 1..) = back.read(&mut bytes) {
            if silent.load(Ordering::SeqCst) != 0 {
                // The server has answered the commit, and nobody hears it.
                break;
            }
            if to.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        let _ = (to.shutdown(Shutdown::Both), back.shutdown(Shutdown::Both));
    });
    let (mut from, mut on) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut bytes = [0; 65_536];
        // The index is brought up to date in commits of its own.
        let mut grants = false;
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            grants |= contains(&bytes[..read], b"hold.granted");
            if contains(&bytes[..read], b"COMMIT\0") && std::mem::take(&mut grants) {
                match next.swap(PASSES, Ordering::SeqCst) {
                    NEVER_ARRIVES => break,
                    DONE_AND_NOT_TOLD => hush.store(1, Ordering::SeqCst),
                    _ => {}
                }
            }
            if on.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), on.shutdown(Shutdown::Both));
    });
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

fn held(database: &Database<'_>) -> String {
    database.run("SELECT count(*) FROM deskbell.claims").remove(0)
}

#[test]
fn a_commit_whose_answer_is_lost_is_answered_and_happens_once() {
    let database = shared().database();
    let way = Way::to(database.port());
    let server = Server::start(start_on(&database.url_by(way.port), UNBOUND));
    make_room(&server);
    let bearer = format!("Bearer {SECRET}");
    for nth in 0..count(3, 20) as u64 {
        for how in [DONE_AND_NOT_TOLD, NEVER_ARRIVES] {
            let nth = 2 * nth + u64::from(how);
            let before: u64 = held(&database).parse().unwrap();
            let key = format!("lost-{nth}");
            let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", key.as_str())];
            let body = json!({"claims": [slot(nth)]}).to_string();
            let ask = || request(&server, "POST", "/v1/holds", &headers, Some(&body));
            way.lose(how);
            let first = ask();
            let happened = how == DONE_AND_NOT_TOLD;
            assert_eq!(first.status, if happened { 200 } else { 503 }, "{first:?}");
            let answer = if happened { first } else { ask() };
            assert_eq!(answer.status, 200, "{answer:?}");
            let again = ask();
            assert_eq!(again.json()["reservation"]["id"], answer.json()["reservation"]["id"]);
            assert_eq!(held(&database), (before + 1).to_string(), "it is held once");
        }
    }
    assert_eq!(server.problems(), [""; 0]);
}
