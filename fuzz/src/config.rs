//! Configuration files: never a panic, the same twice, every error in its place, and no secret in an error.

use std::path::PathBuf;
use std::sync::LazyLock;

use deskbell_server::config::{Settings, Sources};

/// A secret that stands in the seeds, for which every error is searched.
const SECRET: &str = "correct-horse-battery-staple-42";

/// The longest line that an error may have: a sentence, with a quoted value and a path.
const LINE: usize = 1_500;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("deskbell-fuzz-{}.toml", std::process::id());
    std::env::temp_dir().join(name)
});

/// Any text as deskbell.toml.
pub fn check(data: &[u8]) {
    std::fs::write(&*FILE, data).expect("the temporary folder can be written");
    let read = || Settings::load(Sources { file: Some(FILE.clone()), ..Sources::default() });
    match (read(), read()) {
        (Ok(settings), Ok(again)) => {
            assert!(!settings.listen.is_empty() && settings.shards > 0 && !settings.apps.is_empty());
            assert!(settings.limits.frame > 0 && settings.heartbeat_ms > 0);
            assert!(settings.values() == again.values(), "one file was read in two ways");
            assert!(!format!("{settings:?}").contains(SECRET), "the debug form shows a secret");
        }
        (Err(errors), Err(again)) => {
            let errors = errors.to_string();
            assert_eq!(errors, again.to_string());
            assert!(!errors.is_empty() && !errors.contains(SECRET), "{errors}");
            let longest = errors.lines().map(str::len).max().unwrap_or_default();
            assert!(longest <= LINE, "a line of {longest} bytes");
        }
        _ => panic!("one file was good and bad"),
    }
}
