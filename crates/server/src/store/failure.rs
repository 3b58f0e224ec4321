//! What can go wrong between the store and the world outside, each with what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The outside world broke: a disk, a file, another process.
#[derive(Debug)]
pub enum Failure {
    /// Another process works on this data directory.
    Locked {
        /// The data directory.
        data: PathBuf,
        /// The process, where it left its number.
        holder: Option<u32>,
    },
    /// A newer program wrote this file.
    Newer {
        /// The data file.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// An older program wrote this file, and only a start brings it forward.
    Older {
        /// The data file.
        file: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The file is a database, but not one of ours.
    Foreign(PathBuf),
    /// No data file where one was expected.
    Missing(PathBuf),
    /// A file or directory could not be made, read or written.
    File {
        /// What was tried, as in "read".
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The credentials file says something else than credentials.
    Credentials {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The database could not be read or written.
    Database(rusqlite::Error),
    /// The shared database does not answer, or the connection to it was lost.
    Unreachable(String),
    /// Another process held what was needed for too long.
    Contended(String),
    /// The shared database did not do what it was asked.
    Shared(String),
    /// Stored bytes have no meaning.
    Damaged(String),
    /// A thread could not be started.
    Thread(io::Error),
    /// The file has no write-ahead log, and cannot have one where it is.
    NoLog(PathBuf),
    /// The disk failed while committed data was copied into the data file, and this is what it
    /// said. Only a new process knows what to copy again, so this one writes nothing more.
    Halted(String),
    /// The store was closed before.
    Closed,
}

impl Failure {
    /// Would everything else fail in the same way now?
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Contended(_))
    }

    /// What a shared database did.
    fn of_shared(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(
                f,
                "the ledger's database does not answer: {why}; check the `ledger` option and that the server runs"
            ),
            Self::Contended(why) => write!(
                f,
                "another process held the ledger for too long: {why}; look whether one of them hangs"
            ),
            Self::Shared(why) => write!(f, "the ledger's database: {why}"),
            _ => Ok(()),
        }
    }

    pub(super) fn file(doing: &'static str, path: impl Into<PathBuf>, error: io::Error) -> Self {
        Self::File { doing, path: path.into(), error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { data, holder } => {
                write!(f, "another deskbell works on {}", data.display())?;
                if let Some(holder) = holder {
                    write!(f, " (process {holder})")?;
                }
                f.write_str("; stop it first, or give this one another directory with --data")
            }
            Self::Newer { file, found, known } => write!(
                f,
                "{} was written by a newer deskbell (file version {found}, this program knows {known}); \
                 start the newer program, or restore a backup from before the upgrade",
                file.display()
            ),
            Self::Older { file, found } => write!(
                f,
                "{} is of the older version {found}; start the server once, which brings it forward",
                file.display()
            ),
            Self::Foreign(file) => write!(
                f,
                "{} is a database of some other program; give deskbell a directory of its own with --data",
                file.display()
            ),
            Self::Missing(file) => {
                write!(f, "there is no {}; check --data, or start deskbell once", file.display())
            }
            Self::File { doing, path, error } => write!(
                f,
                "cannot {doing} {}: {error}; check the permissions and the free space there",
                path.display()
            ),
            Self::Credentials { file, why } => write!(
                f,
                "{}: {why}; it needs `id` (a number), `key` and `secret`; correct it or delete it",
                file.display()
            ),
            Self::Database(error) => write!(
                f,
                "the data file could not be read or written: {error}; check the disk, then run `deskbell doctor`"
            ),
            Self::Unreachable(_) | Self::Contended(_) | Self::Shared(_) => self.of_shared(f),
            Self::Damaged(what) => {
                write!(
                    f,
                    "the data file is damaged: {what}; run `deskbell doctor`, and restore a backup if it agrees"
                )
            }
            Self::Thread(error) => {
                write!(f, "cannot start a thread: {error}; raise the limit of processes of this user")
            }
            Self::NoLog(file) => no_log(f, file),
            Self::Halted(error) => halted(f, error),
            Self::Closed => f.write_str("the store is closed; start the server again"),
        }
    }
}

fn no_log(f: &mut fmt::Formatter<'_>, file: &Path) -> fmt::Result {
    write!(
        f,
        "{} cannot be changed to a write-ahead log, as on most network file systems; \
         give deskbell a directory on a disk of this machine with --data",
        file.display()
    )
}

fn halted(f: &mut fmt::Formatter<'_>, error: &str) -> fmt::Result {
    write!(
        f,
        "the disk failed while committed data was copied into the data file: {error}; nothing more is \
         written, so that nothing is lost; check the disk, then start the server again: the new start \
         copies everything anew"
    )
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { error, .. } | Self::Thread(error) => Some(error),
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}
