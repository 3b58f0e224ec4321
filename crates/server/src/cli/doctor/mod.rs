//! `deskbell doctor`: looks for what would stop Deskbell from working here, and says what to do.

pub mod ledger;
pub mod place;
pub mod redis;
pub mod secrets;
pub mod spool;
pub mod upgrade;

use std::io::Write;

use clap::Args;

use super::CliError;
use super::connect::Url;
use super::flags::ConfigFlags;
use crate::config::Settings;
use crate::store::Shared;

/// What to look at.
#[derive(Args)]
pub struct DoctorArgs {
    /// The address browsers use, as https://bell.example.org: a WebSocket is opened through it
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    config: ConfigFlags,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Nothing to do.
    Ok,
    /// It works, but not as well as it could.
    Warn,
    /// It does not work.
    Fail,
}

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it ended.
    pub grade: Grade,
    /// What was seen.
    pub seen: String,
    /// What to do about it; empty when there is nothing to do.
    pub advice: String,
}

impl Finding {
    fn ok(seen: impl Into<String>) -> Finding {
        Finding { grade: Grade::Ok, seen: seen.into(), advice: String::new() }
    }

    fn warn(seen: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { grade: Grade::Warn, seen: seen.into(), advice: advice.into() }
    }

    fn fail(seen: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { grade: Grade::Fail, seen: seen.into(), advice: advice.into() }
    }
}

/// Runs every check and prints a line for each. Any FAIL is exit code 1.
pub fn run(args: DoctorArgs, now_ms: u64, out: &mut dyn Write) -> Result<(), CliError> {
    let url = args.url.as_deref().map(Url::parse).transpose()?;
    let settings = Settings::load(args.config.sources())?;
    let mut findings = vec![Finding::ok("the configuration is sound")];
    findings.extend(settings.warnings.iter().map(|warning| Finding::warn(warning, "")));
    findings.extend(settings.listen.iter().map(place::port));
    findings.push(place::data_directory(&settings.data_dir));
    if settings.ledger.is_none() {
        findings.push(place::data_file(&settings.data_file()));
    }
    let shared = settings.ledger.as_ref().map(|url| Shared(url.expose().to_owned()));
    findings.extend(ledger::invariants(&settings.data_dir, shared.as_ref()));
    findings.push(place::open_files(place::open_file_limit(), settings.limits.connections as u64));
    findings.push(place::clock(now_ms));
    findings.push(secrets::lengths(&settings));
    findings.push(secrets::certificate(&settings.tls));
    findings.extend(redis::answers(&settings));
    findings.extend(spool::is_readable(&settings));
    if let Some(url) = url {
        findings.extend(upgrade::through(&url, now_ms));
    }
    print(&findings, out)
}

fn print(findings: &[Finding], out: &mut dyn Write) -> Result<(), CliError> {
    for finding in findings {
        let word = match finding.grade {
            Grade::Ok => "ok  ",
            Grade::Warn => "warn",
            Grade::Fail => "FAIL",
        };
        writeln!(out, "{word}  {}", finding.seen)?;
        if !finding.advice.is_empty() {
            writeln!(out, "      {}", finding.advice)?;
        }
    }
    match findings.iter().filter(|finding| finding.grade == Grade::Fail).count() {
        0 => Ok(()),
        1 => Err(CliError::Failed("one check failed".to_owned())),
        n => Err(CliError::Failed(format!("{n} checks failed"))),
    }
}
