//! `deskbell token`: make a signed token for a user, to try things out or from a script.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::CliError;
use super::flags::{ConfigFlags, lifetime};
use super::remote::app_secret;
use crate::config::{Secret, Settings};

/// Whom the token is for.
#[derive(Args)]
pub struct TokenArgs {
    /// The user's id
    #[arg(long)]
    user: String,
    /// A role; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// How long the token is good
    #[arg(long, default_value = "1h", value_parser = lifetime)]
    ttl: u64,
    /// Sign with this secret; without it auth.jwt_secret, or else the app's
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,
    #[command(flatten)]
    config: ConfigFlags,
}

/// Prints the token.
pub fn run(args: TokenArgs, now_ms: u64, out: &mut dyn Write) -> Result<(), CliError> {
    let settings = Settings::load(args.config.sources())?;
    let secret = match args.secret {
        Some(secret) => Secret::new(secret),
        None => match settings.auth.jwt_secret.clone() {
            Some(secret) => secret,
            None => app_secret(&settings)?,
        },
    };
    if args.user.is_empty() || secret.expose().is_empty() {
        return Err(CliError::Usage("a token needs a user and a secret; neither may be empty".to_owned()));
    }
    let issued = now_ms / 1_000;
    let auth = &settings.auth;
    let mut claims = Map::new();
    claims.insert("iat".to_owned(), json!(issued));
    claims.insert("exp".to_owned(), json!(issued + args.ttl / 1_000));
    if let Some(issuer) = &auth.issuer {
        claims.insert("iss".to_owned(), json!(issuer));
    }
    if let Some(audience) = &auth.audience {
        claims.insert("aud".to_owned(), json!(audience));
    }
    claims.insert(auth.roles_claim.clone(), json!(args.roles));
    claims.insert(auth.user_claim.clone(), json!(args.user));
    writeln!(out, "{}", sign(&secret, &Value::Object(claims))?)?;
    Ok(())
}

/// An HS256 token with these claims.
fn sign(secret: &Secret, claims: &Value) -> Result<String, CliError> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .map_err(|error| CliError::Failed(format!("cannot sign: {error}")))?;
    mac.update(text.as_bytes());
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}
