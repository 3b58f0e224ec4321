//! A real MariaDB as a child process, on a port and in a directory of its own.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to start: the machine is shared.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running MariaDB. It ends with the test.
pub struct MariaDb {
    child: Child,
    /// Its port on 127.0.0.1.
    pub port: u16,
    directory: PathBuf,
}

impl MariaDb {
    /// Starts one that holds this: statements, each on a line of its own.
    pub fn start(content: &str) -> Self {
        // A port that was free a moment ago may be taken by now; then the next one is tried.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let name = format!("deskbell-mariadb-{}-{port}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            // Two that are made at once would take each other's temporary files.
            std::fs::create_dir_all(directory.join("tmp")).unwrap();
            std::fs::write(directory.join("content.sql"), content).unwrap();
            let made = Command::new("mariadb-install-db")
                .arg("--no-defaults")
                .arg(format!("--datadir={}", directory.join("data").display()))
                .arg(format!("--tmpdir={}", directory.join("tmp").display()))
                .args(["--auth-root-authentication-method=normal", "--skip-test-db", "--user=root"])
                .output()
                .unwrap_or_else(|error| panic!("mariadb-install-db: {error}; run setup.sh"));
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            let child = Self::spawn(&directory, port);
            let mut database = Self { child, port, directory };
            if database.is_up() {
                return database;
            }
        }
        panic!("mariadbd does not start")
    }

    fn spawn(directory: &std::path::Path, port: u16) -> Child {
        let file = |option: &str, name: &str| format!("--{option}={}", directory.join(name).display());
        Command::new("mariadbd")
            .arg("--no-defaults")
            .args([
                file("datadir", "data"),
                file("socket", "s"),
                file("pid-file", "pid"),
                file("tmpdir", "tmp"),
            ])
            .arg(file("init-file", "content.sql"))
            .args(["--user=root", "--bind-address=127.0.0.1", "--skip-name-resolve"])
            .args(["--innodb-buffer-pool-size=32M", "--performance-schema=OFF"])
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("mariadbd: {error}; run setup.sh"))
    }

    /// It listens when its content is there.
    #[allow(clippy::disallowed_methods, reason = "the server's own clock says nothing of other programs")]
    fn is_up(&mut self) -> bool {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if self.child.try_wait().unwrap().is_some() || begun.elapsed() > PATIENCE {
                return false;
            }
        }
        true
    }

    /// How a user reads its database `word`.
    pub fn url(&self, user: &str) -> String {
        format!("mysql://{user}@127.0.0.1:{}/word", self.port)
    }

    /// Runs statements as its owner.
    pub fn run(&self, statements: &str) {
        let ran = Command::new("mariadb")
            .args(["--no-defaults", "--user=root", "--socket"])
            .arg(self.directory.join("s"))
            .args(["--execute", statements])
            .output()
            .unwrap_or_else(|error| panic!("mariadb: {error}; run setup.sh"));
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port, after it was killed, with what it holds by then.
    pub fn start_again(&mut self) {
        std::fs::write(self.directory.join("content.sql"), "").unwrap();
        self.child = Self::spawn(&self.directory, self.port);
        assert!(self.is_up(), "mariadbd does not start again");
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
