//! A polling client's request as a sink: what leaves for the client is a WebSocket's frame everywhere else, and
//! becomes a packet of a body here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use deskbell_wire::engineio::answer::Answer;
use deskbell_wire::engineio::packet::{Packet, write};
use deskbell_wire::engineio::payload::Payload;
use tokio::sync::oneshot;

use super::super::sink::Wrote;

/// The opcodes of frames that have a packet's form.
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;

/// What waits for something to say, and what there is to say to it.
#[derive(Debug)]
pub struct Outlet {
    waiting: Option<(u64, oneshot::Sender<Answer>)>,
    payload: Payload,
    /// How many there are like it.
    polling: Arc<AtomicUsize>,
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.polling.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Outlet {
    /// An outlet that counts as one for as long as it is there.
    pub fn new(polling: Arc<AtomicUsize>) -> Self {
        polling.fetch_add(1, Ordering::Relaxed);
        Self { waiting: None, payload: Payload::default(), polling }
    }

    /// A request waits, under a number.
    pub fn wait(&mut self, number: u64, to: oneshot::Sender<Answer>) {
        self.waiting = Some((number, to));
    }

    /// Does this request wait?
    pub fn waits(&self, number: u64) -> bool {
        self.waiting.as_ref().is_some_and(|(own, _)| *own == number)
    }

    /// Takes whole frames, as many as one answer has room for, while a request waits.
    pub fn write(&mut self, frames: &Bytes) -> Wrote {
        if self.waiting.is_none() {
            return Wrote::Part(0);
        }
        let mut taken = 0;
        while let Some(frame) = Frame::first(&frames[taken..]) {
            let size =
                if frame.opcode == BINARY { frame.payload.len() * 4 / 3 + 4 } else { frame.payload.len() };
            if !self.payload.has_room(size) {
                return Wrote::Part(taken);
            }
            match frame.opcode {
                TEXT => self.payload.push(frame.payload),
                BINARY => self.payload.push_binary(frame.payload),
                CLOSE => self.payload.push(&close()),
                _ => {}
            }
            taken += frame.len;
        }
        Wrote::All
    }

    /// Answers the request that waits, if there is something to say to it.
    pub fn answer(&mut self) -> bool {
        if self.payload.is_empty() {
            return false;
        }
        let Some((_, to)) = self.waiting.take() else { return false };
        let payload = std::mem::take(&mut self.payload);
        // Whoever has gone away meanwhile says so by itself.
        let _ = to.send(Answer::poll(payload.finish()));
        true
    }

    /// Answers the request that waits with one packet behind whatever there is.
    pub fn answer_with(&mut self, packet: &Packet<'_>) -> bool {
        let mut bytes = Vec::with_capacity(1);
        write(packet, &mut bytes);
        if self.waiting.is_some() {
            self.payload.push(&bytes);
        }
        self.answer()
    }
}

fn close() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1);
    write(&Packet::Close, &mut bytes);
    bytes
}

/// A frame of our own, so that it is whole and has no mask.
struct Frame<'a> {
    opcode: u8,
    payload: &'a [u8],
    len: usize,
}

impl<'a> Frame<'a> {
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (head, size) = match second {
            126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
            short => (2, usize::from(short)),
        };
        let payload = bytes.get(head..head + size)?;
        Some(Self { opcode: first & 0x0f, payload, len: head + size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskbell_core::limits;
    use deskbell_wire::websocket::Opcode;
    use deskbell_wire::websocket::encode::frame_into;

    fn frames(packets: &[&str]) -> Bytes {
        let mut out = Vec::new();
        packets.iter().for_each(|packet| frame_into(&mut out, Opcode::Text, packet.as_bytes()));
        out.into()
    }

    fn body(told: oneshot::Receiver<Answer>) -> String {
        String::from_utf8(told.blocking_recv().unwrap().body.into_owned()).unwrap()
    }

    #[test]
    fn nothing_is_taken_while_nobody_waits() {
        let mut outlet = Outlet::new(Arc::default());
        assert_eq!(outlet.write(&frames(&["42[\"a\"]"])), Wrote::Part(0));
        let (tell, told) = oneshot::channel();
        outlet.wait(1, tell);
        assert!(outlet.waits(1) && !outlet.waits(2) && !outlet.answer());
        let long = "4".repeat(70_000);
        assert_eq!(outlet.write(&frames(&["42[\"a\"]", &long])), Wrote::All);
        assert!(outlet.answer() && !outlet.answer());
        assert_eq!(body(told), format!("42[\"a\"]\u{1e}{long}"));
    }

    #[test]
    fn an_answer_has_as_many_packets_as_every_client_reads() {
        let mut outlet = Outlet::new(Arc::default());
        let (tell, told) = oneshot::channel();
        outlet.wait(1, tell);
        let many = frames(&["42[1]"; 40]);
        let Wrote::Part(taken) = outlet.write(&many) else { panic!("it took all") };
        assert_eq!(taken, limits::POLL_PACKETS_OUT * 7);
        assert!(outlet.answer());
        assert_eq!(body(told).split('\u{1e}').count(), limits::POLL_PACKETS_OUT);
    }

    #[test]
    fn each_is_counted_for_as_long_as_it_is_there() {
        let polling = Arc::default();
        let (one, other) = (Outlet::new(Arc::clone(&polling)), Outlet::new(Arc::clone(&polling)));
        assert_eq!(polling.load(Ordering::Relaxed), 2);
        drop(one);
        assert_eq!(polling.load(Ordering::Relaxed), 1);
        drop(other);
        assert_eq!(polling.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn bytes_become_base64_and_a_close_its_packet() {
        let mut outlet = Outlet::new(Arc::default());
        let (tell, told) = oneshot::channel();
        outlet.wait(1, tell);
        let mut out = Vec::new();
        frame_into(&mut out, Opcode::Binary, &[1, 2, 3]);
        frame_into(&mut out, Opcode::Close, &[]);
        assert_eq!(outlet.write(&out.into()), Wrote::All);
        assert!(outlet.answer());
        assert_eq!(body(told), "bAQID\u{1e}1");
    }
}
