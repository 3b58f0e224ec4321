//! `deskbell holds`: what is held on a running server, and how to end one of them.

use std::io::Write;

use clap::{Args, Subcommand};
use deskbell_wire::ledger::time;
use serde_json::Value;

use super::CliError;
use super::http_client::{Request, in_query};
use super::remote::RemoteArgs;

/// Holds that are asked for at once.
const PAGE: usize = 500;

/// What to do with holds.
#[derive(Args)]
pub struct HoldsArgs {
    #[command(subcommand)]
    act: Option<Act>,
    /// Print each as the JSON that came
    #[arg(long)]
    json: bool,
    /// Only of this resource
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// Only of this user
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Subcommand)]
enum Act {
    /// End a hold at once, whoever has it
    Release {
        /// The hold's id, as `deskbell holds` prints it
        id: String,
        #[command(flatten)]
        remote: RemoteArgs,
    },
}

/// Lists holds, one a line, or ends one.
pub fn run(args: HoldsArgs, out: &mut dyn Write) -> Result<(), CliError> {
    match &args.act {
        None => list(&args, out),
        Some(Act::Release { id, remote }) => release(id, remote, out),
    }
}

fn list(args: &HoldsArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let mut base = format!("/v1/holds?limit={PAGE}");
    for (name, value) in [("resource", &args.resource), ("user", &args.user)] {
        if let Some(value) = value {
            base.push_str(&format!("&{name}={}", in_query(value)));
        }
    }
    let (mut after, mut found) = (String::new(), 0);
    loop {
        let page = args.remote.ask(Request::get(&format!("{base}{after}")))?.json;
        for hold in page["reservations"].as_array().into_iter().flatten() {
            found += 1;
            let line = if args.json { hold.to_string() } else { line(hold) };
            writeln!(out, "{line}")?;
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", in_query(next)),
            None => break,
        }
    }
    if found == 0 && !args.json {
        writeln!(out, "nothing is held")?;
    }
    Ok(())
}

/// A hold on one line: e-mail addresses and what the site noted stay with the server.
fn line(hold: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let claims = hold["claims"].as_array().into_iter().flatten();
    let claims = claims.map(|claim| {
        let at = |name: &str| claim[name].as_u64().map(time::to_text).unwrap_or_default();
        format!("{}[{}/{})x{}", text(&claim["resource"]), at("start"), at("end"), claim["units"])
    });
    let ends = hold["ttl_ms"].as_u64().map_or_else(|| "never".to_owned(), |ms| format!("{}s", ms / 1_000));
    let claims: Vec<String> = claims.collect();
    format!(
        "{} holder={} ends_in={ends} fence={} {}",
        text(&hold["id"]),
        text(&hold["holder"]),
        hold["fence"],
        claims.join(" ")
    )
}

fn release(id: &str, remote: &RemoteArgs, out: &mut dyn Write) -> Result<(), CliError> {
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err(CliError::Usage("this is no hold's id; `deskbell holds` prints them".to_owned()));
    }
    let target = format!("/v1/holds/{id}/release");
    let answer = remote.ask(Request::post(&target, "{}".to_owned()))?.json;
    writeln!(out, "{id} is {}", answer["reservation"]["state"].as_str().unwrap_or("over"))?;
    Ok(())
}
