//! The data directory: who may look into it, and that only one process works on it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// The paths of everything that the store keeps.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub(super) data: PathBuf,
    pub(super) database: PathBuf,
    pub(super) credentials: PathBuf,
    lock: PathBuf,
}

impl Paths {
    pub(super) fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            database: data.join("deskbell.db"),
            credentials: data.join("credentials.toml"),
            lock: data.join("deskbell.lock"),
        }
    }

    /// Makes the directory where it is missing. Nobody but this user may look into it: it holds
    /// secrets.
    pub(super) fn create(&self) -> Result<(), Failure> {
        if self.data.is_dir() {
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.data)
            .and_then(|()| match self.data.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                // A file is as durable as the directories that lead to it.
                Some(parent) => File::open(parent)?.sync_all(),
                None => Ok(()),
            })
            .map_err(|e| Failure::file("make the directory", &self.data, e))
    }

    /// Makes the empty data file where it is missing. SQLite gives its side files the same mode.
    pub(super) fn create_database(&self) -> Result<(), Failure> {
        private()
            .create(true)
            .truncate(false)
            .open(&self.database)
            .map(drop)
            .map_err(|e| Failure::file("make", &self.database, e))
    }

    /// Makes safe that files were made and deleted in the directory. A file that is synced is still
    /// lost if its name is.
    pub(super) fn keep_names(&self) -> Result<(), Failure> {
        File::open(&self.data)
            .and_then(|directory| directory.sync_all())
            .map_err(|e| Failure::file("sync", &self.data, e))
    }

    /// Takes the directory for this process. The system frees it when the process ends, however
    /// it ends.
    pub(super) fn lock(&self) -> Result<File, Failure> {
        let failed = |error| Failure::file("lock", &self.lock, error);
        let mut file = private().create(true).truncate(false).open(&self.lock).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let holder = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(Failure::Locked { data: self.data.clone(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(file)
    }

    /// The name by which a shared database knows this server: the one that the directory has, or this one from
    /// now on. Whose file was moved into the database keeps the name that it has there, which is empty.
    pub(super) fn server_name(&self, new: u64) -> Result<String, Failure> {
        if self.database.exists() {
            return Ok(String::new());
        }
        let file = self.data.join("server");
        match std::fs::read_to_string(&file) {
            Ok(name) => Ok(name.trim().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let name = format!("{new:016x}");
                self.write_private(&file, &name)?;
                Ok(name)
            }
            Err(error) => Err(Failure::file("read", &file, error)),
        }
    }

    /// Writes a small private file so that a reader sees all of it or nothing, also after a crash.
    pub(super) fn write_private(&self, path: &Path, text: &str) -> Result<(), Failure> {
        let unfinished = path.with_extension("unfinished");
        let failed = |error| Failure::file("write", path, error);
        let mut file = private().create(true).truncate(true).open(&unfinished).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&unfinished, path).map_err(failed)?;
        self.keep_names()
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}
