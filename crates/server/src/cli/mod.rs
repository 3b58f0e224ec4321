//! The command line: what can be typed, and which function answers it.
//!
//! A new subcommand is one arm of `Command` and one line of `dispatch`.

mod configuration;
mod connect;
mod doctor;
mod flags;
mod holds;
mod http_client;
mod import;
mod inspect;
mod migrate;
mod remote;
mod send;
mod sign_email;
mod tail;
#[cfg(test)]
mod tests;
mod token;
mod webhooks;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::config::{ConfigErrors, Settings};
use flags::ConfigFlags;

/// A self-hosted real-time server for booking platforms.
#[derive(Parser)]
#[command(name = "deskbell", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    config: ConfigFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server; the same as no command at all
    Serve(ConfigFlags),
    /// Read the configuration, say everything that is wrong with it, and start nothing
    Check(ConfigFlags),
    /// Print every option with its value, where the value came from and what it means
    Config(configuration::ConfigArgs),
    /// Make a token for a user
    Token(token::TokenArgs),
    /// Prove an e-mail address to pages of the AppointEase dialect
    SignEmail(sign_email::SignArgs),
    /// Publish one event
    Send(send::SendArgs),
    /// Print events as they happen, one a line
    Tail(tail::TailArgs),
    /// Print the numbers of a running server
    Status(inspect::InspectArgs),
    /// Print the sessions of a running server, one a line
    Sessions(inspect::InspectArgs),
    /// Print what is held on a running server, one a line, or end a hold
    Holds(holds::HoldsArgs),
    /// Print how webhooks are, one a line, or deal with what they could not deliver
    Webhooks(webhooks::WebhooksArgs),
    /// Ask a running server whether it is well; the exit code says it
    Health(inspect::HealthArgs),
    /// Measure a server: many connections, publishes at a rate or flat out, losses counted
    Bench(Box<crate::bench::Options>),
    /// Look for what would stop Deskbell from working here, and say what to do
    Doctor(doctor::DoctorArgs),
    /// Make bookings of the appointments in a site's own table, from a file or its database
    Import(import::ImportArgs),
    /// Move the data file into the empty PostgreSQL database that `ledger` names
    Migrate(ConfigFlags),
    /// What an application's PostgreSQL database needs to publish from its own transactions
    Outbox {
        /// What to do
        #[command(subcommand)]
        action: OutboxAction,
    },
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What can be done about an application's outbox.
#[derive(Subcommand)]
enum OutboxAction {
    /// Print its tables and functions, for psql
    Sql,
}

/// Why a command failed.
#[derive(Debug)]
pub enum CliError {
    /// The command was typed or configured wrongly: exit code 2.
    Usage(String),
    /// The command could not do what it should: exit code 1.
    Failed(String),
    /// The reader of our output went away, which is no error.
    Closed,
}

impl From<ConfigErrors> for CliError {
    fn from(errors: ConfigErrors) -> Self {
        CliError::Usage(errors.to_string())
    }
}

/// An error of writing our own output.
impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => CliError::Closed,
            _ => CliError::Failed(format!("cannot write: {error}")),
        }
    }
}

/// Does what the command line of this process says.
pub fn main() -> ExitCode {
    let mut out = std::io::stdout();
    let mut err = std::io::stderr();
    ExitCode::from(run(std::env::args_os(), &mut out, &mut err))
}

/// Does what a command line says, and gives the exit code: 0 done, 1 failed, 2 typed or configured wrongly.
pub fn run(arguments: impl Iterator<Item = OsString>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors. Nobody is left to tell when even this cannot be written.
            let words = error.render();
            let _ = if error.use_stderr() { write!(err, "{words}") } else { write!(out, "{words}") };
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    let (sentence, code) = match dispatch(cli, out, err) {
        Ok(()) | Err(CliError::Closed) => return 0,
        Err(CliError::Failed(sentence)) => (sentence, 1),
        Err(CliError::Usage(sentence)) => (sentence, 2),
    };
    // Nobody is left to tell when even this cannot be written.
    let _ = writeln!(err, "{sentence}");
    code
}

fn dispatch(cli: Cli, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), CliError> {
    match cli.command.unwrap_or(Command::Serve(cli.config)) {
        Command::Serve(flags) => serve(flags),
        Command::Check(flags) => configuration::check(flags, out),
        Command::Config(args) => configuration::print(args, out),
        Command::Token(args) => token::run(args, crate::clock::now_ms(), out),
        Command::SignEmail(args) => sign_email::run(args, crate::clock::now_ms(), out),
        Command::Send(args) => send::run(args, out),
        Command::Tail(args) => tail::run(args, out, err),
        Command::Status(args) => inspect::status(args, out),
        Command::Sessions(args) => inspect::sessions(args, out),
        Command::Holds(args) => holds::run(args, out),
        Command::Webhooks(args) => webhooks::run(args, out),
        Command::Health(args) => inspect::health(args, out),
        Command::Bench(options) => bench(*options, out),
        Command::Doctor(args) => doctor::run(args, crate::clock::now_ms(), out),
        Command::Import(args) => import::run(args, out, err),
        Command::Migrate(flags) => migrate::run(flags, out),
        Command::Outbox { action: OutboxAction::Sql } => Ok(out.write_all(crate::outbox::SQL.as_bytes())?),
        Command::Completions { shell } => completions(shell, out),
    }
}

fn serve(flags: ConfigFlags) -> Result<(), CliError> {
    let settings = Settings::load(flags.sources())?;
    crate::run::serve(settings).map_err(|error| CliError::Failed(error.to_string()))
}

fn bench(options: crate::bench::Options, out: &mut dyn Write) -> Result<(), CliError> {
    let json = options.json;
    let report = crate::bench::run(options).map_err(|error| CliError::Usage(error.to_string()))?;
    let text = if json { report.to_json() } else { report.to_string() };
    writeln!(out, "{text}")?;
    if report.is_clean() {
        return Ok(());
    }
    Err(CliError::Failed("events were lost, doubled or out of order".to_owned()))
}

fn completions(shell: clap_complete::Shell, out: &mut dyn Write) -> Result<(), CliError> {
    // The generator panics when its writer fails, so it gets one that cannot.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "deskbell", &mut script);
    Ok(out.write_all(&script)?)
}
