//! How SQLite finds a disk: its entry in SQLite's list, and the calls that concern no open file.
//!
//! The reasons for `unsafe` are the same in all of them: SQLite calls these functions only with
//! the entry that [`Registered::new`] has made, which is never freed, and with texts that end with
//! a zero. A panic ends the process here, because it may not go on through foreign code.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once, Weak};

use rusqlite::ffi;

use super::Device;
use super::calls::{self, Slot};
use super::dice::{Dice, Purpose};

/// Longer than any path that a system allows.
const PATH: c_int = 4096;

/// Noon of the 26th of November 2026 as SQLite counts it: milliseconds of Julian days.
const NOON: i64 = 2_461_371 * 86_400_000;

/// A disk's entry in SQLite's list, for as long as this lives.
#[derive(Debug)]
pub(super) struct Registered {
    entry: *mut ffi::sqlite3_vfs,
    name: String,
}

// SAFETY: the pointer is only given to SQLite's list, which has a lock of its own.
unsafe impl Send for Registered {}
// SAFETY: as above; a shared reference reads the name and nothing else.
unsafe impl Sync for Registered {}

impl Registered {
    pub(super) fn new(device: &Arc<Device>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        replace_chance();
        let name = format!("deskbell-sim-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let text = CString::new(name.as_str()).expect("digits and letters");
        // The entry stays for ever, some 300 bytes for each disk: a connection keeps a pointer to
        // it, and nobody knows when the last connection is gone. Behind it is only a weak link,
        // so the files go with the disk.
        let entry = Box::into_raw(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: size_of::<Slot>() as c_int,
            mxPathname: PATH,
            pNext: ptr::null_mut(),
            zName: text.into_raw(),
            pAppData: Box::into_raw(Box::new(Arc::downgrade(device))).cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: None,
            xCurrentTimeInt64: Some(current_time_int64),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: the entry is complete and stays where it is.
        let code = unsafe { ffi::sqlite3_vfs_register(entry, 0) };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite takes every entry with a name of its own");
        Self { entry, name }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // SAFETY: the entry is in the list, and only taken out of it here. It stays in memory.
        unsafe { ffi::sqlite3_vfs_unregister(self.entry) };
    }
}

/// The disk behind an entry, if it is still there.
///
/// # Safety
///
/// The entry is one of ours.
unsafe fn device(entry: *mut ffi::sqlite3_vfs) -> Option<Arc<Device>> {
    // SAFETY: `Registered::new` has put the link there, and neither it nor the entry is freed.
    unsafe { (*(*entry).pAppData.cast::<Weak<Device>>()).upgrade() }
}

/// # Safety
///
/// The pointer is null or leads to a text that ends with a zero and stays as long as it is used.
unsafe fn text<'a>(pointer: *const c_char) -> Option<&'a str> {
    // SAFETY: the caller says so.
    let text = (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) });
    text.and_then(|text| text.to_str().ok())
}

unsafe extern "C" fn open(
    entry: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: the file is SQLite's memory for us. A null here says that there is nothing to close.
    unsafe { (*file).pMethods = ptr::null() };
    // SAFETY: the entry is ours, and the name is SQLite's; no name is a passing file.
    let (device, name) = unsafe { (device(entry), text(name)) };
    let Some(device) = device else { return ffi::SQLITE_CANTOPEN };
    let create = flags & ffi::SQLITE_OPEN_CREATE != 0 || name.is_none();
    let exclusive = flags & ffi::SQLITE_OPEN_EXCLUSIVE != 0;
    let opened = device.act(|state| state.open(name, create, exclusive));
    match opened {
        Ok(opened) => {
            // SAFETY: the memory has the length that our entry asks for.
            unsafe { calls::open(file, device, opened) };
            if !flags_out.is_null() {
                // SAFETY: SQLite wants the flags there.
                unsafe { flags_out.write(flags) };
            }
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn delete(entry: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: the entry is ours, and the name is SQLite's.
    let (device, name) = unsafe { (device(entry), text(name)) };
    let (Some(device), Some(name)) = (device, name) else { return ffi::SQLITE_IOERR_DELETE };
    device.act(|state| state.delete(name, sync != 0)).err().unwrap_or(ffi::SQLITE_OK)
}

/// Whoever may open a file may do everything with it. An empty file counts as none, as in
/// SQLite's own layer.
unsafe extern "C" fn access(
    entry: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    answer: *mut c_int,
) -> c_int {
    // SAFETY: the entry is ours, and the name is SQLite's.
    let (device, name) = unsafe { (device(entry), text(name)) };
    let (Some(device), Some(name)) = (device, name) else { return ffi::SQLITE_IOERR_ACCESS };
    let found = device
        .act(|state| if state.crashed() { Err(ffi::SQLITE_IOERR_ACCESS) } else { Ok(state.length_of(name)) });
    match found {
        Ok(length) => {
            // SAFETY: SQLite wants the answer there.
            unsafe { answer.write(c_int::from(length.is_some_and(|length| length > 0))) };
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

/// Names are used as they come.
unsafe extern "C" fn full_pathname(
    _entry: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: the name is SQLite's.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if bytes.len() > usize::try_from(room).unwrap_or(0) {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: there is room for so many bytes, and SQLite's two buffers do not overlap.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), out.cast::<u8>(), bytes.len()) };
    ffi::SQLITE_OK
}

/// Nobody waits for time to pass here; who waits for another thread lets it go first.
unsafe extern "C" fn sleep(_entry: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    std::thread::yield_now();
    microseconds
}

unsafe extern "C" fn current_time_int64(_entry: *mut ffi::sqlite3_vfs, answer: *mut i64) -> c_int {
    // SAFETY: SQLite wants the time there.
    unsafe { answer.write(NOON) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time(_entry: *mut ffi::sqlite3_vfs, answer: *mut f64) -> c_int {
    // SAFETY: SQLite wants the time there.
    unsafe { answer.write(NOON as f64 / 86_400_000.0) };
    ffi::SQLITE_OK
}

thread_local! {
    /// What this thread's next random numbers begin with.
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// SQLite has one generator for the process and fills it from its default layer, whichever layer
/// a connection uses. So that layer is replaced by a copy of it with dice of ours.
fn replace_chance() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: null asks for the default layer, which lives as long as the process.
        let mut copy = unsafe { *ffi::sqlite3_vfs_find(ptr::null()) };
        copy.pNext = ptr::null_mut();
        copy.zName = c"deskbell-sim".as_ptr();
        copy.xRandomness = Some(randomness);
        // SAFETY: the copy is complete, and leaked so that it stays where it is.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(copy)), 1) };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite takes every entry with a name of its own");
    });
}

/// Lets SQLite's next random numbers begin with the seed, whatever was asked for before. Another
/// thread may come between: then the numbers are others, and everything else is as it was.
pub(super) fn seed_random(seed: u64) {
    SEED.set(seed);
    // SAFETY: a request for nothing empties the generator, so that the next one fills it.
    unsafe { ffi::sqlite3_randomness(0, ptr::null_mut::<c_void>()) };
}

unsafe extern "C" fn randomness(_entry: *mut ffi::sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    let mut dice = Dice::new(SEED.get(), Purpose::Random, 0);
    for place in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: SQLite has room for so many bytes.
        unsafe { out.add(place).write(dice.roll() as c_char) };
    }
    count
}
