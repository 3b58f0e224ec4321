//! What the machine must offer: a port, a directory, files to open, a clock.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::Finding;
use crate::cli::http_client::{self, Request};
use crate::cli::remote::url_of;
use crate::config::Listen;

/// 2025-01-01: a clock that shows less was never set.
const CLOCK_FLOOR_MS: u64 = 1_735_689_600_000;
/// 2100-01-01: a clock that shows more was set wrongly.
const CLOCK_CEILING_MS: u64 = 4_102_444_800_000;
/// Files the server opens beside its connections.
const OWN_FILES: u64 = 100;

/// Whether the port is free, or already served by a Deskbell.
pub fn port(listen: &Listen) -> Finding {
    let addr = listen.addr;
    match TcpListener::bind(addr) {
        Ok(_) => Finding::ok(format!("{addr} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => taken(listen),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::fail(
            format!("{addr} may not be opened by this user"),
            "listen on a port from 1024, or give the binary the right: setcap cap_net_bind_service=+ep deskbell",
        ),
        Err(error) => {
            Finding::fail(format!("{addr} cannot be opened: {error}"), "listen on an address of this machine")
        }
    }
}

fn taken(listen: &Listen) -> Finding {
    let addr = listen.addr;
    if listen.tls {
        // Its certificate names no address, so this cannot be told from here.
        return Finding::warn(
            format!("{addr} is in use, perhaps by a running Deskbell"),
            "run doctor with --url https://NAME to see who answers",
        );
    }
    let healthy = http_client::send(&url_of(listen), &Request::get("/healthz"))
        .is_ok_and(|answer| answer.status == 200);
    if healthy {
        return Finding::ok(format!("{addr} is served by a healthy server"));
    }
    Finding::fail(
        format!("{addr} is in use by something that does not answer /healthz"),
        "stop that program, or choose another address with --listen",
    )
}

/// Whether the data directory can be written.
pub fn data_directory(directory: &Path) -> Finding {
    let shown = directory.display();
    // Of a directory that is not there yet, the nearest one above must take it.
    let above =
        directory.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let Some(existing) = above.into_iter().find(|path| path.exists()) else {
        return Finding::fail(format!("{shown} has no directory above it"), "choose another one with --data");
    };
    let trial = existing.join(format!(".deskbell-doctor-{}", std::process::id()));
    let written = std::fs::write(&trial, b"x");
    let _ = std::fs::remove_file(&trial);
    match written {
        Ok(()) if directory.exists() => Finding::ok(format!("{shown} can be written")),
        Ok(()) => Finding::ok(format!("{shown} is not there yet and can be made")),
        Err(error) => Finding::fail(
            format!("{} cannot be written: {error}", existing.display()),
            "make the server's user its owner, or choose another directory with --data",
        ),
    }
}

/// Whether the data file is sound.
pub fn data_file(file: &Path) -> Finding {
    let shown = file.display();
    if !file.exists() {
        return Finding::ok(format!("{shown} is not there yet; the first start makes it"));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let verdict = Connection::open_with_flags(file, flags).and_then(|connection| {
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    });
    match verdict {
        Ok(verdict) if verdict == "ok" => Finding::ok(format!("{shown} opens and is sound")),
        Ok(verdict) => {
            Finding::fail(format!("{shown} is damaged: {verdict}"), "restore it from the last backup")
        }
        Err(error) => Finding::fail(
            format!("{shown} cannot be read: {error}"),
            "run doctor as the server's user; if it still fails, restore the file from the last backup",
        ),
    }
}

/// The largest number of files this process may open: the hard limit, which the server raises itself to.
pub fn open_file_limit() -> Option<u64> {
    if let Ok(limits) = std::fs::read_to_string("/proc/self/limits") {
        let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
        let hard = line.split_whitespace().nth(4)?;
        return if hard == "unlimited" { Some(u64::MAX) } else { hard.parse().ok() };
    }
    // Systems without /proc; the shell knows its own limit.
    let output = std::process::Command::new("sh").args(["-c", "ulimit -Hn"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    if text.trim() == "unlimited" { Some(u64::MAX) } else { text.trim().parse().ok() }
}

/// Whether enough files can be opened for the connections allowed.
pub fn open_files(limit: Option<u64>, connections: u64) -> Finding {
    let Some(limit) = limit else {
        return Finding::warn(
            "the limit of open files is not known",
            "see `ulimit -Hn`; each connection needs one",
        );
    };
    let room = limit.saturating_sub(OWN_FILES);
    if limit < 1_024 {
        return Finding::fail(
            format!("only {limit} files can be open, so at most {room} connections"),
            "raise it: LimitNOFILE=1048576 in the systemd unit, or `ulimit -n 1048576` before the start",
        );
    }
    if connections > 0 && room < connections {
        return Finding::warn(
            format!("{limit} files can be open, fewer than limit.connections = {connections} needs"),
            "raise it (LimitNOFILE=1048576 in the systemd unit), or lower limit.connections",
        );
    }
    if limit == u64::MAX {
        return Finding::ok("any number of files can be open");
    }
    Finding::ok(format!("{limit} files can be open"))
}

/// Whether the clock was ever set. Holds and tokens live by it.
pub fn clock(now_ms: u64) -> Finding {
    if (CLOCK_FLOOR_MS..CLOCK_CEILING_MS).contains(&now_ms) {
        return Finding::ok("the clock is set");
    }
    Finding::fail(
        "the clock is wrong by years; tokens and holds would end at the wrong time",
        "set it, and keep it right with systemd-timesyncd or chrony",
    )
}
