//! What the store of a run stands on: the disk in memory, or a database that several processes could share.
//!
//! A database has its own time, which is the run's here, and its own ways to fail: it does not take a row, or it loses
//! the connection in the middle of a commit.

use std::cell::RefCell;
use std::rc::Rc;

use deskbell_core::limits::Millis;
use deskbell_core::log::Once;
use deskbell_server::store::Shared;
use rusqlite::Connection;

use super::site::APP;
use crate::postgres::{Database, Talk};

/// A database of the run's own.
#[derive(Clone)]
pub struct Ground {
    url: String,
    talk: Rc<RefCell<Talk>>,
}

/// How a database fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It takes no row of a commit of so many rows or more.
    Refuses(u64),
    /// It ends the connection when such a commit is to be made.
    Hangs(u64),
}

impl Ground {
    /// An empty database.
    pub fn new(database: &Database<'_>) -> Self {
        Self { url: database.url(), talk: Rc::new(RefCell::new(database.talk())) }
    }

    /// Where it is.
    pub fn shared(&self) -> Shared {
        Shared(self.url.clone())
    }

    fn say(&self, statement: &str) -> Result<Vec<String>, String> {
        let mut talk = self.talk.borrow_mut();
        talk.say(statement).map_err(|error| format!("{statement}: {error:?}"))
    }

    /// It is so late there now.
    pub fn set_time(&self, now: Millis) -> Result<(), String> {
        self.say(&format!(
            "CREATE OR REPLACE FUNCTION deskbell.now_ms() RETURNS bigint LANGUAGE sql VOLATILE
             AS 'SELECT {now}::bigint'"
        ))
        .map(drop)
    }

    /// From now on it fails in this way.
    pub fn trouble(&self, trouble: Trouble) -> Result<(), String> {
        let (rows, what) = match trouble {
            Trouble::Refuses(rows) => (rows, "RAISE EXCEPTION ''the run wants it so''"),
            Trouble::Hangs(rows) => (rows, "PERFORM pg_terminate_backend(pg_backend_pid())"),
        };
        self.say(&format!(
            "CREATE OR REPLACE FUNCTION deskbell.trouble() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN IF NEW.position % 7 >= 7 - {} THEN {what}; END IF; RETURN NULL; END';
             DROP TRIGGER IF EXISTS trouble ON deskbell.changes;
             CREATE CONSTRAINT TRIGGER trouble AFTER INSERT ON deskbell.changes DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION deskbell.trouble()",
            rows.min(7)
        ))
        .map(drop)
    }

    /// It works again.
    pub fn works(&self) -> Result<(), String> {
        self.say("DROP TRIGGER IF EXISTS trouble ON deskbell.changes").map(drop)
    }
}

/// A connection beside the ledger's.
pub enum Beside {
    /// To the data file.
    File(Connection),
    /// To the database.
    Shared(Ground),
}

impl Beside {
    /// The texts of one column, in the order of a question.
    pub fn texts(&self, question: &str) -> Result<Vec<String>, String> {
        match self {
            Self::File(file) => texts(file, question).map_err(|error| error.to_string()),
            Self::Shared(ground) => ground.say(&format!("SET search_path = deskbell; {question}")),
        }
    }

    /// The keys under which rows after one were asked for.
    pub fn keys(&self, after: u64) -> Result<Vec<(u64, Option<Once>)>, String> {
        let hash = match self {
            Self::File(_) => "hex(key_hash)",
            Self::Shared(_) => "encode(key_hash, 'hex')",
        };
        let question = format!(
            "SELECT position || ' ' || coalesce({hash}, '') || ' ' || coalesce(body_hash, 0)
             FROM changes LEFT JOIN keys USING (app, position, key_hash)
             WHERE app = {APP} AND position > {after} ORDER BY position"
        );
        let row = |text: &String| {
            let words: Vec<&str> = text.split(' ').collect();
            let [row, key, body] = words[..] else { return None };
            let key = u128::from_str_radix(key, 16).ok();
            let body = body.parse::<i64>().ok().map(i64::cast_unsigned);
            Some((row.parse().ok()?, key.zip(body).map(|(key, body)| Once { key, body })))
        };
        Ok(self.texts(&question)?.iter().filter_map(row).collect())
    }
}

fn texts(file: &Connection, question: &str) -> rusqlite::Result<Vec<String>> {
    file.prepare_cached(question)?.query_map([], |row| row.get(0))?.collect()
}
