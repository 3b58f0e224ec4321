//! What becomes of a delivery, from the answer that it got.

use crate::limits::Millis;

/// How an endpoint is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Deliveries under way at once.
    pub concurrency: usize,
    /// Events that are looked at besides those that are safe in the ledger alone.
    pub window: usize,
    /// Time before the second attempt; it doubles with each further one.
    pub first_wait: Millis,
    /// Time between two attempts at most.
    pub longest_wait: Millis,
    /// Time from the first attempt to the last one.
    pub patience: Millis,
}

/// What has been tried so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How often, the attempt included that was just answered.
    pub count: u32,
    /// When for the first time.
    pub since: Millis,
}

/// What an endpoint said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A status, and how long it asks to be left alone.
    Status {
        /// The number.
        status: u16,
        /// `Retry-After`.
        retry_after: Option<Millis>,
    },
    /// Nothing.
    Nothing(Trouble),
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody listens there, or the name has no address.
    NoConnection,
    /// Its certificate is not trusted.
    NoTrust,
    /// It took too long.
    TimedOut,
    /// The connection broke off.
    BrokeOff,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Done,
    /// It is tried again then.
    Again {
        /// When.
        at: Millis,
        /// The whole endpoint asks to be left alone until then.
        pause: Option<Millis>,
    },
    /// It was tried long enough and becomes a dead letter.
    Dead,
    /// Nobody is there any more and wants to be asked again: the endpoint is switched off.
    Gone,
}

impl Answer {
    /// A few words for people.
    pub fn words(self) -> String {
        match self {
            Self::Status { status, .. } if (300..400).contains(&status) => {
                format!("it answered {status}; redirects are not followed, so give the address itself")
            }
            Self::Status { status, .. } => format!("it answered {status}"),
            Self::Nothing(trouble) => trouble.words().to_owned(),
        }
    }
}

impl Trouble {
    /// A few words for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoConnection => "no connection could be made",
            Self::NoTrust => "its certificate is not trusted",
            Self::TimedOut => "it did not answer in time",
            Self::BrokeOff => "the connection broke off",
        }
    }
}

/// Judges an answer. `dice` is any random number.
///
/// Everything but 2xx and 410 is tried again, also what looks final: a receiver that is being deployed answers
/// 404 for a minute.
pub fn judge(answer: Answer, tries: Tries, terms: &Terms, now: Millis, dice: u64) -> Verdict {
    let asked = match answer {
        Answer::Status { status: 200..=299, .. } => return Verdict::Done,
        Answer::Status { status: 410, .. } => return Verdict::Gone,
        Answer::Status { status: 429 | 503, retry_after } => retry_after,
        Answer::Status { .. } | Answer::Nothing(_) => None,
    };
    let last = tries.since.saturating_add(terms.patience);
    if now >= last {
        return Verdict::Dead;
    }
    let pause = asked.map(|wait| now.saturating_add(wait.min(terms.longest_wait)));
    let at = now
        .saturating_add(backoff(tries.count, terms.first_wait, terms.longest_wait, dice))
        .max(pause.unwrap_or(0));
    // The last attempt is made at the end of the patience, and not given up before it.
    Verdict::Again { at: at.min(last), pause }
}

/// The time until the next attempt: doubled with each, bounded, and spread over its later half, so that those
/// who failed together do not all come back together. `dice` is any random number.
pub fn backoff(failures: u32, first: Millis, longest: Millis, dice: u64) -> Millis {
    let doubled = first.saturating_mul(1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX));
    let whole = doubled.min(longest).max(1);
    let half = whole / 2;
    whole - half + dice % (half + 1)
}
