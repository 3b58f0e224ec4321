//! The end of the process when a part has failed that only a new process can replace.

/// What the process ends with then.
pub const FAILED: i32 = 70;

/// Does a shard's work on its thread. A shard that fails takes the process with it, because its
/// clients would hang for ever; a new process takes them up again.
pub fn or_end<E: std::fmt::Debug>(shard: usize, work: impl FnOnce() -> Result<(), E>) {
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    if !matches!(ended, Ok(Ok(()))) {
        tracing::error!(shard, ?ended, "a shard has failed: the process ends");
        std::process::exit(FAILED);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::process::Command;

    use super::{FAILED, or_end};

    const WAY: &str = "DESKBELL_SHARD_TEST_WAY";

    /// What the child ends with when its shard has ended well.
    const WENT_ON: i32 = 3;

    /// Does nothing in an ordinary run; the other test starts it as its child, because a process is
    /// to end.
    #[test]
    fn as_a_child() {
        let Ok(way) = std::env::var(WAY) else { return };
        let work = move || match way.as_str() {
            "panics" => panic!("a shard's bug"),
            "fails" => Err(io::Error::other("no poll")),
            _ => Ok(()),
        };
        let shard = std::thread::spawn(move || or_end(0, work));
        // Nobody waits for a failed shard's thread: it ends the process, or it has ended well.
        shard.join().unwrap();
        std::process::exit(WENT_ON);
    }

    #[test]
    fn a_shard_that_panics_or_fails_ends_the_process_and_one_that_ends_does_not() {
        for (way, code) in [("panics", FAILED), ("fails", FAILED), ("ends", WENT_ON)] {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["run::failing::tests::as_a_child", "--exact", "--test-threads=1"])
                .env(WAY, way)
                .output()
                .unwrap();
            assert_eq!(child.status.code(), Some(code), "it {way}: {child:?}");
        }
    }
}
