//! The connection to the database over TLS.

use std::path::PathBuf;

use super::*;

/// A directory that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("deskbell-database-tls-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(url: &str, trusted: &Certificate) -> Start {
    let mut start = start_on(url, UNBOUND);
    start.env.push(("SSL_CERT_FILE".to_owned(), trusted.chain.display().to_string()));
    start.env.push(("SSL_CERT_DIR".to_owned(), "/nonexistent".to_owned()));
    start
}

#[test]
fn a_server_speaks_tls_with_the_database_that_it_trusts_and_with_no_other() {
    let folder = Folder::new();
    let (known, other) = (Certificate::make(&folder.0, "known"), Certificate::make(&folder.0, "other"));
    let postgres = Postgres::start_with_tls(&known.chain, &known.key);
    let database = postgres.database();
    let required =
        format!("postgres://postgres@localhost:{}/{}?sslmode=require", postgres.port(), database.name());
    let server = Server::start(start(&required, &known));
    make_room(&server);
    assert_eq!(hold(&server, 0, 60_000).status, 200);
    let plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE backend_type = 'client backend' AND datname = current_database()
         AND pid <> pg_backend_pid() AND NOT ssl";
    assert_eq!(database.run(plain), ["0"], "every connection of the server is one over TLS");
    let secure = "SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE datname = current_database() AND ssl";
    assert_eq!(database.run(secure), ["t"]);
    let refused = |url: &str, trusted: &Certificate| {
        let (code, said) = Server::refusal(&start(url, trusted), &folder.0.join("data"), "127.0.0.1:0");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("the ledger's database does not answer"), "{said}");
        said
    };
    let stranger = refused(&required, &other);
    assert!(stranger.contains("certificate"), "nobody vouches for it: {stranger}");
    let elsewhere = refused(&required.replace("localhost", "127.0.0.1"), &known);
    assert!(elsewhere.contains("certificate"), "it is for another name: {elsewhere}");
    // A database without TLS is none for whoever requires it.
    refused(&format!("{}?sslmode=require", shared().database().url()), &known);
}
