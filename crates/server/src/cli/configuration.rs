//! `deskbell check` and `deskbell config`.

use std::io::Write;

use clap::Args;

use super::CliError;
use super::flags::ConfigFlags;
use crate::config::{Settings, pages};

/// What `deskbell config` is asked for.
#[derive(Args)]
pub struct ConfigArgs {
    #[command(flatten)]
    config: ConfigFlags,
    /// Print the reference page, docs/configuration.md
    #[arg(long, conflicts_with = "example")]
    markdown: bool,
    /// Print the example file, deskbell.example.toml
    #[arg(long)]
    example: bool,
}

/// Says whether the configuration stands, and what is doubtful about it.
pub fn check(flags: ConfigFlags, out: &mut dyn Write) -> Result<(), CliError> {
    let settings = Settings::load(flags.sources())?;
    for warning in &settings.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let addresses: Vec<String> = settings.listen.iter().map(|listen| listen.addr.to_string()).collect();
    let (apps, data) = (settings.apps.len(), settings.data_dir.display());
    let word = if apps == 1 { "app" } else { "apps" };
    writeln!(
        out,
        "the configuration is sound: {apps} {word}, listens on {}, data in {data}",
        addresses.join(", ")
    )?;
    Ok(())
}

/// Prints the options, or one of the pages made from them.
pub fn print(args: ConfigArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let page = if args.markdown {
        pages::markdown()
    } else if args.example {
        pages::example()
    } else {
        pages::values(&Settings::load(args.config.sources())?)
    };
    Ok(out.write_all(page.as_bytes())?)
}
