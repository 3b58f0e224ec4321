//! Signs of life: when a page is asked whether it is there, and when it has been silent for too long.

use deskbell_core::limits::{self, Millis};

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Between two `server_ping`.
    pub server_ping: Millis,
    /// Between two `room_ping` in each room of an entity.
    pub room_ping: Millis,
    /// The silence after which a page leaves the rooms of entities.
    pub silence: Millis,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            server_ping: limits::PORTICO_SERVER_PING,
            room_ping: limits::PORTICO_ROOM_PING,
            silence: limits::PORTICO_SILENCE,
        }
    }
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Ask the page.
    ServerPing,
    /// Ask it in each of its rooms.
    RoomPing,
    /// Take it out of the rooms of entities, without a word.
    LeaveRooms,
}

/// The pulse of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    rhythm: Rhythm,
    heard: Millis,
    server_ping: Millis,
    room_ping: Millis,
}

/// Is the page in the room of an entity?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rooms {
    /// In one at least.
    Some,
    /// In none.
    None,
}

impl Pulse {
    /// Of a page that has just connected.
    pub const fn new(rhythm: Rhythm, now: Millis) -> Self {
        Self { rhythm, heard: now, server_ping: now, room_ping: now }
    }

    /// The page said something, whatever it was: there are clients that never answer a `room_ping`.
    pub const fn heard(&mut self, now: Millis) {
        self.heard = now;
    }

    /// When to look next.
    pub fn next(&self, rooms: Rooms) -> Millis {
        let Rhythm { server_ping, room_ping, silence } = self.rhythm;
        let ping = self.server_ping + server_ping;
        match rooms {
            Rooms::None => ping,
            Rooms::Some => ping.min(self.room_ping + room_ping).min(self.heard + silence),
        }
    }

    /// What is to be done now. After a long absence each thing is done once.
    ///
    /// ```
    /// use deskbell_wire::portico::pulse::{Beat, Pulse, Rhythm, Rooms};
    /// let mut pulse = Pulse::new(Rhythm::default(), 0);
    /// assert_eq!(pulse.due(Rooms::Some, 59_999), []);
    /// assert_eq!(pulse.due(Rooms::Some, 60_000), [Beat::ServerPing]);
    /// assert_eq!(pulse.due(Rooms::Some, 480_000), [Beat::ServerPing, Beat::LeaveRooms]);
    /// ```
    pub fn due(&mut self, rooms: Rooms, now: Millis) -> Vec<Beat> {
        let mut beats = Vec::new();
        if now >= self.server_ping + self.rhythm.server_ping {
            self.server_ping = now;
            beats.push(Beat::ServerPing);
        }
        if rooms == Rooms::Some && now >= self.heard + self.rhythm.silence {
            beats.push(Beat::LeaveRooms);
        } else if now >= self.room_ping + self.rhythm.room_ping {
            self.room_ping = now;
            beats.extend((rooms == Rooms::Some).then_some(Beat::RoomPing));
        }
        beats
    }
}
