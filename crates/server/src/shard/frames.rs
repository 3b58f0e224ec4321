//! The forms in which frames leave: one for each dialect and transport. Shared bytes are encoded once.

use bytes::Bytes;
use deskbell_core::cursor::CursorKey;
use deskbell_core::event::{Entry, Kind};
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::{self, Reference};
use deskbell_wire::portico;
use deskbell_wire::pusher;
use deskbell_wire::socketio;
use deskbell_wire::websocket::Opcode;
use deskbell_wire::websocket::deflate::Deflater;
use deskbell_wire::websocket::encode as websocket;

use super::appointease::pages_hear;
use crate::portico::Terms;
use crate::socketio::{Heard, Manner};

/// A dialect on a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variant {
    /// The native dialect on a WebSocket.
    NativeWs,
    /// The same, compressed.
    NativeWsDeflate,
    /// The native dialect as server-sent events.
    NativeSse,
    /// The native dialect in a poll's answer.
    NativePoll,
    /// The Pusher dialect on a WebSocket.
    PusherWs,
    /// The same, compressed.
    PusherWsDeflate,
    /// The Pusher dialect on a WebSocket, for clients that carry a cursor.
    PusherWsCursor,
    /// The same, compressed.
    PusherWsCursorDeflate,
    /// The Pusher dialect in the bodies of responses.
    PusherXhr,
    /// The same, for clients that carry a cursor.
    PusherXhrCursor,
    /// The Socket.IO dialect, in the words of a number.
    SocketIo(u16),
    /// The Portico dialect on a WebSocket.
    PorticoWs,
    /// The same, compressed.
    PorticoWsDeflate,
    /// The Portico dialect as messages of Socket.IO.
    PorticoIo,
    /// The AppointEase dialect on a WebSocket.
    AppointEase,
    /// Every message sent back: for conformance suites.
    Echo,
    /// The same, with compression.
    EchoDeflate,
}

/// The sealed cursor of an entry, kept beside its frames.
const TOKEN: u16 = u16::MAX;

/// Milliseconds after which an EventSource comes back.
const SSE_RETRY: u64 = 2_000;

/// Messages below this many bytes are not worth compressing.
const COMPRESS_FROM: usize = 256;

/// The first number of the words of the Socket.IO dialect; below it are the other variants.
const WORDS: u16 = 256;

impl Variant {
    /// The number under which its frames stand beside an entry.
    fn number(self) -> u16 {
        match self {
            Self::NativeWs => 0,
            Self::NativeWsDeflate => 1,
            Self::NativeSse => 2,
            Self::NativePoll => 3,
            Self::PusherWs => 4,
            Self::PusherWsDeflate => 5,
            Self::Echo => 6,
            Self::EchoDeflate => 7,
            Self::PusherWsCursor => 8,
            Self::PusherWsCursorDeflate => 9,
            Self::PusherXhr => 10,
            Self::PusherXhrCursor => 11,
            Self::AppointEase => 12,
            Self::PorticoWs => 13,
            Self::PorticoWsDeflate => 14,
            Self::PorticoIo => 15,
            Self::SocketIo(words) => WORDS + words,
        }
    }

    /// The words that it has.
    pub fn words(self) -> u16 {
        match self {
            Self::SocketIo(words) => words,
            _ => 0,
        }
    }

    /// The same with other words, where it has words.
    pub fn with_words(self, words: u16) -> Self {
        match self {
            Self::SocketIo(_) => Self::SocketIo(words),
            other => other,
        }
    }

    /// Frames that are the same for everybody who gets them: made once.
    pub fn once(self, entry: &Entry, make: impl FnOnce() -> Bytes) -> Bytes {
        entry.frames.get(self.number(), make)
    }

    /// The frames of an entry in a manner of the Socket.IO dialect, for everybody who stands right behind it.
    pub fn told(self, entry: &Entry, manner: &Manner, key: &CursorKey) -> Bytes {
        entry.frames.get(self.number(), || Self::retold(entry, manner, key, &mut Heard::default()))
    }

    /// The same for those who have been told of the change before by other channels.
    pub fn retold(entry: &Entry, manner: &Manner, key: &CursorKey, heard: &mut Heard) -> Bytes {
        let packets = manner.packets(entry, heard);
        let within = |part| key.seal(&entry.within(part));
        manner.frames(entry, &packets, place(&Self::sealed(entry, key)), within)
    }

    /// The frame of an entry in the Portico dialect, whose times are written on the site's clock.
    pub fn shown(self, entry: &Entry, terms: &Terms) -> Bytes {
        entry.frames.get(self.number(), || {
            let json = portico::message::event(entry, terms.stamp(entry.event.at));
            json.map_or_else(Bytes::new, |json| self.wrap(json.as_bytes(), None))
        })
    }

    /// The cursor behind an entry, sealed once for everybody.
    pub fn sealed(entry: &Entry, key: &CursorKey) -> Bytes {
        entry.frames.get(TOKEN, || key.seal(&entry.after.into()).into())
    }

    /// The frame of an event for everybody who stands right behind it.
    pub fn event(self, entry: &Entry, key: &CursorKey) -> Bytes {
        entry.frames.get(self.number(), || {
            if self.is_pusher() && !self.carries_cursor() {
                return self.pusher_event(entry, None);
            }
            if self == Self::AppointEase {
                return pages_hear(entry);
            }
            let token = Self::sealed(entry, key);
            // A token is base64 by its making.
            self.event_with(entry, std::str::from_utf8(&token).unwrap_or_default())
        })
    }

    /// The frame of an event with another cursor: while a connection catches up.
    pub fn event_with(self, entry: &Entry, cursor: &str) -> Bytes {
        if self.carries_cursor() {
            return self.pusher_event(entry, Some(cursor));
        }
        if self.is_pusher() {
            return entry.frames.get(self.number(), || self.pusher_event(entry, None));
        }
        let mut json = Vec::with_capacity(entry.event.data.bytes.len() + 256);
        native::event_body(entry, &mut json);
        if json.is_empty() {
            return Bytes::new();
        }
        native::finish(cursor, &mut json);
        self.wrap(&json, Some(cursor))
    }

    /// The frames of an entry in the Pusher dialect. A cursor stands behind what is kept, which is one frame.
    fn pusher_event(self, entry: &Entry, cursor: Option<&str>) -> Bytes {
        let mut frames: Vec<Bytes> = Vec::new();
        let cursor = cursor.filter(|_| entry.kind == Kind::Message);
        pusher::encode::event(entry, &mut |json| {
            frames.push(match cursor {
                Some(cursor) => self.wrap(&pusher::encode::standing(json, cursor), None),
                None => self.wrap(json, None),
            });
        });
        match frames.len() {
            1 => frames.swap_remove(0),
            _ => frames.concat().into(),
        }
    }

    /// Appends a frame of the Pusher dialect with its reader's place, where there is one to be told.
    pub fn standing(self, json: &[u8], cursor: Option<&str>, out: &mut Vec<u8>) {
        match cursor {
            Some(cursor) => self.written(&pusher::encode::standing(json, cursor), out),
            None => self.written(json, out),
        }
    }

    /// Frames of the Pusher dialect that belong together: the reader's place stands behind the last of them, and
    /// the others say that there are more. Whoever is cut off between them gets all of them again.
    pub fn together(self, frames: &[Vec<u8>], cursor: Option<&str>) -> Bytes {
        let Some((last, others)) = frames.split_last() else { return Bytes::new() };
        let mut out = Vec::with_capacity(frames.iter().map(|frame| frame.len() + 16).sum::<usize>() + 128);
        for frame in others {
            match cursor {
                Some(_) => self.written(&pusher::encode::unfinished(frame), &mut out),
                None => self.written(frame, &mut out),
            }
        }
        self.standing(last, cursor, &mut out);
        out.into()
    }

    /// Appends frames whose JSON is written already.
    pub fn written(self, json: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.wrap(json, None));
    }

    /// Appends a notice.
    pub fn notice(self, notice: &Notice<'_>, reference: &Reference, out: &mut Vec<u8>) {
        if self.is_socketio() || self.is_portico() || self == Self::AppointEase {
            // What this dialect has no word for, its clients learn from what happens.
            return;
        }
        if self.is_pusher() {
            let cursor = cursor_of(notice).filter(|_| self.carries_cursor());
            pusher::encode::notice(notice, &mut |json| self.standing(json, cursor, out));
            return;
        }
        let mut json = Vec::with_capacity(256);
        native::encode(notice, reference, &mut json);
        out.extend_from_slice(&self.wrap(&json, cursor_of(notice)));
    }

    /// Puts a JSON text into the transport's frame.
    fn wrap(self, json: &[u8], cursor: Option<&str>) -> Bytes {
        match self {
            Self::NativeWs
            | Self::PusherWs
            | Self::PusherWsCursor
            | Self::PorticoWs
            | Self::SocketIo(_)
            | Self::AppointEase
            | Self::Echo => websocket::text_frame(json),
            Self::NativeWsDeflate
            | Self::PusherWsDeflate
            | Self::PusherWsCursorDeflate
            | Self::PorticoWsDeflate
            | Self::EchoDeflate => compressed(json),
            Self::PorticoIo => {
                let mut packet = Vec::with_capacity(json.len() + 16);
                socketio::encode::said(portico::EVENT, json, &mut packet);
                websocket::text_frame(&packet)
            }
            Self::NativeSse => {
                let mut out = Vec::with_capacity(json.len() + 160);
                native::sse::frame(json, cursor, &mut out);
                out.into()
            }
            Self::PusherXhr | Self::PusherXhrCursor => {
                let mut out = Vec::with_capacity(json.len() + json.len() / 4 + 8);
                pusher::xhr::message(json, &mut out);
                out.into()
            }
            Self::NativePoll => {
                let mut out = Vec::with_capacity(json.len() + 1);
                native::poll::gather(json, &mut out);
                out.into()
            }
        }
    }

    /// A sign of life; an SSE reader also learns where it stands.
    pub fn heartbeat(self, cursor: &str, out: &mut Vec<u8>) {
        match self {
            Self::NativeWs
            | Self::NativeWsDeflate
            | Self::PusherWs
            | Self::PusherWsDeflate
            | Self::PusherWsCursor
            | Self::PusherWsCursorDeflate
            | Self::PorticoWs
            | Self::PorticoWsDeflate
            | Self::AppointEase
            | Self::Echo
            | Self::EchoDeflate => websocket::frame_into(out, Opcode::Ping, b""),
            Self::NativeSse => native::sse::heartbeat(cursor, out),
            Self::PusherXhr | Self::PusherXhrCursor => out.extend_from_slice(pusher::xhr::HEARTBEAT),
            // It asks in its own words.
            Self::SocketIo(_) | Self::PorticoIo | Self::NativePoll => {}
        }
    }

    /// What a transport says before its first frame.
    pub fn greet(self, out: &mut Vec<u8>) {
        match self {
            Self::NativeSse => native::sse::retry(SSE_RETRY, out),
            Self::PusherXhr | Self::PusherXhrCursor => out.extend_from_slice(pusher::xhr::OPEN),
            _ => {}
        }
    }

    /// Says goodbye in the transport's own way.
    pub fn close(self, code: u16, reason: &str, out: &mut Vec<u8>) {
        let code = if self.is_pusher() { super::pusher::close_code(code) } else { code };
        if matches!(self, Self::PusherXhr | Self::PusherXhrCursor) {
            pusher::xhr::close(code, reason, out);
        } else if self.is_websocket() {
            websocket::close_into(out, Some(code), reason);
        }
    }

    /// Is it a WebSocket?
    pub fn is_websocket(self) -> bool {
        !matches!(self, Self::NativeSse | Self::NativePoll | Self::PusherXhr | Self::PusherXhrCursor)
    }

    /// Does it speak the Pusher dialect?
    pub fn is_pusher(self) -> bool {
        matches!(self, Self::PusherWs | Self::PusherWsDeflate | Self::PusherXhr) || self.carries_cursor()
    }

    /// Does it speak the Pusher dialect to clients that carry a cursor?
    pub fn carries_cursor(self) -> bool {
        matches!(self, Self::PusherWsCursor | Self::PusherWsCursorDeflate | Self::PusherXhrCursor)
    }

    /// The same dialect and transport, with a cursor.
    pub fn with_cursor(self) -> Self {
        match self {
            Self::PusherWs => Self::PusherWsCursor,
            Self::PusherWsDeflate => Self::PusherWsCursorDeflate,
            Self::PusherXhr => Self::PusherXhrCursor,
            other => other,
        }
    }

    /// Do its frames come in packets of Socket.IO?
    pub fn is_socketio(self) -> bool {
        matches!(self, Self::PorticoIo) || self.has_words()
    }

    /// Is each channel told in words of its own?
    pub fn has_words(self) -> bool {
        matches!(self, Self::SocketIo(_))
    }

    /// Does it speak the Portico dialect?
    pub fn is_portico(self) -> bool {
        matches!(self, Self::PorticoWs | Self::PorticoWsDeflate | Self::PorticoIo)
    }

    /// Was compression agreed on?
    pub fn is_compressed(self) -> bool {
        matches!(
            self,
            Self::NativeWsDeflate
                | Self::PusherWsDeflate
                | Self::PusherWsCursorDeflate
                | Self::PorticoWsDeflate
                | Self::EchoDeflate
        )
    }

    /// The word that operators see.
    pub fn transport(self) -> &'static str {
        match self {
            Self::NativeSse => "sse",
            Self::NativePoll => "poll",
            Self::PusherXhr | Self::PusherXhrCursor => "xhr",
            _ => "websocket",
        }
    }
}

/// The sealed place of whoever stands right behind an entry.
pub fn token(entry: &Entry, key: &CursorKey) -> Bytes {
    entry.frames.get(TOKEN, || key.seal(&entry.after.into()).into())
}

/// A token is base64 by its making.
pub fn place(token: &[u8]) -> &str {
    std::str::from_utf8(token).unwrap_or_default()
}

fn compressed(json: &[u8]) -> Bytes {
    thread_local! {
        // A compressor is 300 KiB of tables, so each shard keeps one and resets it for every event.
        static DEFLATER: std::cell::RefCell<Deflater> = std::cell::RefCell::new(Deflater::new(1));
    }
    if json.len() < COMPRESS_FROM {
        return websocket::text_frame(json);
    }
    DEFLATER
        .with_borrow_mut(|deflater| deflater.text_frame(&[json]))
        .unwrap_or_else(|| websocket::text_frame(json))
}

fn cursor_of<'a>(notice: &Notice<'a>) -> Option<&'a str> {
    match notice {
        Notice::Welcome { cursor, .. }
        | Notice::Subscribed { cursor, .. }
        | Notice::Event { cursor, .. }
        | Notice::Members { cursor, .. }
        | Notice::Reset { cursor, .. } => Some(cursor),
        // The cursor of a publish's answer is where the event stands, not where this reader does.
        Notice::Published { .. }
        | Notice::Unsubscribed { .. }
        | Notice::Ok
        | Notice::Error(_)
        | Notice::Pong
        | Notice::Ledger { .. }
        | Notice::Refused(_)
        | Notice::Closing { .. } => None,
    }
}

/// A message sent back as it came.
pub fn echo(opcode: Opcode, payload: &[u8], deflate: bool) -> Bytes {
    let compressed = deflate.then(|| Deflater::new(1).frame(opcode, &[payload])).flatten();
    compressed.unwrap_or_else(|| {
        let mut out = Vec::with_capacity(payload.len() + 10);
        websocket::frame_into(&mut out, opcode, payload);
        out.into()
    })
}
