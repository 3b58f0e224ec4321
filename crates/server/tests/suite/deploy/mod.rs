//! The files of `deploy/`, with the programs that they are for. What is replaced in them is what a machine has once
//! and a test has many of: addresses, users and folders.

mod alerts;
mod image;
mod proxies;
mod services;
mod shipped;

use std::path::{Path, PathBuf};

/// The folder of the files.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// One of them, with some of its words replaced. Each must stand there.
fn file(name: &str, replaced: &[(&str, &str)]) -> String {
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    replaced.iter().fold(text, |text, (old, new)| {
        assert!(text.contains(old), "{name} has no {old}");
        text.replace(old, new)
    })
}

/// The binary under test.
const BINARY: &str = env!("CARGO_BIN_EXE_deskbell");
