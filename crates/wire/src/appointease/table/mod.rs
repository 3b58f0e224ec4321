//! Rows of the plugin's own table of appointments, from a file or from its database, as what the site's backend would
//! have said of them.
//!
//! | part | what |
//! |---|---|
//! | [`dump`] | the rows of a table in a file of SQL, as `mariadb-dump` and phpMyAdmin write it |
//! | [`batch`] | the rows that the database's own client prints, divided by tabs |
//! | [`list`] | rows as a list in JSON, as PHP and phpMyAdmin write it |
//! | [`Row`] | a row, and what it says: there is this appointment, or it was called off |
//! | [`Followed`] | what is new in a table that is read again and again |
//!
//! Whoever has an appointment already knows it by its name, so everything here can be said twice.

pub mod batch;
pub mod dump;
mod followed;
pub mod list;
mod row;

use std::fmt;

pub use followed::Followed;
pub use row::Row;

/// Columns of a row at most: the plugin's table has about twenty.
pub const COLUMNS: usize = 200;

/// Why a file has no rows to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is put into this table.
    NoTable(String),
    /// The names of its columns are nowhere.
    NoColumns(String),
    /// A row has more or fewer values than there are columns; in this line.
    Uneven(usize),
    /// Something does not end, or is none of what may stand there; in this line.
    Broken(usize),
    /// A list in JSON does not end, or is none; in this line.
    NoList(usize),
    /// An element of a list is no object; which one.
    NoRow(usize),
    /// There are more columns than are read.
    Wide,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable(table) => {
                write!(f, "nothing in it is put into `{table}`; name the table with --table")
            }
            Self::NoColumns(table) => write!(
                f,
                "the columns of `{table}` are not named; write the file with CREATE TABLE, or with the columns in \
                 each INSERT (mariadb-dump --complete-insert)"
            ),
            Self::Uneven(line) => {
                write!(f, "line {line}: a row has other columns than the table; write the file anew")
            }
            Self::Broken(line) => write!(f, "line {line}: this is cut short or no SQL; write the file anew"),
            Self::NoList(line) => {
                write!(f, "line {line}: this is cut short or no list in JSON; write the file anew")
            }
            Self::NoRow(nth) => write!(
                f,
                "element {nth} of the list is no row; write each row as an object whose members are the columns"
            ),
            Self::Wide => {
                write!(f, "the table has more than {COLUMNS} columns; import a view of those that count")
            }
        }
    }
}

impl std::error::Error for Fault {}
