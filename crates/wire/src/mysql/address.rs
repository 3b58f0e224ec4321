//! Where a table is, as an operator writes it: `mysql://USER:PASSWORD@HOST:PORT/DATABASE`.

use super::Guest;
use crate::http_head::percent_decode;

/// The port of such databases.
const PORT: u16 = 3306;

/// How such an address may begin.
const SCHEMES: [&str; 2] = ["mysql://", "mariadb://"];

/// Where a table is, and who reads it.
#[derive(Debug, Clone)]
pub struct Address {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Who reads what.
    pub guest: Guest,
}

impl Address {
    /// Is a text meant as one?
    pub fn is_meant(text: &str) -> bool {
        SCHEMES.iter().any(|scheme| text.starts_with(scheme))
    }

    /// Reads one. What is wrong with it is said without repeating it: it may hold a password.
    ///
    /// ```
    /// use deskbell_wire::mysql::Address;
    /// let address = Address::parse("mysql://wp:a%40b@db.example/word", "wp_appointments").unwrap();
    /// assert_eq!((&*address.host, address.port, &*address.guest.password), ("db.example", 3306, "a@b"));
    /// assert_eq!(Address::parse("mysql://db.example/word", "t").unwrap_err(), "names no user");
    /// ```
    pub fn parse(text: &str, table: &str) -> Result<Self, &'static str> {
        let rest = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or("does not begin with mysql://")?;
        let (who, place) = rest.rsplit_once('@').ok_or("names no user")?;
        let (authority, database) = place.split_once('/').ok_or("names no database")?;
        let (user, password) = who.split_once(':').unwrap_or((who, ""));
        let (host, port) = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((host, port)) => (host, port),
            None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| "has a wrong port")?,
            None => PORT,
        };
        let database = percent_decode(database).into_owned();
        if host.is_empty() || user.is_empty() || database.is_empty() || database.contains(['?', '/']) {
            return Err("must be user, host and database alone");
        }
        let (user, password) = (percent_decode(user).into_owned(), percent_decode(password).into_owned());
        let guest = Guest { user, password, database, table: table.to_owned() };
        Ok(Self { host: host.to_owned(), port, guest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_by_its_url() {
        for (text, expected) in [
            ("mysql://wp:a%40b@db.example:3307/word", ("db.example", 3307, "wp", "a@b", "word")),
            ("mariadb://wp:p@[::1]/w", ("::1", 3306, "wp", "p", "w")),
            ("mysql://w%3Ap:p@x@10.0.0.1/w", ("10.0.0.1", 3306, "w:p", "p@x", "w")),
            ("mysql://wp@h/w", ("h", 3306, "wp", "", "w")),
        ] {
            let Address { host, port, guest } = Address::parse(text, "t").unwrap();
            let Guest { user, password, database, table } = guest;
            assert_eq!((&*host, port, &*user, &*password, &*database), expected);
            assert_eq!(table, "t");
            assert!(Address::is_meant(text));
        }
        assert!(!Address::is_meant("dump.sql"));
    }

    #[test]
    fn a_wrong_url_is_refused() {
        for text in [
            "mysql://127.0.0.1/w",
            "mysql://wp:hunter2@127.0.0.1",
            "mysql://wp:hunter2@h:x/w",
            "mysql://:hunter2@h/w",
            "mysql://wp:hunter2@h/w?ssl=1",
            "postgres://wp:hunter2@h/w",
        ] {
            assert!(!Address::parse(text, "t").unwrap_err().contains("hunter2"), "{text}");
        }
    }
}
