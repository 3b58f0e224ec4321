//! The real binary as a child process, with a data directory of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};

use deskbell_server::store::{Shared, inspect, inspect_shared};
use serde_json::Value;

use super::{Answer, DEADLINE, Ws, post, postgres, request};

/// The secret of the app that every test server has.
pub const SECRET: &str = "a-secret-for-tests-a-secret-for-tests";

/// The option that names a shared database.
const LEDGER: &str = "DESKBELL_LEDGER";

/// Is this a run in which every server keeps its ledger in PostgreSQL?
pub fn on_postgres() -> bool {
    std::env::var("DESKBELL_TEST_STORE").is_ok_and(|store| store == "postgres")
}

/// How a server is to be started.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// A configuration file's text.
    pub config: String,
    /// Further flags.
    pub flags: Vec<String>,
    /// Further environment.
    pub env: Vec<(String, String)>,
    /// It is about the data file, whatever store this run is about.
    pub on_file: bool,
}

impl Start {
    /// With a configuration file.
    pub fn with(config: &str) -> Self {
        Self { config: config.to_owned(), ..Self::default() }
    }

    /// With its ledger in a file in every run.
    pub fn on_file(mut self) -> Self {
        self.on_file = true;
        self
    }

    /// With a further flag.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }
}

/// A running server. It is killed when the test ends.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its data directory.
    pub data: PathBuf,
    start: Start,
    lines: Mutex<Receiver<String>>,
    /// Everything it has logged.
    pub log: Arc<Mutex<Vec<String>>>,
    keep: bool,
}

impl Server {
    /// Starts a server in development mode: every channel is open.
    pub fn dev() -> Self {
        Self::start(Start::default().flag("--dev"))
    }

    /// Starts a server.
    pub fn start(mut start: Start) -> Self {
        if on_postgres() && !start.on_file && !start.env.iter().any(|(name, _)| name == LEDGER) {
            start.env.push((LEDGER.to_owned(), postgres::shared().database().url()));
        }
        let name = format!("deskbell-test-{}-{:016x}", std::process::id(), rand());
        let data = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&data).unwrap();
        Self::spawn(start, data, "127.0.0.1:0")
    }

    /// Tries to start a server that must refuse to; gives its exit code and what it said.
    pub fn refusal(start: &Start, data: &Path, listen: &str) -> (Option<i32>, String) {
        let mut command = Self::command(start, data, listen, Path::new(env!("CARGO_BIN_EXE_deskbell")));
        let mut child = command.spawn().expect("the binary starts");
        let (sender, ended) = mpsc::channel();
        let mut stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            let mut said = String::new();
            // What it says ends when it does.
            let _ = stderr.read_to_string(&mut said);
            let _ = sender.send(said);
        });
        let said = ended.recv_timeout(DEADLINE);
        let _ = child.kill();
        let status = child.wait().unwrap();
        (status.code(), said.expect("it runs, but it should have refused to start"))
    }

    /// The command line of a server.
    pub fn command(start: &Start, data: &Path, listen: &str, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        command.arg("serve").arg("--data").arg(data);
        // A test may say more of its listener than an address.
        if !start.flags.iter().any(|flag| flag.starts_with("listen=")) {
            command.arg("--listen").arg(listen);
        }
        command.args(&start.flags).env("DESKBELL_APP_ID", "1001").env("DESKBELL_APP_KEY", "test-key");
        command.env("DESKBELL_APP_SECRET", SECRET).envs(start.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // SAFETY: between fork and exec only an async-signal-safe call is made. A write beyond the
        // file size limit then fails like one on a full disk, instead of ending the process.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                Ok(())
            });
        }
        command
    }

    fn spawn(start: Start, data: PathBuf, listen: &str) -> Self {
        let config = data.join("deskbell.toml");
        std::fs::write(&config, &start.config).unwrap();
        let mut command = Self::command(&start, &data, listen, Path::new(env!("CARGO_BIN_EXE_deskbell")));
        command.arg("--config").arg(&config);
        let mut child = command.spawn().expect("the binary starts");
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = mpsc::channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line.clone());
                // Nobody listens any more once the server is known to be ready.
                let _ = sender.send(line);
            }
        });
        let mut server = Self {
            child,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            data,
            start,
            lines: Mutex::new(lines),
            log,
            keep: false,
        };
        let line = server.line_with("listening on ");
        let address = line.rsplit("://").next().unwrap().trim();
        server.address = address.parse().unwrap_or_else(|_| panic!("no address in {line}"));
        server
    }

    /// Writes another configuration and makes the server take it.
    pub fn reload(&mut self, config: &str) {
        std::fs::write(self.data.join("deskbell.toml"), config).unwrap();
        self.start.config = config.to_owned();
        self.signal("HUP");
        self.line_with("the configuration was reloaded");
    }

    /// Publishes many events in one request, in order.
    pub fn send_all(&self, events: &[(&str, i64)]) {
        for part in events.chunks(1_000) {
            let events: Vec<Value> = part
                .iter()
                .map(|(channel, n)| serde_json::json!({"channel": channel, "name": "e", "data": n}))
                .collect();
            self.publish(&serde_json::json!({ "events": events }));
        }
    }

    /// Waits for a log line that contains a text.
    pub fn line_with(&mut self, text: &str) -> String {
        loop {
            match self.lines.get_mut().unwrap().recv_timeout(DEADLINE) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(_) => panic!("no line with {text:?} in:\n{}", self.logged().join("\n")),
            }
        }
    }

    /// Everything it has logged so far.
    pub fn logged(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(done.success());
    }

    /// Kills the process at once and starts it again on the same data and port.
    pub fn crash_and_restart(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.restarted()
    }

    /// Stops the process cleanly and starts it again on the same data and port.
    pub fn stop_and_restart(mut self) -> Self {
        self.stop();
        self.restarted()
    }

    /// The shared database that it works on, if it does.
    pub fn shared(&self) -> Option<Shared> {
        self.start.env.iter().find(|(name, _)| name == LEDGER).map(|(_, url)| Shared(url.clone()))
    }

    /// What does not fit together in its ledger.
    pub fn problems(&self) -> Vec<String> {
        let verdict = match self.shared() {
            Some(shared) => inspect_shared(&shared),
            None => inspect(&self.data),
        };
        verdict.unwrap().problems
    }

    /// Stops the process cleanly.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}:\n{}", self.logged().join("\n"));
    }

    /// Has the process ended by itself? If so, it must have been content.
    pub fn has_ended(&mut self) -> bool {
        let Some(status) = self.child.try_wait().unwrap() else { return false };
        assert!(status.success(), "{status}:\n{}", self.logged().join("\n"));
        true
    }

    /// What the process ends with, which it does by itself.
    #[cfg(target_os = "linux")]
    pub fn end(&mut self) -> Option<i32> {
        let mut ended = None;
        super::eventually("the process has ended", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended?.code()
    }

    /// Starts an ended process again on the same data and port.
    pub fn restarted(mut self) -> Self {
        self.keep = true;
        Self::spawn(self.start.clone(), self.data.clone(), &self.address.to_string())
    }

    /// A native WebSocket, past its welcome.
    pub fn ws(&self) -> Ws {
        Ws::open(self, "/v1/ws")
    }

    /// Publishes with the secret and gives the answer, which must be a success.
    pub fn publish(&self, body: &Value) -> Value {
        let answer = post(self, "/v1/publish", body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Bounds the size of the files that the process may write, as a full disk would; `None` ends it.
    #[cfg(target_os = "linux")]
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit =
            libc::rlimit { rlim_cur: bytes.unwrap_or(libc::RLIM_INFINITY), rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the call reads one struct and writes none.
        let done = unsafe {
            libc::prlimit(self.pid() as i32, libc::RLIMIT_FSIZE, &raw const limit, std::ptr::null_mut())
        };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }

    /// The size of the largest file in the data directory.
    #[cfg(target_os = "linux")]
    pub fn largest_file(&self) -> u64 {
        let files = std::fs::read_dir(&self.data).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap_or(0)
    }

    /// Memory that the process has now, in bytes.
    pub fn resident(&self) -> usize {
        self.memory("VmRSS:")
    }

    /// The most that it ever had.
    pub fn peak(&self) -> usize {
        self.memory("VmHWM:")
    }

    fn memory(&self, which: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap_or("0 kB");
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
    }

    /// Publishes one event on a channel.
    pub fn send(&self, channel: &str, data: impl Into<Value>) -> Value {
        self.publish(&serde_json::json!({"channel": channel, "name": "e", "data": data.into()}))
    }

    /// What `/v1/stats` counts.
    pub fn stats(&self) -> Value {
        self.api("GET", "/v1/stats", None).json()
    }

    /// How often something was refused with this code.
    pub fn refusals(&self, code: &str) -> u64 {
        self.stats()["refusals"][code].as_u64().unwrap_or_else(|| panic!("no code {code}"))
    }

    /// Sets a variable for the next start.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.start.env.push((name.to_owned(), value.to_owned()));
    }

    /// Writes another configuration, for a reload or the next start.
    pub fn configure(&mut self, config: &str) {
        config.clone_into(&mut self.start.config);
        std::fs::write(self.data.join("deskbell.toml"), config).unwrap();
    }

    /// A request with the secret.
    pub fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.api_text(method, path, body.map(Value::to_string).as_deref())
    }

    /// The same with a body that may be no JSON.
    pub fn api_text(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let bearer = format!("Bearer {SECRET}");
        request(self, method, path, &[("Authorization", &bearer)], body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.data);
        }
        if std::thread::panicking() {
            eprintln!("--- log of the server\n{}", self.logged().join("\n"));
        }
    }
}

/// A number that no other test run has.
fn rand() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::thread::current().id())
}
