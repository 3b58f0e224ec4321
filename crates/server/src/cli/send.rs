//! `deskbell send`: publish one event.

use std::io::{Read as _, Write};

use clap::Args;
use serde_json::{Map, Value, value::RawValue};

use super::CliError;
use super::http_client::Request;
use super::remote::RemoteArgs;

/// The most that is read from standard input.
const LONGEST_DATA: u64 = 8 * 1024 * 1024;

/// What to publish.
#[derive(Args)]
pub struct SendArgs {
    /// The channel
    channel: String,
    /// The event's name
    name: String,
    /// The event's data, as JSON; `-` reads it from standard input
    #[arg(value_name = "DATA", default_value = "null")]
    payload: String,
    /// Take the data as text, not as JSON
    #[arg(long)]
    text: bool,
    /// The event's id: sent again with the same one, it is published once
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Publishes, and prints the event's id and cursor.
pub fn run(args: SendArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let body = body(&args)?;
    let answer = args.remote.ask(Request::post("/v1/publish", body))?.json;
    let member = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    writeln!(out, "{} {}", member("id"), member("cursor"))?;
    Ok(())
}

fn body(args: &SendArgs) -> Result<String, CliError> {
    let mut data = args.payload.clone();
    if data == "-" {
        data.clear();
        let read = std::io::stdin().take(LONGEST_DATA).read_to_string(&mut data);
        read.map_err(|error| CliError::Failed(format!("cannot read the data: {error}")))?;
    }
    let json = |value: &Value| value.to_string();
    let data = if args.text {
        json(&Value::String(data))
    } else {
        // The bytes go out as they were typed, so that no number loses digits on the way.
        let raw: Result<Box<RawValue>, _> = serde_json::from_str(data.trim());
        let no_json =
            |error| CliError::Usage(format!("the data is no JSON ({error}); use --text to send plain text"));
        raw.map_err(no_json)?.get().to_owned()
    };
    let mut members = Map::new();
    members.insert("channel".to_owned(), Value::String(args.channel.clone()));
    members.insert("name".to_owned(), Value::String(args.name.clone()));
    if let Some(id) = &args.id {
        members.insert("id".to_owned(), Value::String(id.clone()));
    }
    let head = json(&Value::Object(members));
    Ok(format!("{},\"data\":{data}}}", head.strip_suffix('}').unwrap_or(&head)))
}
