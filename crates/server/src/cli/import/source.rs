//! Where the rows come from.

use std::io::Read;

use deskbell_wire::appointease::table::{Row, batch, dump, list};
use deskbell_wire::mysql::Address;

use crate::cli::CliError;
use crate::mariadb::{self, LONGEST_TABLE};

/// The password, where it shall not stand in the list of processes.
const PASSWORD: &str = "DESKBELL_IMPORT_PASSWORD";

/// Where they come from.
#[derive(Debug)]
pub enum Source {
    /// A file, and the table in it.
    File(String, String),
    /// Standard input.
    Input(String),
    /// A database.
    Database(Box<Address>),
}

impl Source {
    /// Understands what was typed.
    pub fn parse(text: &str, table: &str) -> Result<Self, CliError> {
        if Address::is_meant(text) {
            return parse_database(text, table);
        }
        let table = table.to_owned();
        Ok(if text == "-" { Self::Input(table) } else { Self::File(text.to_owned(), table) })
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
            Self::Database(address) => mariadb::rows(address).map_err(CliError::Failed),
        }
    }
}

fn parse_database(text: &str, table: &str) -> Result<Source, CliError> {
    let mut address = Address::parse(text, table).map_err(|why| {
        CliError::Usage(format!(
            "the database's URL {why}; write mysql://USER:PASSWORD@127.0.0.1:3306/DATABASE"
        ))
    })?;
    if address.guest.password.is_empty() {
        address.guest.password = std::env::var(PASSWORD).unwrap_or_default();
    }
    Ok(Source::Database(Box::new(address)))
}

fn read(name: &str, from: impl Read, table: &str) -> Result<Vec<Row>, CliError> {
    let mut bytes = Vec::new();
    from.take(LONGEST_TABLE + 1).read_to_end(&mut bytes).map_err(|error| failed(name, &error))?;
    if bytes.len() as u64 > LONGEST_TABLE {
        return Err(CliError::Failed(mariadb::too_long(name)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_file_standard_input_or_a_database() {
        assert!(matches!(Source::parse("dump.sql", "t"), Ok(Source::File(..))));
        assert!(matches!(Source::parse("-", "t"), Ok(Source::Input(_))));
        assert!(matches!(Source::parse("mariadb://wp:p@[::1]/w", "t"), Ok(Source::Database(_))));
        match Source::parse("mysql://wp:hunter2@127.0.0.1", "t") {
            Err(CliError::Usage(sentence)) => {
                assert!(sentence.contains("write mysql://") && !sentence.contains("hunter2"), "{sentence}");
            }
            other => panic!("{other:?}"),
        }
    }
}
