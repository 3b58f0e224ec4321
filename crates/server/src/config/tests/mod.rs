//! Tests of the configuration: one table of cases for each rule.
#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod errors;
mod options;
mod pages;
mod precedence;
mod read;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{ConfigErrors, SetFlag, Settings, Sources};

/// A directory of this test's own, removed at its end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("deskbell-config-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Settings from a file's text in this directory, variables and `--set` flags.
pub fn load_in(
    scratch: &Scratch,
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Settings, ConfigErrors> {
    let own = |text: &str| text.to_owned();
    Settings::load(Sources {
        file: Some(scratch.write("deskbell.toml", file)),
        environment: environment.iter().map(|(name, value)| (own(name), own(value))).collect(),
        flags: flags
            .iter()
            .map(|(key, words)| SetFlag { key: own(key), words: own(words), flag: own("--set") })
            .collect(),
    })
}

/// Settings from a file's text, variables and `--set` flags.
pub fn load(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Settings, ConfigErrors> {
    load_in(&Scratch::new(), file, environment, flags)
}

/// Settings from a file's text alone.
pub fn from_file(file: &str) -> Result<Settings, ConfigErrors> {
    load(file, &[], &[])
}

/// The errors of a file's text, one a line, with the file's name alone.
pub fn errors_of(file: &str) -> String {
    let scratch = Scratch::new();
    let shown = match load_in(&scratch, file, &[], &[]) {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string(),
    };
    shown.replace(&format!("{}/", scratch.path().display()), "")
}

/// The example's text with files that exist and secrets that are not empty.
pub fn made_to_work(text: &str) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some((key, value)) if value.contains(".pem") => format!("{key} = \"/dev/null\"\n"),
        Some((key, "\"\"")) => format!("{key} = \"a sample of good length\"\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}
