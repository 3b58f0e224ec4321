//! What one subscriber got, checked as it comes.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use deskbell_server::clock::monotonic_us;
use serde::Deserialize;

/// A frame of the server, as far as a subscriber needs it.
#[derive(Debug, Deserialize)]
pub struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub channel: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub cursor: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub resume: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub code: Option<Cow<'a, str>>,
    pub resumed: Option<bool>,
    pub reload_in_ms: Option<u64>,
    pub data: Option<Numbered>,
}

/// The data of every event that tests count.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Numbered {
    /// 1, 2, 3, … on each channel.
    pub n: u64,
    /// When it was published, on this process's own clock.
    #[serde(default)]
    pub t: u64,
}

/// One `reset`.
#[derive(Debug, Clone)]
pub struct Reset {
    pub channel: String,
    pub reason: String,
    pub reload_in_ms: u64,
}

/// The counts of one subscriber.
#[derive(Debug, Default)]
pub struct Tally {
    /// Events.
    pub events: usize,
    /// The number with which a channel must begin, where that is not 1.
    pub first: HashMap<String, u64>,
    /// The newest number on each channel; on those whose name begins with `latest` only that is owed.
    pub last: HashMap<String, u64>,
    /// Every break of the order, in words.
    pub wrong: Vec<String>,
    /// `reset` frames.
    pub resets: Vec<Reset>,
    all_resets: HashSet<String>,
    /// `closing` frames.
    pub closings: usize,
    /// Lost connections: the close code, and when.
    pub closes: Vec<(Option<u16>, u64)>,
    /// The last welcome's word.
    pub resumed: Option<bool>,
    /// Refusals by code.
    pub errors: HashMap<String, usize>,
    /// Publish to receive, in microseconds, where the event says when it was published.
    pub latencies: Vec<u64>,
}

impl Tally {
    /// Forgets what is not about events.
    pub fn forget_incidents(&mut self) {
        self.resets.clear();
        self.closes.clear();
        self.errors.clear();
        self.closings = 0;
        self.resumed = None;
    }

    /// Counts a frame.
    pub fn take(&mut self, frame: &Frame<'_>) {
        let channel = frame.channel.as_deref().unwrap_or_default();
        match &*frame.kind {
            "event" => self.event(channel, frame.data.expect("every event has a number")),
            "reset" => {
                // What follows a reset starts wherever it starts.
                self.last.remove(channel);
                self.all_resets.insert(channel.to_owned());
                self.resets.push(Reset {
                    channel: channel.to_owned(),
                    reason: frame.reason.as_deref().unwrap_or_default().to_owned(),
                    reload_in_ms: frame.reload_in_ms.unwrap_or(u64::MAX),
                });
            }
            "closing" => self.closings += 1,
            "error" => {
                let code = frame.code.as_deref().unwrap_or_default().to_owned();
                *self.errors.entry(code).or_default() += 1;
            }
            _ => {}
        }
    }

    fn event(&mut self, channel: &str, data: Numbered) {
        self.events += 1;
        if data.t > 0 {
            self.latencies.push(monotonic_us().saturating_sub(data.t));
        }
        let latest = channel.starts_with("latest");
        let Some(last) = self.last.get_mut(channel) else {
            let was_reset = self.all_resets.contains(channel);
            if !latest && !was_reset && data.n != self.first.get(channel).copied().unwrap_or(1) {
                self.wrong.push(format!("{channel}: begins with {}", data.n));
            }
            self.last.insert(channel.to_owned(), data.n);
            return;
        };
        if (latest && data.n < *last) || (!latest && data.n != *last + 1) {
            self.wrong.push(format!("{channel}: {} after {last}", data.n));
        }
        *last = data.n;
    }
}

/// The value below which this share of the values lies.
pub fn percentile(mut values: Vec<u64>, share: f64) -> u64 {
    values.sort_unstable();
    let place = (values.len() as f64 * share) as usize;
    values.get(place.min(values.len().saturating_sub(1))).copied().unwrap_or(0)
}
