//! Builds all parts in order and stops them in reverse.

use crate::config::Settings;

/// Why the server did not start, or did not stop well.
#[derive(Debug)]
pub struct StartError(String);

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// Runs the server until it is told to stop.
pub fn serve(settings: Settings) -> Result<(), StartError> {
    Err(StartError(format!("the server is not built yet; nothing listens on {:?}", settings.listen)))
}
