//! The disk takes nothing more for a while.

use std::path::PathBuf;

use deskbell_core::refusal::Code;

use super::*;

/// Bounds the size of any file that this process writes; a write beyond it fails.
fn allow(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is to a whole `rlimit` that lives over the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
}

/// A process of its own, because the bound is for the whole process.
pub(super) fn child(data: PathBuf) {
    // SAFETY: ignoring a signal runs no code of ours in a signal handler.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let store = start(Opened::open(&options(&data)).unwrap());
    let mut taken = Vec::new();
    let try_one =
        |id: String, taken: &mut Vec<String>| match submit_and_wait(&store, publish(vec![draft("a", &id)])) {
            Ok(_) => {
                taken.push(id);
                None
            }
            Err(refusal) => Some(refusal.code),
        };
    for n in 0..10 {
        assert_eq!(try_one(format!("before-{n}"), &mut taken), None);
    }
    let side_file = std::fs::metadata(data.join("deskbell.db-wal")).unwrap().len();
    allow(side_file + 40_000);
    let refused = (0..200).find_map(|n| try_one(format!("filling-{n}"), &mut taken)).unwrap();
    assert_eq!(refused, Code::Unavailable);
    assert_eq!(try_one("still".to_owned(), &mut taken), Some(Code::Unavailable));
    let together: Vec<_> =
        (0..50).map(|n| submit(&store, publish(vec![draft("a", &format!("together-{n}"))]))).collect();
    for waiting in together {
        assert_eq!(waiting.recv().unwrap().unwrap_err().code, Code::Unavailable);
    }
    assert_eq!(all(&store, "a"), taken, "pages are still read");
    assert!(store.is_writing());
    allow(libc::RLIM_INFINITY);
    for n in 0..10 {
        assert_eq!(try_one(format!("after-{n}"), &mut taken), None);
    }
    assert_eq!(all(&store, "a"), taken);
    store.close().unwrap();
    child::say(&taken.join(" "));
}

#[test]
fn a_full_disk_refuses_and_the_writer_recovers_with_it() {
    let scratch = Scratch::new();
    let output = child::spawn("run out of disk", &scratch.data()).wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let taken: Vec<_> = text.lines().find_map(child::said).unwrap().split(' ').collect();
    assert!(taken.len() > 20, "{taken:?}");
    let store = scratch.start();
    assert_eq!(all(&store, "a"), taken, "what was taken is there, and nothing that was refused");
    assert_sound(&store);
}
