//! One client over any transport: it reads channels from a cursor on, and can be cut anywhere.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Conn, Server, Sse, Ws};

/// How a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A WebSocket.
    Ws,
    /// Server-sent events.
    Sse,
    /// Long polls, one after the other.
    Poll,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ws, Self::Sse, Self::Poll];
}

/// A connected client.
pub struct Reader<'a> {
    server: &'a Server,
    channels: String,
    /// Whose client it is, as a part of a query.
    token: String,
    link: Link,
    /// What it would come back with.
    pub cursor: Option<String>,
}

enum Link {
    Ws(Box<Ws>),
    Sse(Box<Sse>),
    Poll(Box<Conn>, VecDeque<Value>),
}

impl<'a> Reader<'a> {
    /// Connects and subscribes; what it gets starts behind the cursor.
    pub fn open(server: &'a Server, transport: Transport, channels: &[&str], cursor: Option<&str>) -> Self {
        Self::open_with(server, transport, channels, cursor, String::new())
    }

    /// The same as a user.
    pub fn open_as(
        server: &'a Server,
        transport: Transport,
        who: &str,
        channels: &[&str],
        cursor: Option<&str>,
    ) -> Self {
        Self::open_with(server, transport, channels, cursor, format!("&token={}", super::user(who)))
    }

    fn open_with(
        server: &'a Server,
        transport: Transport,
        channels: &[&str],
        cursor: Option<&str>,
        token: String,
    ) -> Self {
        let names = channels.join(",");
        let link = match transport {
            Transport::Ws => {
                let mut ws = Ws::open(server, &format!("/v1/ws?{}", token.trim_start_matches('&')));
                let mut hello = json!({"type": "hello", "channels": channels});
                if let Some(cursor) = cursor {
                    hello["cursor"] = json!(cursor);
                }
                ws.send(&hello);
                ws.expect("welcome");
                Link::Ws(Box::new(ws))
            }
            Transport::Sse => {
                let mut sse = Sse::open(server, &format!("/v1/stream?channels={names}{token}"), cursor);
                assert_eq!(sse.status, 200);
                sse.expect("welcome");
                Link::Sse(Box::new(sse))
            }
            Transport::Poll => Link::Poll(Box::new(Conn::open(server)), VecDeque::new()),
        };
        let mut reader = Self { server, channels: names, token, link, cursor: cursor.map(str::to_owned) };
        match &reader.link {
            Link::Ws(ws) => reader.cursor = Some(ws.cursor.clone()),
            Link::Sse(sse) => reader.cursor = Some(sse.last_id.clone()),
            // A poll without a cursor is answered at once with where the reader stands.
            Link::Poll(..) if cursor.is_none() => reader.poll(0),
            Link::Poll(..) => {}
        }
        reader
    }

    /// The same client over another transport, from exactly where it stands.
    pub fn switch(self, transport: Transport) -> Self {
        let channels = self.channels.clone();
        let names: Vec<&str> = channels.split(',').collect();
        Self::open_with(self.server, transport, &names, self.cursor.as_deref(), self.token)
    }

    /// The next frame that is no answer to subscribing.
    pub fn next(&mut self) -> Value {
        loop {
            let frame = match &mut self.link {
                Link::Ws(ws) => {
                    let frame = ws.next();
                    self.cursor = Some(ws.cursor.clone());
                    frame
                }
                Link::Sse(sse) => {
                    let event = sse.next().expect("the stream goes on");
                    self.cursor = Some(event.id);
                    event.data
                }
                Link::Poll(_, inbox) => {
                    let Some(frame) = inbox.pop_front() else {
                        self.poll(20);
                        continue;
                    };
                    // Behind its last frame the reader has the whole answer, whose cursor is the last.
                    let ends = inbox.front().is_some_and(|end| end["type"] == "pong");
                    let end = if ends { inbox.pop_front() } else { None };
                    for place in [&frame, end.as_ref().unwrap_or(&frame)] {
                        self.cursor = place["cursor"].as_str().map(str::to_owned).or(self.cursor.take());
                    }
                    frame
                }
            };
            if frame["type"] != "subscribed" && frame["type"] != "pong" {
                return frame;
            }
        }
    }

    /// The next frame, which must be of this type.
    pub fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next();
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// The data of the next event.
    pub fn event(&mut self) -> Value {
        self.expect("event")["data"].clone()
    }

    fn poll(&mut self, wait: u64) {
        let token = &self.token;
        let Link::Poll(conn, inbox) = &mut self.link else { return };
        let cursor = self.cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let answer =
            conn.get(&format!("/v1/poll?channels={}&wait={wait}{cursor}{token}", self.channels), &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        // A reset stands before the events that follow it, and then only the answer as a whole has a place.
        let resets = answer["reset"].as_array().unwrap();
        inbox.extend(resets.iter().cloned());
        inbox.extend(answer["events"].as_array().unwrap().iter().cloned());
        if !resets.is_empty() {
            for frame in inbox.iter_mut() {
                frame["cursor"] = Value::Null;
            }
        }
        inbox.push_back(json!({"type": "pong", "cursor": answer["cursor"]}));
    }
}
