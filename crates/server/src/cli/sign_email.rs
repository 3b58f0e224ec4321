//! `deskbell sign-email`: prove an e-mail address to the pages of the AppointEase dialect.

use std::io::Write;

use clap::Args;
use deskbell_core::ids::UserId;
use deskbell_core::limits::SECOND;
use deskbell_wire::signature::sign_email;

use super::CliError;
use super::flags::{ConfigFlags, lifetime};
use super::remote::app_secret;
use crate::config::{Secret, Settings};

/// Whose address.
#[derive(Args)]
pub struct SignArgs {
    /// The address
    email: String,
    /// How long the proof is good
    #[arg(long, default_value = "1d", value_parser = lifetime)]
    ttl: u64,
    /// Sign with this secret; without it the app's
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,
    #[command(flatten)]
    config: ConfigFlags,
}

/// Prints what stands behind `sig=`.
pub fn run(args: SignArgs, now_ms: u64, out: &mut dyn Write) -> Result<(), CliError> {
    let secret = match args.secret {
        Some(secret) => Secret::new(secret),
        None => app_secret(&Settings::load(args.config.sources())?)?,
    };
    let user = UserId::parse(&args.email.to_ascii_lowercase());
    if user.is_err() || secret.expose().is_empty() {
        let sentence = "a proof needs an address of 1 to 256 bytes and a secret";
        return Err(CliError::Usage(sentence.to_owned()));
    }
    let expires = (now_ms + args.ttl) / SECOND;
    writeln!(out, "{}", sign_email(secret.expose().as_bytes(), &args.email, expires))?;
    Ok(())
}
