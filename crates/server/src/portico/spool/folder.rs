//! One file of the spool changes places: found in the folder, picked up, and then gone or set aside.
//!
//! | place | what lies there |
//! |---|---|
//! | the folder | what the site has written |
//! | `.taken` in it | what was picked up, until it is told; a lock, so that one process alone picks up |
//! | `rejected` in it | what is no message, for the operator to look at |

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use deskbell_core::limits::{self, Millis};
use deskbell_core::mac;
use deskbell_wire::portico::message::Message;
use deskbell_wire::portico::spool::File as Named;

use super::Plan;

/// The spool's folder, with its lock.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    taken: PathBuf,
    rejected: PathBuf,
    trusted: Vec<u32>,
    /// Time for which a file that nobody announced must have been left alone.
    settle: Millis,
    /// Given back when it is closed, also by a crash.
    _lock: File,
}

/// A file that was picked up.
#[derive(Debug)]
pub(super) struct Picked {
    /// Its name.
    pub name: String,
    /// What its name says.
    pub named: Named,
    /// The same for this file always, and for no other one.
    pub id: [u8; 12],
    /// What is in it.
    pub text: Vec<u8>,
}

/// What became of an attempt to pick a file up.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is ours.
    Picked(Picked),
    /// It is not there, not written yet, or not ours to take now.
    Left,
    /// Nobody who is trusted has written it, so it stays where it is.
    Foreign,
    /// It is none, and was set aside.
    Rejected(&'static str),
}

/// Where files lie that were picked up.
const TAKEN: &str = ".taken";
/// Where those lie that are no messages.
const REJECTED: &str = "rejected";
/// The file whose lock says who picks up.
const LOCK: &str = "lock";
/// Mode bits by which others than the owner and its group could change a file.
const WRITABLE_BY_ALL: u32 = 0o002;

impl Folder {
    /// Takes the folder for this process. It fails while another one has it.
    pub(super) fn open(plan: &Plan) -> io::Result<Self> {
        look_at(&plan.folder)?;
        let (taken, rejected) = (plan.folder.join(TAKEN), plan.folder.join(REJECTED));
        let own = rustix::process::geteuid().as_raw();
        for inside in [&taken, &rejected] {
            make(inside, own)?;
        }
        let lock = OpenOptions::new().create(true).truncate(true).write(true).open(taken.join(LOCK))?;
        lock.try_lock().map_err(|_| io::Error::new(ErrorKind::ResourceBusy, "another process reads it"))?;
        let mut trusted = plan.owners.clone();
        trusted.extend([0, own]);
        let settle = limits::PORTICO_SPOOL_SETTLE;
        Ok(Self { path: plan.folder.clone(), taken, rejected, trusted, settle, _lock: lock })
    }

    /// Files of ours that are whole by all appearances, oldest first, and whether others may still be written.
    pub(super) fn found(&self, now: Millis) -> io::Result<(Vec<String>, bool)> {
        let mut young = false;
        let names = names(&self.path, |name, meta| {
            let written = meta.mtime() * 1_000 + meta.mtime_nsec() / 1_000_000;
            // A clock that was set back makes files of the future, which are whole as well.
            let age = now.checked_sub(written.cast_unsigned());
            let is_young = age.is_some_and(|age| age < self.settle) && meta.len() > 0;
            // An object is whole when its last bracket is there, so one that is can be told in its turn.
            let may_be_written = is_young && !self.is_object(name);
            young |= may_be_written;
            !may_be_written
        })?;
        Ok((names, young))
    }

    fn is_object(&self, name: &str) -> bool {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(self.path.join(name));
        let mut text = String::new();
        let read =
            opened.and_then(|file| file.take(limits::PORTICO_SPOOL_FILE as u64).read_to_string(&mut text));
        read.is_ok() && Message::read(&text).is_ok()
    }

    /// Files that were picked up and not told, oldest first.
    pub(super) fn left_over(&self) -> io::Result<Vec<String>> {
        names(&self.taken, |_, _| true)
    }

    /// Moves a file to us, and reads it.
    pub(super) fn pick_up(&self, name: &str) -> io::Result<Fate> {
        let from = self.path.join(name);
        let meta = match fs::symlink_metadata(&from) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Fate::Left),
            meta => meta?,
        };
        if !meta.is_file() || meta.nlink() != 1 || meta.len() == 0 {
            return Ok(Fate::Left);
        }
        if !self.trusts(&meta) {
            return Ok(Fate::Foreign);
        }
        let to = self.taken.join(name);
        // One of that name may still wait there to be told.
        if to.try_exists()? {
            return Ok(Fate::Left);
        }
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Fate::Left),
            Err(error) => Err(error),
            Ok(()) => self.read(name),
        }
    }

    /// Reads a file that is with us.
    pub(super) fn read(&self, name: &str) -> io::Result<Fate> {
        let Some(named) = Named::parse(name) else { return Ok(Fate::Left) };
        // Between the look and the move another file may have taken the name: this is the one that counts.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(self.taken.join(name));
        let file = match opened {
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return self.reject(name, "a link"),
            file => file?,
        };
        let meta = file.metadata()?;
        if !meta.is_file() || !self.trusts(&meta) {
            return self.reject(name, "not of a trusted owner");
        }
        let mut text = Vec::new();
        file.take(limits::PORTICO_SPOOL_FILE as u64 + 1).read_to_end(&mut text)?;
        if text.len() > limits::PORTICO_SPOOL_FILE {
            return self.reject(name, "larger than 1 MiB");
        }
        Ok(Fate::Picked(Picked { name: name.to_owned(), named, id: id(name, &meta), text }))
    }

    /// Sets a file aside that is with us.
    pub(super) fn reject(&self, name: &str, why: &'static str) -> io::Result<Fate> {
        let from = self.taken.join(name);
        if fs::read_dir(&self.rejected)?.count() < limits::PORTICO_SPOOL_REJECTED {
            fs::rename(from, self.rejected.join(name))?;
        } else {
            fs::remove_file(from)?;
        }
        Ok(Fate::Rejected(why))
    }

    /// Takes a file away that was told.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.taken.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn trusts(&self, meta: &Metadata) -> bool {
        self.trusted.contains(&meta.uid()) && meta.mode() & WRITABLE_BY_ALL == 0
    }
}

/// Whether a folder can be a spool.
pub(super) fn look_at(folder: &Path) -> io::Result<()> {
    let meta = fs::metadata(folder)?;
    if !meta.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    rustix::fs::access(folder, rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK)?;
    Ok(())
}

/// A folder that nobody else looks into. One that somebody else has put there is none.
fn make(folder: &Path, own: u32) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = fs::symlink_metadata(folder)?;
    if !meta.is_dir() || meta.uid() != own {
        let sentence = format!("{} is somebody else's; take it away", folder.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, sentence));
    }
    Ok(())
}

fn names(folder: &Path, mut is_ready: impl FnMut(&str, &Metadata) -> bool) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let Some(named) = Named::parse(&name) else { continue };
        // One that went in the meantime is somebody else's by now.
        if entry.metadata().is_ok_and(|meta| is_ready(&name, &meta)) {
            found.push((named, name));
        }
        if found.len() == limits::PORTICO_SPOOL_LOOK {
            break;
        }
    }
    found.sort_by(|(one, _), (other, _)| one.order().cmp(&other.order()));
    Ok(found.into_iter().map(|(_, name)| name).collect())
}

/// An id that the file keeps wherever it is moved.
fn id(name: &str, meta: &Metadata) -> [u8; 12] {
    let numbers = [meta.ino(), meta.mtime().cast_unsigned(), meta.mtime_nsec().cast_unsigned()];
    let numbers = numbers.map(u64::to_be_bytes);
    let tag = mac::tag(b"spool", &[name.as_bytes(), b"\0", numbers.as_flattened()]);
    let mut id = [0; 12];
    id.copy_from_slice(&tag[..12]);
    id
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    struct Area(PathBuf);

    impl Area {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("deskbell-spool-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn open(&self) -> Folder {
            Folder::open(&self.plan()).unwrap()
        }

        fn plan(&self) -> Plan {
            Plan { folder: self.0.clone(), owners: Vec::new(), scan: Duration::ZERO, app: 0 }
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Area {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    const NAME: &str = "websocket_notification_1.5.json";

    fn picked(fate: io::Result<Fate>) -> Picked {
        match fate.unwrap() {
            Fate::Picked(picked) => picked,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_is_picked_up_once_and_keeps_its_id_until_it_is_told() {
        let area = Area::new("once");
        let folder = area.open();
        area.write(NAME, "{}");
        let first = picked(folder.pick_up(NAME));
        assert_eq!(first.text, b"{}");
        assert!(matches!(folder.pick_up(NAME), Ok(Fate::Left)), "it is not there any more");
        drop(folder);
        let folder = area.open();
        assert_eq!(folder.left_over().unwrap(), [NAME]);
        assert_eq!(picked(folder.read(NAME)).id, first.id);
        // Another one of that name is another message, and waits for its turn.
        area.write(NAME, "{\"n\":2}");
        assert!(matches!(folder.pick_up(NAME), Ok(Fate::Left)));
        folder.remove(NAME).unwrap();
        assert_ne!(picked(folder.pick_up(NAME)).id, first.id);
    }

    #[test]
    fn files_are_found_in_the_order_in_which_they_were_written() {
        let area = Area::new("order");
        let folder = area.open();
        for at in ["10.5", "9.75", "9.5"] {
            area.write(&format!("websocket_notification_{at}.json"), "{}");
        }
        area.write("websocket_session_7h3s3ss10n0f4nn41234_9.6.json", "{}");
        area.write("websocket_notification_9.1.json.tmp", "{}");
        area.write("notes.txt", "mine");
        let expected = [
            "websocket_notification_9.5.json",
            "websocket_session_7h3s3ss10n0f4nn41234_9.6.json",
            "websocket_notification_9.75.json",
            "websocket_notification_10.5.json",
        ];
        let now = clock::now_ms();
        let eager = Folder { settle: 0, ..folder };
        assert_eq!(eager.found(now).unwrap(), (expected.map(str::to_owned).to_vec(), false));
        let patient = Folder { settle: 3_600_000, ..eager };
        area.write("websocket_notification_9.6.json", "{\"type\":");
        assert_eq!(
            patient.found(now).unwrap(),
            (expected.map(str::to_owned).to_vec(), true),
            "one is being written"
        );
    }

    #[test]
    fn what_others_could_have_written_stays_where_it_is() {
        use std::os::unix::fs::PermissionsExt as _;
        let area = Area::new("foreign");
        let folder = area.open();
        let path = area.write(NAME, "{}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(folder.pick_up(NAME), Ok(Fate::Foreign)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let strict = Folder { trusted: vec![u32::MAX], ..folder };
        assert!(matches!(strict.pick_up(NAME), Ok(Fate::Foreign)));
        assert!(path.exists());
    }

    #[test]
    fn what_is_no_file_of_its_own_is_not_taken() {
        let area = Area::new("links");
        let folder = area.open();
        let secret = area.write("secret", "{\"of\":\"somebody\"}");
        std::os::unix::fs::symlink(&secret, area.0.join(NAME)).unwrap();
        assert!(matches!(folder.pick_up(NAME), Ok(Fate::Left)));
        fs::remove_file(area.0.join(NAME)).unwrap();
        fs::hard_link(&secret, area.0.join(NAME)).unwrap();
        assert!(matches!(folder.pick_up(NAME), Ok(Fate::Left)));
        fs::remove_file(area.0.join(NAME)).unwrap();
        area.write(NAME, "");
        assert!(matches!(folder.pick_up(NAME), Ok(Fate::Left)), "its writer is not done");
        fs::remove_file(area.0.join(NAME)).unwrap();
        fs::create_dir(area.0.join(NAME)).unwrap();
        assert!(matches!(folder.pick_up(NAME), Ok(Fate::Left)));
        // One that was swapped behind our back is set aside.
        fs::remove_dir(area.0.join(NAME)).unwrap();
        std::os::unix::fs::symlink(&secret, area.0.join(TAKEN).join(NAME)).unwrap();
        assert!(matches!(folder.read(NAME), Ok(Fate::Rejected(_))));
    }

    #[test]
    fn one_process_reads_a_folder() {
        let area = Area::new("lock");
        let folder = area.open();
        assert_eq!(Folder::open(&area.plan()).unwrap_err().kind(), ErrorKind::ResourceBusy);
        drop(folder);
        drop(area.open());
        fs::remove_dir_all(area.0.join(TAKEN)).unwrap();
        fs::write(area.0.join(TAKEN), "in the way").unwrap();
        assert!(Folder::open(&area.plan()).is_err());
    }

    #[test]
    fn what_is_too_large_is_set_aside() {
        let area = Area::new("large");
        let folder = area.open();
        area.write(NAME, &"x".repeat(limits::PORTICO_SPOOL_FILE + 1));
        assert!(matches!(folder.pick_up(NAME), Ok(Fate::Rejected("larger than 1 MiB"))));
        assert!(area.0.join(REJECTED).join(NAME).exists());
    }
}
