//! Whole runs against a yardstick that misbehaves on purpose: what it does wrong must be in the report.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use clap::Parser;

use super::{Options, Report};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    options: Options,
}

/// What to do with the `n`th publish for the subscriber that came `nth`: how many copies it gets.
type Copies = fn(publish: usize, subscriber: usize) -> usize;

/// Serves one run; its threads end with the run's connections.
fn yardstick(copies: Copies) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        let subscribers = Arc::new(Mutex::new(Vec::new()));
        for stream in listener.incoming().map_while(Result::ok) {
            let subscribers = subscribers.clone();
            std::thread::spawn(move || serve(stream, &subscribers, copies));
        }
    });
    port
}

fn serve(mut stream: TcpStream, subscribers: &Mutex<Vec<TcpStream>>, copies: Copies) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").ok()?;
    for publish in 0.. {
        let mut head = [0; 6];
        stream.read_exact(&mut head).ok()?;
        let mut payload = vec![0; usize::from(head[1] & 0x7f)];
        stream.read_exact(&mut payload).ok()?;
        for (at, byte) in payload.iter_mut().enumerate() {
            *byte ^= head[2 + at % 4];
        }
        let mut subscribers = subscribers.lock().expect("no thread panicked");
        if payload == b"S:" {
            // An answer cut into single bytes must be put together again.
            for byte in *b"\x81\x02OK" {
                stream.write_all(&[byte]).ok()?;
            }
            subscribers.push(stream.try_clone().ok()?);
            continue;
        }
        let event = &payload[b"P:0:".len()..];
        for (subscriber, socket) in subscribers.iter_mut().enumerate() {
            for _ in 0..copies(publish, subscriber) {
                socket.write_all(&[0x81, event.len() as u8]).ok()?;
                socket.write_all(event).ok()?;
            }
        }
    }
    None
}

fn run(copies: Copies, rest: &str) -> Report {
    let line =
        format!("bench --target limit://127.0.0.1:{} --connections 3 --settle 0 {rest}", yardstick(copies));
    super::run(Command::parse_from(line.split(' ')).options).expect("a run")
}

#[test]
fn what_a_server_loses_and_repeats_is_counted() {
    let copies: Copies = |publish, subscriber| match (publish, subscriber) {
        (4, 0) | (6, 1) => 0,
        (8, 2) => 3,
        _ => 1,
    };
    let report = run(copies, "--rate 500 --duration 0.05 --warmup 0.01 --drain 0.2");
    let checks = &report.checks;
    assert!(checks.events >= 20, "{checks:?}");
    assert_eq!((checks.lost, checks.duplicated), (2, 2), "{checks:?}");
    assert_eq!(checks.deliveries, checks.events * 3 - 2);
    assert!(!report.is_clean());
}

#[test]
fn the_last_event_counts_as_lost_when_it_never_comes() {
    let copies: Copies = |publish, subscriber| usize::from(publish < 5 || subscriber != 1);
    let report = run(copies, "--rate 500 --duration 0.05 --warmup 0 --drain 0.2");
    assert_eq!(report.checks.lost, report.checks.events - 5, "{:?}", report.checks);
}

#[test]
fn a_server_that_does_everything_right_gets_a_clean_report() {
    let report = run(|_, _| 1, "--duration 0.05 --warmup 0.02 --outstanding 3 --size 64");
    let checks = &report.checks;
    assert!(report.is_clean() && checks.reordered == 0, "{checks:?}");
    assert_eq!(checks.deliveries, checks.events * 3);
    let measured = report.published.as_ref().expect("published");
    assert!(measured.deliveries > 0 && measured.deliveries <= checks.deliveries);
    assert_eq!(report.latency.as_ref().map(|it| it.count), Some(measured.deliveries));
}
