//! What a page is read for: everything that a client wants, or what of it is behind the rest.

use deskbell_core::cursor::Cursor;
use deskbell_core::ids::ChannelName;
use deskbell_core::position::Position;

use super::super::client::{LateRead, Whose};

/// What a page is read for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Turn {
    /// All subscriptions, from the connection's position.
    All,
    /// What is behind the connection.
    Late(LateRead),
}

impl Turn {
    /// What is late, where that is read.
    pub(super) fn late(&self) -> Option<&LateRead> {
        match self {
            Self::All => None,
            Self::Late(late) => Some(late),
        }
    }

    /// The cursor of a connection that has come so far by this turn, and stood somewhere before it.
    pub(super) fn cursor(&self, connection: Position, at: Position) -> Cursor {
        match self {
            Self::All => at.into(),
            Self::Late(late) => {
                let late = LateRead { at, whose: late.whose.clone() }.exception();
                Cursor::behind(connection, late)
            }
        }
    }

    /// The one channel that is read, where it is one.
    pub(super) fn only(&self) -> Option<&ChannelName> {
        match self.late().map(|late| &late.whose) {
            Some(Whose::Channel(channel)) => Some(channel),
            _ => None,
        }
    }
}
