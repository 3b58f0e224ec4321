//! What a client's frame may wait for outside of its shard.

use std::sync::Arc;

use deskbell_core::access::Identity;
use deskbell_core::ids::EventId;
use deskbell_core::position::Position;
use deskbell_core::refusal::Refusal;
use deskbell_core::vocabulary::{Command, Hello};
use deskbell_wire::native::Reference;

use deskbell_wire::portico::applications::{Applications, Missing};

use super::appointease::Answered;
use super::socketio::{Entering, Missed, Proving, Told};
use crate::ledger::Found;
use crate::post;
use crate::store::{Ran, Ruling};

/// An identity command that waits; the client's later frames wait behind it.
#[derive(Debug)]
pub enum Waiting {
    /// For the keys that its token names.
    Keys {
        /// The command, to be tried again.
        command: Command,
        /// Its ref.
        reference: Reference,
    },
    /// For its session, which lives on another shard.
    Session {
        /// The hello.
        hello: Hello,
        /// Who, by the hello's token.
        identity: Option<Arc<Identity>>,
        /// Its ref.
        reference: Reference,
    },
    /// A Socket.IO client's wish to come in, for the keys that its token names.
    Entering(Box<Entering>),
    /// The same for its session, which lives on another shard.
    Returning(Box<Entering>),
    /// A Socket.IO client's proof, for the keys that its token names.
    Proving(Box<Proving>),
}

/// The answer to a frame that waited.
#[derive(Debug)]
pub enum Answer {
    /// A durable publish was committed, or refused.
    Published {
        /// The ref of the frame.
        reference: Reference,
        /// What became of it.
        result: Result<(EventId, Position), Refusal>,
    },
    /// The ledger has ruled.
    Ruled {
        /// The ref of the frame.
        reference: Reference,
        /// What was ruled.
        // Boxed: every letter pays for the largest one.
        ruling: Box<Ruling>,
    },
    /// What is free was looked up.
    Free {
        /// The ref of the frame.
        reference: Reference,
        /// What was found.
        found: Result<Box<Found>, Refusal>,
    },
    /// Something was done about an inbox or a conversation, or refused.
    Ran {
        /// The ref of the frame.
        reference: Reference,
        /// What became of it.
        result: Result<Box<Ran>, Refusal>,
    },
    /// An inbox or a conversation was looked at.
    Looked {
        /// The ref of the frame.
        reference: Reference,
        /// What was found.
        found: Result<Box<post::Found>, Refusal>,
    },
    /// A backend has handled a Socket.IO client's event, or has not.
    Handled(Result<String, Refusal>),
    /// It was looked what waits for the user of a Socket.IO client.
    Missed(Box<Missed>),
    /// What a Socket.IO client's event waited for.
    Told(Box<Told>),
    /// The applications that a page of the Portico dialect has asked for were looked up.
    Applications(Box<Result<Applications, Missing>>),
    /// What a message of a page of the AppointEase dialect waited for.
    Page(Box<Answered>),
    /// The keys were fetched, or could not be.
    Keys,
}

impl Answer {
    /// Did one of the client's frames wait for it?
    pub fn was_owed(&self) -> bool {
        match self {
            Self::Keys => false,
            Self::Page(answered) => answered.was_owed(),
            _ => true,
        }
    }
}
