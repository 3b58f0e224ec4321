//! `deskbell webhooks`: how each endpoint is, what could not be delivered, and what is done about it.

use std::io::Write;

use clap::{Args, Subcommand};
use deskbell_wire::ledger::time;
use serde_json::{Value, json};

use super::CliError;
use super::http_client::Request;
use super::remote::RemoteArgs;

/// Dead letters that are asked for at once.
const PAGE: usize = 100;

/// What to do with webhooks.
#[derive(Args)]
pub struct WebhooksArgs {
    #[command(subcommand)]
    act: Option<Act>,
    /// Print each as the JSON that came
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Subcommand)]
enum Act {
    /// Print how each webhook is, one a line; the same as no command
    List(Whom),
    /// Print the events that could not be delivered, one a line
    Dead(One),
    /// Try dead letters again: those that are named, or all
    Resend(Several),
    /// Throw dead letters away: those that are named, or all
    Discard(Several),
    /// Go on with a webhook that is switched off, where it was
    Enable(One),
    /// Send nothing more until it is enabled
    Disable(One),
    /// Print the secret with which a receiver verifies what it gets
    Secret(One),
}

#[derive(Args)]
struct Whom {
    /// Print each as the JSON that came
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Args)]
struct One {
    /// The webhook's name
    name: String,
    #[command(flatten)]
    whom: Whom,
}

#[derive(Args)]
struct Several {
    /// The webhook's name
    name: String,
    /// Numbers that `deskbell webhooks dead` prints
    letters: Vec<u64>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Lists webhooks, or does something with one of them.
pub fn run(args: WebhooksArgs, out: &mut dyn Write) -> Result<(), CliError> {
    match args.act {
        None => list(&Whom { json: args.json, remote: args.remote }, out),
        Some(Act::List(whom)) => list(&whom, out),
        Some(Act::Dead(one)) => dead(&one, out),
        Some(Act::Resend(some)) => decide(&some, "resend", "tried again", out),
        Some(Act::Discard(some)) => decide(&some, "discard", "thrown away", out),
        Some(Act::Enable(one)) => switch(&one, "enable", out),
        Some(Act::Disable(one)) => switch(&one, "disable", out),
        Some(Act::Secret(one)) => {
            let answer = one.whom.remote.ask(Request::get(&path(&one.name, "")?))?.json;
            Ok(writeln!(out, "{}", answer["secret"].as_str().unwrap_or_default())?)
        }
    }
}

fn path(name: &str, rest: &str) -> Result<String, CliError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(CliError::Usage("this is no webhook's name; `deskbell webhooks` prints them".to_owned()));
    }
    Ok(format!("/v1/webhooks/{name}{rest}"))
}

fn list(whom: &Whom, out: &mut dyn Write) -> Result<(), CliError> {
    let answer = whom.remote.ask(Request::get("/v1/webhooks"))?.json;
    let webhooks = answer["webhooks"].as_array().map(Vec::as_slice).unwrap_or_default();
    for webhook in webhooks {
        let line = if whom.json { webhook.to_string() } else { line(webhook) };
        writeln!(out, "{line}")?;
    }
    if webhooks.is_empty() && !whom.json {
        writeln!(out, "no webhooks; a [[webhooks]] table of the configuration makes one")?;
    }
    Ok(())
}

fn line(webhook: &Value) -> String {
    let number = |name: &str| webhook[name].as_u64().unwrap_or_default();
    let behind = number("head").saturating_sub(number("position"));
    let state = webhook["off"].as_str().map_or("on".to_owned(), |why| format!("off ({why})"));
    let trouble = webhook["trouble"].as_str().map_or(String::new(), |why| format!(" trouble=\"{why}\""));
    let last = webhook["delivered_at"].as_u64();
    let last = last.map_or_else(|| "never".to_owned(), time::to_text);
    format!(
        "{} {state} host={} waiting={} later={} behind={behind} dead={} delivered={last}{trouble}",
        webhook["name"].as_str().unwrap_or_default(),
        webhook["host"].as_str().unwrap_or_default(),
        number("open"),
        number("later"),
        number("dead"),
    )
}

fn dead(one: &One, out: &mut dyn Write) -> Result<(), CliError> {
    let (mut after, mut found) = (0, 0);
    loop {
        let target = path(&one.name, &format!("/letters?limit={PAGE}&after={after}"))?;
        let page = one.whom.remote.ask(Request::get(&target))?.json;
        for letter in page["letters"].as_array().into_iter().flatten() {
            found += 1;
            let line = if one.whom.json { letter.to_string() } else { letter_line(letter) };
            writeln!(out, "{line}")?;
        }
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    if found == 0 && !one.whom.json {
        writeln!(out, "no dead letters")?;
    }
    Ok(())
}

/// A letter on one line; what is in it stays with the server.
fn letter_line(letter: &Value) -> String {
    let text = |name: &str| letter[name].as_str().unwrap_or_default();
    let at = letter["died_at"].as_u64().map(time::to_text).unwrap_or_default();
    let again = if letter["resending"] == true { " resending" } else { "" };
    format!(
        "{} {} {} id={} died={at} attempts={} why=\"{}\"{again}",
        letter["letter"],
        text("type"),
        text("about"),
        text("id"),
        letter["attempts"],
        text("why")
    )
}

fn decide(some: &Several, act: &str, done: &str, out: &mut dyn Write) -> Result<(), CliError> {
    let body = if some.letters.is_empty() { json!({}) } else { json!({"letters": some.letters}) };
    let target = path(&some.name, &format!("/{act}"))?;
    let answer = some.remote.ask(Request::post(&target, body.to_string()))?.json;
    Ok(writeln!(out, "{} of the letters are {done}", answer["letters"])?)
}

fn switch(one: &One, act: &str, out: &mut dyn Write) -> Result<(), CliError> {
    let target = path(&one.name, &format!("/{act}"))?;
    let answer = one.whom.remote.ask(Request::post(&target, String::new()))?.json;
    Ok(writeln!(out, "{}", line(&answer))?)
}
