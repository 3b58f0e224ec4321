//! From the bytes of a socket to messages.

use std::ops::Range;

use super::deflate::Inflater;
use super::header::{self, Header, MAX_HEADER};
use super::message::Message;
use super::{Opcode, Role, Violation, close, mask};

/// The bounds of what a peer may send. They are passed with each read, so that a connection does not carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most payload bytes of one frame.
    pub max_frame: usize,
    /// The most bytes of one message, both as it is sent and after inflating.
    pub max_message: usize,
}

/// One thing that the peer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping; answer with a pong of the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The peer's last frame. Answer it unless we closed first. Nothing after it is read.
    Close {
        /// The code, if the peer gave one.
        code: Option<u16>,
        /// The reason, often empty.
        reason: &'a str,
    },
}

/// The reading half of one WebSocket.
///
/// Between two messages it is 32 bytes and owns no memory: what a message needs while it is in pieces is
/// allocated when the first piece is kept and freed when the message is handed out. An incomplete message costs
/// at most [`Limits::max_message`] bytes, and never more than twice what has really arrived.
#[derive(Debug)]
pub struct Decoder {
    open: Option<Box<Open>>,
    /// The first bytes of a header whose rest has not arrived.
    head: [u8; MAX_HEADER],
    head_len: u8,
    role: Role,
    deflate: bool,
    /// A close was read or a rule was broken: whatever follows is dropped.
    ended: bool,
}

const _: () = assert!(size_of::<Decoder>() <= 32);

/// What is kept from one read to the next, beside the start of a header.
#[derive(Debug, Default)]
struct Open {
    /// The frame within which the last read ended.
    frame: Option<Frame>,
    /// The payload so far, if that frame is a control frame.
    control: Vec<u8>,
    /// The message under way.
    message: Option<Message>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    header: Header,
    /// How many payload bytes of it were read.
    done: u64,
}

impl Decoder {
    /// A decoder for the first byte after the handshake. `deflate` says whether compression was negotiated.
    pub const fn new(role: Role, deflate: bool) -> Self {
        Self { open: None, head: [0; MAX_HEADER], head_len: 0, role, deflate, ended: false }
    }

    /// Takes what was read from the socket. Call [`Feed::next_item`] on the result until it says `None`; the
    /// bytes are unmasked where they lie, so that they can be handed out without a copy.
    pub fn feed<'a>(&'a mut self, bytes: &'a mut [u8], limits: Limits) -> Feed<'a> {
        Feed { decoder: self, bytes, at: 0, limits, held: Vec::new(), inflater: None }
    }

    /// Whether a close was read or a violation was found: nothing more will come out.
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the bytes so far end between two messages.
    pub const fn is_idle(&self) -> bool {
        self.open.is_none() && self.head_len == 0
    }

    fn end(&mut self) {
        self.ended = true;
        self.open = None;
        self.head_len = 0;
    }

    fn open(&mut self) -> &mut Open {
        self.open.get_or_insert_default()
    }

    /// Gives the memory back once nothing is under way.
    fn release(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.frame.is_none() && open.message.is_none()) {
            self.open = None;
        }
    }

    /// Judges a frame by its header alone, before any of its payload is looked at.
    fn admit(&self, header: &Header, limits: Limits) -> Result<(), Violation> {
        if header.opcode.is_control() {
            return Ok(());
        }
        let message = self.open.as_ref().and_then(|open| open.message.as_ref());
        let so_far = match (message, header.opcode) {
            (None, Opcode::Continuation) => return Err(Violation::StrayContinuation),
            (Some(message), Opcode::Continuation) if !message.has_room_for_a_frame() => {
                return Err(Violation::TooManyFragments);
            }
            (Some(message), Opcode::Continuation) => message.len(),
            (Some(_), _) => return Err(Violation::InterruptedMessage),
            (None, _) => 0,
        };
        if header.len > limits.max_frame as u64 {
            return Err(Violation::FrameTooBig);
        }
        if header.len > limits.max_message.saturating_sub(so_far) as u64 {
            return Err(Violation::MessageTooBig);
        }
        Ok(())
    }
}

/// One read's worth of bytes on its way through a [`Decoder`].
///
/// Dropping it drops the bytes that were not yet asked for; [`Feed::rest`] shows them to a caller that wants to
/// go on with them later.
#[derive(Debug)]
pub struct Feed<'a> {
    decoder: &'a mut Decoder,
    bytes: &'a mut [u8],
    at: usize,
    limits: Limits,
    /// The payload last handed out, if it did not lie whole in `bytes`.
    held: Vec<u8>,
    inflater: Option<Inflater>,
}

/// Where the payload of the next item is.
struct Found {
    opcode: Opcode,
    place: Place,
}

enum Place {
    Read(Range<usize>),
    Held,
}

impl Feed<'_> {
    /// The next item, or `None` when all bytes are used up. After a violation or a close only `None` follows.
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, Violation> {
        self.held = Vec::new();
        let found = self.advance();
        let Self { decoder, bytes, held, .. } = self;
        let item = found.and_then(|found| {
            let Some(Found { opcode, place }) = found else { return Ok(None) };
            let payload = match place {
                Place::Read(range) => &bytes[range],
                Place::Held => &held[..],
            };
            item(opcode, payload).map(Some)
        });
        if matches!(item, Err(_) | Ok(Some(Item::Close { .. }))) {
            decoder.end();
        }
        item
    }

    /// The bytes that no item has used yet. Feed them again, in front of what is read next.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn advance(&mut self) -> Result<Option<Found>, Violation> {
        while !self.decoder.ended {
            let under_way = self.decoder.open.as_mut().and_then(|open| open.frame.take());
            let frame = match under_way {
                Some(frame) => frame,
                None => match self.next_header()? {
                    Some(header) => Frame { header, done: 0 },
                    None => break,
                },
            };
            let Frame { header, done } = frame;
            let missing = header.len - done;
            let take = missing.min((self.bytes.len() - self.at) as u64);
            let range = self.at..self.at + take as usize;
            self.at = range.end;
            mask::apply(&mut self.bytes[range.clone()], header.mask, done);

            let complete = take == missing;
            let found = if header.opcode.is_control() {
                self.control(frame, range, complete)
            } else {
                self.data(frame, range, complete)?
            };
            if !complete {
                self.decoder.open().frame = Some(Frame { header, done: done + take });
                break;
            }
            self.decoder.release();
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Reads a header, which may have begun in an earlier read, and admits its frame.
    fn next_header(&mut self) -> Result<Option<Header>, Violation> {
        let decoder = &mut *self.decoder;
        let kept = usize::from(decoder.head_len);
        let fresh = &self.bytes[self.at..];
        let filled = (kept + fresh.len()).min(MAX_HEADER);
        decoder.head[kept..filled].copy_from_slice(&fresh[..filled - kept]);
        let Some((header, used)) = header::parse(&decoder.head[..filled], decoder.role, decoder.deflate)?
        else {
            decoder.head_len = filled as u8;
            self.at = self.bytes.len();
            return Ok(None);
        };
        decoder.head_len = 0;
        self.at += used - kept;
        decoder.admit(&header, self.limits)?;
        Ok(Some(header))
    }

    fn control(&mut self, frame: Frame, range: Range<usize>, complete: bool) -> Option<Found> {
        let opcode = frame.header.opcode;
        if complete && frame.done == 0 {
            return Some(Found { opcode, place: Place::Read(range) });
        }
        let kept = &mut self.decoder.open().control;
        kept.extend_from_slice(&self.bytes[range]);
        if !complete {
            return None;
        }
        self.held = std::mem::take(kept);
        Some(Found { opcode, place: Place::Held })
    }

    fn data(
        &mut self,
        frame: Frame,
        range: Range<usize>,
        complete: bool,
    ) -> Result<Option<Found>, Violation> {
        let Frame { header, done } = frame;
        let whole = complete && done == 0 && header.fin && header.opcode != Opcode::Continuation;
        if whole && !header.compressed {
            return Ok(Some(Found { opcode: header.opcode, place: Place::Read(range) }));
        }
        if whole {
            return self.inflate(header.opcode, None, range).map(Some);
        }
        if range.is_empty() && !complete {
            // Only the header has arrived. The payload may still come whole, and then goes out without a copy.
            return Ok(None);
        }
        let open = self.decoder.open();
        let message = open.message.get_or_insert_with(|| Message::new(header.opcode, header.compressed));
        message.append(&self.bytes[range], self.limits.max_message)?;
        if complete {
            message.end_frame();
        }
        if !(complete && header.fin) {
            return Ok(None);
        }
        let (opcode, compressed) = (message.opcode, message.compressed);
        let bytes = open.message.take().map(Message::into_bytes).unwrap_or_default();
        if compressed {
            return self.inflate(opcode, Some(bytes), 0..0).map(Some);
        }
        self.held = bytes;
        Ok(Some(Found { opcode, place: Place::Held }))
    }

    /// Inflates a whole message, either `kept` or at `range` of this read.
    fn inflate(
        &mut self,
        opcode: Opcode,
        kept: Option<Vec<u8>>,
        range: Range<usize>,
    ) -> Result<Found, Violation> {
        let inflater = self.inflater.get_or_insert_with(Inflater::new);
        let payload = kept.as_deref().unwrap_or(&self.bytes[range]);
        self.held = inflater.message(payload, self.limits.max_message)?;
        Ok(Found { opcode, place: Place::Held })
    }
}

fn item(opcode: Opcode, payload: &[u8]) -> Result<Item<'_>, Violation> {
    Ok(match opcode {
        Opcode::Text => Item::Text(str::from_utf8(payload).map_err(|_| Violation::Utf8)?),
        // A continuation never gets here: it goes out under the opcode that began its message.
        Opcode::Binary | Opcode::Continuation => Item::Binary(payload),
        Opcode::Ping => Item::Ping(payload),
        Opcode::Pong => Item::Pong(payload),
        Opcode::Close => {
            let (code, reason) = close::parse(payload)?;
            Item::Close { code, reason }
        }
    })
}
