//! What a clean stop of this process leaves to its next start: its log's memory and its sessions. They are
//! this process's alone, so they stand in its own data directory and not in the database.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use deskbell_core::ids::AppId;

use crate::store::failure::Failure;
use crate::store::files::Paths;

/// The notes of one stop.
#[derive(Debug)]
pub(in crate::store) struct Notes {
    paths: Paths,
    file: PathBuf,
    kept: Mutex<BTreeMap<String, String>>,
}

impl Notes {
    /// Takes out what the last stop left. A second start finds nothing.
    pub(in crate::store) fn begin(paths: &Paths) -> Result<(Self, bool), Failure> {
        let file = paths.data.join("carried.json");
        let (kept, clean) = match std::fs::read(&file) {
            Ok(bytes) => {
                std::fs::remove_file(&file).map_err(|error| Failure::file("delete", &file, error))?;
                paths.keep_names()?;
                (serde_json::from_slice(&bytes).unwrap_or_default(), true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (BTreeMap::new(), false),
            Err(error) => return Err(Failure::file("read", &file, error)),
        };
        Ok((Self { paths: paths.clone(), file, kept: Mutex::new(kept) }, clean))
    }

    /// Takes out one note.
    pub(in crate::store) fn take(&self, app: AppId, what: &str) -> Option<String> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&format!("{app}/{what}"))
    }

    /// Makes one note. It counts only if [`Self::end`] follows.
    pub(in crate::store) fn save(&self, app: AppId, what: &str, body: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(format!("{app}/{what}"), body.to_owned());
    }

    /// At the end of a clean stop: writes everything at once.
    pub(in crate::store) fn end(&self) -> Result<(), Failure> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let json = serde_json::to_string(&*kept)
            .map_err(|error| Failure::Damaged(format!("the notes of a stop cannot be written ({error})")))?;
        self.paths.write_private(&self.file, &json)
    }
}
