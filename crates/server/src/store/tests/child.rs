//! The test program as a process of its own, to be killed or to run out of disk.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use super::{full, kill, killed};

const ROLE: &str = "DESKBELL_STORE_TEST_ROLE";
const DATA: &str = "DESKBELL_STORE_TEST_DATA";

/// Starts this test program in a role. Its lines come out of its stdout, each with a mark before
/// it, because the test runner writes there too.
pub(super) fn spawn(role: &str, data: &std::path::Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["store::tests::child::in_a_role", "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(DATA, data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

const MARK: &str = "@ ";

/// Says a line to the parent, all of it or nothing.
pub(super) fn say(line: &str) {
    // The runner's own text may stand before it without a line's end.
    let line = format!("\n{MARK}{line}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// The line, where it is one of ours.
pub(super) fn said(line: &str) -> Option<&str> {
    line.strip_prefix(MARK)
}

/// Does nothing in an ordinary run; the other tests start it as their child.
#[test]
fn in_a_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let data = std::env::var_os(DATA).unwrap().into();
    match role.as_str() {
        "publish until killed" => kill::child(data),
        "hold until killed" => killed::child(data),
        "run out of disk" => full::child(data),
        other => panic!("no role {other}"),
    }
}
