//! The values that shards work with and a reload may change.

use deskbell_core::limits::{self, Millis};
use deskbell_core::rate::Rate;
use deskbell_wire::portico::pulse::Rhythm;

/// Limits and times of client connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Bytes of an incoming message.
    pub frame: usize,
    /// Messages of one connection.
    pub rate: Rate,
    /// Messages of one identity.
    pub identity_rate: Rate,
    /// Messages of one address.
    pub address_rate: Rate,
    /// Subscriptions of one session.
    pub subscriptions: usize,
    /// Bytes that wait for a slow socket.
    pub backlog: usize,
    /// Sessions that wait for their client on one shard.
    pub parked: usize,
    /// The same of one address.
    pub parked_per_address: usize,
    /// Time in which a session can be resumed.
    pub resume_window: Millis,
    /// Time between a lost connection and the `left` that others see.
    pub presence_grace: Millis,
    /// Time that a holder without a connection has to come back.
    pub hold_grace: Millis,
    /// Holds that are made over a connection end with their holder's last one.
    pub holds_end_with_connections: bool,
    /// Time between signs of life.
    pub heartbeat: Millis,
    /// Time without any sign of life after which a connection is closed.
    pub silence: Millis,
    /// Time in which a slow reader must take something.
    pub stalled: Millis,
    /// Time after which an SSE stream ends.
    pub sse_rotation: Millis,
    /// Time without a message after which Pusher clients ask, and are asked.
    pub pusher_activity: Millis,
    /// Time that the answer has.
    pub pusher_pong: Millis,
    /// How often pages of the Portico dialect are asked for a sign of life.
    pub portico: Rhythm,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            frame: limits::FRAME_IN,
            rate: Rate { per_second: limits::RATE_PER_CONNECTION, burst: limits::BURST_PER_CONNECTION },
            identity_rate: Rate { per_second: limits::RATE_PER_IDENTITY, burst: limits::BURST_PER_IDENTITY },
            address_rate: Rate { per_second: limits::RATE_PER_ADDRESS, burst: limits::BURST_PER_ADDRESS },
            subscriptions: limits::SUBSCRIPTIONS,
            backlog: limits::BACKLOG,
            parked: limits::PARKED,
            parked_per_address: limits::PARKED_PER_ADDRESS,
            resume_window: limits::RESUME_WINDOW,
            presence_grace: limits::PRESENCE_GRACE,
            hold_grace: limits::HOLD_GRACE,
            holds_end_with_connections: true,
            heartbeat: limits::HEARTBEAT,
            silence: limits::SILENCE,
            stalled: limits::STALLED,
            sse_rotation: limits::SSE_ROTATION,
            pusher_activity: limits::PUSHER_ACTIVITY,
            pusher_pong: limits::PUSHER_PONG,
            portico: Rhythm::default(),
        }
    }
}
