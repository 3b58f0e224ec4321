//! The system calls of the yardstick, each behind one safe function.

use std::io::{Error, Result};

use socket2::{Domain, Socket, Type};

/// Ready descriptors taken per wake-up.
const BATCH: i32 = 1024;

/// Raises the limit of open files to what this process may have.
pub fn raise_open_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read or write the struct they are given.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// Ends this process after so many seconds, so that a forgotten yardstick does not outlive its benchmark.
pub fn exit_after(seconds: u32) {
    // SAFETY: `alarm` takes a plain number; its default action ends the process.
    unsafe { libc::alarm(seconds) };
}

/// A listening socket on the loopback address.
pub fn listen(port: u16) -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit this, which saves a call for each of them.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

/// The next waiting connection.
pub fn accept(listener: i32) -> Option<i32> {
    // SAFETY: the peer's address is not asked for, so no memory is handed over.
    let descriptor =
        unsafe { libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_NONBLOCK) };
    (descriptor >= 0).then_some(descriptor)
}

/// Reads what is there.
pub fn receive(descriptor: i32, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes into a buffer we own.
    let received = unsafe { libc::recv(descriptor, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    if received < 0 { Err(Error::last_os_error()) } else { Ok(received as usize) }
}

/// Sends what fits; negative when nothing did.
pub fn send(descriptor: i32, bytes: &[u8]) -> isize {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the kernel reads `bytes.len()` bytes of a slice that outlives the call.
    unsafe { libc::send(descriptor, bytes.as_ptr().cast(), bytes.len(), flags) }
}

/// Closes a descriptor that the caller forgets after this.
pub fn close(descriptor: i32) {
    // SAFETY: the descriptor came from `accept` and no owner type holds it.
    unsafe { libc::close(descriptor) };
}

/// One epoll instance, level-triggered.
pub struct Epoll {
    descriptor: i32,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// Opens it.
    pub fn new() -> Result<Self> {
        // SAFETY: no memory is handed over.
        let descriptor = unsafe { libc::epoll_create1(0) };
        if descriptor < 0 {
            return Err(Error::last_os_error());
        }
        Ok(Self { descriptor, events: vec![libc::epoll_event { events: 0, u64: 0 }; BATCH as usize] })
    }

    /// Reports `token` whenever `descriptor` is readable.
    pub fn add(&self, descriptor: i32, token: i32) -> Result<()> {
        let mut event =
            libc::epoll_event { events: libc::EPOLLIN as u32, u64: u64::from(token.cast_unsigned()) };
        // SAFETY: the kernel copies the event during the call.
        let result =
            unsafe { libc::epoll_ctl(self.descriptor, libc::EPOLL_CTL_ADD, descriptor, &raw mut event) };
        if result < 0 { Err(Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits, and fills `ready` with the tokens of what is readable.
    pub fn wait(&mut self, ready: &mut Vec<i32>) -> Result<()> {
        ready.clear();
        // SAFETY: the kernel writes at most `BATCH` events into a buffer of that many.
        let count = unsafe { libc::epoll_wait(self.descriptor, self.events.as_mut_ptr(), BATCH, -1) };
        if count < 0 {
            let error = Error::last_os_error();
            return if error.kind() == std::io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        }
        ready.extend(self.events[..count as usize].iter().map(|event| (event.u64 as u32).cast_signed()));
        Ok(())
    }
}
