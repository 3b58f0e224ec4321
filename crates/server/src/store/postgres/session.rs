//! A connection to PostgreSQL for one thread of the store. It comes back by itself, but never within a
//! transaction: what was begun on a connection that is gone has to be begun anew.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Statement};

use super::tls::Tls;
use crate::store::database::Value;
use crate::store::failure::Failure;

/// Time for a connection to come about. Who waits for a hold waits for it, too.
const CONNECT: Duration = Duration::from_secs(3);
/// Time after which an answer is not waited for any longer. The server gives up before, see [`SETTINGS`].
const ANSWER: Duration = Duration::from_secs(15);
/// Time after which a connection whose other end says nothing more is given up.
const SILENCE: Duration = Duration::from_secs(10);

/// A writer that hangs must not keep the others from the app's row for longer than a few seconds, whatever
/// it hangs in: waiting for a lock, in a statement, or between two of them because its process is frozen.
const SETTINGS: &str = "SET search_path = deskbell, public; SET client_min_messages = warning;
    SET lock_timeout = '4s'; SET statement_timeout = '8s'; SET idle_in_transaction_session_timeout = '5s';
    SET synchronous_commit = on";

/// Where the database is, and whether it answers.
#[derive(Clone)]
pub(in crate::store) struct Place {
    config: Config,
    reachable: Arc<AtomicBool>,
}

impl Place {
    /// Reads a URL, or says what is wrong with it. The message holds nothing of the URL, because a password
    /// stands in it.
    pub(in crate::store) fn parse(url: &str) -> Result<Self, Failure> {
        let mut config = Config::from_str(url).map_err(|_| {
            Failure::Shared(
                "this is no URL of a database; write postgres://USER:PASSWORD@HOST/DATABASE".to_owned(),
            )
        })?;
        config.connect_timeout(CONNECT).tcp_user_timeout(SILENCE).keepalives_idle(SILENCE);
        if config.get_application_name().is_none() {
            config.application_name("deskbell");
        }
        Ok(Self { config, reachable: Arc::new(AtomicBool::new(true)) })
    }

    /// Whether the last who asked got an answer.
    pub(in crate::store) fn is_reachable(&self) -> bool {
        self.reachable.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, reachable: bool) {
        if self.reachable.swap(reachable, Ordering::Relaxed) == reachable {
            return;
        }
        if reachable {
            tracing::info!("the ledger's database answers again");
        } else {
            tracing::error!("the ledger's database does not answer; holds are refused until it does");
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("hosts", &self.config.get_hosts())
            .field("database", &self.config.get_dbname())
            .finish_non_exhaustive()
    }
}

/// One thread's connection.
pub(in crate::store) struct Session {
    place: Place,
    /// There until the drop.
    runtime: Option<Runtime>,
    client: RefCell<Option<Client>>,
    statements: RefCell<HashMap<String, Statement>>,
    in_transaction: Cell<bool>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("place", &self.place).finish_non_exhaustive()
    }
}

/// What went wrong with a question.
fn failed(error: &tokio_postgres::Error) -> Failure {
    let Some(db) = error.as_db_error() else { return Failure::Unreachable(told(error)) };
    let code = db.code();
    // The server ends connections of its own accord: a restart, a frozen writer that was given up.
    let is_gone = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ];
    if is_gone.contains(code) || code.code().starts_with("08") {
        return Failure::Unreachable(db.message().to_owned());
    }
    if [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED, SqlState::T_R_DEADLOCK_DETECTED]
        .contains(code)
    {
        return Failure::Contended(db.message().to_owned());
    }
    let detail = db.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    Failure::Shared(format!("{}{detail} [{}]", db.message(), code.code()))
}

/// The error with what is behind it.
pub(super) fn told(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Opens a connection. Whatever it is driven by lives on the runtime that this runs on.
pub(in crate::store) async fn connect(place: &Place) -> Result<Client, Failure> {
    let (client, connection) = place.config.connect(Tls::new()?).await.map_err(|error| failed(&error))?;
    tokio::spawn(connection);
    client.batch_execute(SETTINGS).await.map_err(|error| failed(&error))?;
    Ok(client)
}

impl Session {
    /// A session that connects when it is first asked something.
    pub(in crate::store) fn new(place: &Place) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            place: place.clone(),
            runtime: Some(runtime.map_err(Failure::Thread)?),
            client: RefCell::new(None),
            statements: RefCell::default(),
            in_transaction: Cell::new(false),
        })
    }

    /// Asks with values of any kind that the server knows.
    pub(in crate::store) fn query(
        &self,
        question: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, Failure> {
        let statement = self.prepare(question, &[])?;
        self.with_client(async |client| client.query(&statement, values).await)
    }

    /// The same for a statement without an answer.
    pub(in crate::store) fn change(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<usize, Failure> {
        let statement = self.prepare(statement, &[])?;
        let changed = self.with_client(async |client| client.execute(&statement, values).await)?;
        Ok(changed as usize)
    }

    /// Asks a question that all stores understand.
    pub(in crate::store) fn ask(
        &self,
        question: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, Failure> {
        let statement = self.prepare(question, values)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(plain).collect();
        self.with_client(async |client| client.query(&statement, &values).await)
    }

    /// The same for a statement without an answer.
    pub(in crate::store) fn tell(&self, statement: &str, values: &[Value<'_>]) -> Result<usize, Failure> {
        let statement = self.prepare(statement, values)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(plain).collect();
        let changed = self.with_client(async |client| client.execute(&statement, &values).await)?;
        Ok(changed as usize)
    }

    /// Runs statements without values.
    pub(in crate::store) fn run(&self, statements: &str) -> Result<(), Failure> {
        self.with_client(async |client| client.batch_execute(statements).await)
    }

    /// Begins a transaction, on a new connection where the last one is gone.
    pub(in crate::store) fn begin(&self, how: &str) -> Result<(), Failure> {
        self.in_transaction.set(false);
        let begun = self.run(how);
        // A server that was restarted meanwhile is noticed only now, and nothing has happened yet.
        let begun = if matches!(begun, Err(Failure::Unreachable(_))) { self.run(how) } else { begun };
        begun?;
        self.in_transaction.set(true);
        Ok(())
    }

    /// Ends it well. [`Failure::Unreachable`] says that nobody knows whether it did.
    pub(in crate::store) fn commit(&self) -> Result<(), Failure> {
        let done = self.run("COMMIT");
        self.in_transaction.set(false);
        done
    }

    /// Ends it as if it had never begun. A connection that cannot even do that is let go of, and the server
    /// does the rest.
    pub(in crate::store) fn undo(&self) {
        if self.in_transaction.get() && self.client.borrow().is_some() && self.run("ROLLBACK").is_err() {
            self.forget();
        }
        self.in_transaction.set(false);
    }

    /// Lets go of the connection.
    fn forget(&self) {
        self.client.replace(None);
        self.statements.borrow_mut().clear();
    }

    fn prepare(&self, question: &str, values: &[Value<'_>]) -> Result<Statement, Failure> {
        // Before the look at what is prepared: a new connection knows none of it.
        self.with_client(async |_| Ok(()))?;
        if let Some(statement) = self.statements.borrow().get(question) {
            return Ok(statement.clone());
        }
        let text = numbered(question);
        let types: Vec<Type> = values.iter().map(kind).collect();
        let statement = self.with_client(async |client| client.prepare_typed(&text, &types).await)?;
        self.statements.borrow_mut().insert(question.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Waits for the server. At start and stop this runs where tokio works already.
    fn wait<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let Some(runtime) = &self.runtime else { return Err(Failure::Closed) };
        match tokio::runtime::Handle::try_current() {
            Ok(_) => tokio::task::block_in_place(|| runtime.block_on(work)),
            Err(_) => runtime.block_on(work),
        }
    }

    /// Runs something on the connection, and lets go of it where it is broken.
    fn with_client<T>(
        &self,
        work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Failure> {
        let mut client = self.client.borrow_mut();
        if client.as_ref().is_some_and(Client::is_closed) {
            *client = None;
        }
        let connected = match client.take() {
            Some(connected) => connected,
            None if self.in_transaction.get() => {
                return Err(Failure::Unreachable("the connection was lost within a transaction".to_owned()));
            }
            None => {
                self.statements.borrow_mut().clear();
                let connected = self.wait(tokio_timeout(CONNECT * 2, connect(&self.place)));
                connected.inspect_err(|_| self.place.note(false))?
            }
        };
        let asked = async { work(&connected).await.map_err(|error| failed(&error)) };
        let done = self.wait(tokio_timeout(ANSWER, asked));
        if matches!(done, Err(Failure::Unreachable(_))) {
            self.place.note(false);
        } else {
            self.place.note(true);
            *client = Some(connected);
        }
        done
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Nothing is waited for: the server notices that the connection is gone.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn tokio_timeout<T>(
    time: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(time, work).await {
        Ok(done) => done,
        Err(_) => Err(Failure::Unreachable("no answer came in time".to_owned())),
    }
}

/// `?1` as PostgreSQL writes it.
fn numbered(question: &str) -> String {
    let mut text = String::with_capacity(question.len());
    let mut letters = question.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_place = letter == '?' && letters.peek().is_some_and(char::is_ascii_digit);
        text.push(if is_place { '$' } else { letter });
    }
    text
}

fn kind(value: &Value<'_>) -> Type {
    match value {
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
    }
}

fn plain<'a>(value: &'a Value<'a>) -> &'a (dyn ToSql + Sync) {
    match value {
        Value::Int(number) => number,
        Value::Text(text) => text,
        Value::Bytes(bytes) => bytes,
    }
}
