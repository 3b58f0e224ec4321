//! Inboxes and conversations from outside: routes, frames, every transport, and what nobody else may see.

mod clinic;
mod conversations;
mod inbox;
mod killed;
mod members;
mod preferences;
mod tabs;
mod wrong;

use serde_json::Value;

use super::harness::*;
use crate::json;

/// A server with a stranger beside it, who listens to everything that everybody may hear and who tries to listen to
/// what is not for it.
struct World {
    server: Server,
    stranger: Ws,
}

impl World {
    fn start(config: &str) -> Self {
        let server = Server::start(Start::with(config));
        let mut world = Self { stranger: server.ws(), server };
        world.eavesdrop();
        world
    }

    /// Everything that a visitor can reach, and nothing of it belongs to anybody else.
    fn eavesdrop(&mut self) {
        self.stranger.subscribe("slots:nothing");
        for channel in ["user:ann", "user:bob", "conversation:c", "typing:c", "webhook:1001", "staff:1001"] {
            let answer = self.stranger.ask(json!({"type": "subscribe", "channel": channel}));
            assert_eq!(answer["code"], "denied", "{channel}: {answer}");
            // The refusal of a request repeats the channel that it named, and this one is a person's.
            let paths: &[&str] = if channel.starts_with("user:") { &[] } else { &["/v1/stream", "/v1/poll"] };
            for path in paths {
                let answer = get(&self.server, &format!("{path}?channels={channel}"));
                assert_eq!(answer.status, 403, "{channel}: {answer:?}");
            }
        }
    }

    /// Ends the test: the stranger has heard nothing at all.
    fn finish(mut self) {
        self.stranger.expect_nothing();
    }

    /// A request of the site.
    #[track_caller]
    fn site(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.server.api(method, path, Some(&body));
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        answer.json()
    }

    /// A request of a user.
    fn of(&self, who: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let bearer = format!("Bearer {}", user(who));
        let body = body.map(|body| body.to_string());
        request(&self.server, method, path, &[("Authorization", &bearer)], body.as_deref())
    }

    #[track_caller]
    fn own(&self, who: &str, method: &str, path: &str, body: Value) -> Value {
        let body = (method != "GET").then_some(body);
        let answer = self.of(who, method, path, body);
        assert_eq!(answer.status, 200, "{who} {method} {path}: {answer:?}");
        answer.json()
    }

    fn notify(&self, who: &str, title: &str) -> Value {
        // Every client of the tests looks for words like these that are for somebody else.
        let body = format!("secret words of {who}");
        self.site(
            "POST",
            "/v1/notifications",
            json!({"user": who, "type": "booking", "title": title, "body": body}),
        )
    }

    /// A conversation of some members.
    fn talk(&self, id: &str, members: &[&str]) -> Value {
        self.site("POST", "/v1/conversations", json!({"id": id, "members": members}))
    }

    fn say(&self, who: &str, id: &str, text: &str) -> Value {
        self.own(who, "POST", &format!("/v1/conversations/{id}/messages"), json!({"data": {"text": text}}))
    }

    /// A socket of a user.
    fn tab(&self, who: &str) -> Ws {
        Ws::open(&self.server, &format!("/v1/ws?token={}", user(who)))
    }

    /// A socket of a user that follows its own channel.
    fn following(&self, who: &str) -> Ws {
        let mut ws = self.tab(who);
        ws.subscribe(&format!("user:{who}"));
        ws
    }
}

/// The next event, which must have this name; its data.
#[track_caller]
fn hears(ws: &mut Ws, name: &str) -> Value {
    let event = ws.expect("event");
    assert_eq!(event["name"], name, "{event}");
    event["data"].clone()
}

/// The next event of an event stream.
#[track_caller]
fn streamed(sse: &mut Sse) -> Value {
    loop {
        let frame = sse.next().expect("the stream goes on").data;
        if frame["type"] == "event" || frame["type"] == "reset" {
            return frame;
        }
    }
}

fn numbers(page: &Value) -> Vec<u64> {
    let list = page["notifications"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
    list.iter().map(|one| one["number"].as_u64().unwrap()).collect()
}

fn texts(page: &Value) -> Vec<String> {
    let list = page["messages"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
    list.iter().map(|one| one["data"]["text"].as_str().unwrap().to_owned()).collect()
}
