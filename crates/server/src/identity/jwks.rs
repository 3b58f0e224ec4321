//! When a key set is fetched: on schedule, and when a token names a key that nobody knows.
//!
//! One task fetches, so that there is never more than one fetch at a time; everybody else only
//! asks for the next round and waits until it is over.

use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::fetch::NotFetched;
use super::jwk::{self, Origin};
use super::keys::KeySet;
use super::settings::{Pace, Source};

/// Time beyond a fetch's own bound until whoever waits for it gives up on a fetcher that is gone.
const SLACK: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, Default)]
struct Round {
    begun: u64,
    done: u64,
    wanted: u64,
}

/// The rounds of fetching, and who waits for them.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    round: watch::Sender<Round>,
    changed: Notify,
}

impl Rounds {
    /// Waits until a fetch has ended that began after now, or that is under way. Bounded in time.
    pub async fn next(&self, pace: Pace) {
        let mut target = 0;
        self.round.send_modify(|round| {
            let is_under_way = round.begun > round.done;
            target = if is_under_way { round.begun } else { round.begun + 1 };
            round.wanted = round.wanted.max(target);
        });
        let mut round = self.round.subscribe();
        let bound = pace.gap.saturating_add(pace.timeout).saturating_add(SLACK);
        // Whether it ended or time ran out, the caller looks at the keys again.
        let _ = timeout(bound, round.wait_for(|round| round.done >= target)).await;
    }

    /// The source is another one; whatever waits for the old schedule starts anew.
    pub fn source_changed(&self) {
        self.changed.notify_one();
    }

    /// Waits until the source is another one.
    pub async fn until_changed(&self) {
        self.changed.notified().await;
    }

    /// Fetches once. `install` runs before those who wait are woken.
    pub async fn fetch(&self, source: &Source, install: impl FnOnce(Result<KeySet, NotFetched>)) {
        self.round.send_modify(|round| round.begun += 1);
        install(key_set(source).await);
        self.round.send_modify(|round| round.done = round.begun);
    }

    /// Waits until the next fetch is due: after the gap, and then on schedule or on demand.
    pub async fn until_due(&self, pace: Pace, came: bool) {
        let until_schedule = if came { pace.every } else { pace.retry };
        sleep(pace.gap).await;
        let mut round = self.round.subscribe();
        tokio::select! {
            () = sleep(until_schedule.saturating_sub(pace.gap)) => {}
            _ = round.wait_for(|round| round.wanted > round.begun) => {}
        }
    }
}

async fn key_set(source: &Source) -> Result<KeySet, NotFetched> {
    let body = timeout(source.pace.timeout, source.endpoint.fetch())
        .await
        .map_err(|_| NotFetched(format!("no answer within {} ms", source.pace.timeout.as_millis())))??;
    jwk::parse(&body, Origin::Fetched).map_err(|bad| NotFetched(bad.0))
}
