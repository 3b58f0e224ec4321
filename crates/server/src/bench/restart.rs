//! The restart test: the server goes away and comes back while events go on being published.
//!
//! It says `ready` on standard output, and then, for each line `go` on standard input, drops every connection
//! that is left, comes back with resume key, cursor and channels, and says `resumed`. It ends when nothing has
//! been asked of it for the duration of the run, or when it is told `stop`.

use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::generator::Generator;
use super::phases::{self, Pace};
use super::report::Published;
use super::stopwatch::{micros, seconds};

/// Longest wait for all connections to be back, in microseconds.
const PATIENCE: u64 = 60_000_000;

/// What was asked for on standard input.
#[derive(Default)]
struct Orders {
    go: AtomicUsize,
    stop: AtomicBool,
}

/// Publishes at the rate, follows the orders, and drains.
pub fn run(generator: &mut Generator) -> io::Result<Published> {
    let orders = listen();
    let mut pace = Pace::new(generator);
    let from = generator.mark();
    let mut idle_since = None;
    let (mut followed, mut left_at) = (0, None);
    let mut gaps = Vec::new();
    say("ready")?;
    loop {
        let now = generator.watch.micros();
        if left_at.is_none() && orders.go.load(Ordering::Acquire) > followed {
            followed += 1;
            generator.swarm.come_back();
            left_at = Some(now);
        }
        if let Some(since) = left_at {
            if generator.swarm.live() == generator.options.connections {
                gaps.push(seconds(now - since));
                (left_at, idle_since) = (None, Some(now));
                say("resumed")?;
            } else if now - since > PATIENCE {
                let live = generator.swarm.live();
                return Err(io::Error::other(format!("after 60 s only {live} connections are back")));
            }
            generator.open()?;
        }
        let over = idle_since.is_some_and(|since| now - since > micros(generator.options.duration));
        if left_at.is_none() && (over || orders.stop.load(Ordering::Acquire)) {
            break;
        }
        generator.tend()?;
        let nap = pace.publish(generator, now)?;
        generator.turn(nap)?;
    }
    let to = generator.mark();
    let behind = generator.owed.saturating_sub(generator.swarm.tally.fresh);
    phases::drain(generator)?;
    let mut published = Published::between(&from, &to, behind, 0);
    published.reconnects_s = gaps;
    Ok(published)
}

/// Reads orders on a thread of its own, because standard input cannot be polled everywhere.
fn listen() -> Arc<Orders> {
    static ORDERS: OnceLock<Arc<Orders>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let orders = Arc::new(Orders::default());
        let heard = orders.clone();
        std::thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                match line.trim() {
                    "go" => drop(heard.go.fetch_add(1, Ordering::AcqRel)),
                    "stop" => heard.stop.store(true, Ordering::Release),
                    _ => eprintln!("say go or stop"),
                }
            }
            heard.stop.store(true, Ordering::Release);
        });
        orders
    });
    orders.clone()
}

fn say(word: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{word}")?;
    out.flush()
}
