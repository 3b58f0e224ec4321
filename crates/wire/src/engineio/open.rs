//! The first packet of a session: its secret name, and how it is kept alive.

use std::io::Write as _;

use super::session::Timing;
use super::sid::Sid;

/// What the first packet says.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    /// The session's secret name.
    pub sid: Sid,
    /// It polls, so that it may change to a WebSocket.
    pub upgrades: bool,
    /// How it is kept alive.
    pub timing: Timing,
    /// Bytes that a client may send in one message or body.
    pub max_payload: usize,
}

impl Open {
    /// Writes the packet. Clients look for exactly these five fields.
    pub fn write_into(&self, out: &mut Vec<u8>) {
        let sid = self.sid.to_text();
        let upgrades = if self.upgrades { r#"["websocket"]"# } else { "[]" };
        let Timing { ping_interval, ping_timeout, .. } = self.timing;
        let max = self.max_payload;
        write!(
            out,
            r#"0{{"sid":"{sid}","upgrades":{upgrades},"pingInterval":{ping_interval},"pingTimeout":{ping_timeout},"maxPayload":{max}}}"#
        )
        .expect("writing into memory cannot fail");
    }
}
