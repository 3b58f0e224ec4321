//! Where the ledger is kept: in a file of this process, or in a database that several share.

use std::fmt;

use deskbell_core::ids::AppId;

use super::carried::{self, What};
use super::database::Database;
use super::failure::Failure;
use super::postgres;
use super::postgres::notes::Notes;
use super::postgres::session::Session;
use super::sqlite::schema::{self, Place};

/// The URL of a shared database. It may hold a password, so it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Shared(pub String);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(..)")
    }
}

/// Where the ledger is kept.
#[derive(Debug)]
pub(super) enum Kept {
    /// In this process's own file.
    File(Place),
    /// In a database that others write, too. What a clean stop leaves to the next start is this process's own.
    Shared(Box<postgres::session::Place>, Notes),
}

impl Kept {
    pub(super) fn connect(&self) -> Result<Database, Failure> {
        Ok(match self {
            Self::File(place) => Database::Sqlite(schema::connect(place)?),
            Self::Shared(place, _) => Database::Postgres(Box::new(Session::new(place)?)),
        })
    }

    pub(super) fn connect_reader(&self) -> Result<Database, Failure> {
        match self {
            Self::File(place) => Ok(Database::Sqlite(schema::connect_reader(place)?)),
            Self::Shared(..) => self.connect(),
        }
    }

    pub(super) fn save(&self, control: &Database, app: AppId, what: What, json: &str) -> Result<(), Failure> {
        match self {
            Self::File(_) => carried::save(control, app, what, json),
            Self::Shared(_, notes) => {
                notes.save(app, what.as_str(), json);
                Ok(())
            }
        }
    }

    pub(super) fn take(&self, control: &Database, app: AppId, what: What) -> Result<Option<String>, Failure> {
        match self {
            Self::File(_) => carried::take(control, app, what),
            Self::Shared(_, notes) => Ok(notes.take(app, what.as_str())),
        }
    }
}

/// Opens a connection to another database than the ledger's, under the same bounds.
pub async fn connect(place: &Shared) -> Result<tokio_postgres::Client, Failure> {
    postgres::session::connect(&postgres::session::Place::parse(&place.0)?).await
}
