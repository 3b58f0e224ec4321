//! Says when to look into the folder: the system tells which files are whole, where it can.

use std::io;
use std::path::Path;

/// At what to look.
#[derive(Debug)]
pub(super) enum Look {
    /// Everything that is there.
    Everything,
    /// These files: whoever wrote them is done.
    At(Vec<String>),
}

#[cfg(target_os = "linux")]
pub(super) use linux::News;
#[cfg(not(target_os = "linux"))]
pub(super) use other::News;

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;

    use deskbell_core::limits;
    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
    use rustix::io::Errno;
    use tokio::io::unix::AsyncFd;

    use super::{Look, Path, io};

    /// What inotify says of a folder.
    #[derive(Debug)]
    pub(in super::super) struct News {
        events: Option<AsyncFd<OwnedFd>>,
    }

    impl News {
        /// Of this folder. Where the system has no watch left, there are none, and scans alone find files.
        pub(in super::super) fn of(folder: &Path) -> Self {
            let watched = || -> io::Result<AsyncFd<OwnedFd>> {
                let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
                // A file that appears may still be empty, so only its end counts: closed after writing, or moved in.
                let ends = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO;
                let gone = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
                inotify::add_watch(&events, folder, ends | gone | WatchFlags::ONLYDIR)?;
                // SAFETY: the descriptor is closed when this value is dropped, and by nobody else before.
                Ok(unsafe { AsyncFd::register(events) }?)
            };
            let events = watched();
            if let Err(error) = &events {
                tracing::warn!(%error, "the spool is not watched; files are found by scans, which takes longer");
            }
            Self { events: events.ok() }
        }

        /// The next news. Fails when the folder itself is gone.
        pub(in super::super) async fn next(&self) -> io::Result<Look> {
            let Some(events) = &self.events else { return std::future::pending().await };
            loop {
                let mut ready = events.readable().await?;
                if let Ok(look) = ready.try_io(|events| read(events.get_ref())) {
                    return look;
                }
            }
        }
    }

    fn read(events: &OwnedFd) -> io::Result<Look> {
        let mut buffer = [MaybeUninit::uninit(); 4_096];
        let mut reader = inotify::Reader::new(events, &mut buffer);
        let mut names = Vec::new();
        while names.len() < limits::PORTICO_SPOOL_LOOK {
            match reader.next() {
                // The system has forgotten some of what happened.
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => {
                    return Ok(Look::Everything);
                }
                Ok(event) if event.events().intersects(gone()) => return Err(io::ErrorKind::NotFound.into()),
                Ok(event) => {
                    let name = event.file_name().and_then(|name| name.to_str().ok());
                    names.extend(name.map(str::to_owned));
                }
                Err(Errno::WOULDBLOCK) if names.is_empty() => return Err(io::ErrorKind::WouldBlock.into()),
                Err(Errno::WOULDBLOCK) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Look::At(names))
    }

    fn gone() -> ReadFlags {
        ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED | ReadFlags::UNMOUNT
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::{Look, Path, io};

    /// Nothing: scans alone find files here.
    #[derive(Debug)]
    pub(in super::super) struct News;

    impl News {
        pub(in super::super) fn of(_folder: &Path) -> Self {
            Self
        }

        pub(in super::super) async fn next(&self) -> io::Result<Look> {
            std::future::pending().await
        }
    }
}
