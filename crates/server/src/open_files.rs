//! Every connection is an open file, and systems start a process with few of them allowed.

/// Raises the limit of open files to what this process may have at most.
pub fn raise() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read or write the struct they are given.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            // Where the system refuses, the lower limit stays, and `deskbell doctor` shows it.
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
