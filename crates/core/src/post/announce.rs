//! What is told of a change: one event for each audience, with only what that audience may see.
//!
//! | channel | who reads it | what it sees |
//! |---|---|---|
//! | `user:{id}` | the user | its inbox, and its conversations |
//! | `conversation:{id}` | members | who is in it, what is said, who has read it |
//! | `webhook:{app}` | the engine that sends webhooks | notifications for whoever wants them on that way |

use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::model::{Content, Conversation, Message};
use super::outcome::{Change, Told};
use crate::event::{Draft, Event};
use crate::ids::{AppId, ConversationId, UserId};
use crate::limits::Millis;
use crate::reservation::Announcement;

/// The event by which the members of a conversation hear that somebody is one no longer.
const LEFT: &str = "member.removed";

/// The conversation that somebody has left, if that is what an event tells. Whoever listens there as a member must stop.
pub fn departure(event: &Event) -> Option<&str> {
    let conversation = event.channel.as_str().strip_prefix("conversation:")?;
    (event.name.as_str() == LEFT).then_some(conversation)
}

/// A notification as it is told.
#[derive(Serialize)]
struct OfNotification<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    user: &'a UserId,
    #[serde(flatten)]
    content: &'a Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<Millis>,
}

/// A message as it is told.
#[derive(Serialize)]
struct OfMessage<'a> {
    conversation_id: &'a ConversationId,
    number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a UserId>,
    id: &'a str,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<u64>,
}

/// The events of a change, next to each other in the log under one id. `seed` is that of the change's moment.
pub fn announce(app: AppId, now: Millis, seed: [u8; 16], change: &Change) -> Vec<Draft> {
    let mut out = Announcement::new(app, now, seed);
    for told in &change.told {
        out.begin();
        tell_inbox(&mut out, app, told);
        if let Some(conversation) = &change.conversation {
            tell_conversation(&mut out, told, conversation, change.message.as_ref());
        }
    }
    out.into_drafts()
}

fn tell_inbox(out: &mut Announcement, app: AppId, told: &Told) {
    match told {
        Told::Notified { user, number, unread, content, quiet } => {
            let name = if *quiet { "notification.kept" } else { "notification.created" };
            let (number, unread) = (Some(*number), Some(*unread));
            let data = OfNotification { number, user, content, unread, not_before: None };
            out.push(&format!("user:{user}"), name, &data);
        }
        Told::Webhook { user, number, content, not_before } => {
            let (number, not_before) = (*number, *not_before);
            let data = OfNotification { number, user, content, unread: None, not_before };
            out.push(&format!("webhook:{app}"), "notification.created", &data);
        }
        Told::Read { user, numbers, unread } => {
            let data = json!({ "numbers": numbers, "unread": unread });
            out.push(&format!("user:{user}"), "notification.read", &data);
        }
        Told::Deleted { user, numbers, unread } => {
            let data = json!({ "numbers": numbers, "unread": unread });
            out.push(&format!("user:{user}"), "notification.deleted", &data);
        }
        Told::ReadAll { user, up_to, unread } => {
            let data = json!({ "up_to": up_to, "unread": unread });
            out.push(&format!("user:{user}"), "inbox.read_all", &data);
        }
        Told::Cleared { user, up_to } => {
            let data = json!({ "up_to": up_to, "unread": 0 });
            out.push(&format!("user:{user}"), "inbox.cleared", &data);
        }
        Told::Preferred { user, preferences } => {
            out.push(&format!("user:{user}"), "inbox.preferences", &json!({ "preferences": preferences }));
        }
        Told::Joined(_) | Told::Left(_) | Told::Said | Told::Marked(..) => {}
    }
}

fn tell_conversation(
    out: &mut Announcement,
    told: &Told,
    conversation: &Conversation,
    message: Option<&Message>,
) {
    let channel = format!("conversation:{}", conversation.id);
    let id = &conversation.id;
    match told {
        Told::Joined(user) => {
            out.push(&channel, "member.added", &json!({ "conversation_id": id, "user": user }));
            let title = conversation.title.as_deref();
            let data = json!({ "conversation_id": id, "title": title, "newest": conversation.newest });
            out.push(&format!("user:{user}"), "conversation.joined", &data);
        }
        Told::Left(user) => {
            out.push(&channel, LEFT, &json!({ "conversation_id": id, "user": user }));
            out.push(&format!("user:{user}"), "conversation.left", &json!({ "conversation_id": id }));
        }
        Told::Said => {
            if let Some(message) = message {
                say(out, &channel, conversation, message);
            }
        }
        Told::Marked(user, member) => {
            let data = json!({ "user": user, "number": member.read });
            out.push(&channel, "message.read", &json!({ "conversation_id": id, "data": data }));
            let unread = conversation.unread(member);
            let own = json!({ "conversation_id": id, "data": data, "unread": unread });
            out.push(&format!("user:{user}"), "message.read", &own);
        }
        _ => {}
    }
}

fn say(out: &mut Announcement, channel: &str, conversation: &Conversation, message: &Message) {
    let of = |unread| OfMessage {
        conversation_id: &conversation.id,
        number: message.number,
        from: message.from.as_ref(),
        id: message.id.as_str(),
        data: &message.data,
        unread,
    };
    out.push(channel, "message.sent", &of(None));
    for (user, member) in &conversation.members {
        out.push(&format!("user:{user}"), "message.sent", &of(Some(conversation.unread(member))));
    }
}
