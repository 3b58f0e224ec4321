//! The process's own log: to standard error or to a file that SIGHUP opens anew; then warnings go to both.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::config::{LogSettings, Volume};

/// The running log, whose file and level a reload may change.
#[derive(Debug)]
pub struct Logging {
    lines: LogFile,
    level: reload::Handle<EnvFilter, Registry>,
}

impl Logging {
    /// Opens the file anew, after it was rotated away or another was named, and takes the level.
    pub fn reload(&self, settings: &LogSettings) -> io::Result<()> {
        self.lines.open(settings)?;
        self.level.reload(filter(settings)).map_err(io::Error::other)
    }
}

/// Where log lines go.
#[derive(Debug, Clone, Default)]
struct LogFile {
    file: Arc<Mutex<Option<File>>>,
    /// With a file: warnings and worse go to standard error as well.
    warnings_to_stderr: Arc<AtomicBool>,
}

impl LogFile {
    fn open(&self, settings: &LogSettings) -> io::Result<()> {
        let open = |path: &Path| {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            opened.map_err(|e| io::Error::new(e.kind(), format!("log.file {}: {e}", path.display())))
        };
        let file = settings.file.as_deref().map(open).transpose()?;
        *self.lock() = file;
        self.warnings_to_stderr.store(settings.warnings_to_stderr, Ordering::Relaxed);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line on its way.
#[derive(Debug)]
struct Line {
    to: LogFile,
    is_warning: bool,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut *self.to.lock() else { return io::stderr().write(bytes) };
        if self.is_warning && self.to.warnings_to_stderr.load(Ordering::Relaxed) {
            // A container whose output nobody takes has the file all the same.
            let _ = io::stderr().write_all(bytes);
        }
        file.write_all(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.to.lock().as_mut() {
            Some(file) => file.flush(),
            None => io::stderr().flush(),
        }
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { to: self.clone(), is_warning: false }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        Line { to: self.clone(), is_warning: *meta.level() <= Level::WARN }
    }
}

/// Starts logging for the whole process.
pub fn start(settings: &LogSettings) -> io::Result<Logging> {
    let lines = LogFile::default();
    lines.open(settings)?;
    let (filter, level) = reload::Layer::new(filter(settings));
    let text = fmt::layer().with_writer(lines.clone()).with_ansi(false).with_target(false);
    let registry = Registry::default().with(filter);
    // A second start in one process (in tests) keeps the first one's lines.
    let _ =
        if settings.json { registry.with(text.json()).try_init() } else { registry.with(text).try_init() };
    Ok(Logging { lines, level })
}

/// Our own parts, down to what helps to find a fault; of the parts of others only what they say anyway.
const DEBUG: &str = "info,deskbell_core=debug,deskbell_wire=debug,deskbell_server=debug";
/// Warnings and worse, and what says that the server is there and what it hears.
const QUIET: &str =
    "warn,deskbell_server::run=info,deskbell_server::redis=info,deskbell_server::portico::spool=info";

fn filter(settings: &LogSettings) -> EnvFilter {
    EnvFilter::new(match &settings.volume {
        _ if !settings.enabled => "off",
        Volume::Level(level) => level,
        Volume::Debug => DEBUG,
        Volume::Quiet => QUIET,
    })
}
