//! A PostgreSQL server of the test run's own: in a directory of its own, on a free port, gone when the run ends.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// The user whom the server runs as where the tests run as root, because it refuses to be root.
const USER: &str = "postgres";
/// Runs a program and ends with it; and ends it and removes its directory when the input ends, however the program
/// ends that gives it.
const GUARDED: &str = "directory=$1; shift; exec 3<&0; \"$@\" </dev/null 3<&- & server=$!;
    (cat <&3 >/dev/null; : >\"$directory/over\"; kill -QUIT $server) & guard=$!;
    wait $server; if [ -e \"$directory/over\" ]; then rm -rf \"$directory\"; else kill $guard; fi";
/// Looks at a start, also over what a crash left, before it is given up: a minute's worth.
const LOOKS: u32 = 3_000;

/// A server that runs, or was killed and can be started again.
pub struct Postgres {
    directory: PathBuf,
    port: u16,
    tls: bool,
    running: Mutex<Option<Child>>,
}

/// The one that all tests of a program share, each with databases of its own.
pub fn shared() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(Postgres::start)
}

impl Postgres {
    /// Makes and starts one.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// One that speaks TLS with this certificate and key.
    pub fn start_with_tls(chain: &Path, key: &Path) -> Self {
        Self::start_with(&[("server.crt", chain), ("server.key", key)])
    }

    fn start_with(certificate: &[(&str, &Path)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("deskbell-postgres-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        if is_root() {
            let owned = Command::new("chown").arg(USER).arg(&directory).status().unwrap();
            assert!(owned.success(), "there is no user {USER}; run make setup");
        }
        let data = directory.join("data");
        let arguments = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
        let made = run(as_user(&program("initdb")).arg("-D").arg(&data).args(arguments));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for (name, file) in certificate {
            let place = data.join(name);
            std::fs::copy(file, &place).unwrap();
            std::fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            if is_root() {
                let owned = Command::new("chown").arg(USER).arg(&place).status().unwrap();
                assert!(owned.success(), "{}", place.display());
            }
        }
        let server = Self { directory, port, tls: !certificate.is_empty(), running: Mutex::new(None) };
        server.start_again();
        server
    }

    /// Starts it over what is there.
    pub fn start_again(&self) {
        let mut running = self.running.lock().unwrap();
        let mut looks = 0;
        loop {
            let mut child = self.spawn();
            while child.try_wait().unwrap().is_none() {
                if self.answers() {
                    *running = Some(child);
                    return;
                }
                looks += 1;
                assert!(looks < LOOKS, "the database does not start: {}", self.log());
                std::thread::sleep(Duration::from_millis(20));
            }
            // Processes of the one before may still have its memory.
            looks += 3;
            assert!(looks < LOOKS, "the database does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn spawn(&self) -> Child {
        let log = self.directory.join("log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        // What is killed here is processes, never the machine: nothing has to reach the disk.
        let settings = [
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            "full_page_writes=off",
            "-c",
            "max_connections=200",
            "-c",
            "restart_after_crash=on",
            "-c",
            if self.tls { "ssl=on" } else { "ssl=off" },
        ];
        as_user(Path::new("/bin/sh"))
            .args(["-c", GUARDED, "sh"])
            .arg(&self.directory)
            .arg(program("postgres"))
            .arg("-D")
            .arg(self.directory.join("data"))
            .args(["-p", &self.port.to_string(), "-k"])
            .arg(&self.directory)
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.ask("postgres", "SELECT 1").is_ok()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn ask(&self, database: &str, statements: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { lines(&connect(self.port, database).await?, statements).await })
    }

    /// A new database, by its URL.
    pub fn database(&self) -> Database<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.ask("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        Database { server: self, name }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server and all of its processes are gone at once.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.directory.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().trim().to_owned();
        let children = run(Command::new("ps").args(["-o", "pid=", "--ppid", &pid])).stdout;
        let children = String::from_utf8(children).unwrap();
        let killed = run(Command::new("kill").args(["-9", &pid]));
        // One that served a connection may have gone meanwhile.
        run(Command::new("kill").arg("-9").args(children.split_whitespace()));
        // Its number may be in use for as long as nobody asks what became of it.
        for left in ["data/postmaster.pid".to_owned(), format!(".s.PGSQL.{}.lock", self.port)] {
            std::fs::remove_file(self.directory.join(left)).unwrap();
        }
        assert!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
        // The shell ends by itself; the end of its input would make it clean up.
        if let Some(mut shell) = self.running.lock().unwrap().take() {
            let _input = shell.stdin.take();
            let _ = shell.wait();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        end(self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn end(child: Option<Child>) {
    let Some(mut child) = child else { return };
    drop(child.stdin.take());
    let _ = child.wait();
}

/// One database of a server.
pub struct Database<'a> {
    server: &'a Postgres,
    name: String,
}

impl Database<'_> {
    pub fn url(&self) -> String {
        self.url_by(self.server.port)
    }

    /// The same on another way.
    pub fn url_by(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/{}", self.name)
    }

    /// Where its server listens.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements; what comes back as lines of columns with `|` between them.
    pub fn run(&self, statements: &str) -> Vec<String> {
        self.server.ask(&self.name, statements).unwrap_or_else(|error| panic!("{statements}: {error:?}"))
    }

    /// A connection of an app that takes its time.
    pub fn talk(&self) -> Talk {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(connect(self.server.port, &self.name)).unwrap();
        Talk { runtime, client }
    }
}

/// A connection of an app, statement by statement.
pub struct Talk {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Talk {
    /// Says a statement and hears the answer, or that the connection is gone.
    pub fn say(&mut self, statement: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        self.runtime.block_on(lines(&self.client, statement))
    }
}

async fn connect(port: u16, database: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let url = format!("host=127.0.0.1 port={port} user=postgres dbname={database} connect_timeout=5");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn lines(client: &tokio_postgres::Client, said: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let mut lines = Vec::new();
    for message in client.simple_query(said).await? {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            let columns = (0..row.len()).map(|column| row.get(column).unwrap_or("").to_owned());
            lines.push(columns.collect::<Vec<_>>().join("|"));
        }
    }
    Ok(lines)
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).stdout == b"0\n"
}

fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--init-groups", "--"]).arg(program).current_dir("/");
    command
}

/// Debian keeps the server's programs by version, outside of the path.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists());
    found.max().unwrap_or_else(|| PathBuf::from(name))
}

fn run(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; run make setup"))
}
