//! What is said to the server: Deskbell's native frames and HTTP API, the Pusher protocol, Socket.IO, what pages of
//! AppointEase and PorticoEstate say, or the yardstick's mini protocol.

use deskbell_wire::signature::{self, Request};
use serde_json::{Value, json};

use super::frames;
use super::options::{Options, Protocol};
use super::stamp::Stamp;
use crate::clock;

/// Builds what is sent and reads what is not an event.
pub struct Dialect {
    /// Which of them it is.
    pub protocol: Protocol,
    authority: String,
    app: Option<String>,
    app_id: u64,
    secret: String,
    prefix: String,
    size: usize,
    resume: bool,
    sessions: bool,
}

/// A frame that is not an event of ours.
#[derive(Debug, PartialEq, Eq)]
pub enum Control {
    /// The first frame of a native connection, or the answer to a `hello`.
    Welcome(Keepsake),
    /// One subscription stands.
    Subscribed,
    /// The server cannot give everything that was missed, in one channel or in all.
    Reset(Option<usize>),
    /// It refused something; the sentence is its own.
    Refused(String),
    /// It must be answered with this message.
    Answer(&'static str),
    /// Nothing we act upon.
    Other,
}

/// What a connection needs to come back.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Keepsake {
    /// The session's resume key.
    pub resume: String,
    /// The newest cursor seen.
    pub cursor: String,
}

impl Dialect {
    /// The dialect the options name.
    pub fn new(options: &Options) -> Self {
        let from_environment = || std::env::var("DESKBELL_APP_SECRET").unwrap_or_default();
        Self {
            protocol: options.target.protocol,
            authority: options.target.authority.clone(),
            app: options.app.clone(),
            app_id: options.app_id,
            secret: options.secret.clone().unwrap_or_else(from_environment),
            prefix: options.prefix.clone(),
            size: options.size,
            resume: options.resume,
            sessions: options.sessions,
        }
    }

    /// The head by which a connection asks for a WebSocket. The key is the one of RFC 6455's own example.
    pub fn upgrade(&self, connection: usize) -> Vec<u8> {
        let path = match (self.protocol, &self.app) {
            (Protocol::Native, Some(app)) => format!("/v1/ws?app={app}"),
            (Protocol::Native, None) => "/v1/ws".into(),
            (Protocol::Pusher, app) => {
                format!("/app/{}?protocol=7&client=bench", app.as_deref().unwrap_or_default())
            }
            (Protocol::SocketIo, _) => "/socket.io/?EIO=4&transport=websocket".into(),
            (Protocol::AppointEase, _) => "/appointease".into(),
            (Protocol::Portico, _) => "/wss".into(),
            (Protocol::Limit, _) => "/".into(),
        };
        let cookie = match self.protocol {
            Protocol::Portico if self.sessions => {
                format!("Cookie: bookingfrontendsession=bench-{connection:020}\r\n")
            }
            Protocol::Portico => "Cookie: theme=dark\r\n".to_owned(),
            _ => String::new(),
        };
        format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{cookie}\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            self.authority
        )
        .into_bytes()
    }

    /// Whether the server speaks first.
    pub fn waits_for_welcome(&self) -> bool {
        self.protocol != Protocol::Limit
    }

    /// The frames that subscribe to some channels.
    pub fn subscribe(&self, channels: std::ops::Range<usize>) -> Vec<u8> {
        let mut out = Vec::new();
        for channel in channels {
            match self.protocol {
                Protocol::Limit => frames::append_text(&mut out, b"S:"),
                Protocol::Native => {
                    let name = self.channel(channel);
                    let frame = json!({"type": "subscribe", "ref": channel.to_string(), "channel": name});
                    frames::append_text(&mut out, frame.to_string().as_bytes());
                }
                Protocol::Pusher => {
                    let data = json!({"channel": self.channel(channel), "auth": ""});
                    let frame = json!({"event": "pusher:subscribe", "data": data});
                    frames::append_text(&mut out, frame.to_string().as_bytes());
                }
                Protocol::SocketIo => {
                    // The number asks for an answer, by which it is known that the room is joined.
                    let event = json!(["join_room", self.channel(channel)]);
                    frames::append_text(&mut out, format!("42{channel}{event}").as_bytes());
                }
                // They hear what is for everybody without asking; the answer says that the page is let in.
                Protocol::AppointEase | Protocol::Portico => {
                    frames::append_text(&mut out, br#"{"type":"ping"}"#);
                }
            }
        }
        out
    }

    /// The frame that takes up a session where its connection left it.
    pub fn hello(&self, keepsake: &Keepsake, channels: std::ops::Range<usize>) -> Vec<u8> {
        let names: Vec<_> = channels.map(|channel| self.channel(channel)).collect();
        let frame = json!({
            "type": "hello", "resume": keepsake.resume, "cursor": keepsake.cursor, "channels": names,
        });
        let mut out = Vec::new();
        frames::append_text(&mut out, frame.to_string().as_bytes());
        out
    }

    /// The bytes that publish some events; `first` numbers them over the whole run.
    pub fn publish(&self, events: &[Stamp], first: u64) -> Vec<u8> {
        match self.protocol {
            Protocol::Limit => {
                let mut out = Vec::new();
                for stamp in events {
                    let mut payload = b"P:0:".to_vec();
                    stamp.append(&mut payload, self.size);
                    frames::append_text(&mut out, &payload);
                }
                out
            }
            Protocol::Native | Protocol::SocketIo | Protocol::AppointEase | Protocol::Portico => {
                let head = format!("POST /v1/publish HTTP/1.1\r\nAuthorization: Bearer {}\r\n", self.secret);
                self.post(head, &self.body(events, first))
            }
            Protocol::Pusher => self.trigger(events),
        }
    }

    /// A signed trigger, or a batch where there are several events.
    fn trigger(&self, events: &[Stamp]) -> Vec<u8> {
        let event = |stamp: &Stamp| {
            let mut data = Vec::new();
            stamp.append(&mut data, self.size);
            let data = String::from_utf8_lossy(&data).into_owned();
            json!({"name": "e", "channel": self.channel(stamp.channel as usize), "data": data})
        };
        let (what, body) = match events {
            [one] => ("events", event(one)),
            many => ("batch_events", json!({"batch": many.iter().map(event).collect::<Vec<_>>()})),
        };
        let (path, body) = (format!("/apps/{}/{what}", self.app_id), body.to_string());
        let request = Request { method: "POST", path: &path, query: "", body: body.as_bytes() };
        let key = self.app.as_deref().unwrap_or_default();
        let query = signature::sign(&request, key, self.secret.as_bytes(), clock::now_ms());
        self.post(format!("POST {path}?{query} HTTP/1.1\r\n"), body.as_bytes())
    }

    fn post(&self, head: String, body: &[u8]) -> Vec<u8> {
        let (host, length) = (&self.authority, body.len());
        let rest =
            format!("Host: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        let mut out = (head + &rest).into_bytes();
        out.extend_from_slice(body);
        out
    }

    fn body(&self, events: &[Stamp], first: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(events.len() * (self.size + 80) + 20);
        if events.len() != 1 {
            out.extend_from_slice(b"{\"events\":[");
        }
        for (at, stamp) in events.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let channel = self.channel(stamp.channel as usize);
            out.extend_from_slice(format!("{{\"channel\":\"{channel}\",\"name\":\"e\",").as_bytes());
            if self.resume {
                // A publish whose answer was cut off is sent again; the id keeps it from happening twice.
                let id = first + at as u64;
                out.extend_from_slice(format!("\"id\":\"bench-{}-{id}\",", std::process::id()).as_bytes());
            }
            out.extend_from_slice(b"\"data\":\"");
            stamp.append(&mut out, self.size);
            out.extend_from_slice(b"\"}");
        }
        if events.len() != 1 {
            out.extend_from_slice(b"]}");
        }
        out
    }

    /// Reads a frame that carries no stamp.
    pub fn control(&self, payload: &[u8]) -> Control {
        if self.protocol == Protocol::Limit {
            return if payload == b"OK" { Control::Subscribed } else { Control::Other };
        }
        if self.protocol == Protocol::SocketIo {
            return socketio(payload);
        }
        let frame: Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = |key: &str| frame[key].as_str().unwrap_or_default().to_owned();
        if self.protocol == Protocol::Pusher {
            return match &*text("event") {
                "pusher:connection_established" => Control::Welcome(Keepsake::default()),
                "pusher_internal:subscription_succeeded" => Control::Subscribed,
                "pusher:error" => Control::Refused(frame["data"].to_string()),
                _ => Control::Other,
            };
        }
        if self.protocol.only_channel().is_some() {
            return match frame["type"].as_str() {
                // The third greets whoever comes without a session.
                Some("connection" | "connection_success" | "session_id_required") => {
                    Control::Welcome(Keepsake::default())
                }
                Some("pong") => Control::Subscribed,
                Some("error") => Control::Refused(text("message")),
                _ => Control::Other,
            };
        }
        match frame["type"].as_str() {
            Some("welcome") => Control::Welcome(Keepsake { resume: text("resume"), cursor: text("cursor") }),
            Some("subscribed") => Control::Subscribed,
            Some("reset") => Control::Reset(self.channel_number(&text("channel"))),
            Some("error") => Control::Refused(format!("{}: {}", text("code"), text("message"))),
            _ => Control::Other,
        }
    }

    fn channel(&self, number: usize) -> String {
        let only = self.protocol.only_channel();
        only.map_or_else(|| format!("{}{number}", self.prefix), str::to_owned)
    }

    fn channel_number(&self, name: &str) -> Option<usize> {
        name.strip_prefix(&self.prefix)?.parse().ok()
    }
}

/// Reads a packet of Engine.IO that carries no stamp.
fn socketio(payload: &[u8]) -> Control {
    let text = || String::from_utf8_lossy(payload).into_owned();
    match payload {
        [b'0', ..] => Control::Answer("40"),
        [b'2'] => Control::Answer("3"),
        [b'4', b'0', ..] => Control::Welcome(Keepsake::default()),
        [b'4', b'3', rest @ ..] => {
            // Whoever refuses a room says so in the answer.
            let refused = rest.windows(15).any(|window| window == b"\"success\":false");
            if refused { Control::Refused(text()) } else { Control::Subscribed }
        }
        [b'4', b'1' | b'4', ..] => Control::Refused(text()),
        _ => Control::Other,
    }
}

/// The cursor of an event frame, without parsing the frame: it stands near the end.
pub fn cursor_of(payload: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"cursor\":\"";
    let start = payload.windows(KEY.len()).rposition(|window| window == KEY)? + KEY.len();
    let length = payload[start..].iter().position(|&byte| byte == b'"')?;
    std::str::from_utf8(&payload[start..start + length]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(protocol: Protocol, resume: bool) -> Dialect {
        let [authority, secret, prefix] = ["h:1", "s", "bench-"].map(str::to_owned);
        let (app, sessions) = (Some("k".into()), true);
        Dialect { protocol, authority, app, app_id: 3, secret, prefix, size: 40, resume, sessions }
    }

    fn stamps(channels: &[u32]) -> Vec<Stamp> {
        channels.iter().map(|&channel| Stamp { channel, number: 7, micros: 9 }).collect()
    }

    #[test]
    fn a_publish_is_whole_http_with_a_body_of_the_length_it_says() {
        let request = dialect(Protocol::Native, true).publish(&stamps(&[3, 4]), 10);
        let end = frames::head_end(&request).expect("a head");
        let (head, body) = request.split_at(end);
        assert!(head.starts_with(b"POST /v1/publish HTTP/1.1\r\n"));
        assert_eq!(frames::header(head, "authorization"), Some("Bearer s"));
        assert_eq!(frames::header(head, "content-length"), Some(body.len().to_string().as_str()));
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let [first, second] = &body["events"].as_array().expect("events")[..] else { panic!("{body}") };
        assert_eq!((&first["channel"], &second["channel"]), (&json!("bench-3"), &json!("bench-4")));
        assert_ne!(first["id"], second["id"]);
        assert_eq!(first["data"].as_str().map(str::len), Some(40));
    }

    #[test]
    fn a_trigger_is_signed_and_a_burst_is_a_batch() {
        for (channels, what) in [(&[3][..], "events"), (&[3, 4], "batch_events")] {
            let request = dialect(Protocol::Pusher, false).publish(&stamps(channels), 0);
            let (head, body) = request.split_at(frames::head_end(&request).expect("a head"));
            let line = std::str::from_utf8(head).expect("text").lines().next().unwrap_or_default().to_owned();
            let (path, rest) =
                line.strip_prefix("POST ").and_then(|line| line.split_once('?')).expect("a query");
            assert_eq!(path, format!("/apps/3/{what}"));
            let query = rest.trim_end_matches(" HTTP/1.1");
            let signed = Request { method: "POST", path, query, body };
            assert!(signature::verify(&signed, "k", b"s", clock::now_ms()).is_ok());
        }
    }

    #[test]
    fn one_event_is_published_bare_and_without_an_id() {
        let request = dialect(Protocol::Native, false).publish(&stamps(&[3]), 0);
        let body = &request[frames::head_end(&request).expect("a head")..];
        let body: Value = serde_json::from_slice(body).expect("JSON");
        assert_eq!((&body["channel"], &body["name"], body.get("id")), (&json!("bench-3"), &json!("e"), None));
    }

    #[test]
    fn control_frames_are_told_apart() {
        let native = dialect(Protocol::Native, false);
        let keepsake = Keepsake { resume: "r".into(), cursor: "c".into() };
        for (frame, control) in [
            (json!({"type":"welcome","session":"s","resume":"r","cursor":"c"}), Control::Welcome(keepsake)),
            (json!({"type":"subscribed","ref":"1","channel":"bench-0"}), Control::Subscribed),
            (json!({"type":"reset","channel":"bench-12","reason":"gone"}), Control::Reset(Some(12))),
            (json!({"type":"reset","reason":"gone"}), Control::Reset(None)),
            (json!({"type":"error","code":"full","message":"Wait."}), Control::Refused("full: Wait.".into())),
            (json!({"type":"pong"}), Control::Other),
        ] {
            assert_eq!(native.control(frame.to_string().as_bytes()), control);
        }
        assert_eq!(dialect(Protocol::Limit, false).control(b"OK"), Control::Subscribed);
    }

    #[test]
    fn pages_have_one_channel_and_a_session_each() {
        let pages = [(Protocol::AppointEase, "appointease"), (Protocol::Portico, "portico")];
        for (protocol, channel) in pages {
            let request = dialect(protocol, false).publish(&stamps(&[0]), 0);
            let body = &request[frames::head_end(&request).expect("a head")..];
            let body: Value = serde_json::from_slice(body).expect("JSON");
            assert_eq!(body["channel"], channel);
            let told = |frame: Value| dialect(protocol, false).control(frame.to_string().as_bytes());
            assert_eq!(told(json!({"type":"pong"})), Control::Subscribed);
            assert_eq!(told(json!({"type":"error","message":"no"})), Control::Refused("no".into()));
            for greeting in ["connection", "connection_success", "session_id_required"] {
                assert_eq!(told(json!({ "type": greeting })), Control::Welcome(Keepsake::default()));
            }
        }
        let portico = dialect(Protocol::Portico, false);
        let cookie = |connection| {
            let head = portico.upgrade(connection);
            frames::header(&head, "cookie").map(str::to_owned)
        };
        assert!(cookie(1).is_some() && cookie(1) != cookie(2));
    }

    #[test]
    fn packets_of_socketio_are_told_apart() {
        let socketio = dialect(Protocol::SocketIo, false);
        for (packet, control) in [
            (r#"0{"sid":"s","upgrades":[]}"#, Control::Answer("40")),
            ("2", Control::Answer("3")),
            (r#"40{"sid":"s"}"#, Control::Welcome(Keepsake::default())),
            (r#"430[{"success":true}]"#, Control::Subscribed),
            (r#"430["joined"]"#, Control::Subscribed),
            (r#"42["room_error",{}]"#, Control::Other),
        ] {
            assert_eq!(socketio.control(packet.as_bytes()), control, "{packet}");
        }
        for refused in [r#"430[{"success":false,"code":"denied"}]"#, "41", r#"44{"message":"no"}"#] {
            assert!(matches!(socketio.control(refused.as_bytes()), Control::Refused(_)), "{refused}");
        }
        assert!(socketio.subscribe(3..4).len() > 20);
    }

    #[test]
    fn the_cursor_of_an_event_is_its_own_and_not_one_in_its_data() {
        let event = br#"{"type":"event","data":{"cursor":"no"},"cursor":"a.b-c_d"}"#;
        assert_eq!(cursor_of(event), Some("a.b-c_d"));
        assert_eq!(cursor_of(b"{\"cursor\":\"cut"), None);
        assert_eq!(cursor_of(b"{}"), None);
    }
}
