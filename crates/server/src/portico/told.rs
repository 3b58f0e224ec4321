//! What the site publishes becomes an event like every other, or a look at a session's applications.

use std::sync::Arc;

use deskbell_core::access::Identity;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventId};
use deskbell_core::vocabulary::Publish;
use deskbell_wire::portico::message::Message;
use deskbell_wire::portico::published::Published;

use super::applications;
use crate::clock;
use crate::hub::{Hub, Outcome};

/// The publish of a message.
pub fn publish_of(channel: ChannelName, message: &Message, id: Option<EventId>) -> Publish {
    let data = Data::json(message.text().to_owned());
    Publish { channel, name: message.name(), data, id, key: None, except: None }
}

/// Does what a file says; `id` is the file's, which counts where the message has none of the helper's. Where it cannot be known yet, `later` hears it; a look at the applications is nobody's
/// to wait for, and goes on by itself.
pub fn tell(
    hub: &Arc<Hub>,
    app: usize,
    published: Published,
    id: EventId,
    later: impl FnOnce(Outcome) + Send + 'static,
) -> Option<Outcome> {
    match published {
        Published::Tell { channel, message } => {
            let id = message.sent_as().unwrap_or(id);
            let publish = publish_of(channel, &message, Some(id));
            hub.publish(&hub.apps[app], &Identity::backend(), publish, clock::now_ms(), later)
        }
        Published::LookUpApplications(session) => {
            applications::refresh(hub, app, session);
            None
        }
    }
}
