//! Inboxes and conversations in the data file: what is asked, what is seen, and all SQL that there is of them.
//!
//! | part | what |
//! |---|---|
//! | `load`, `save` | parts of them from the tables, and the difference back |
//! | `look` | pages, counts and lists |
//! | `expiry` | what is too old goes |
//! | `audit` | does it fit together |
//!
//! The rule is `deskbell_core::post::decide`; commands of it are items of the same batch as all others
//! (`ledger`).

pub(super) mod audit;
pub(super) mod expiry;
pub(super) mod load;
pub(super) mod look;
pub(super) mod save;

use deskbell_core::ids::{AppId, ConversationId, UserId};
use deskbell_core::log::Once;
use deskbell_core::position::Position;
use deskbell_core::post::{Act, Command, Membership, Reply};
use deskbell_core::refusal::Refusal;

use super::failure::Failure;

/// One command about inboxes or conversations.
#[derive(Debug)]
pub struct Errand {
    /// Of which app.
    pub app: AppId,
    /// The command.
    pub command: Command,
    /// Lets a retry find its first answer for 24 hours.
    pub once: Option<Once>,
}

/// What a command came to, once it is on the disk.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The app.
    pub app: AppId,
    /// The answer.
    pub reply: Reply,
    /// The row that the answer reflects.
    pub row: u64,
    /// The row's check value.
    pub check: u32,
    /// It was decided before.
    pub repeated: bool,
}

/// The command was decided and is safe on the disk.
#[derive(Debug, Clone)]
pub struct Done {
    /// The answer.
    pub reply: Reply,
    /// Where a reader stands who has the events of the change and all before it. See
    /// [`Receipt::at`](super::Receipt) for what is known of a retry's.
    pub at: Position,
    /// The same command was decided before; this is its first answer again.
    pub repeated: bool,
}

/// A membership of an app that has begun or ended.
pub(super) type Moved = (AppId, Membership);

impl Errand {
    /// Bytes that it is charged with while it waits.
    pub(super) fn weight(&self) -> usize {
        1_024
            + match &self.command.act {
                Act::Notify { users, content, .. } => users.len() * content.weight(),
                Act::Create { data, members, .. } => {
                    members.len() * 256 + data.as_ref().map_or(0, |data| data.get().len())
                }
                Act::Send { data, .. } => data.get().len(),
                _ => 0,
            }
    }
}

fn user(text: &str) -> Result<UserId, Failure> {
    UserId::parse(text).map_err(|_| Failure::Damaged(format!("{text:?} is no user's id")))
}

fn conversation(text: &str) -> Result<ConversationId, Failure> {
    ConversationId::parse(text)
        .map_err(|_: Refusal| Failure::Damaged(format!("{text:?} is no conversation's id")))
}
