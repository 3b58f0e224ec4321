//! `deskbell import`: the appointments of a site's own table become bookings.
//!
//! | part | what |
//! |---|---|
//! | `mod` | what the table says is said to the server, as the site's backend would say it |
//! | [`source`] | where the rows come from: a file, or the site's database |
//! | [`database`] | one table of a MariaDB or MySQL |
//!
//! It takes the way of every notice of a backend, `POST /broadcast`. So there is one rule for what an appointment
//! does to what is held and booked already, and whatever is imported twice is there once.

mod database;
mod source;

use std::io::Write;
use std::time::Duration;

use clap::Args;
use deskbell_wire::appointease::table::Followed;

use super::CliError;
use super::connect::Url;
use super::http_client::{self, Request};
use super::remote::RemoteArgs;
use crate::config::Secret;
use source::Source;

/// The shortest time between two readings: a table is read as a whole each time.
const SHORTEST_WAIT: u64 = 5;

/// What to import.
#[derive(Args)]
pub struct ImportArgs {
    /// A file of SQL, of what `mariadb --batch` prints, or of rows in JSON; `-` for standard input; or mysql://USER:PASSWORD@HOST/DATABASE
    #[arg(value_name = "SOURCE")]
    source: String,
    /// The table of appointments
    #[arg(long, value_name = "NAME", default_value = "wp_appointments")]
    table: String,
    /// Go on, and read the source again after this many seconds: what has changed is told, what is gone was called off
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(SHORTEST_WAIT..))]
    every: Option<u64>,
    /// Print what would be said, one a line, and say nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// What became of the rows.
#[derive(Default, PartialEq, Eq)]
struct Counts {
    taken: usize,
    refused: usize,
    nameless: usize,
}

/// The server that is told.
struct Server {
    url: Url,
    secret: Secret,
}

/// Imports, once or for ever.
pub fn run(args: ImportArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), CliError> {
    let source = Source::parse(&args.source, &args.table)?;
    if args.dry_run {
        for change in Followed::default().changes(&source.rows()?) {
            writeln!(out, "{}", change.body)?;
        }
        return Ok(());
    }
    let server = Server { url: args.remote.url()?, secret: args.remote.secret()? };
    let mut followed = Followed::default();
    let Some(every) = args.every else {
        let counts = server.tell(&source, &mut followed, err)?;
        writeln!(out, "{counts}")?;
        return if counts.refused == 0 { Ok(()) } else { Err(refused(&counts)) };
    };
    if source.is_read_once() {
        let sentence = "standard input can be read only once; name a file or a database with --every";
        return Err(CliError::Usage(sentence.to_owned()));
    }
    let mut trouble = String::new();
    loop {
        match server.tell(&source, &mut followed, err) {
            Ok(counts) => {
                if counts.taken + counts.refused > 0 || !trouble.is_empty() {
                    writeln!(out, "{counts}")?;
                    out.flush()?;
                }
                trouble.clear();
            }
            // Either side may be away for a while; nothing is forgotten, and it is said once.
            Err(CliError::Failed(sentence)) => {
                if sentence != trouble {
                    writeln!(err, "{sentence}; trying again every {every} s")?;
                }
                trouble = sentence;
            }
            Err(other) => return Err(other),
        }
        std::thread::sleep(Duration::from_secs(every));
    }
}

fn refused(counts: &Counts) -> CliError {
    CliError::Failed(format!(
        "{} rows were refused, for the reasons above; mend them and import again: the others are there already",
        counts.refused
    ))
}

impl Server {
    /// Tells what is new in the source.
    fn tell(
        &self,
        source: &Source,
        followed: &mut Followed,
        err: &mut dyn Write,
    ) -> Result<Counts, CliError> {
        let rows = source.rows()?;
        let nameless = rows.iter().filter(|row| row.name().is_none()).count();
        let mut counts = Counts { nameless, ..Counts::default() };
        for change in followed.changes(&rows) {
            let request = Request::post("/broadcast", change.body.clone()).with_secret(self.secret.expose());
            let response = http_client::send(&self.url, &request)?;
            match response.status {
                200..=299 => counts.taken += 1,
                // What this row says makes no sense, and will make none when it is said again.
                400 | 409 | 413 | 422 => {
                    counts.refused += 1;
                    if let CliError::Failed(sentence) = response.refusal(&self.url) {
                        writeln!(err, "{}: {sentence}", change.name())?;
                    }
                }
                404 => return Err(no_such_place(&self.url)),
                _ => return Err(response.refusal(&self.url)),
            }
            followed.heard(&change);
        }
        Ok(counts)
    }
}

fn no_such_place(url: &Url) -> CliError {
    CliError::Failed(format!(
        "{url} takes no appointments; give the address of a Deskbell for AppointEase with --url"
    ))
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} told, {} refused", self.taken, self.refused)?;
        if self.nameless > 0 {
            write!(f, ", {} rows have no id and say nothing", self.nameless)?;
        }
        Ok(())
    }
}
