//! `deskbell import`: appointments that a site has already, out of its table, into a running server.

use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::value::RawValue;

use super::CliError;
use super::http_client::Request;
use super::remote::RemoteArgs;

/// The most that is read: a hundred thousand appointments.
const LONGEST: u64 = 64 * 1024 * 1024;

/// What to import.
#[derive(Args)]
pub struct ImportArgs {
    /// Rows of the table `wp_appointments` as a JSON list, as `wp db query --format=json` or phpMyAdmin writes it; `-`
    /// reads standard input
    file: PathBuf,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Tells the server of each row as the plugin would. What is known already changes nothing, so it can be repeated.
pub fn run(args: ImportArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let text = read(&args.file)?;
    let rows: Vec<&RawValue> = serde_json::from_str(&text).map_err(|error| {
        CliError::Usage(format!("{}: this is no JSON list of rows ({error})", args.file.display()))
    })?;
    let mut failed = 0;
    for (nth, row) in rows.iter().enumerate() {
        let body = format!("{{\"event\":\"appointment.created\",\"data\":{row}}}");
        if let Err(why) = args.remote.ask(Request::post("/broadcast", body)) {
            let CliError::Failed(why) = why else { return Err(why) };
            failed += 1;
            writeln!(out, "row {}: {why}", nth + 1)?;
        }
    }
    writeln!(out, "{} appointments were taken in, {failed} were not", rows.len() - failed)?;
    if failed == 0 {
        return Ok(());
    }
    Err(CliError::Failed("some rows were not taken in; mend them, and import the file again".to_owned()))
}

fn read(file: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(LONGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(LONGEST).read_to_string(&mut text))
    };
    read.map_err(|error| CliError::Failed(format!("{}: cannot be read: {error}", file.display())))?;
    Ok(text)
}
