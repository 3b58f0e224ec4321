//! `deskbell tail`: follow events, also over the rotations and restarts of the server.

use std::io::{BufRead, Read as _, Write};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::CliError;
use super::connect::Url;
use super::http_client::{self, Request, in_query, reason};
use super::remote::RemoteArgs;

/// A server sends a heartbeat far more often than this.
const SILENCE: Duration = Duration::from_secs(90);
/// The longest line of a stream: the largest event and its frame.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;
/// The first and the longest pause before a new attempt.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// What to follow.
#[derive(Args)]
pub struct TailArgs {
    /// The channels
    #[arg(required_unless_present = "all")]
    channels: Vec<String>,
    /// Every channel
    #[arg(long, conflicts_with = "channels")]
    all: bool,
    /// Print each event as the JSON that came
    #[arg(long)]
    json: bool,
    /// Stop after this many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Prints events until it is stopped.
pub fn run(args: TailArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), CliError> {
    let url = args.remote.url()?;
    let secret = args.remote.secret()?;
    let channels = if args.all {
        "*".to_owned()
    } else {
        args.channels.iter().map(|name| in_query(name)).collect::<Vec<_>>().join(",")
    };
    let target = format!("/v1/stream?channels={channels}");
    let mut follower = Follower { json: args.json, left: args.count, cursor: None, connected: false };
    let mut pause = PAUSES.0;
    loop {
        let mut request = Request::get(&target).with_secret(secret.expose());
        request.read_time = SILENCE;
        request.headers.push(("Accept", "text/event-stream".to_owned()));
        if let Some(cursor) = &follower.cursor {
            request.headers.push(("Last-Event-ID", cursor.clone()));
        }
        let before = follower.cursor.clone();
        match follower.one_stream(&url, &request, out)? {
            Ended::Counted => return Ok(()),
            // A server ends a stream from time to time; one that brought something is taken up again at once.
            Ended::Stream if follower.cursor != before => pause = PAUSES.0,
            Ended::Stream => std::thread::sleep(pause),
            Ended::Unreachable(sentence) => {
                // Before the first answer it is more likely a wrong address than a restart.
                if !follower.connected {
                    return Err(CliError::Failed(sentence));
                }
                writeln!(err, "{sentence}; trying again")?;
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

enum Ended {
    Counted,
    Stream,
    Unreachable(String),
}

struct Follower {
    json: bool,
    left: Option<u64>,
    cursor: Option<String>,
    connected: bool,
}

impl Follower {
    fn one_stream(
        &mut self,
        url: &Url,
        request: &Request<'_>,
        out: &mut dyn Write,
    ) -> Result<Ended, CliError> {
        let response = match http_client::send(url, request) {
            Ok(response) => response,
            Err(CliError::Failed(sentence)) => return Ok(Ended::Unreachable(sentence)),
            Err(error) => return Err(error),
        };
        match response.status {
            200 => self.connected = true,
            429 | 500.. => {
                let CliError::Failed(sentence) = response.refusal(url) else { return Ok(Ended::Stream) };
                return Ok(Ended::Unreachable(sentence));
            }
            _ => return Err(response.refusal(url)),
        }
        let mut reader = response.stream();
        let mut message = Message::default();
        loop {
            let mut line = Vec::new();
            match (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) => return Ok(Ended::Stream),
                Ok(_) if line.last() != Some(&b'\n') => return Ok(Ended::Stream),
                Ok(_) => {}
                Err(error) => return Ok(Ended::Unreachable(format!("{url}: {}", reason(&error)))),
            }
            let text = String::from_utf8_lossy(&line);
            if !message.take_line(text.trim_end_matches(['\n', '\r'])) {
                continue;
            }
            self.print(&std::mem::take(&mut message), out)?;
            if self.left == Some(0) {
                return Ok(Ended::Counted);
            }
        }
    }

    fn print(&mut self, message: &Message, out: &mut dyn Write) -> Result<(), CliError> {
        if message.id.is_some() {
            self.cursor.clone_from(&message.id);
        }
        let Ok(frame) = serde_json::from_str::<Value>(&message.data) else { return Ok(()) };
        let Some(line) = in_words(&frame) else { return Ok(()) };
        writeln!(out, "{}", if self.json { &message.data } else { &line })?;
        out.flush()?;
        let is_event = frame.get("type").and_then(Value::as_str) == Some("event");
        self.left = self.left.map(|left| left.saturating_sub(u64::from(is_event)));
        Ok(())
    }
}

/// One message of an event stream, while its lines come in.
#[derive(Default)]
struct Message {
    id: Option<String>,
    data: String,
}

impl Message {
    /// Takes a line; true when it ends the message.
    fn take_line(&mut self, line: &str) -> bool {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
        line.is_empty()
    }
}

/// The line for one frame; welcome frames and the like are left out.
fn in_words(frame: &Value) -> Option<String> {
    let member = |name: &str| frame.get(name).and_then(Value::as_str).unwrap_or("-");
    match member("type") {
        "event" => {
            let data = frame.get("data").unwrap_or(&Value::Null);
            Some(format!("{} {} {} {data}", member("channel"), member("name"), member("id")))
        }
        "reset" => {
            Some(format!("# reset {}: {}; events may be missing here", member("channel"), member("reason")))
        }
        "error" => Some(format!("# error {}: {}", member("code"), member("message"))),
        _ => None,
    }
}
