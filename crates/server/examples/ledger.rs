//! Measures durable holds and releases beside what the same disk gives to bare SQLite.
//!
//! `cargo run -p deskbell --example ledger --profile quick -- [SECONDS] [PAST]`
//!
//! Client threads in this process ask, wait for the answer, and ask again. Each row says how many
//! commands (or inserts) a second were answered, and how long one took. PAST reservations that are over
//! are written before, to see whether they cost anything. With `DESKBELL_LEDGER` set to the URL of an empty database
//! the same is measured over PostgreSQL.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use deskbell_core::calendar::{Hours, TimeZone};
use deskbell_core::class::Classes;
use deskbell_core::ids::{AppId, ResourceId, UserId};
use deskbell_core::limits::{DAY, DURABLE_AGE, HOUR, Millis};
use deskbell_core::log::Log;
use deskbell_core::position::Epoch;
use deskbell_core::reservation::{Act, Actor, Claim, Command, Policy, ResourceWish, Span, Ttl, Wish};
use deskbell_server::clock;
use deskbell_server::store::{
    Ledger, Look, Opened, Options, Petition, QUIET, Ruled, Seed, Shared, Store, World,
};
use rusqlite::Connection;

/// As in the program, for both sides of every comparison.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const APP: AppId = AppId(1);
const RESOURCES: u64 = 64;

/// The option `purge_delay`, as in the program.
const PURGE_DELAY: i32 = 15;

fn main() {
    // SAFETY: sets a number that the allocator reads, before there is a second thread.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) };
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(2.0, |text| text.parse().unwrap());
    let past: u64 = arguments.next().map_or(0, |text| text.parse().unwrap());
    let time = Duration::from_secs_f64(seconds);
    let directory = std::env::temp_dir().join(format!("deskbell-ledger-{}", std::process::id()));
    let fresh = |name: &str| {
        let place = directory.join(name);
        std::fs::create_dir_all(&place).unwrap();
        place
    };
    let single = one_by_one(&fresh("one-by-one"), time);
    println!("hold + release, one per transaction {single}");
    let store = open(&fresh("store"), past, None);
    for clients in [32, 256] {
        let insert = bare(&fresh(&format!("bare-{clients}")), clients, 512, time);
        println!("bare INSERT, group commit, {clients:>3}      {insert}");
        let held = commands(&store, clients, time);
        println!("hold + release, {clients:>3}                 {held}");
        println!(
            "    {:.2} of the bare rate, {:.1} times one per transaction",
            held.rate / insert.rate,
            held.rate / single.rate
        );
    }
    week(&store);
    one_slot(&store);
    store.close().unwrap();
    if let Ok(url) = std::env::var("DESKBELL_LEDGER") {
        shared(&fresh, url, time);
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

/// The same over PostgreSQL, beside what a server does there that commits each command by itself: over one connection,
/// which is as many as the store writes on, and over one for each client.
fn shared(fresh: &impl Fn(&str) -> PathBuf, url: String, time: Duration) {
    let shared = Shared(url);
    for connections in [1, 32] {
        let ledgers: Vec<Mutex<Ledger>> = (0..connections)
            .map(|n| {
                Mutex::new(opened(&fresh(&format!("shared-{connections}-{n}")), 0, Some(shared.clone())))
            })
            .collect();
        let single = one_at_a_time(&ledgers, time);
        println!("PostgreSQL, one per transaction, {connections:>3} {single}");
    }
    let store = open(&fresh("shared"), 0, Some(shared));
    for clients in [32, 256] {
        let held = commands(&store, clients, time);
        println!("PostgreSQL, hold + release, {clients:>3}     {held}");
    }
    store.close().unwrap();
}

/// What clients saw.
struct Measured {
    rate: f64,
    p50: u64,
    p99: u64,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>8.0}/s  p50 {:>6} us  p99 {:>6} us", self.rate, self.p50, self.p99)
    }
}

/// Runs clients for a while. `ask` does one round of a client and notes how long each part took.
fn measure(clients: u64, time: Duration, ask: impl Fn(u64, &mut Vec<u64>) + Sync) -> Measured {
    let stop = AtomicBool::new(false);
    let all = Mutex::new(Vec::new());
    let begin = clock::monotonic_us();
    std::thread::scope(|scope| {
        for client in 0..clients {
            let (stop, all, ask) = (&stop, &all, &ask);
            scope.spawn(move || {
                let mut took = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    ask(client, &mut took);
                }
                all.lock().unwrap().extend(took);
            });
        }
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
    let seconds = (clock::monotonic_us() - begin) as f64 / 1e6;
    let mut all = all.into_inner().unwrap();
    all.sort_unstable();
    let at = |part: usize| all.get(all.len() * part / 100).copied().unwrap_or(0);
    Measured { rate: all.len() as f64 / seconds, p50: at(50), p99: at(99) }
}

type Insert = (u64, mpsc::SyncSender<()>);

/// One writer that commits what has gathered, as the store does, with nothing but an INSERT.
fn bare(directory: &Path, clients: u64, most: usize, time: Duration) -> Measured {
    let connection = Connection::open(directory.join("bare.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
             CREATE TABLE held (resource INTEGER, slot INTEGER, by INTEGER, PRIMARY KEY (resource, slot)) WITHOUT ROWID;",
        )
        .unwrap();
    let (sender, receiver) = mpsc::sync_channel::<Insert>(4_096);
    let writer = std::thread::spawn(move || {
        let mut batch = Vec::new();
        while let Ok(first) = receiver.recv() {
            batch.push(first);
            batch.extend(receiver.try_iter().take(most - 1));
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            for (slot, _) in &batch {
                connection
                    .prepare_cached("INSERT INTO held VALUES (?1, ?2, 7) ON CONFLICT DO NOTHING")
                    .unwrap()
                    .execute((slot % 1_000, (slot / 1_000).cast_signed()))
                    .unwrap();
            }
            connection.execute_batch("COMMIT").unwrap();
            batch.drain(..).for_each(|(_, answer)| answer.send(()).unwrap_or(()));
        }
    });
    let measured = measure(clients, time, |_, took| {
        let begin = clock::monotonic_us();
        let (answer, answered) = mpsc::sync_channel(1);
        sender.send((clock::random_below(100_000_000), answer)).unwrap();
        answered.recv().unwrap();
        took.push(clock::monotonic_us() - begin);
    });
    drop(sender);
    writer.join().unwrap();
    measured
}

/// What a server does that commits each command by itself: the same rules and tables, and one command after the
/// other. Nobody copies the side file back meanwhile, so nothing but the commits takes time.
fn one_by_one(directory: &Path, time: Duration) -> Measured {
    one_at_a_time(&[Mutex::new(opened(directory, 1_000, None))], time)
}

/// So many connections, and on each of them one command after the other.
fn one_at_a_time(ledgers: &[Mutex<Ledger>], time: Duration) -> Measured {
    let today = clock::now_ms() / DAY;
    measure(32, time, |client, took| {
        let ask = |petition: Petition| {
            let mut ledger = ledgers[client as usize % ledgers.len()].lock().unwrap();
            let done = ledger.batch(clock::now_ms(), &[petition], &[]);
            done.rulings.into_iter().next().unwrap().ok()
        };
        let begin = clock::monotonic_us();
        let Some(held) = ask(anywhere(today, client)) else { return };
        took.push(clock::monotonic_us() - begin);
        let begin = clock::monotonic_us();
        if ask(release(held.reply)).is_some() {
            took.push(clock::monotonic_us() - begin);
        }
    })
}

/// A store with resources and a past, and a log behind it as in the server.
fn open(directory: &Path, past: u64, shared: Option<Shared>) -> Store {
    drop(opened(directory, past, shared.clone()));
    let opened = Opened::open(&options(directory, shared)).unwrap();
    let (row, check) = opened.head(APP).unwrap();
    let mut log = Log::new(Epoch(1), row, check, Classes::default());
    let feed = Box::new(move |_, rows: Vec<_>| {
        let take = |row| {
            log.append_if(vec![row], clock::now_ms()).unwrap();
            log.head()
        };
        rows.into_iter().map(take).collect()
    });
    let world = World {
        feed,
        clock: Box::new(clock::now_ms),
        seeds: Box::new(clock::random_bytes::<16>),
        quiet: QUIET,
    };
    opened.start(world).unwrap()
}

fn options(directory: &Path, shared: Option<Shared>) -> Options {
    Options {
        data: directory.to_owned(),
        seed: Seed {
            secret: clock::random_bytes(),
            app_key: clock::random_bytes(),
            app_secret: clock::random_bytes(),
        },
        durable_age: DURABLE_AGE,
        disk: None,
        shared,
    }
}

/// A ledger without a thread, with resources and a past.
fn opened(directory: &Path, past: u64, shared: Option<Shared>) -> Ledger {
    let opened = Opened::open(&options(directory, shared)).unwrap();
    let now = clock::now_ms();
    let mut ledger = opened.ledger(now - 2 * DAY, Box::new(clock::random_bytes::<16>)).unwrap();
    let resources: Vec<Petition> = (0..RESOURCES).map(put).collect();
    assert!(ledger.batch(now - 2 * DAY, &resources, &[]).rulings.iter().all(Result::is_ok));
    for first in (0..past).step_by(256) {
        let time = now - 2 * DAY + first * DAY / past;
        let holds: Vec<Petition> = (first..first + 256)
            .map(|n| hold(n % RESOURCES, now + DAY + n / RESOURCES * HOUR, n % 256))
            .collect();
        let held = ledger.batch(time, &holds, &[]);
        let releases = held.rulings.into_iter().map(|ruling| release(ruling.unwrap().reply));
        ledger.batch(time, &releases.collect::<Vec<_>>(), &[]);
    }
    ledger
}

fn resource(number: u64) -> ResourceId {
    ResourceId::parse(&format!("room-{number}")).unwrap()
}

fn backend(act: Act) -> Petition {
    Petition { app: APP, command: Command::Ask { actor: Actor::backend(), act }, once: None }
}

fn put(number: u64) -> Petition {
    backend(Act::PutResource(Box::new(ResourceWish {
        id: resource(number),
        capacity: 1,
        before: 0,
        after: 0,
        time_zone: TimeZone::parse("UTC").unwrap(),
        hours: Hours::default(),
        provider: None,
        policy: Policy::default(),
    })))
}

fn hold(room: u64, start: Millis, holder: u64) -> Petition {
    let claim = Claim { resource: resource(room), start, end: start + HOUR / 2, units: 1 };
    let holder = Some(UserId::parse(&format!("user-{holder}")).unwrap());
    let wish = Wish { any_of: vec![vec![claim]], holder, email: None, meta: None };
    backend(Act::Hold { wish, ttl: Ttl::Usual, replace: None })
}

/// A hold of any half hour of a year, of which there are so many that hardly any is wanted twice.
fn anywhere(today: u64, client: u64) -> Petition {
    let slot = clock::random_below(RESOURCES * 365 * 48);
    let (room, place) = (slot % RESOURCES, slot / RESOURCES);
    hold(room, (today + 1 + place / 48) * DAY + place % 48 * HOUR / 2, client)
}

fn release(of: deskbell_core::reservation::Reply) -> Petition {
    let hold = of.reservation.unwrap();
    backend(Act::Release { id: hold.id.clone(), fence: Some(hold.fence) })
}

fn ask(store: &Store, petition: Petition) -> Option<Ruled> {
    let (answer, answered) = mpsc::sync_channel(1);
    store.rule(petition, Box::new(move |ruling| answer.send(ruling).unwrap_or(())));
    answered.recv().unwrap().ok()
}

fn commands(store: &Store, clients: u64, time: Duration) -> Measured {
    let taken = AtomicU64::new(0);
    let today = clock::now_ms() / DAY;
    let measured = measure(clients, time, |client, took| {
        let begin = clock::monotonic_us();
        let Some(held) = ask(store, anywhere(today, client)) else {
            taken.fetch_add(1, Ordering::Relaxed);
            return;
        };
        took.push(clock::monotonic_us() - begin);
        let begin = clock::monotonic_us();
        ask(store, release(held.reply)).unwrap();
        took.push(clock::monotonic_us() - begin);
    });
    assert!(taken.into_inner() < 100, "hardly any slot is wanted twice");
    measured
}

/// How long a look at a week with 1,000 reservations takes.
fn week(store: &Store) {
    let store = Arc::new(store);
    let monday = (clock::now_ms() / DAY + 400) * DAY;
    for n in 0..1_000 {
        ask(store.as_ref(), hold_in(monday + n * 10 * 60_000, n)).unwrap();
    }
    let mut took = Vec::new();
    for _ in 0..1_000 {
        let span = Span { start: monday, end: monday + 7 * DAY };
        let look = Look::Availability { resource: resource(0), span, now: clock::now_ms() };
        let begin = clock::monotonic_us();
        let (answer, answered) = mpsc::sync_channel(1);
        store.look(APP, look, Box::new(move |seen| answer.send(seen).unwrap_or(())));
        answered.recv().unwrap().unwrap();
        took.push(clock::monotonic_us() - begin);
    }
    took.sort_unstable();
    println!("a look at a week with 1,000 holds         p50 {:>6} us  p99 {:>6} us", took[500], took[990]);
}

fn hold_in(start: Millis, holder: u64) -> Petition {
    let claim = Claim { resource: resource(0), start, end: start + 5 * 60_000, units: 1 };
    let holder = Some(UserId::parse(&format!("week-{holder}")).unwrap());
    let wish = Wish { any_of: vec![vec![claim]], holder, email: None, meta: None };
    backend(Act::Hold { wish, ttl: Ttl::Usual, replace: None })
}

/// How long it takes until everybody is answered where a thousand want one slot at the same moment.
fn one_slot(store: &Store) {
    const WANTED_BY: u64 = 1_000;
    let day = (clock::now_ms() / DAY + 500) * DAY;
    let mut took = Vec::new();
    for nth in 0..20 {
        let (answer, answered) = mpsc::sync_channel(WANTED_BY as usize);
        let begin = clock::monotonic_us();
        for holder in 0..WANTED_BY {
            let (petition, answer) = (hold(1, day + nth * HOUR, holder + nth * WANTED_BY), answer.clone());
            store.rule(petition, Box::new(move |ruling| answer.send(ruling.is_ok()).unwrap_or(())));
        }
        let won = (0..WANTED_BY).filter(|_| answered.recv().unwrap()).count();
        took.push(clock::monotonic_us() - begin);
        assert_eq!(won, 1, "exactly one of them holds it");
    }
    took.sort_unstable();
    println!("1,000 holds on one slot, all answered after  p50 {:>6} us  worst {:>6} us", took[10], took[19]);
}
