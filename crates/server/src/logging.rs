//! The process's own log: to standard error or to a file that SIGHUP opens anew.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::config::LogSettings;

/// The running log, whose file and level a reload may change.
#[derive(Debug)]
pub struct Logging {
    lines: LogFile,
    level: reload::Handle<EnvFilter, Registry>,
}

impl Logging {
    /// Opens the file anew, after it was rotated away or another was named, and takes the level.
    pub fn reload(&self, settings: &LogSettings) -> io::Result<()> {
        self.lines.open(settings.file.as_deref())?;
        self.level.reload(filter(settings)).map_err(io::Error::other)
    }
}

/// Where log lines go.
#[derive(Debug, Clone, Default)]
struct LogFile {
    file: Arc<Mutex<Option<File>>>,
}

impl LogFile {
    fn open(&self, path: Option<&Path>) -> io::Result<()> {
        let open = |path: &Path| {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            opened.map_err(|e| io::Error::new(e.kind(), format!("log.file {}: {e}", path.display())))
        };
        let file = path.map(open).transpose()?;
        *self.lock() = file;
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
pub fn start(settings: &LogSettings) -> io::Result<Logging> {
    let lines = LogFile::default();
    lines.open(settings.file.as_deref())?;
    let (filter, level) = reload::Layer::new(filter(settings));
    let text = fmt::layer().with_writer(lines.clone()).with_ansi(false).with_target(false);
    let registry = Registry::default().with(filter);
    // A second start in one process (in tests) keeps the first one's lines.
    let _ =
        if settings.json { registry.with(text.json()).try_init() } else { registry.with(text).try_init() };
    Ok(Logging { lines, level })
}

fn filter(settings: &LogSettings) -> EnvFilter {
    EnvFilter::new(if settings.enabled { settings.level.as_str() } else { "off" })
}
