//! What clients of the Pusher dialect ask: each frame is judged by its signature and becomes an act on the
//! same sessions, channels and log that all other clients use.
//!
//! | file | what |
//! |---|---|
//! | `mod` | frames come in, refusals go out, signs of life |
//! | [`subscribe`] | channels, their members and their last event |
//! | [`person`] | signed-in users, and those who watch them |
//! | [`carried`] | clients that carry a cursor, so that a cut loses nothing |
//! | [`xhr`] | clients that come by requests instead of a WebSocket |

mod carried;
mod person;
mod subscribe;
mod xhr;

use std::sync::Arc;

use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventName};
use deskbell_core::limits::Millis;
use deskbell_core::news::{News, Said};
use deskbell_core::rate::Bucket;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::Reference;
use deskbell_wire::pusher::{self, Asked, Guard, Member, code, encode};

pub use xhr::Receiving;

use super::Shard;
use super::depart::code as native;
use crate::app::App;
use crate::hub::Whisper;
use crate::pusher::Terms;

/// What only few clients have: those who speak, and those who are somebody.
#[derive(Debug, Default)]
pub struct Speaker {
    /// How much it may say to others.
    pub bucket: Bucket,
    /// Who it is.
    pub user: Option<Member>,
    /// Subscriptions by which it watches other users; they are not its own.
    pub watches: usize,
}

/// The close code that a client of this dialect understands.
pub fn close_code(code: u16) -> u16 {
    match code {
        native::RESTART | native::TRY_AGAIN | native::SUPERSEDED => code::AGAIN,
        native::EXPIRED | native::DISCONNECTED => code::UNAUTHORIZED,
        native::NO_APP => code::NO_APP,
        native::SILENT => code::SILENT,
        native::SLOW => code::BUSY,
        other => other,
    }
}

impl Shard {
    /// Takes one message in.
    pub(super) fn take_pusher(&mut self, slot: u32, text: &str) {
        let none = Reference::none();
        match pusher::decode(text) {
            Err(refusal) => {
                if self.may_send(slot, &none) {
                    self.say(slot, &Notice::Error(&refusal), &none);
                }
            }
            // The answer to a sign of life costs less than its refusal would.
            Ok(Asked::Ping) => self.write_standing(slot, &encode::pong()),
            Ok(Asked::Pong) => {}
            Ok(asked) => {
                if self.may_send(slot, &none) {
                    self.act_on(slot, asked);
                }
            }
        }
    }

    fn act_on(&mut self, slot: u32, asked: Asked) {
        match asked {
            Asked::Subscribe(wish) => self.pusher_subscribe(slot, &wish),
            Asked::Unsubscribe(channel) => {
                // A client that changes its mind says so without knowing how far it has come.
                let _ = self.unsubscribe(slot, &channel);
            }
            Asked::SignIn(wish) => self.sign_in(slot, &wish),
            Asked::Whisper { channel, name, data } => {
                if let Err(refusal) = self.speak(slot, &channel, name, data) {
                    self.refuse(slot, &refusal, Some(channel.as_str()));
                }
            }
            Asked::Ping | Asked::Pong => {}
        }
    }

    /// Gives what a client says to the others.
    fn speak(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        name: EventName,
        data: Data,
    ) -> Result<(), Refusal> {
        let (hub, terms) = (self.hub.clone(), self.terms(slot)?);
        if !terms.client_events {
            let sentence = "clients may not speak to each other here; allow it with pusher.client_events";
            return Err(Refusal::new(Code::BadState, sentence));
        }
        if !Guard::of(channel.as_str()).lets_clients_speak() {
            let sentence = "clients speak to each other on private and presence channels only";
            return Err(Refusal::new(Code::Denied, sentence));
        }
        if !self.is_subscribed(slot, channel) {
            let sentence = "only who is subscribed may speak on a channel; wait for subscription_succeeded";
            return Err(Refusal::new(Code::NotSubscribed, sentence));
        }
        let now = self.now;
        let Some(client) = self.clients.get_mut(slot) else { return Ok(()) };
        client.speaker.get_or_insert_default().bucket.take(terms.client_rate, now).map_err(|wait| {
            Refusal::new(Code::RateLimited, format!("this client speaks too often; wait {wait} ms"))
        })?;
        let entered = client.session.entered.iter().flat_map(|entered| entered.iter());
        let by = entered
            .filter(|presence| presence.channel == *channel)
            .find_map(|presence| presence.member.clone());
        let from = client.session.public_id();
        let app = &hub.apps[usize::from(client.app)];
        hub.hooks.tell(app, now, || {
            let (channel, event, data) = (channel.clone(), name.clone(), data.clone());
            News::Said(Said { channel, event, data, socket: from, user: by.clone() })
        });
        hub.whisper(app, Whisper { channel: channel.clone(), name, data, from, by }, now)
    }

    /// Tells a client "no"; the connection stays.
    fn refuse(&mut self, slot: u32, refusal: &Refusal, channel: Option<&str>) {
        self.hub.metrics.refused(refusal.code);
        self.write(slot, &encode::error(code::of_refusal(refusal.code), &refusal.message, channel));
    }

    /// Adds a frame to the replies of the client that is being served.
    fn write(&mut self, slot: u32, json: &[u8]) {
        let Some(variant) = self.clients.get(slot).map(|client| client.variant) else { return };
        variant.written(json, &mut self.out);
    }

    /// The app of a client.
    fn app_of(&self, slot: u32) -> Result<&App, Refusal> {
        let over = || Refusal::new(Code::Unavailable, "the connection is over; connect again");
        let client = self.clients.get(slot).ok_or_else(over)?;
        Ok(&self.hub.apps[usize::from(client.app)])
    }

    fn terms(&self, slot: u32) -> Result<Arc<Terms>, Refusal> {
        Ok(self.app_of(slot)?.pusher.load_full())
    }

    /// A client that says nothing is asked first in its own words, and then given up: also one that is in
    /// no channel. True where it was given up.
    pub(super) fn is_silent_pusher(&mut self, slot: u32, silent: Millis) -> bool {
        let (asks, ends) =
            (self.tuning.pusher_activity, self.tuning.pusher_activity + self.tuning.pusher_pong);
        let Some(client) = self.clients.get_mut(slot) else { return false };
        // However late this looks: nobody is given up who was not asked.
        let was_asked = std::mem::replace(&mut client.asked, silent >= asks);
        if silent >= ends && was_asked {
            self.close(slot, code::SILENT, "Pong reply not received");
            return true;
        }
        if silent >= asks {
            self.write(slot, &encode::ping());
        }
        false
    }
}
