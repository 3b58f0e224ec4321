//! A real Redis as a child process, on a port and in a directory of its own, and a backend that publishes there.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use deskbell_wire::redis::resp::{Decoder, Value, command};

use super::DEADLINE;

/// A running Redis. It is stopped when the test ends.
pub struct Redis {
    child: Child,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Where its files are.
    pub directory: PathBuf,
    options: Vec<String>,
}

impl Redis {
    /// Starts one with its defaults.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one with these words of its configuration.
    pub fn with(options: &[&str]) -> Self {
        // A port that was free a moment ago may be taken by now; then the next one is tried.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let name = format!("deskbell-redis-{}-{port}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&directory).unwrap();
            let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
            let child = Self::spawn(port, &directory, &options);
            let mut redis = Self { child, port, directory, options };
            if redis.is_up() {
                return redis;
            }
        }
        panic!("redis-server does not start")
    }

    fn spawn(port: u16, directory: &std::path::Path, options: &[String]) -> Child {
        let port = port.to_string();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(directory).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap_or_else(|error| panic!("redis-server: {error}; run setup.sh"))
    }

    fn is_up(&mut self) -> bool {
        let begun = std::time::Instant::now();
        while TcpStream::connect(self.address()).is_err() {
            if self.child.try_wait().unwrap().is_some() || begun.elapsed() > DEADLINE {
                return false;
            }
        }
        true
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The lines of a configuration that follow it.
    pub fn config(&self) -> String {
        format!("redis.host = \"127.0.0.1\"\nredis.port = {}\n", self.port)
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port, after it was killed.
    pub fn revive(&mut self) {
        self.child = Self::spawn(self.port, &self.directory, &self.options);
        assert!(self.is_up(), "redis-server does not start again");
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(format!("-{name}")).arg(pid).status().unwrap().success());
    }

    /// A connection to it.
    pub fn open(&self) -> Site {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Site { stream, decoder: Decoder::new(1 << 20) }
    }

    /// Publishes one message, and gives the number of those who got it.
    pub fn publish(&self, channel: &str, payload: &str) -> i64 {
        self.open().publish(channel, payload)
    }

    /// Publishes one event as Laravel does, which somebody must get.
    pub fn broadcast(&self, channel: &str, data: i64) {
        let payload = format!(r#"{{"event":"e","data":{data},"socket":null}}"#);
        let got = self.publish(&format!("laravel_database_{channel}"), &payload);
        assert!(got > 0, "nobody hears {channel}");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A backend with a connection to a Redis.
pub struct Site {
    stream: TcpStream,
    decoder: Decoder,
}

impl Site {
    /// Sends commands without waiting for what they answer.
    pub fn send(&mut self, words: &[&str]) {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.stream.write_all(&command(&words)).unwrap();
    }

    /// The next answer.
    pub fn answer(&mut self) -> Value {
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(value) = self.decoder.next().unwrap() {
                return value;
            }
            let count = self.stream.read(&mut chunk).unwrap();
            assert!(count > 0, "Redis closed the connection");
            self.decoder.feed(&chunk[..count]);
        }
    }

    /// Runs one command.
    pub fn run(&mut self, words: &[&str]) -> Value {
        self.send(words);
        self.answer()
    }

    /// Publishes one message, and gives the number of those who got it.
    pub fn publish(&mut self, channel: &str, payload: &str) -> i64 {
        match self.run(&["PUBLISH", channel, payload]) {
            Value::Integer(receivers) => receivers,
            other => panic!("PUBLISH: {other:?}"),
        }
    }
}
