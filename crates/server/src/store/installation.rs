//! What is true of one installation for ever: its stored secret and its first app's credentials.

use std::fmt;
use std::path::Path;

use deskbell_core::ids::AppId;
use serde::Deserialize;

use super::database::Database;
use super::failure::Failure;
use super::files::Paths;
use super::postgres;

/// Random bytes for a first start; a later start does not use them.
#[derive(Clone, Copy)]
pub struct Seed {
    /// Becomes the installation's secret.
    pub secret: [u8; 32],
    /// Becomes the first app's key.
    pub app_key: [u8; 10],
    /// Becomes the first app's secret.
    pub app_secret: [u8; 20],
}

/// The number of the app that a first start makes.
const FIRST_APP: AppId = AppId(1001);

/// What a first start makes and every later start finds again.
#[derive(Clone, PartialEq, Eq)]
pub struct Installation {
    /// The key from which every other key of this installation is derived.
    pub secret: [u8; 32],
    /// The first app.
    pub app: Credentials,
}

/// What a backend shows to act for an app.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The app's number.
    pub id: AppId,
    /// Its public key.
    pub key: String,
    /// Its secret.
    pub secret: String,
}

// Secrets never reach a log, also not through a struct that is printed for debugging.
impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installation").field("app", &self.app).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("id", &self.id).field("key", &self.key).finish_non_exhaustive()
    }
}

impl Credentials {
    /// A key of 20 and a secret of 40 hexadecimal digits.
    fn from_seed(seed: &Seed) -> Self {
        Self { id: FIRST_APP, key: hex(&seed.app_key), secret: hex(&seed.app_secret) }
    }

    fn to_toml(&self) -> String {
        format!("id = {}\nkey = {:?}\nsecret = {:?}\n", self.id, self.key, self.secret)
    }

    /// Reads a file that stands there before the first start: an operator's own credentials, or
    /// those of a first start that did not finish.
    fn read(file: &Path) -> Result<Option<Self>, Failure> {
        #[derive(Deserialize)]
        struct Written {
            id: u64,
            key: String,
            secret: String,
        }
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::file("read", file, error)),
        };
        let bad = |why: &str| Failure::Credentials { file: file.to_owned(), why: why.to_owned() };
        // The parser's own message quotes the line, and with it perhaps the secret.
        let written: Written = toml::from_str(&text).map_err(|_| bad("this is no credentials file"))?;
        let plain = |text: &str| !text.is_empty() && text.len() <= 200 && text.bytes().all(is_plain);
        if !plain(&written.key) || !plain(&written.secret) {
            return Err(bad("key and secret have 1 to 200 visible ASCII characters without quotes"));
        }
        Ok(Some(Self { id: AppId(written.id), key: written.key, secret: written.secret }))
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Finds the installation's facts, or makes them from `seed` where there are none. The second
/// value says whether this is the first start.
///
/// The credentials file is written before the facts are committed. A crash between the two leaves
/// the file, and the next start takes it over: what an operator has read stays true.
pub(super) fn settle(db: &Database, paths: &Paths, seed: &Seed) -> Result<(Installation, bool), Failure> {
    db.write(|db| {
        if let Some(session) = db.shared() {
            // Two processes may start for the first time at once.
            postgres::schema::lock(session)?;
        }
        if let Some(found) = load(db)? {
            if db.shared().is_some() && !paths.credentials.exists() {
                // Another process made them.
                paths.write_private(&paths.credentials, &found.app.to_toml())?;
            }
            return Ok((found, false));
        }
        let app = if let Some(app) = Credentials::read(&paths.credentials)? {
            app
        } else {
            let app = Credentials::from_seed(seed);
            paths.write_private(&paths.credentials, &app.to_toml())?;
            app
        };
        db.execute(
            "INSERT INTO installation (one, secret, app, app_key, app_secret, clean) VALUES (1, ?1, ?2, ?3, ?4, 0)",
            &[(&seed.secret).into(), app.id.into(), (&app.key).into(), (&app.secret).into()],
        )?;
        Ok((Installation { secret: seed.secret, app }, true))
    })
}

fn load(db: &Database) -> Result<Option<Installation>, Failure> {
    db.first("SELECT secret, app, app_key, app_secret FROM installation", &[], |row| {
        let secret = row.bytes(0)?.try_into();
        let secret =
            secret.map_err(|_| Failure::Damaged("the installation's secret is too short".to_owned()))?;
        let (key, app_secret) = (row.text(2)?.to_owned(), row.text(3)?.to_owned());
        Ok(Installation { secret, app: Credentials { id: AppId(row.unsigned(1)?), key, secret: app_secret } })
    })
}
