//! `deskbell status`, `sessions` and `health`: ask a running server about itself.

use std::io::Write;

use clap::Args;
use serde_json::Value;

use super::CliError;
use super::http_client::{self, Request};
use super::remote::{RemoteArgs, Said};

/// What to ask, and how to print it.
#[derive(Args)]
pub struct InspectArgs {
    /// Print the JSON that came
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Whom to ask.
#[derive(Args)]
pub struct HealthArgs {
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Prints the numbers of a server, one a line.
pub fn status(args: InspectArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let Said { text, json: stats } = args.remote.ask(Request::get("/v1/stats"))?;
    if args.json {
        writeln!(out, "{}", text.trim_end())?;
        return Ok(());
    }
    let mut lines = Vec::new();
    flatten("", &stats, &mut lines);
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in lines {
        writeln!(out, "{name:width$}  {value}")?;
    }
    Ok(())
}

/// Prints the sessions of a server, one a line.
pub fn sessions(args: InspectArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let Said { text, json: answer } = args.remote.ask(Request::get("/v1/sessions"))?;
    if args.json {
        writeln!(out, "{}", text.trim_end())?;
        return Ok(());
    }
    let list = answer.get("sessions").unwrap_or(&answer);
    let sessions = list.as_array().map(Vec::as_slice).unwrap_or_default();
    for session in sessions {
        let mut members = Vec::new();
        flatten("", session, &mut members);
        let words: Vec<String> = members.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        writeln!(out, "{}", words.join(" "))?;
    }
    if sessions.is_empty() {
        writeln!(out, "no sessions")?;
    }
    Ok(())
}

/// Asks whether the server lives and whether it is ready.
pub fn health(args: HealthArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let url = args.remote.url()?;
    for (target, bad) in [("/healthz", "is not well"), ("/readyz", "lives but takes no work now")] {
        let response = http_client::send(&url, &Request::get(target))?;
        let status = response.status;
        if status != 200 {
            let said = response.text().unwrap_or_default();
            let first: String = said.lines().next().unwrap_or_default().chars().take(200).collect();
            return Err(CliError::Failed(format!("{url} {bad}: {target} answers {status} {first}")));
        }
    }
    writeln!(out, "{url} is well and ready")?;
    Ok(())
}

/// The members of nested objects with dotted names; lists stay as they are.
fn flatten(path: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&full, member, lines);
            }
        }
        Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => {
            lines.push((path.to_owned(), text.clone()));
        }
        other => lines.push((path.to_owned(), other.to_string())),
    }
}
