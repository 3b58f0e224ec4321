//! A connection to whatever keeps the ledger, and the questions that are asked of it.
//!
//! A question stands once, in the SQL that all stores understand: numbers of 64 bits, texts and bytes,
//! placeholders `?1` to `?n`, no type that only one of them has. Where a store has a better way of its
//! own (one statement for a whole batch, say), that way lies in the store's folder, and this enum is
//! matched there.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::failure::Failure;
use super::postgres::session::Session;

/// Rows that are in memory at once where there may be any number.
const MANY: i64 = 2_000;

/// A connection.
#[derive(Debug)]
pub(super) enum Database {
    /// To the embedded data file.
    Sqlite(Connection),
    /// To the database that several processes share.
    Postgres(Box<Session>),
}

/// What stands in the place of a placeholder.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Int(Option<i64>),
    Text(Option<&'a str>),
    Bytes(Option<&'a [u8]>),
}

/// One row of an answer.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// Whether whoever reads an answer wants its next row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    Stop,
}

impl Database {
    /// Reads the rows of an answer one after the other, until there are no more or no more are wanted.
    pub(super) fn each(
        &self,
        question: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(Row<'_>) -> Result<Next, Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(question)?;
                let mut rows = statement.query(params_from_iter(values))?;
                while let Some(row) = rows.next()? {
                    if read(Row::Sqlite(row))? == Next::Stop {
                        break;
                    }
                }
                Ok(())
            }
            Self::Postgres(session) => {
                for row in &session.ask(question, values)? {
                    if read(Row::Postgres(row))? == Next::Stop {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Reads all rows of an app whose first column is a rising number, some at a time: there may be more than
    /// memory has room for.
    pub(super) fn each_of_many(
        &self,
        question: &str,
        app: i64,
        mut read: impl FnMut(Row<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut after = 0;
        loop {
            let mut left = MANY;
            self.each(question, &[app.into(), after.into(), MANY.into()], |row| {
                (left, after) = (left - 1, row.int(0)?);
                read(row)?;
                Ok(Next::Go)
            })?;
            if left > 0 {
                return Ok(());
            }
        }
    }

    /// Every row of an answer.
    pub(super) fn all<T>(
        &self,
        question: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(Row<'_>) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        self.each(question, values, |row| {
            all.push(read(row)?);
            Ok(Next::Go)
        })?;
        Ok(all)
    }

    /// The first row of an answer.
    pub(super) fn first<T>(
        &self,
        question: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(Row<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let mut first = None;
        self.each(question, values, |row| {
            first = Some(read(row)?);
            Ok(Next::Stop)
        })?;
        Ok(first)
    }

    /// The number that is the whole answer.
    pub(super) fn number(&self, question: &str, values: &[Value<'_>]) -> Result<i64, Failure> {
        let found = self.first(question, values, |row| row.int(0))?;
        found.ok_or_else(|| Failure::Damaged("a question for a number has no answer".to_owned()))
    }

    /// Has the answer any row?
    pub(super) fn exists(&self, question: &str, values: &[Value<'_>]) -> Result<bool, Failure> {
        Ok(self.first(question, values, |_| Ok(()))?.is_some())
    }

    /// Runs a statement without an answer. Says how many rows it changed.
    pub(super) fn execute(&self, statement: &str, values: &[Value<'_>]) -> Result<usize, Failure> {
        match self {
            Self::Sqlite(connection) => {
                Ok(connection.prepare_cached(statement)?.execute(params_from_iter(values))?)
            }
            Self::Postgres(session) => session.tell(statement, values),
        }
    }

    /// Asks several questions of one moment.
    pub(super) fn at_once<T>(&self, work: impl FnOnce(&Self) -> Result<T, Failure>) -> Result<T, Failure> {
        match self {
            Self::Sqlite(connection) => {
                let _transaction = connection.unchecked_transaction()?;
                work(self)
            }
            Self::Postgres(session) => {
                session.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
                let done = work(self);
                session.undo();
                done
            }
        }
    }

    /// Runs `work` as one transaction that writes: all of it is safe afterwards, or nothing happened.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Self) -> Result<T, Failure>) -> Result<T, Failure> {
        let done = self.begin().and_then(|()| work(self));
        let done = done.and_then(|value| self.commit().map(|()| value));
        if done.is_err() {
            self.undo();
        }
        done
    }

    /// Begins a transaction that writes.
    pub(super) fn begin(&self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(_) => self.execute("BEGIN IMMEDIATE", &[]).map(drop),
            Self::Postgres(session) => session.begin("BEGIN"),
        }
    }

    /// Ends it well: the disk has it afterwards.
    pub(super) fn commit(&self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(_) => self.execute("COMMIT", &[]).map(drop),
            Self::Postgres(session) => session.commit(),
        }
    }

    /// Ends it as if it had never begun, where it has not ended by itself.
    pub(super) fn undo(&self) {
        let undone = match self {
            Self::Sqlite(connection) if connection.is_autocommit() => return,
            Self::Sqlite(_) => self.execute("ROLLBACK", &[]),
            Self::Postgres(session) => return session.undo(),
        };
        if let Err(error) = undone {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
    }

    /// The connection to the data file, for what only a file has.
    pub(super) fn file(&self) -> Option<&Connection> {
        match self {
            Self::Sqlite(connection) => Some(connection),
            Self::Postgres(_) => None,
        }
    }

    /// The session, for what only a shared database has.
    pub(super) fn shared(&self) -> Option<&Session> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(session) => Some(session),
        }
    }
}

impl<'a> Row<'a> {
    /// A number.
    pub(super) fn int(self, column: usize) -> Result<i64, Failure> {
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
            Self::Postgres(row) => kind(row.try_get(column)),
        }
    }

    /// A number, if there is one.
    pub(super) fn maybe_int(self, column: usize) -> Result<Option<i64>, Failure> {
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
            Self::Postgres(row) => kind(row.try_get(column)),
        }
    }

    /// A number that is none below zero.
    pub(super) fn unsigned(self, column: usize) -> Result<u64, Failure> {
        Ok(self.int(column)?.cast_unsigned())
    }

    /// A number of a smaller kind.
    pub(super) fn small<T: TryFrom<i64>>(self, column: usize) -> Result<T, Failure> {
        let number = self.int(column)?;
        T::try_from(number)
            .map_err(|_| Failure::Damaged(format!("{number} stands where a small number belongs")))
    }

    /// Yes or no, as 1 or 0.
    pub(super) fn flag(self, column: usize) -> Result<bool, Failure> {
        Ok(self.int(column)? != 0)
    }

    /// A text.
    pub(super) fn text(self, column: usize) -> Result<&'a str, Failure> {
        match self {
            Self::Sqlite(row) => match row.get_ref(column)? {
                ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                    .map_err(|_| Failure::Damaged("a text in the file is no text".to_owned())),
                _ => Err(Failure::Damaged("a column that holds texts holds something else".to_owned())),
            },
            Self::Postgres(row) => kind(row.try_get(column)),
        }
    }

    /// Bytes.
    pub(super) fn bytes(self, column: usize) -> Result<&'a [u8], Failure> {
        let bytes = self.maybe_bytes(column)?;
        bytes.ok_or_else(|| Failure::Damaged("a column that holds bytes holds nothing".to_owned()))
    }

    /// Bytes, if there are any.
    pub(super) fn maybe_bytes(self, column: usize) -> Result<Option<&'a [u8]>, Failure> {
        match self {
            Self::Sqlite(row) => match row.get_ref(column)? {
                ValueRef::Blob(bytes) => Ok(Some(bytes)),
                ValueRef::Null => Ok(None),
                _ => Err(Failure::Damaged("a column that holds bytes holds something else".to_owned())),
            },
            Self::Postgres(row) => kind(row.try_get(column)),
        }
    }
}

fn kind<T>(read: Result<T, tokio_postgres::Error>) -> Result<T, Failure> {
    read.map_err(|error| Failure::Damaged(format!("a column holds something else than it should ({error})")))
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match *self {
            Self::Int(number) => number.map(ValueRef::Integer),
            Self::Text(text) => text.map(|text| ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => bytes.map(ValueRef::Blob),
        };
        Ok(ToSqlOutput::Borrowed(value.unwrap_or(ValueRef::Null)))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Int(Some(number.cast_signed()))
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Int(Some(i64::from(number)))
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Int(Some(i64::from(flag)))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<deskbell_core::ids::AppId> for Value<'_> {
    fn from(app: deskbell_core::ids::AppId) -> Self {
        app.0.into()
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(bytes: Option<&'a [u8]>) -> Self {
        Self::Bytes(bytes)
    }
}
