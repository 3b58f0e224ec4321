//! Files in: what the site's PHP writes into a folder where nothing else took what it had to say.
//!
//! | part | what |
//! |---|---|
//! | [`Plan`] | which folder, and whose files are trusted there |
//! | `folder` | one file changes places: found, picked up, gone, or set aside |
//! | `news` | says when to look |
//! | `reader` | the one task: what is picked up is told, and goes when it was |
//!
//! A file is moved into a folder of ours before it is read, so that nobody changes it any more and nobody else takes
//! it, too. It goes when what it said was handed out, or is on the disk. What a crash leaves there is told by the next
//! start with the same id, so it is told at least once, and once where the log remembers the id.

mod folder;
mod news;
mod reader;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deskbell_core::limits;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::hub::Hub;
use reader::Reader;

/// Which folder, and whose files are trusted there.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The folder. It must be there; we do not know who shall write into it.
    pub folder: PathBuf,
    /// The numbers of users whose files are trusted, beside root and this process's own.
    pub owners: Vec<u32>,
    /// Time between two looks at everything in it.
    pub scan: Duration,
    /// The app that is told.
    pub app: usize,
}

/// The running task.
#[derive(Debug)]
pub struct Spool {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Spool {
    /// Begins to read the folder.
    pub fn start(hub: &Arc<Hub>, plan: Plan) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = hub.runtime.spawn(Reader::new(hub.clone(), plan).run(stopped));
        Self { stop, task }
    }

    /// Picks nothing more up, and returns when what was picked up is settled. Files wait for the next start.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let patience = Duration::from_millis(limits::PORTICO_SPOOL_STOP);
        if tokio::time::timeout(patience, self.task).await.is_err() {
            tracing::warn!(
                "what came from the spool last was not settled in time; the next start tells it again"
            );
        }
    }
}

/// Whether a folder can be read here, for the doctor.
pub fn probe(plan: &Plan) -> std::io::Result<()> {
    folder::look_at(&plan.folder)
}
