//! Which server a command speaks to, and with which secret.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::CliError;
use super::connect::Url;
use super::flags::ConfigFlags;
use super::http_client::{self, Request};
use crate::config::{Listen, Secret, Settings};

/// How to reach a running server.
#[derive(Args, Clone, Default)]
pub struct RemoteArgs {
    /// The server, as http://127.0.0.1:8080; without it the address it is configured to listen on
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The app's secret; without it DESKBELL_APP_SECRET, the configuration, or what the first start made
    #[arg(long, value_name = "SECRET")]
    pub secret: Option<String>,
    #[command(flatten)]
    pub config: ConfigFlags,
}

/// What the first start made and kept beside the data.
#[derive(Deserialize)]
pub struct Credentials {
    /// The app's id.
    #[expect(dead_code, reason = "a file without it is damaged")]
    pub id: u64,
    /// The app's public key.
    #[expect(dead_code, reason = "a file without it is damaged")]
    pub key: String,
    /// The app's secret.
    pub secret: String,
}

/// What a server has answered.
pub struct Said {
    /// As it came.
    pub text: String,
    /// The same, read.
    pub json: Value,
}

impl RemoteArgs {
    /// The server. The configuration is only read when no flag says it.
    pub fn url(&self) -> Result<Url, CliError> {
        match &self.url {
            Some(url) => Url::parse(url),
            None => own_url(&Settings::load(self.config.clone().sources())?),
        }
    }

    /// The app's secret.
    pub fn secret(&self) -> Result<Secret, CliError> {
        match &self.secret {
            Some(secret) => Ok(Secret::new(secret)),
            None => app_secret(&Settings::load(self.config.clone().sources())?),
        }
    }

    /// Asks the server with the secret.
    pub fn ask(&self, request: Request<'_>) -> Result<Said, CliError> {
        let url = self.url()?;
        let request = request.with_secret(self.secret()?.expose());
        let text = http_client::send(&url, &request)?.good(&url)?;
        let no_json =
            |_| CliError::Failed(format!("{url} answered something that is no JSON; is it a Deskbell?"));
        let json = serde_json::from_str(&text).map_err(no_json)?;
        Ok(Said { text, json })
    }
}

/// The address of the server that these settings start. Without TLS first: its certificate names no address.
pub fn own_url(settings: &Settings) -> Result<Url, CliError> {
    let sentence = "the server listens with TLS; give the name of its certificate with --url https://NAME";
    let plain = settings.listen.iter().find(|listen| !listen.tls);
    plain.map(url_of).ok_or_else(|| CliError::Usage(sentence.to_owned()))
}

/// The address to reach a listener at from this machine.
pub fn url_of(listen: &Listen) -> Url {
    let ip = match listen.addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Url { tls: listen.tls, host: ip.to_string(), port: listen.addr.port(), path: String::new() }
}

/// The secret of the first app: configured, or made at the first start.
pub fn app_secret(settings: &Settings) -> Result<Secret, CliError> {
    if let Some(secret) = settings.apps.first().and_then(|app| app.secret.clone()) {
        return Ok(secret);
    }
    let file = settings.credentials_file();
    match credentials(&file)? {
        Some(credentials) => Ok(Secret::new(credentials.secret)),
        None => Err(CliError::Usage(format!(
            "no secret: {} is not there; give --secret, set DESKBELL_APP_SECRET, or name the server's --data",
            file.display()
        ))),
    }
}

/// Reads the file of the first start; `None` when there is none yet.
pub fn credentials(file: &Path) -> Result<Option<Credentials>, CliError> {
    let wrong = |why: String| CliError::Failed(format!("{}: {why}", file.display()));
    let opened = match std::fs::File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(format!("cannot be read: {error}; run this as the server's user"))),
    };
    let mut text = String::new();
    opened.take(64 * 1024).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    // The parser's own words could quote the secret.
    toml::from_str(&text).map(Some).map_err(|_| wrong("holds no id, key and secret; restore it".to_owned()))
}
