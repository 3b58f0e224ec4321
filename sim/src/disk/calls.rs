//! What SQLite calls for an open file. Every function here only turns pointers into what
//! [`super::state`] understands, and its answer into a number.
//!
//! The reasons for `unsafe` are the same in all of them. SQLite calls them only with a file that
//! [`open`] has made and [`close`] has not yet ended, and with buffers as long as it says. A panic
//! ends the process here, because it may not go on through foreign code.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use rusqlite::ffi;

use super::Device;
use super::state::Open;

/// What SQLite keeps for us for each open file: its own head, then our pointer.
#[repr(C)]
pub(super) struct Slot {
    head: ffi::sqlite3_file,
    handle: *mut Handle,
}

struct Handle {
    device: Arc<Device>,
    open: Open,
}

/// Fills the slot with an open file.
///
/// # Safety
///
/// `file` points to memory for a [`Slot`] that nobody else uses meanwhile.
pub(super) unsafe fn open(file: *mut ffi::sqlite3_file, device: Arc<Device>, open: Open) {
    let handle = Box::into_raw(Box::new(Handle { device, open }));
    let head = ffi::sqlite3_file { pMethods: &raw const METHODS };
    // SAFETY: the memory is ours to fill, says the caller; the layout begins with SQLite's head.
    unsafe { file.cast::<Slot>().write(Slot { head, handle }) };
}

/// Version 2 has shared memory, which WAL needs, and no memory maps.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// # Safety
///
/// `file` is open, and `close` is not called while the answer is used.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a Handle {
    // SAFETY: an open file is a slot that `open` has filled, and only `close` frees the handle.
    unsafe { &*(*file.cast::<Slot>()).handle }
}

fn code(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(ffi::SQLITE_OK)
}

/// SQLite's numbers of bytes and places are never negative.
fn size(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(0)
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is open, and SQLite calls nothing for it after this. The box is the one
    // that `open` made, and it is taken back once, because the head says then that it is closed.
    let handle = unsafe {
        (*file).pMethods = std::ptr::null();
        Box::from_raw((*file.cast::<Slot>()).handle)
    };
    handle.device.act(|state| state.close(&handle.open));
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, into: *mut c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: the file is open. SQLite's buffer has `count` bytes, and as they may never have
    // been written, zeros are put there before they are seen as a slice.
    let (handle, into) = unsafe {
        into.cast::<u8>().write_bytes(0, size(count));
        (handle(file), std::slice::from_raw_parts_mut(into.cast::<u8>(), size(count)))
    };
    match handle.device.act(|state| state.read(&handle.open, size(at), into)) {
        Ok(read) if read < into.len() => ffi::SQLITE_IOERR_SHORT_READ,
        Ok(_) => ffi::SQLITE_OK,
        Err(code) => code,
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    count: c_int,
    at: i64,
) -> c_int {
    // SAFETY: the file is open, and SQLite's buffer has `count` bytes that it has filled.
    let (handle, bytes) =
        unsafe { (handle(file), std::slice::from_raw_parts(from.cast::<u8>(), size(count))) };
    code(handle.device.act(|state| state.write(&handle.open, size(at), bytes)))
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    // SAFETY: the file is open.
    let handle = unsafe { handle(file) };
    code(handle.device.act(|state| state.set_len(&handle.open, size(length))))
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: the file is open.
    let handle = unsafe { handle(file) };
    code(handle.device.act(|state| state.sync(&handle.open)))
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, length: *mut i64) -> c_int {
    // SAFETY: the file is open.
    let handle = unsafe { handle(file) };
    match handle.device.act(|state| state.length(&handle.open)) {
        Ok(found) => {
            // SAFETY: SQLite wants the answer there.
            unsafe { length.write(found as i64) };
            ffi::SQLITE_OK
        }
        Err(_) => ffi::SQLITE_IOERR_FSTAT,
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file is open.
    let handle = unsafe { handle(file) };
    code(handle.device.act(|state| state.lock(&handle.open, level)))
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file is open.
    let handle = unsafe { handle(file) };
    handle.device.act(|state| state.unlock(&handle.open, level));
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, answer: *mut c_int) -> c_int {
    // SAFETY: the file is open.
    let handle = unsafe { handle(file) };
    match handle.device.act(|state| state.is_reserved(&handle.open)) {
        Ok(reserved) => {
            // SAFETY: SQLite wants the answer there.
            unsafe { answer.write(c_int::from(reserved)) };
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

/// None of the extras is here, and SQLite does without.
unsafe extern "C" fn file_control(_file: *mut ffi::sqlite3_file, _what: c_int, _with: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

/// What SQLite's own layer says on Linux, so that it writes as it would there.
unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    4096
}

/// What SQLite's own layer says on Linux: bytes beside a write stay as they are.
unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE | ffi::SQLITE_IOCAP_SUBPAGE_READ
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    answer: *mut *mut c_void,
) -> c_int {
    // SAFETY: the file is open.
    let handle = unsafe { handle(file) };
    let found = handle.device.act(|state| {
        let shared = state.shared(&handle.open)?;
        Ok(shared.map(handle.open.me, size(region), size(bytes), extend != 0))
    });
    let (pointer, code) = match found {
        Ok(Some(first)) => (first.cast_mut().cast::<c_void>(), ffi::SQLITE_OK),
        Ok(None) => (std::ptr::null_mut(), ffi::SQLITE_OK),
        Err::<_, c_int>(_) => (std::ptr::null_mut(), ffi::SQLITE_IOERR_SHMMAP),
    };
    // SAFETY: SQLite wants the answer there. The memory it points to lives until the last user
    // has called `shm_unmap` or `close`, also over a reboot.
    unsafe { answer.write(pointer) };
    code
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, first: c_int, count: c_int, how: c_int) -> c_int {
    // SAFETY: the file is open.
    let handle = unsafe { handle(file) };
    let (first, count) = (size(first), size(count));
    if how & ffi::SQLITE_SHM_UNLOCK != 0 {
        handle.device.act(|state| state.unlock_shared(&handle.open, first, count, how));
        return ffi::SQLITE_OK;
    }
    code(handle.device.act(|state| {
        let shared = state.shared(&handle.open).map_err(|_| ffi::SQLITE_IOERR_SHMLOCK)?;
        shared.lock(handle.open.me, first, count, how)
    }))
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
    // SAFETY: the file is open.
    let handle = unsafe { handle(file) };
    // SQLite's own layer takes its lock here too, to be sure.
    handle.device.act(|_| ());
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: the file is open.
    let handle = unsafe { handle(file) };
    handle.device.act(|state| state.leave_shared(&handle.open));
    ffi::SQLITE_OK
}
