//! A packet that is written once and sent to many, over both transports from the same bytes.

use bytes::Bytes;

use super::encode::{self, Event};
use crate::websocket::Opcode;
use crate::websocket::encode::Shape;
use deskbell_core::event::Data;

/// The longest header of a server's WebSocket frame.
const HEADER: usize = 10;

/// A packet as a WebSocket frame, of which polling takes the part behind the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    frame: Bytes,
    header: u8,
}

impl Prepared {
    /// An event of a namespace for everybody in it; `None` where its name [cannot be said](encode::is_sayable).
    /// With an `offset` it is for those that know what the argument more means, without one for all others.
    pub fn event(namespace: &str, name: &str, data: &Data, offset: Option<&str>) -> Option<Self> {
        let event = Event { namespace, id: None, name, offset };
        let room = data.bytes.len() + namespace.len() + name.len() + 160;
        encode::is_sayable(name).then(|| Self::write(room, |out| encode::event(&event, data, out)))
    }

    /// Any packet; `write` appends its text, for which there is room for so many bytes at once.
    pub fn write(room: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + room);
        bytes.resize(HEADER, 0);
        write(&mut bytes);
        let head = Shape::whole(Opcode::Text).head(bytes.len() - HEADER);
        // The header is written backwards from the payload, so that nothing has to be moved.
        let start = HEADER - head.as_bytes().len();
        bytes[start..HEADER].copy_from_slice(head.as_bytes());
        let header = head.as_bytes().len() as u8;
        Self { frame: Bytes::from(bytes).slice(start..), header }
    }

    /// The whole frame, for a WebSocket.
    pub const fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The packet alone, for the body of a poll.
    pub fn packet(&self) -> &[u8] {
        &self.frame[usize::from(self.header)..]
    }
}
