//! Plays the transcripts of the documents against a real server: what they show is what happens.
//!
//! A transcript is a fenced block `transcript` in a document. Its lines:
//!
//! | line | meaning |
//! |---|---|
//! | `! connect`, `! connect NAME`, `! connect NAME /v1/ws?…` | a client opens a WebSocket |
//! | `! stream NAME /v1/stream?…`, with `after CURSOR` | a client opens an event stream |
//! | `> {…}`, `NAME> {…}` | the client sends this frame |
//! | `< {…}`, `NAME< {…}` | the next frame that it receives |
//! | `< close 4409` | the server closes the connection |
//! | `! cut`, `! cut NAME` | the client's network is gone |
//! | `! publish {…}` | a backend publishes, and is answered with success |
//! | `! token USER` | `<token>` is a token of this user from here on |
//! | `! crash`, `! restart` | the server is killed, or stopped, and started again |
//! | `! GET /…`, `! POST /… {…}`, `! PUT /… {…}`, `! guest GET /…` | a request with the secret, or without |
//! | `< 200 {…}` | its answer |
//! | `# …` | a remark |
//!
//! A value `"<name>"` stands for any value at its first place and for the same value afterwards;
//! `"<…>"` stands for any value at every place. Each block has a server of its own, with the
//! configuration that the document's block `toml transcripts` shows.

mod script;
mod stage;

use std::cell::Cell;
use std::panic::AssertUnwindSafe;

use script::{Document, Line};
use stage::Stage;

fn play(file: &str, at_least: usize) {
    let document = Document::read(file);
    assert!(document.blocks.len() >= at_least, "{file} has only {} transcripts", document.blocks.len());
    let mut wrong = Vec::new();
    for block in &document.blocks {
        let reached = Cell::new(block.line);
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let mut stage = Stage::new(&document.config);
            for Line { number, text } in &block.lines {
                reached.set(*number);
                stage.play(text).map_err(|why| format!("{file}:{number}: {text}\n    {why}"))?;
            }
            stage.end().map_err(|why| format!("{file}:{}: at the end: {why}", block.line))
        }));
        match played {
            Ok(Ok(())) => {}
            Ok(Err(why)) => wrong.push(why),
            Err(_) => wrong.push(format!("{file}:{}: here it broke off", reached.get())),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), document.blocks.len(), wrong.join("\n"));
}

#[test]
fn the_protocol_is_as_documented() {
    play("docs/protocol.md", 10);
}

#[test]
fn holds_are_as_documented() {
    play("docs/holds.md", 4);
}

#[test]
fn notifications_are_as_documented() {
    play("docs/notifications.md", 5);
}

#[test]
fn calendars_are_as_documented() {
    play("docs/calendars.md", 2);
}

#[test]
fn the_api_is_as_documented() {
    play("docs/api.md", 4);
}
