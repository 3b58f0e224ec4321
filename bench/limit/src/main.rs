//! The yardstick: one thread, raw epoll, and one prebuilt frame put on every subscriber with `send()`.
//!
//! It does nothing a real server must do (no authentication, no JSON, no channels, no backlog), so what it
//! reaches is what the kernel gives, and every figure of Deskbell is read as a share of it.
//!
//! Mini protocol, in WebSocket text frames: `S:` subscribes and is answered `OK`; `P:<channel>:<body>` sends
//! `<body>` to all subscribers, whatever the channel. Environment: `PORT` (0 takes a free one; the port is
//! printed), `LIFE` seconds after which it exits by itself, `COALESCE=1` joins the publishes of one wake-up.
//!
//! Clients of Socket.IO can connect and join a room as well; see [`socketio`].

mod frames;
mod kernel;
mod socketio;

use std::io::Write;
use std::os::fd::AsRawFd;

use kernel::Epoll;

/// The answer to every upgrade. The key is fixed because the load generator's key is.
const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const READ_BUFFER: usize = 65_536;
const LISTENER: i32 = -1;

/// One socket, found by its descriptor.
#[derive(Default)]
struct Connection {
    unread: Vec<u8>,
    upgraded: bool,
    subscribed: bool,
}

struct Yardstick {
    epoll: Epoll,
    connections: Vec<Connection>,
    subscribers: Vec<i32>,
    joined: Vec<u8>,
    coalesce: bool,
    lost: u64,
}

fn main() -> std::io::Result<()> {
    let number = |name: &str, default: u32| {
        std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    kernel::raise_open_files();
    kernel::exit_after(number("LIFE", 300));
    let listener = kernel::listen(number("PORT", 9001) as u16)?;
    let port = listener.local_addr()?.as_socket().map_or(0, |address| address.port());
    println!("{port}");
    std::io::stdout().flush()?;

    let epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd(), LISTENER)?;
    let mut yardstick = Yardstick {
        epoll,
        connections: Vec::new(),
        subscribers: Vec::new(),
        joined: Vec::new(),
        coalesce: std::env::var("COALESCE").is_ok_and(|value| value != "0"),
        lost: 0,
    };
    yardstick.serve(listener.as_raw_fd())
}

impl Yardstick {
    fn serve(&mut self, listener: i32) -> std::io::Result<()> {
        let mut buffer = vec![0; READ_BUFFER];
        let mut ready = Vec::new();
        loop {
            self.epoll.wait(&mut ready)?;
            for &descriptor in &ready {
                if descriptor == LISTENER {
                    self.accept(listener)?;
                } else {
                    self.read(descriptor, &mut buffer);
                }
            }
            self.fan_out();
        }
    }

    fn accept(&mut self, listener: i32) -> std::io::Result<()> {
        while let Some(descriptor) = kernel::accept(listener) {
            let slot = descriptor as usize;
            if self.connections.len() <= slot {
                self.connections.resize_with(slot + 1, Connection::default);
            }
            self.connections[slot] = Connection::default();
            self.epoll.add(descriptor, descriptor)?;
        }
        Ok(())
    }

    fn read(&mut self, descriptor: i32, buffer: &mut [u8]) {
        let received = match kernel::receive(descriptor, buffer) {
            Ok(0) => return self.close(descriptor),
            Ok(received) => received,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(_) => return self.close(descriptor),
        };
        let connection = &mut self.connections[descriptor as usize];
        let mut unread = std::mem::take(&mut connection.unread);
        unread.extend_from_slice(&buffer[..received]);
        let mut used = 0;
        if !connection.upgraded {
            let Some(end) = frames::head_end(&unread) else {
                connection.unread = unread;
                return;
            };
            connection.upgraded = true;
            used = end;
            let mut answer = UPGRADE.to_vec();
            socketio::opening(&unread[..end], &mut answer);
            kernel::send(descriptor, &answer);
        }
        while let Some((payload, length)) = frames::unmask_first(&mut unread[used..]) {
            self.act(descriptor, payload);
            used += length;
        }
        if used < unread.len() {
            unread.drain(..used);
            self.connections[descriptor as usize].unread = unread;
        }
    }

    fn act(&mut self, descriptor: i32, payload: &[u8]) {
        if payload.starts_with(b"S:") {
            self.subscribe(descriptor);
            kernel::send(descriptor, b"\x81\x02OK");
        } else if let Some((answer, joins)) = socketio::answer(payload) {
            if joins {
                self.subscribe(descriptor);
            }
            kernel::send(descriptor, &answer);
        } else if let Some(body) = frames::published(payload) {
            frames::append_text(&mut self.joined, body);
            if !self.coalesce {
                self.fan_out();
            }
        }
    }

    fn subscribe(&mut self, descriptor: i32) {
        let connection = &mut self.connections[descriptor as usize];
        if !connection.subscribed {
            connection.subscribed = true;
            self.subscribers.push(descriptor);
        }
    }

    /// Puts what was published on every subscriber. A full socket loses it: the yardstick keeps no backlog,
    /// and the load generator counts the gap.
    fn fan_out(&mut self) {
        if self.joined.is_empty() {
            return;
        }
        let mut cut = Vec::new();
        for &descriptor in &self.subscribers {
            let sent = kernel::send(descriptor, &self.joined);
            if sent != self.joined.len().cast_signed() {
                self.lost += 1;
                if sent > 0 {
                    // Half a frame makes the rest of the stream unreadable.
                    cut.push(descriptor);
                }
                if self.lost.is_power_of_two() {
                    eprintln!("{} sends did not fit", self.lost);
                }
            }
        }
        self.joined.clear();
        for descriptor in cut {
            self.close(descriptor);
        }
    }

    fn close(&mut self, descriptor: i32) {
        if std::mem::take(&mut self.connections[descriptor as usize]).subscribed {
            self.subscribers.retain(|&other| other != descriptor);
        }
        kernel::close(descriptor);
    }
}
