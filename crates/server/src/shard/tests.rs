//! A shard that is driven turn by turn, without a thread, so that it can be made to sleep.

mod changes;
mod leave;
mod members;
mod question;
mod wake;
mod walk;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use deskbell_core::access::Identity;
use deskbell_core::event::{Data, Draft, Event, Kind};
use deskbell_core::ids::{ChannelName, EventId, EventName, PublicId};
use deskbell_core::limits;
use deskbell_core::vocabulary::Publish;
use http_body::Body as _;
use mio::Events;
use serde_json::Value;

use super::{Arrival, Ask, Letter, Pipe, PipeBody, Shard, Way};
use crate::clock;
use crate::config::Settings;
use crate::hub::{Hub, Outcome};
use crate::run::build;

/// A hub with one shard that only moves when it is told to.
struct Stage {
    shard: Shard,
    hub: Arc<Hub>,
    runtime: tokio::runtime::Runtime,
    data: PathBuf,
}

impl Stage {
    /// One that is open to everybody.
    fn new(name: &str, channels: &str) -> Self {
        Self::with(name, channels, &[("dev", "true")])
    }

    fn with(name: &str, channels: &str, options: &[(&str, &str)]) -> Self {
        let data = std::env::temp_dir().join(format!("deskbell-shard-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&data).unwrap();
        let file = data.join("deskbell.toml");
        std::fs::write(&file, channels).unwrap();
        let own = data.display().to_string();
        let mut sources = crate::config::Sources { file: Some(file), ..Default::default() };
        for (key, words) in [("data", own.as_str()), ("shards", "1")].iter().chain(options) {
            let (key, words, flag) = ((*key).to_owned(), (*words).to_owned(), "--set".to_owned());
            sources.flags.push(crate::config::SetFlag { key, words, flag });
        }
        let settings = Settings::load(sources).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (hub, mut cradles, _) = runtime.block_on(async { build::parts(&settings) }).unwrap();
        let shard = Shard::new(0, cradles.remove(0), hub.clone());
        Self { shard, hub, runtime, data }
    }

    /// A reader over server-sent events.
    fn reader(&mut self, channels: &[&str]) -> Reader {
        let reader = self.coming_reader(channels, None);
        self.turn();
        reader
    }

    /// A reader that goes on from a cursor, if it has one; the shard takes it in with its next turn.
    fn coming_reader(&self, channels: &[&str], cursor: Option<String>) -> Reader {
        self.coming_reader_as(Identity::visitor(1), channels, cursor)
    }

    fn coming_reader_as(&self, who: Identity, channels: &[&str], cursor: Option<String>) -> Reader {
        let pipe = Arc::new(Pipe::default());
        self.arrive_as(who, Way::Stream { pipe: pipe.clone(), ask: ask(channels, cursor) });
        Reader { body: PipeBody(pipe), text: Vec::new(), frames: Vec::new() }
    }

    fn arrive(&self, way: Way) {
        self.arrive_as(Identity::visitor(1), way);
    }

    fn arrive_as(&self, who: Identity, way: Way) {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let seat = self.hub.seat(peer).unwrap();
        let arrival = Arrival { app: 0, identity: Arc::new(who), peer, way, seat };
        self.hub.mailboxes[0].post(Letter::Arrived(Box::new(arrival))).unwrap();
    }

    fn turn(&mut self) {
        self.shard.turn(&Events::with_capacity(1));
    }

    /// An event that the shard does not look at yet: `[n, padding]`.
    fn publish(&self, channel: &str, n: u64, padding: usize) {
        publish(&self.hub, channel, n, padding, None);
    }

    /// A durable event: on disk and in the log, but not looked at by the shard.
    fn publish_durable(&self, channel: &str, n: u64) {
        let publish = Publish {
            channel: ChannelName::parse(channel).unwrap(),
            name: EventName::parse("e").unwrap(),
            data: Data::json(format!("[{n}]")),
            id: None,
            key: None,
            except: None,
        };
        let (done, answer) = std::sync::mpsc::channel();
        let later = move |outcome: Outcome| done.send(outcome).unwrap();
        let now = self.hub.publish(&self.hub.apps[0], &Identity::backend(), publish, clock::now_ms(), later);
        assert!(now.is_none(), "the disk comes first");
        answer.recv().unwrap().unwrap();
    }

    /// Turns until nobody hears anything new.
    fn settle(&mut self, readers: &mut [&mut Reader]) {
        let mut idle = 0;
        while idle < 10 {
            self.turn();
            let news: usize = readers.iter_mut().map(|reader| reader.read()).sum();
            idle = if news == 0 { idle + 1 } else { 0 };
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The store's threads end when it is closed; a directory that is left over harms nobody.
        let _ = self.runtime.block_on(async { self.hub.store.close() });
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

fn ask(channels: &[&str], cursor: Option<String>) -> Ask {
    let channels = channels.iter().map(|name| ChannelName::parse(name).unwrap()).collect();
    Ask { channels, cursor, ..Ask::default() }
}

fn publish(hub: &Hub, channel: &str, n: u64, padding: usize, except: Option<PublicId>) {
    let event = Event {
        id: EventId::from_random(clock::random_bytes()),
        channel: ChannelName::parse(channel).unwrap(),
        name: EventName::parse("e").unwrap(),
        data: Data::json(format!("[{n},\"{}\"]", "x".repeat(padding))),
        at: clock::now_ms(),
    };
    let draft = Draft { event, kind: Kind::Message, key: None, except, by: None };
    hub.apps[0].log.with(|log| log.append(draft, None, clock::now_ms())).unwrap();
}

/// The reading end of a stream.
struct Reader {
    body: PipeBody,
    text: Vec<u8>,
    frames: Vec<Value>,
}

impl Reader {
    /// Takes what there is; gives how many bytes that were.
    fn read(&mut self) -> usize {
        self.read_until(Waker::noop())
    }

    /// The same, and whoever writes next wakes the waker.
    fn read_until(&mut self, waker: &Waker) -> usize {
        let mut context = Context::from_waker(waker);
        let mut bytes = 0;
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut self.body).poll_frame(&mut context) {
            let data = frame.into_data().unwrap();
            bytes += data.len();
            self.text.extend_from_slice(&data);
        }
        while let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.text.drain(..end + 2).collect();
            let text = String::from_utf8(block).unwrap();
            let data = text.lines().find_map(|line| line.strip_prefix("data: "));
            self.frames.extend(data.map(|json| serde_json::from_str::<Value>(json).unwrap()));
        }
        bytes
    }

    fn numbers(&self, channel: &str) -> Vec<u64> {
        let own = self.frames.iter().filter(|frame| frame["type"] == "event" && frame["channel"] == channel);
        own.map(|frame| frame["data"][0].as_u64().unwrap()).collect()
    }

    /// The events of both channels, as they came.
    fn all_numbers(&self) -> Vec<u64> {
        let events = self.frames.iter().filter(|frame| frame["type"] == "event");
        events.map(|frame| frame["data"][0].as_u64().unwrap()).collect()
    }

    fn cursor(&self) -> Option<String> {
        self.frames.iter().rev().find_map(|frame| Some(frame["cursor"].as_str()?.to_owned()))
    }

    fn resets(&self) -> Vec<(&str, &str)> {
        let resets = self.frames.iter().filter(|frame| frame["type"] == "reset");
        resets.map(|frame| (frame["channel"].as_str().unwrap(), frame["reason"].as_str().unwrap())).collect()
    }
}

const CHANNELS: &str = r#"
[[channels]]
pattern = "large"
history_count = 100000
history_bytes = "200MiB"
[[channels]]
pattern = "short"
history_count = 1
[[channels]]
pattern = "ledger*"
durable = true
history_count = 1
"#;

/// Events of this size make the ring let go of the oldest long before it has its fill of numbers.
const LARGE: usize = 512 * 1024;

/// A few dozen events of this size are more than what waits for a slow reader.
const KIB_8: usize = 8 * 1024;

#[test]
fn a_shard_that_fell_off_the_ring_reads_on_from_history() {
    let mut stage = Stage::new("fell", CHANNELS);
    let mut both = stage.reader(&["large", "short"]);
    let mut one = stage.reader(&["large"]);
    for n in 0..3 {
        stage.publish("large", n, 10);
        stage.publish("short", n, 10);
    }
    stage.settle(&mut [&mut both, &mut one]);
    assert_eq!(both.numbers("short"), [0, 1, 2]);
    // The shard sleeps while more is published than the ring holds.
    let many = (limits::RING_BYTES / LARGE) as u64 + 20;
    stage.publish("short", 3, 10);
    stage.publish("short", 4, 10);
    (3..many).for_each(|n| stage.publish("large", n, LARGE));
    assert_eq!(stage.hub.metrics.shard_fell_off.get(), 0);
    stage.settle(&mut [&mut both, &mut one]);
    assert_eq!(stage.hub.metrics.shard_fell_off.get(), 1);
    stage.publish("large", many, 10);
    stage.publish("short", 5, 10);
    stage.settle(&mut [&mut both, &mut one]);
    let whole: Vec<u64> = (0..=many).collect();
    assert_eq!(both.numbers("large"), whole);
    assert_eq!(one.numbers("large"), whole);
    assert_eq!(both.resets(), [("short", "expired")], "what history has lost as well is told");
    assert_eq!(both.numbers("short"), [0, 1, 2, 5]);
    assert_eq!(one.resets(), []);
}

#[test]
fn a_slow_reader_goes_on_from_history_without_loss() {
    let mut stage = Stage::new("slow", CHANNELS);
    let (mut slow, mut quick) = (stage.reader(&["large"]), stage.reader(&["large"]));
    stage.settle(&mut [&mut slow, &mut quick]);
    for n in 0..200 {
        stage.publish("large", n, KIB_8);
        stage.turn();
        quick.read();
    }
    assert_eq!(quick.numbers("large").len(), 200, "nobody waits for the slow one");
    stage.settle(&mut [&mut slow]);
    assert_eq!(slow.numbers("large"), (0..200).collect::<Vec<u64>>());
}

#[test]
fn what_was_published_before_a_client_begins_is_not_for_it() {
    let mut stage = Stage::new("now", CHANNELS);
    // Both wait for the same turn of the shard.
    stage.publish("large", 0, 10);
    let mut reader = stage.coming_reader(&["large"], None);
    stage.turn();
    stage.publish("large", 1, 10);
    stage.settle(&mut [&mut reader]);
    assert_eq!(reader.numbers("large"), [1]);
}

#[test]
fn a_page_of_the_ledger_leaves_out_what_the_client_may_no_longer_read() {
    let mut stage = Stage::new("ledger", CHANNELS);
    let mut first = stage.reader(&["ledger1", "ledger2"]);
    first.read();
    for n in 0..3 {
        stage.publish_durable("ledger1", n);
        stage.publish_durable("ledger2", n);
    }
    let mut reader = stage.coming_reader(&["ledger1", "ledger2"], first.cursor());
    stage.turn();
    // The page is under way, or waits for the next turn, when the right is lost.
    let lost = ChannelName::parse("ledger2").unwrap();
    stage.shard.drop_sub(1, &lost);
    let deadline = clock::now_ms() + 20 * limits::SECOND;
    while reader.numbers("ledger1").len() < 3 {
        assert!(clock::now_ms() < deadline, "the page never came");
        stage.settle(&mut [&mut reader]);
    }
    assert_eq!(reader.numbers("ledger1"), [0, 1, 2]);
    assert!(reader.numbers("ledger2").is_empty(), "{:?}", reader.frames);
}
