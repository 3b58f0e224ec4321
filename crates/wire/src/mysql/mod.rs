//! One table of a site's MariaDB or MySQL, read without any I/O: packets in, packets and rows out.
//!
//! | part | what |
//! |---|---|
//! | [`Address`] | where a table is, as an operator writes it |
//! | [`Packets`] | bytes in any pieces become packets, within a bound |
//! | [`Reading`] | the whole conversation: signing in, one question, its rows |
//! | `login` | the proof of a password, and who signs in |
//! | `field` | numbers and texts as they stand in packets |
//!
//! Nothing is ever written there: the only question is for all rows of a table.

mod address;
mod field;
mod login;
mod packets;
mod reading;

use std::fmt;

pub use address::Address;
pub use packets::{Packets, packet};
pub use reading::{Guest, Reading, Told};

/// Bytes of one packet that are read: a row with a long note fits many times.
pub const LONGEST_PACKET: usize = 1024 * 1024;

/// Why there are no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Whoever is there is no such database, or said what makes no sense.
    Strange,
    /// A packet is longer than is read.
    TooLong,
    /// The database refuses, in its own words, which fit one line.
    Refused(String),
    /// It wants another kind of proof than that of a password alone; its name.
    Proof(String),
    /// The table has more columns than are read.
    Wide,
}

impl Fault {
    /// What to do about it.
    ///
    /// ```
    /// use deskbell_wire::mysql::Fault;
    /// assert!(Fault::Proof("ed25519".into()).advice().contains("mysql_native_password"));
    /// ```
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Strange => "look whether a MariaDB or MySQL listens there",
            Self::TooLong => "import a view without the long columns, or a file",
            Self::Refused(_) => "look at the user, its password and what it may select",
            Self::Proof(_) => "let the user sign in with mysql_native_password, or import a file",
            Self::Wide => "import a view of the columns that count",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strange => f.write_str("it says what no such database says"),
            Self::TooLong => write!(f, "it sends a row of more than {LONGEST_PACKET} bytes"),
            Self::Refused(sentence) => write!(f, "it says {sentence}"),
            Self::Proof(kind) => write!(f, "it asks for a proof of the kind {kind}"),
            Self::Wide => f.write_str("its table has too many columns"),
        }
    }
}

impl std::error::Error for Fault {}
