//! Where the rows come from.

use std::io::Read;

use deskbell_wire::appointease::table::{Row, batch, dump, list};
use deskbell_wire::http_head::percent_decode;
use deskbell_wire::mysql::Guest;

use super::database;
use crate::cli::CliError;

/// Bytes of a table that are read: some 400,000 appointments.
pub const LONGEST_TABLE: u64 = 256 * 1024 * 1024;

/// The port of such databases.
const PORT: u16 = 3306;

/// The password, where it shall not stand in the list of processes.
const PASSWORD: &str = "DESKBELL_IMPORT_PASSWORD";

/// Where they come from.
#[derive(Debug)]
pub enum Source {
    /// A file, and the table in it.
    File(String, String),
    /// Standard input.
    Input(String),
    /// A database: its host, its port, and who reads what.
    Database(String, u16, Guest),
}

impl Source {
    /// Understands what was typed.
    pub fn parse(text: &str, table: &str) -> Result<Self, CliError> {
        let table = table.to_owned();
        let scheme = ["mysql://", "mariadb://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        match (text, scheme) {
            (_, Some(rest)) => parse_database(rest, table),
            ("-", None) => Ok(Self::Input(table)),
            (file, None) => Ok(Self::File(file.to_owned(), table)),
        }
    }

    /// Is it gone once it was read?
    pub const fn is_read_once(&self) -> bool {
        matches!(self, Self::Input(_))
    }

    /// All rows of the table.
    pub fn rows(&self) -> Result<Vec<Row>, CliError> {
        match self {
            Self::File(file, table) => {
                let opened = std::fs::File::open(file).map_err(|error| failed(file, &error))?;
                read(file, opened, table)
            }
            Self::Input(table) => read("standard input", std::io::stdin(), table),
            Self::Database(host, port, guest) => database::rows(host, *port, guest),
        }
    }
}

/// `USER:PASSWORD@HOST:PORT/DATABASE`.
fn parse_database(rest: &str, table: String) -> Result<Source, CliError> {
    // The text is not repeated: it may hold a password.
    let wrong = |why: &str| {
        CliError::Usage(format!(
            "the database's URL {why}; write mysql://USER:PASSWORD@127.0.0.1:3306/DATABASE"
        ))
    };
    let (who, place) = rest.rsplit_once('@').ok_or_else(|| wrong("names no user"))?;
    let (authority, database) = place.split_once('/').ok_or_else(|| wrong("names no database"))?;
    let (user, password) = match who.split_once(':') {
        Some((user, password)) => (user, Some(percent_decode(password).into_owned())),
        None => (who, None),
    };
    let (host, port) = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, port)) => (host, port),
        None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().map_err(|_| wrong("has a wrong port"))?,
        None => PORT,
    };
    let database = percent_decode(database).into_owned();
    if host.is_empty() || user.is_empty() || database.is_empty() || database.contains(['?', '/']) {
        return Err(wrong("must be user, host and database alone"));
    }
    let password = password.or_else(|| std::env::var(PASSWORD).ok()).unwrap_or_default();
    let guest = Guest { user: percent_decode(user).into_owned(), password, database, table };
    Ok(Source::Database(host.to_owned(), port, guest))
}

fn read(name: &str, from: impl Read, table: &str) -> Result<Vec<Row>, CliError> {
    let mut bytes = Vec::new();
    from.take(LONGEST_TABLE + 1).read_to_end(&mut bytes).map_err(|error| failed(name, &error))?;
    if bytes.len() as u64 > LONGEST_TABLE {
        return Err(too_long(name));
    }
    // A dump may hold bytes of tables that are none of ours.
    let text = String::from_utf8_lossy(&bytes);
    let rows = if list::is_one(&text) {
        list::rows(&text, table)
    } else if batch::is_one(&text) {
        batch::rows(&text)
    } else {
        dump::rows(&text, table)
    };
    rows.map_err(|fault| CliError::Failed(format!("{name}: {fault}")))
}

fn failed(name: &str, error: &std::io::Error) -> CliError {
    CliError::Failed(format!("{name} cannot be read: {error}; look at its name and whose it is"))
}

/// There is more of it than is read.
pub fn too_long(name: &str) -> CliError {
    CliError::Failed(format!("{name}: a table has at most 256 MiB; import those of the last year"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Source, String> {
        Source::parse(text, "t").map_err(|error| match error {
            CliError::Usage(sentence) => sentence,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_database_is_named_by_its_url() {
        for (text, expected) in [
            ("mysql://wp:a%40b@db.example:3307/word", ("db.example", 3307, "wp", "a@b", "word")),
            ("mariadb://wp:p@[::1]/w", ("::1", 3306, "wp", "p", "w")),
            ("mysql://w%3Ap:p@x@10.0.0.1/w", ("10.0.0.1", 3306, "w:p", "p@x", "w")),
        ] {
            let Ok(Source::Database(host, port, guest)) = parsed(text) else { panic!("{text}") };
            let Guest { user, password, database, table } = guest;
            assert_eq!((&*host, port, &*user, &*password, &*database), expected);
            assert_eq!(table, "t");
        }
        assert!(matches!(parsed("dump.sql"), Ok(Source::File(..))));
        assert!(matches!(parsed("-"), Ok(Source::Input(_))));
    }

    #[test]
    fn a_wrong_url_is_refused_and_its_password_not_repeated() {
        for text in [
            "mysql://127.0.0.1/w",
            "mysql://wp:hunter2@127.0.0.1",
            "mysql://wp:hunter2@h:x/w",
            "mysql://:hunter2@h/w",
            "mysql://wp:hunter2@h/w?ssl=1",
        ] {
            let sentence = parsed(text).unwrap_err();
            assert!(sentence.contains("write mysql://") && !sentence.contains("hunter2"), "{sentence}");
        }
    }
}
