//! The acts on inboxes and conversations that both the HTTP API and the shards perform.
//!
//! | part | what |
//! |---|---|
//! | [`ask`] | a plea becomes a command, its key scoped |
//! | [`look`] | what there is, with the cursor from which its changes follow |
//! | [`typing`] | who writes at the moment |
//!
//! None of them waits: what they are given to call hears the answer on a thread of the store.

mod look;

use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::access::Identity;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventName};
use deskbell_core::limits::Millis;
use deskbell_core::post::{Command, Plea, whose};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::Actor;
use deskbell_core::vocabulary::{Publish, Typing};
use serde_json::json;

pub use look::{Found, Shown, look};

use crate::app::App;
use crate::hub::Hub;
use crate::ledger;
use crate::store::{Errand, Ran};

/// Asks the ledger. `heard` hears what became of it exactly once, on a thread of the store or here and now.
pub fn ask(
    hub: &Hub,
    app: &App,
    actor: Actor,
    plea: Plea,
    heard: impl FnOnce(Result<Ran, Refusal>) + Send + 'static,
) {
    let word = plea.act.word();
    let once = plea.key.as_ref().map(|key| ledger::once(app, &actor, word, key, plea.body));
    let errand = Errand { app: app.id, command: Command { actor, act: plea.act }, once };
    hub.store.run(errand, Box::new(heard));
}

/// Tells a conversation that somebody writes, or has stopped. Nobody is owed it.
pub fn typing(hub: &Hub, app: &App, who: &Identity, typing: &Typing, now: Millis) -> Result<(), Refusal> {
    let user = whose(who, typing.of.as_ref())?;
    let channel = ChannelName::parse(&format!("typing:{}", typing.conversation))?;
    let member = app.members.with(app.id, |members| members.of_channel(channel.as_str(), user.as_str()));
    if member.is_none() {
        return Err(nowhere());
    }
    let data = json!({ "conversation_id": typing.conversation, "user": user, "typing": typing.typing });
    let data = Data::json(Bytes::from(data.to_string()));
    let name = EventName::parse("typing.changed")?;
    let publish = Publish { channel, name, data, id: None, key: None, except: None };
    drop(hub.publish(app, &Identity::backend(), publish, now, drop));
    Ok(())
}

/// Whoever is in no conversation of an id hears that there is none.
fn nowhere() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such conversation, or you are not in it")
}

/// Who asks here.
pub fn actor(app: &App, identity: Arc<Identity>) -> Actor {
    ledger::actor(app, identity, false)
}
