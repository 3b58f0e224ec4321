//! A backend that does not give up: it publishes numbered events, and repeats each one under the
//! same id until it is acknowledged.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use deskbell_server::clock::monotonic_us;
use serde_json::{Value, json};

use super::SECRET;

/// Pause before an event is repeated.
const AGAIN: Duration = Duration::from_millis(10);

/// A publisher of one channel at work.
pub struct Publisher {
    channel: String,
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Publishes on a channel, with a pause after each event and so many further bytes in it.
    pub fn start(address: SocketAddr, channel: &str, pause: Duration, padding: usize) -> Self {
        let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (acknowledged, stop, channel) = (acknowledged.clone(), stop.clone(), channel.to_owned());
            move || {
                let mut backend = Backend::new(address);
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    // An event that was begun is brought to its end, so that its fate is known.
                    backend.insist(&channel, n, padding);
                    acknowledged.store(n, Ordering::Relaxed);
                    std::thread::sleep(pause);
                }
            }
        });
        Self { channel: channel.to_owned(), acknowledged, stop, thread: Some(thread) }
    }

    /// The last number that was acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Ends it when its last event is acknowledged; gives the channel and that number.
    pub fn finish(mut self) -> (String, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().expect("the publisher has not failed");
        (self.channel.clone(), self.acknowledged())
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A keep-alive connection that is opened again whenever it is lost.
pub struct Backend {
    address: SocketAddr,
    link: Option<BufReader<TcpStream>>,
}

impl Backend {
    /// Not connected yet.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, link: None }
    }

    /// Publishes one numbered event until it is acknowledged.
    pub fn insist(&mut self, channel: &str, n: u64, padding: usize) {
        let end = monotonic_us() + 60_000_000;
        // A repetition is the same to the byte, or it would not be one.
        let body = numbered(channel, n, padding);
        while self.post(&body) != Some(200) {
            assert!(monotonic_us() < end, "event {n} of {channel} is still not acknowledged");
            std::thread::sleep(AGAIN);
        }
    }

    /// Posts a publish and gives the status; nothing when the connection broke.
    pub fn post(&mut self, body: &Value) -> Option<u16> {
        let answer = self.try_post(&body.to_string());
        if answer.is_none() {
            self.link = None;
        }
        answer
    }

    fn try_post(&mut self, body: &str) -> Option<u16> {
        if self.link.is_none() {
            let stream = TcpStream::connect(self.address).ok()?;
            stream.set_nodelay(true).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
            self.link = Some(BufReader::new(stream));
        }
        let link = self.link.as_mut()?;
        let head = format!(
            "POST /v1/publish HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {SECRET}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        link.get_mut().write_all(head.as_bytes()).ok()?;
        let mut line = String::new();
        link.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let (mut length, mut ends) = (0, false);
        loop {
            line.clear();
            if link.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let lower = line.trim().to_ascii_lowercase();
            if lower.is_empty() {
                break;
            }
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            ends |= lower == "connection: close";
        }
        let mut rest = vec![0; length];
        link.read_exact(&mut rest).ok()?;
        if ends {
            self.link = None;
        }
        Some(status)
    }
}

/// The body of the publish of a numbered event.
pub fn numbered(channel: &str, n: u64, padding: usize) -> Value {
    let data = json!({"n": n, "t": monotonic_us(), "pad": "x".repeat(padding)});
    json!({"channel": channel, "name": "e", "id": format!("{channel}-{n}"), "data": data})
}
