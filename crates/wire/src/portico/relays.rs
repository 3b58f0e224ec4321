//! What a page may do, in one table: by what the installation allows.
//!
//! The first server passed everything on to everybody, let anybody into every room, and took everybody at its word.
//! Pages that count on that work as they are with `--dev`, and with the switch as far as nobody is harmed who has
//! not asked for it.

use super::session::SessionId;

/// What the installation allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Closed: what the rules of access and a proof allow.
    Normal,
    /// The operator lets pages talk to each other.
    Relays,
    /// A developer's own machine: as the first server did.
    Dev,
}

/// What a page wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To say something to everybody: a chat, a notification, a type that nobody knows.
    TellEverybody,
    /// To be in the room of an entity.
    EnterEntity,
    /// To say something in a room in which it is.
    TellOwnRoom,
    /// To say something in the room of an entity in which it is not.
    TellForeignRoom,
    /// To say something to the other tabs of its session.
    TellTabs,
    /// To be known as a user, without a proof.
    BeUser,
    /// To be in the session whose id it names, one that nobody guesses.
    OpenSession,
    /// The same with an id that could be guessed.
    OpenWeakSession,
}

/// What it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Yes,
    /// Yes, if the rules of access allow it on the room's channel.
    Rules,
    /// It is noted for the operator and allows nothing.
    Label,
    /// Only what its token proves counts.
    Proof,
    /// No.
    No,
}

impl Mode {
    /// Every mode, for tables.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Relays, Self::Dev];
}

impl Wish {
    /// Every wish, for tables.
    pub const ALL: [Self; 8] = [
        Self::TellEverybody,
        Self::EnterEntity,
        Self::TellOwnRoom,
        Self::TellForeignRoom,
        Self::TellTabs,
        Self::BeUser,
        Self::OpenSession,
        Self::OpenWeakSession,
    ];
}

impl Wish {
    /// To be in the session with this id.
    pub fn open(id: &SessionId) -> Self {
        if id.is_strong() { Self::OpenSession } else { Self::OpenWeakSession }
    }
}

/// Decides.
///
/// ```
/// use deskbell_wire::portico::relays::{Mode, Verdict, Wish, judge};
/// assert_eq!(judge(Mode::Normal, Wish::TellEverybody), Verdict::No);
/// assert_eq!(judge(Mode::Dev, Wish::TellEverybody), Verdict::Yes);
/// ```
pub const fn judge(mode: Mode, wish: Wish) -> Verdict {
    use Verdict::{Label, No, Proof, Rules, Yes};
    // In normal mode, with the switch, with --dev.
    let [normal, relays, dev] = match wish {
        // A session's own room is open to whoever has its id, and an id that nobody guesses is a grant to that room.
        Wish::TellTabs | Wish::OpenSession => [Yes, Yes, Yes],
        Wish::TellEverybody => [No, Yes, Yes],
        Wish::EnterEntity | Wish::TellOwnRoom => [Rules, Yes, Yes],
        Wish::TellForeignRoom | Wish::OpenWeakSession => [No, No, Yes],
        Wish::BeUser => [Proof, Label, Label],
    };
    match mode {
        Mode::Normal => normal,
        Mode::Relays => relays,
        Mode::Dev => dev,
    }
}
