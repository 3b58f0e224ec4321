//! The one place that reads the clock and rolls dice.
//!
//! Time is an anchor on the wall clock at start plus the monotonic clock since, so that it never
//! goes backwards while the process lives, whatever happens to the machine's clock.

// This file owns the clock; the lint holds it against every other.
#![allow(clippy::disallowed_methods)]

use std::cell::RefCell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use deskbell_core::limits::Millis;

static ANCHOR: OnceLock<(Millis, Instant)> = OnceLock::new();

/// How far the time is ahead of the wall clock at start, because it had come further before.
static AHEAD: AtomicU64 = AtomicU64::new(0);

/// From now on the time is not earlier than this: what a run before has written down as past stays
/// past, also when the machine's clock was set back meanwhile.
pub fn not_before(least: Millis) {
    let missing = least.saturating_sub(now_ms());
    if missing > 0 {
        AHEAD.fetch_add(missing, Ordering::Relaxed);
    }
}

/// From now on the time goes on from this one, which is that of a database that several machines share. For the
/// start, before anybody was told a time.
pub fn agree(time: Millis) {
    let ahead = time.wrapping_sub(now_ms());
    AHEAD.fetch_add(ahead, Ordering::Relaxed);
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> Millis {
    let (wall, since) = ANCHOR.get_or_init(|| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        (wall.as_millis() as Millis, Instant::now())
    });
    // Where a database's clock says so, it is "ahead" by less than nothing.
    (wall + since.elapsed().as_millis() as Millis).wrapping_add(AHEAD.load(Ordering::Relaxed))
}

/// Microseconds since the process first asked for the time: for measuring, never for deciding.
pub fn monotonic_us() -> u64 {
    now_ms();
    ANCHOR.get().map_or(0, |(_, since)| since.elapsed().as_micros() as u64)
}

/// What the machine's clock says now, for the doctor and for log lines.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Random bytes that were asked for at once and not given out yet: one system call for many ids.
struct Pool {
    bytes: [u8; 512],
    left: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; 512], left: 0 }) };
}

/// Random bytes from the operating system. None is ever given out twice.
///
/// # Panics
/// When the operating system has none: nothing that needs them may go on then.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= 512) };
    POOL.with_borrow_mut(|pool| {
        if pool.left < N {
            getrandom::fill(&mut pool.bytes).expect("the operating system gives random bytes");
            pool.left = pool.bytes.len();
        }
        let mut bytes = [0; N];
        let start = pool.left - N;
        bytes.copy_from_slice(&pool.bytes[start..pool.left]);
        pool.bytes[start..pool.left].fill(0);
        pool.left = start;
        bytes
    })
}

/// A random number that is not 0.
pub fn random_u64() -> u64 {
    u64::from_le_bytes(random_bytes()).max(1)
}

/// A random number below a bound, for jitter.
pub fn random_below(bound: u64) -> u64 {
    random_u64() % bound.max(1)
}
