//! A client of the Pusher dialect, which behaves on the wire as pusher-js does.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::ws::Closed;
use super::{Conn, SECRET, Server, Ws};

/// The key of the app that every test server has.
const KEY: &str = "test-key";

/// A connected client.
pub struct Pusher {
    ws: Ws,
    /// The name of its socket.
    pub socket: String,
    key: String,
}

/// The token of a text by the backend of the first app.
pub fn pusher_signature(text: &str) -> String {
    signature(KEY, text)
}

/// A token, made with nothing of the server's code.
fn signature(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{key}:{hex}")
}

impl Pusher {
    /// Connects to the first app.
    pub fn open(server: &Server) -> Self {
        Self::open_with(server, KEY)
    }

    /// Connects to the app with a key, as pusher-js does. Its secret is that of the first app.
    pub fn open_with(server: &Server, key: &str) -> Self {
        let path = format!("/app/{key}?protocol=7&client=js&version=8.4.0&flash=false");
        let mut ws = Self::knock(server, &path);
        let first = taken(ws.next());
        assert_eq!(first["event"], "pusher:connection_established", "{first}");
        let socket = first["data"]["socket_id"].as_str().unwrap().to_owned();
        assert!(first["data"]["activity_timeout"].as_u64().is_some_and(|seconds| seconds > 0), "{first}");
        Self { ws, socket, key: key.to_owned() }
    }

    /// What the backend signs for this client behind the name of its socket.
    pub fn signed(&self, text: &str) -> String {
        signature(&self.key, &format!("{}:{text}", self.socket))
    }

    /// An open WebSocket that has not been welcomed yet, and may never be.
    pub fn knock(server: &Server, path: &str) -> Ws {
        Ws::upgraded(Conn::open(server), &server.address.to_string(), path, &[]).unwrap()
    }

    /// Sends an event.
    pub fn send(&mut self, event: &str, data: &Value) {
        self.ws.send(&json!({"event": event, "data": data}));
    }

    /// Says something to the others in a channel.
    pub fn say(&mut self, event: &str, channel: &str, data: &Value) {
        self.ws.send(&json!({"event": event, "channel": channel, "data": data}));
    }

    /// Sends any text.
    pub fn send_text(&mut self, text: &str) {
        self.ws.send_text(text);
    }

    /// The next frame, with the text of its data read.
    pub fn next(&mut self) -> Value {
        taken(self.ws.next())
    }

    /// The next frame, which must be this event.
    #[track_caller]
    pub fn expect(&mut self, event: &str) -> Value {
        let frame = self.next();
        assert_eq!(frame["event"], event, "{frame}");
        frame
    }

    /// Asks for a channel with what a backend has signed: a token and what the client shows.
    pub fn wish(&mut self, channel: &str, auth: &str, data: Option<&str>) {
        let mut wish = json!({"channel": channel, "auth": auth});
        if let Some(data) = data {
            wish["channel_data"] = data.into();
        }
        self.send("pusher:subscribe", &wish);
    }

    /// Subscribes, signed by the backend, and waits for the success; gives its data.
    #[track_caller]
    pub fn subscribe(&mut self, channel: &str) -> Value {
        let auth = self.signed(channel);
        self.wish(channel, &auth, None);
        self.succeeded(channel)
    }

    /// The same as a member of a presence channel.
    #[track_caller]
    pub fn enter(&mut self, channel: &str, data: &str) -> Value {
        let auth = self.signed(&format!("{channel}:{data}"));
        self.wish(channel, &auth, Some(data));
        self.succeeded(channel)
    }

    /// The success of a subscription, and its data.
    #[track_caller]
    pub fn succeeded(&mut self, channel: &str) -> Value {
        let frame = self.expect("pusher_internal:subscription_succeeded");
        assert_eq!(frame["channel"], channel, "{frame}");
        frame["data"].clone()
    }

    /// The refusal of a subscription: it comes for the channel's listeners and for the connection's. Gives the
    /// status and the code.
    #[track_caller]
    pub fn refused(&mut self, channel: &str) -> (u64, u64) {
        let (of_channel, of_all) = (self.expect("pusher:subscription_error"), self.expect("pusher:error"));
        assert_eq!((&of_channel["channel"], &of_all["channel"]), (&json!(channel), &json!(channel)));
        (of_channel["data"]["status"].as_u64().unwrap(), of_all["data"]["code"].as_u64().unwrap())
    }

    /// Signs in as a user.
    pub fn sign_in(&mut self, data: &str) {
        let auth = self.signed(&format!(":user::{data}"));
        self.send("pusher:signin", &json!({"auth": auth, "user_data": data}));
    }

    /// Proves that nothing is on its way: the answer to a ping comes before anything else.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        self.send("pusher:ping", &json!({}));
        self.expect("pusher:pong");
    }

    /// Reads until the connection ends, and says how.
    pub fn until_closed(&mut self) -> Closed {
        self.ws.until_closed()
    }
}

/// A frame with its data as a value: the dialect sends the text of one.
fn taken(mut frame: Value) -> Value {
    assert!(frame["event"].is_string(), "every frame is an event: {frame}");
    if let Some(text) = frame["data"].as_str()
        && let Ok(value) = serde_json::from_str(text)
    {
        frame["data"] = value;
    }
    frame
}
