//! In which namespaces a connection is, and what may therefore be said on it.
//!
//! One connection carries several namespaces. A client asks to be let in to each; whether it may is decided
//! elsewhere and may take a moment. A packet for a namespace that it is not in ends the connection, but for one
//! exception: where we have shown it out, its last packets may still be on their way.

use std::borrow::Cow;

use super::fault::Fault;
use super::packet::{Args, Packet, Said};
use deskbell_core::limits::{self, Millis};

/// What a packet asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks<'a> {
    /// To be let in. Answer with [`Namespaces::let_in`] or [`Namespaces::turn_away`].
    Enter {
        /// What it shows, as a JSON object.
        data: Option<&'a str>,
    },
    /// To be let in to one namespace more than a connection may have. It is turned away.
    EnterTooMany,
    /// Nothing: it has left.
    Left,
    /// That others hear of something.
    Event {
        /// The number under which it waits for an answer.
        id: Option<u64>,
        /// The event's name.
        name: Cow<'a, str>,
        /// What is said of it.
        args: Args<'a>,
    },
    /// It answers an event of ours.
    Answer {
        /// Which one.
        id: u64,
        /// What it answers.
        args: Args<'a>,
    },
    /// Nothing: it was for a namespace out of which the client has just been shown.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// It waits to be let in.
    Before,
    In,
    /// We have shown it out.
    Out,
}

/// The namespaces of one connection.
#[derive(Debug)]
pub struct Namespaces {
    list: Vec<(Box<str>, Stands)>,
    /// Since when it is in none and waits for none.
    idle: Millis,
}

impl Namespaces {
    /// A connection that has just been opened.
    pub const fn new(now: Millis) -> Self {
        Self { list: Vec::new(), idle: now }
    }

    /// What the packet asks for; a fault ends the connection.
    pub fn hear<'a>(&mut self, packet: Packet<'a>, now: Millis) -> Result<Asks<'a>, Fault> {
        let Packet { namespace, said, .. } = packet;
        let stands = self.place(namespace).map(|place| self.list[place].1);
        match (said, stands) {
            (Said::ConnectError { .. }, _) => Err(Fault::Direction),
            (Said::Connect { .. }, Some(Stands::Before | Stands::In)) => Err(Fault::EnteredTwice),
            (Said::Connect { data }, Some(Stands::Out) | None) => Ok(self.ask(namespace, data)),
            (_, None) | (Said::Event { .. } | Said::Ack { .. }, Some(Stands::Before)) => {
                Err(Fault::NotEntered)
            }
            (Said::Disconnect, Some(_)) => {
                self.forget(namespace, now);
                Ok(Asks::Left)
            }
            (_, Some(Stands::Out)) => Ok(Asks::Nothing),
            (Said::Event { id, name, args }, Some(Stands::In)) => Ok(Asks::Event { id, name, args }),
            (Said::Ack { id, args }, Some(Stands::In)) => Ok(Asks::Answer { id, args }),
        }
    }

    /// The client is in a namespace that it asked for. False where it has changed its mind meanwhile.
    pub fn let_in(&mut self, namespace: &str) -> bool {
        let waits = self.place(namespace).filter(|place| self.list[*place].1 == Stands::Before);
        if let Some(place) = waits {
            self.list[place].1 = Stands::In;
        }
        waits.is_some()
    }

    /// The client is not let in to a namespace that it asked for. False where it has changed its mind meanwhile.
    pub fn turn_away(&mut self, namespace: &str, now: Millis) -> bool {
        let waits = self.place(namespace).is_some_and(|place| self.list[place].1 == Stands::Before);
        if waits {
            self.forget(namespace, now);
        }
        waits
    }

    /// The client is shown out of a namespace that it is in. False where it is not in it.
    pub fn show_out(&mut self, namespace: &str, now: Millis) -> bool {
        let inside = self.place(namespace).filter(|place| self.list[*place].1 == Stands::In);
        if let Some(place) = inside {
            self.list[place].1 = Stands::Out;
            self.idle = now;
        }
        inside.is_some()
    }

    /// Is it in this namespace?
    pub fn is_in(&self, namespace: &str) -> bool {
        self.place(namespace).is_some_and(|place| self.list[place].1 == Stands::In)
    }

    /// The namespaces that it is in.
    pub fn entered(&self) -> impl Iterator<Item = &str> {
        self.list.iter().filter(|(_, stands)| *stands == Stands::In).map(|(name, _)| &**name)
    }

    /// When the connection ends, because it is in no namespace and asks for none.
    pub fn deadline(&self) -> Option<Millis> {
        let idle = self.list.iter().all(|(_, stands)| *stands == Stands::Out);
        idle.then_some(self.idle + limits::CONNECT_TIME)
    }

    fn ask<'a>(&mut self, namespace: &str, data: Option<&'a str>) -> Asks<'a> {
        match self.place(namespace) {
            Some(place) => self.list[place].1 = Stands::Before,
            None => {
                // What we have shown it out of is remembered only while there is room.
                if self.list.len() == limits::NAMESPACES_PER_CONNECTION
                    && let Some(place) = self.list.iter().position(|(_, stands)| *stands == Stands::Out)
                {
                    self.list.swap_remove(place);
                }
                if self.list.len() == limits::NAMESPACES_PER_CONNECTION {
                    return Asks::EnterTooMany;
                }
                self.list.push((namespace.into(), Stands::Before));
            }
        }
        Asks::Enter { data }
    }

    fn place(&self, namespace: &str) -> Option<usize> {
        self.list.iter().position(|(name, _)| &**name == namespace)
    }

    fn forget(&mut self, namespace: &str, now: Millis) {
        self.list.retain(|(name, _)| &**name != namespace);
        self.idle = now;
    }
}
