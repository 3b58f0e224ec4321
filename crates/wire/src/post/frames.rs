//! The native frames about inboxes and conversations.

use deskbell_core::ids::{ConversationId, EventId, Topic, UserId};
use deskbell_core::post::Look;
use deskbell_core::refusal::Refusal;
use deskbell_core::vocabulary::{Command, Typing};

use super::kind::Kind;
use super::read::{parsed, plea};
use crate::native::fields::{Fields, bad_field};

type Read = fn(&mut Fields<'_>) -> Result<Command, Refusal>;

/// Things on one page, if nothing is asked for.
const USUAL: u64 = 50;
/// Things on one page at most: it is one frame.
pub const MOST: u64 = 100;

/// Every type with its fields beside `type` and `ref`. `user` is for backends.
pub const TYPES: [(&str, &[&str], Read); 12] = [
    ("inbox", &["user", "before", "limit", "unread", "of"], inbox),
    ("read", &["id", "user", "numbers", "conversation", "number"], |fields| {
        match parsed(fields, "conversation", ConversationId::parse)? {
            Some(id) => {
                nothing(fields, "numbers", "are of the inbox; `conversation` has one `number`")?;
                ask(fields, |_| Ok(Kind::Mark(id)))
            }
            None => {
                nothing(fields, "number", "is of a `conversation`; the inbox has `numbers`")?;
                ask(fields, |_| Ok(Kind::Read))
            }
        }
    }),
    ("read_all", &["id", "user", "up_to"], |fields| ask(fields, |_| Ok(Kind::ReadAll))),
    ("delete", &["id", "user", "numbers"], |fields| ask(fields, |_| Ok(Kind::Delete(None)))),
    ("clear", &["id", "user"], |fields| ask(fields, |_| Ok(Kind::Clear))),
    ("preferences", &["user"], |fields| Ok(Command::Look(Look::Inbox { of: user(fields)? }))),
    ("prefer", &["id", "user", "otherwise", "types", "quiet"], |fields| ask(fields, |_| Ok(Kind::Prefer))),
    ("conversations", &["user", "skip", "limit"], |fields| {
        let skip = fields.number("skip")?.unwrap_or(0).try_into().unwrap_or(usize::MAX / 2);
        Ok(Command::Look(Look::Conversations { of: user(fields)?, skip, limit: limit(fields)? }))
    }),
    ("history", &["user", "conversation", "before", "limit"], |fields| {
        Ok(Command::Look(Look::Messages {
            id: conversation(fields)?,
            of: user(fields)?,
            before: fields.number("before")?,
            limit: limit(fields)?,
        }))
    }),
    ("send", &["id", "user", "conversation", "data"], |fields| {
        ask(fields, |fields| conversation(fields).map(Kind::Send))
    }),
    ("typing", &["user", "conversation", "typing"], |fields| {
        let typing = fields.switch("typing")?.unwrap_or(true);
        Ok(Command::Typing(Typing { conversation: conversation(fields)?, of: user(fields)?, typing }))
    }),
    ("leave_conversation", &["id", "conversation"], |fields| {
        ask(fields, |fields| Ok(Kind::Remove(conversation(fields)?, None)))
    }),
];

/// A frame that changes something. `id` is its idempotency key, as it is a publish's.
fn ask(
    fields: &mut Fields<'_>,
    kind: impl FnOnce(&mut Fields<'_>) -> Result<Kind, Refusal>,
) -> Result<Command, Refusal> {
    let key = parsed(fields, "id", EventId::parse)?;
    let kind = kind(fields)?;
    let of = user(fields)?;
    Ok(Command::Post(Box::new(plea(kind, of, fields, key)?)))
}

fn inbox(fields: &mut Fields<'_>) -> Result<Command, Refusal> {
    Ok(Command::Look(Look::Notifications {
        of: user(fields)?,
        before: fields.number("before")?,
        limit: limit(fields)?,
        unread: fields.switch("unread")?.unwrap_or(false),
        topic: parsed(fields, "of", Topic::parse)?,
    }))
}

fn limit(fields: &mut Fields<'_>) -> Result<usize, Refusal> {
    Ok(fields.number("limit")?.unwrap_or(USUAL).clamp(1, MOST) as usize)
}

fn user(fields: &mut Fields<'_>) -> Result<Option<UserId>, Refusal> {
    parsed(fields, "user", UserId::parse)
}

fn conversation(fields: &mut Fields<'_>) -> Result<ConversationId, Refusal> {
    parsed(fields, "conversation", ConversationId::parse)?
        .ok_or_else(|| bad_field("conversation", "is missing; the frame needs it"))
}

fn nothing(fields: &mut Fields<'_>, name: &str, rule: &str) -> Result<(), Refusal> {
    match fields.present(name) {
        None => Ok(()),
        Some(_) => Err(bad_field(name, rule)),
    }
}
