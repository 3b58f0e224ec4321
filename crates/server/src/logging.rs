//! The process's own log: to standard error or to a file that SIGHUP opens anew.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::LogSettings;

/// Where log lines go.
#[derive(Debug, Clone)]
pub struct LogFile {
    path: Option<PathBuf>,
    file: Arc<Mutex<Option<File>>>,
}

impl LogFile {
    fn open(path: Option<PathBuf>) -> io::Result<Self> {
        let this = Self { path, file: Arc::default() };
        this.reopen()?;
        Ok(this)
    }

    /// Opens the file anew, after it was rotated away.
    pub fn reopen(&self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let opened = OpenOptions::new().create(true).append(true).open(path);
        let file =
            opened.map_err(|e| io::Error::new(e.kind(), format!("log.file {}: {e}", path.display())))?;
        *self.lock() = Some(file);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.lock().as_mut() {
            Some(file) => file.write(bytes),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.lock().as_mut() {
            Some(file) => file.flush(),
            None => io::stderr().flush(),
        }
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Starts logging for the whole process.
pub fn start(settings: &LogSettings) -> io::Result<LogFile> {
    let file = LogFile::open(settings.file.clone())?;
    let level = if settings.enabled { settings.level.as_str() } else { "off" };
    let filter = EnvFilter::new(level);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(file.clone())
        .with_ansi(false)
        .with_target(false);
    // A second start in one process (in tests) keeps the first one's lines.
    let _ = if settings.json { lines.json().try_init() } else { lines.try_init() };
    Ok(file)
}
