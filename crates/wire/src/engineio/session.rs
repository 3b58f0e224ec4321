//! The rules of one session: which request waits, who must show a sign of life, and how a client changes from
//! polling to a WebSocket. What is waiting to be sent stands elsewhere; here is only the order of things.
//!
//! While a WebSocket is tried, the heartbeat stands still: its packets would have to choose between two ways of
//! which one is about to end. Whatever becomes of the trial, it is over after the time for upgrades, and then the
//! heartbeat goes on with the time that it had left.

use super::asked::Transport;
use super::packet::{PROBE, Packet};
use deskbell_core::limits::{self, Millis};

/// The times of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From one sign of life to the next question for one.
    pub ping_interval: Millis,
    /// For the answer.
    pub ping_timeout: Millis,
    /// For a client to change to a WebSocket that it has opened.
    pub upgrade_timeout: Millis,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ping_interval: limits::HEARTBEAT,
            ping_timeout: limits::PONG_TIME,
            upgrade_timeout: limits::UPGRADE_TIME,
        }
    }
}

/// Why a session ended, in the words that the libraries have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The client said so, or its transport went away.
    TransportClose,
    /// The client did what the protocol forbids.
    TransportError,
    /// The client gave no sign of life.
    PingTimeout,
    /// A packet could not be read.
    ParseError,
}

impl Ending {
    /// The libraries' word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
        }
    }

    /// Whether the client may come back as who it was. Who speaks another protocol would only do so again.
    pub const fn is_recoverable(self) -> bool {
        !matches!(self, Self::ParseError)
    }
}

/// Why a request got nothing of what it wanted. It is answered with
/// [`Fault::BadRequest`](super::asked::Fault::BadRequest).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The session goes on, but not with such requests: it has its WebSocket.
    Refused,
    /// The session has ended by it. A request that waits is answered with a close.
    Ended(Ending),
}

/// What becomes of a request that asks what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Get {
    /// It waits.
    Wait,
    /// It gets what there is.
    Answer,
    /// It gets a noop at once.
    Noop,
}

/// What a packet means for the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is a message for whoever is above.
    Message,
    /// Nothing more.
    Nothing,
    /// Answer it with [`PROBE_ANSWER`](super::packet::PROBE_ANSWER), and a request that waits with a noop.
    Probe,
    /// The session goes on over the WebSocket.
    Upgraded,
    /// Close the WebSocket; the session polls on.
    Abandon,
}

/// What the time demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing before this moment.
    Until(Millis),
    /// Send a ping.
    Ping,
    /// Close the WebSocket that was tried; the session polls on.
    Abandon,
    /// The session has ended.
    End(Ending),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Polling,
    /// It polls, and a WebSocket is open beside it.
    Trying {
        since: Millis,
        probed: bool,
    },
    WebSocket,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beat {
    PingAt(Millis),
    PongBy(Millis),
}

/// One session.
#[derive(Debug, Clone)]
pub struct Session {
    timing: Timing,
    way: Way,
    beat: Beat,
    /// A GET waits for something to say.
    waits: bool,
    /// A POST is being read.
    posting: bool,
}

impl Session {
    /// A session that begins now. The first ping comes after one interval: clients expect no earlier one.
    pub const fn new(transport: Transport, timing: Timing, now: Millis) -> Self {
        let way = match transport {
            Transport::Polling => Way::Polling,
            Transport::WebSocket => Way::WebSocket,
        };
        let beat = Beat::PingAt(now + timing.ping_interval);
        Self { timing, way, beat, waits: false, posting: false }
    }

    /// Over what the session goes on.
    pub const fn transport(&self) -> Transport {
        match self.way {
            Way::WebSocket => Transport::WebSocket,
            Way::Polling | Way::Trying { .. } | Way::Over => Transport::Polling,
        }
    }

    /// Whether it has ended.
    pub const fn is_over(&self) -> bool {
        matches!(self.way, Way::Over)
    }

    /// Whether what is said may leave now: over the WebSocket always, over polling while a request waits and no
    /// WebSocket has answered a probe. From then on everything waits for the WebSocket, in its order.
    pub const fn may_send(&self) -> bool {
        match self.way {
            Way::WebSocket => true,
            Way::Polling | Way::Trying { probed: false, .. } => self.waits,
            Way::Trying { probed: true, .. } | Way::Over => false,
        }
    }

    /// A request asks what there is; `queued` says that there is something.
    pub fn get(&mut self, queued: bool) -> Result<Get, Over> {
        match self.way {
            Way::WebSocket => Err(Over::Refused),
            Way::Over => Err(Over::Ended(Ending::TransportClose)),
            _ if self.waits => Err(Over::Ended(self.end(Ending::TransportError))),
            Way::Trying { probed: true, .. } => Ok(Get::Noop),
            _ if queued => Ok(Get::Answer),
            _ => {
                self.waits = true;
                Ok(Get::Wait)
            }
        }
    }

    /// The request that waited has its answer.
    pub fn answered(&mut self) {
        self.waits = false;
    }

    /// The client has gone away from a request that waited: nobody can tell what it has got.
    pub fn aborted(&mut self) -> Option<Ending> {
        self.waits.then(|| self.end(Ending::TransportClose))
    }

    /// A request brings something. Read it, and then say [`posted`](Self::posted).
    pub fn post(&mut self) -> Result<(), Over> {
        match self.way {
            Way::WebSocket => Err(Over::Refused),
            Way::Over => Err(Over::Ended(Ending::TransportClose)),
            _ if self.posting => Err(Over::Ended(self.end(Ending::TransportError))),
            _ => {
                self.posting = true;
                Ok(())
            }
        }
    }

    /// What a request brought has been read.
    pub fn posted(&mut self) {
        self.posting = false;
    }

    /// A packet that came over what the session lives on.
    pub fn heard(&mut self, packet: &Packet<'_>, now: Millis) -> Result<Step, Ending> {
        if self.is_over() {
            return Err(Ending::TransportClose);
        }
        match packet {
            Packet::Message(_) | Packet::Binary(_) => Ok(Step::Message),
            Packet::Pong(_) => {
                // An answer that nobody asked for does no harm, and puts nothing off.
                if let Beat::PongBy(_) = self.beat {
                    self.beat = Beat::PingAt(now + self.timing.ping_interval);
                }
                Ok(Step::Nothing)
            }
            Packet::Close => Err(self.end(Ending::TransportClose)),
            Packet::Open(_) | Packet::Ping(_) | Packet::Upgrade | Packet::Noop => {
                Err(self.end(Ending::TransportError))
            }
        }
    }

    /// A WebSocket names the session. It is taken up beside polling, once at a time; refused, it is closed and
    /// the session goes on as it was.
    pub fn try_websocket(&mut self, now: Millis) -> bool {
        let may = self.way == Way::Polling;
        if may {
            self.way = Way::Trying { since: now, probed: false };
        }
        may
    }

    /// A packet that came over the WebSocket that is tried.
    pub fn tried(&mut self, packet: &Packet<'_>, now: Millis) -> Step {
        match (self.way, packet) {
            (Way::Trying { since, .. }, Packet::Ping(PROBE)) => {
                self.way = Way::Trying { since, probed: true };
                Step::Probe
            }
            (Way::Trying { probed: true, .. }, Packet::Upgrade) => {
                self.end_trial(Way::WebSocket, now);
                self.waits = false;
                Step::Upgraded
            }
            _ => {
                self.abandon(now);
                Step::Abandon
            }
        }
    }

    /// The WebSocket that was tried is gone; the session polls on.
    pub fn abandon(&mut self, now: Millis) {
        if let Way::Trying { .. } = self.way {
            self.end_trial(Way::Polling, now);
        }
    }

    /// What the time demands.
    pub fn due(&mut self, now: Millis) -> Due {
        let (at, due) = match (self.way, self.beat) {
            (Way::Over, _) => return Due::End(Ending::TransportClose),
            (Way::Trying { since, .. }, _) => (since + self.timing.upgrade_timeout, Due::Abandon),
            (_, Beat::PingAt(at)) => (at, Due::Ping),
            (_, Beat::PongBy(at)) => (at, Due::End(Ending::PingTimeout)),
        };
        if now < at {
            return Due::Until(at);
        }
        match due {
            Due::Ping => self.beat = Beat::PongBy(now + self.timing.ping_timeout),
            Due::Abandon => self.abandon(now),
            Due::End(ending) => drop(self.end(ending)),
            Due::Until(_) => {}
        }
        due
    }

    /// Whoever is above ends it.
    pub fn end_now(&mut self, ending: Ending) {
        let _ = self.end(ending);
    }

    fn end(&mut self, ending: Ending) -> Ending {
        self.way = Way::Over;
        ending
    }

    fn end_trial(&mut self, way: Way, now: Millis) {
        if let Way::Trying { since, .. } = self.way {
            let stood = now.saturating_sub(since);
            self.beat = match self.beat {
                Beat::PingAt(at) => Beat::PingAt(at + stood),
                Beat::PongBy(at) => Beat::PongBy(at + stood),
            };
        }
        self.way = way;
    }
}
