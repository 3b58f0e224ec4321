//! What is written to people: notifications in their inbox, and conversations.
//!
//! [`decide`] is pure, as the rule of reservations is: it is given what is known (a [`Slice`]), the moment and
//! one command, and answers with a [`Change`] that happens as a whole, with what it must know first, or with a
//! refusal. The same batch and the same commit take both kinds of commands.
//!
//! An inbox of any size is read with one mark: what is not newer than `read_up_to` is read, and what is newer is
//! unread unless it was read by itself. The count of what is unread is kept, so nobody ever counts.
//!
//! | file | what |
//! |---|---|
//! | `model` | inboxes, notifications, conversations with their members, messages |
//! | `preference` | which notifications a user wants, on which way, and when in silence |
//! | `command` | what somebody wants |
//! | `outcome` | what became of it |
//! | `slice` | the part of all this that decisions are made on |
//! | `decide` | the decisions |
//! | `announce` | what is told of a change, and to whom |
//! | `memberships` | who is in which conversation, for whoever decides about access |

mod announce;
mod command;
mod decide;
mod memberships;
mod model;
mod outcome;
mod preference;
mod slice;

pub use announce::{announce, departure};
pub use command::{Act, Beginning, Command, Look, Plea, Tone, whose};
pub use decide::{can_manage, can_see, decide};
pub use memberships::{Membership, Memberships};
pub use model::{Content, Conversation, Inbox, Member, Message, Notification, Standing, fall_off};
pub use outcome::{Change, Decision, Reply, ShownConversation, ShownMember, Told};
pub use preference::{Preferences, Quiet, Ways};
pub use slice::{Key, Slice, Unsaved};
