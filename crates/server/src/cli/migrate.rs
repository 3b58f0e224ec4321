//! `deskbell migrate`: from the data file into the database that the `ledger` option names.

use std::io::Write;

use super::CliError;
use super::flags::ConfigFlags;
use crate::config::Settings;
use crate::store::{Shared, migrate};

/// Moves everything and prints what was moved.
pub fn run(flags: ConfigFlags, out: &mut dyn Write) -> Result<(), CliError> {
    let settings = Settings::load(flags.sources())?;
    let Some(url) = &settings.ledger else {
        let sentence =
            "nothing says where to; set `ledger`, or DESKBELL_LEDGER, to the URL of an empty database";
        return Err(CliError::Usage(sentence.to_owned()));
    };
    let moved = migrate(&settings.data_dir, &Shared(url.expose().to_owned()));
    let moved = moved.map_err(|failure| CliError::Failed(failure.to_string()))?;
    for (table, rows) in moved {
        writeln!(out, "{rows:>10} {table}")?;
    }
    writeln!(out, "all of it is in the database; start the server with the same options")?;
    writeln!(out, "{} is not used any more; keep it until you are sure", settings.data_file().display())?;
    Ok(())
}
