//! The one place that reads the clock and rolls dice.
//!
//! Time is an anchor on the wall clock at start plus the monotonic clock since, so that it never
//! goes backwards while the process lives, whatever happens to the machine's clock.

// This file owns the clock; the lint holds it against every other.
#![allow(clippy::disallowed_methods)]

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use deskbell_core::limits::Millis;

static ANCHOR: OnceLock<(Millis, Instant)> = OnceLock::new();

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> Millis {
    let (wall, since) = ANCHOR.get_or_init(|| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        (wall.as_millis() as Millis, Instant::now())
    });
    wall + since.elapsed().as_millis() as Millis
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

/// Random bytes from the operating system.
///
/// # Panics
/// When the operating system has none: nothing that needs them may go on then.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A random number that is not 0.
pub fn random_u64() -> u64 {
    u64::from_le_bytes(random_bytes()).max(1)
}

/// A random number below a bound, for jitter.
pub fn random_below(bound: u64) -> u64 {
    random_u64() % bound.max(1)
}
