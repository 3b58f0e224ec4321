//! What the command line and the file get wrong stops the start, and is named.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};

use super::harness::*;

/// A directory that is gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("deskbell-options-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn config(&self, text: &str) -> String {
        let file = self.0.join("bell.toml");
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    /// Runs the command to its end, which must come by itself: one that goes on is killed.
    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deskbell"));
        command.args(arguments).current_dir(&self.0).envs(environment.iter().copied()).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (id, (done, ended)) = (child.id().to_string(), mpsc::channel::<()>());
        let guard = std::thread::spawn(move || {
            let goes_on = ended.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout);
            if goes_on {
                assert!(Command::new("kill").args(["-KILL", &id]).status().unwrap().success());
            }
            goes_on
        });
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        drop(done);
        assert!(!guard.join().unwrap(), "it went on for {DEADLINE:?}: {arguments:?}");
        let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (status.code(), text)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_wrong_value_stops_the_start_and_names_file_line_and_key() {
    let scratch = Scratch::new("wrong");
    for (text, expected) in [
        ("\n[limit]\nrate = \"many\"", "bell.toml:3: limit.rate: "),
        ("limit.frame = \"1GiB\"", "bell.toml:1: limit.frame: "),
        ("limit.header_time = \"1ms\"", "bell.toml:1: limit.header_time: "),
        ("\n\nlimt.rate = 5", "bell.toml:3: limt.rate: there is no such key; did you mean `limit.rate`?"),
        ("listen = \"nowhere\"", "bell.toml:1: listen.addr: "),
        (
            "tls.cert = \"absent.pem\"\ntls.key = \"absent.pem\"",
            "bell.toml:1: tls.cert: \"absent.pem\" cannot be read",
        ),
        ("[[access]]\npattern = \"a\"\nallow = [\"subscribe\"]\nto = \"owner\"", "bell.toml:4: access.to: "),
        ("log.level = \"loud\"", "bell.toml:1: log.level: "),
        ("this is no toml", "bell.toml:1"),
    ] {
        let file = scratch.config(text);
        for command in ["serve", "check"] {
            let (code, said) = scratch.run(&[command, "--config", &file], &[]);
            assert_ne!(code, Some(0), "{command} {text}: {said}");
            assert!(said.contains(expected), "{command} {text}: {said}");
        }
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let scratch = Scratch::new("all");
    let file = scratch.config("limit.rate = -1\nlimit.body = \"x\"\nnothing = 1");
    let (code, said) = scratch.run(&["check", "--config", &file], &[("DESKBELL_LIMIT_BURST", "0")]);
    assert_ne!(code, Some(0));
    for expected in ["limit.rate", "limit.body", "nothing", "environment DESKBELL_LIMIT_BURST: limit.burst"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn variables_and_flags_are_named_as_what_they_are() {
    let scratch = Scratch::new("named");
    let (code, said) = scratch.run(&["serve"], &[("DESKBELL_LIMIT_RATE", "many")]);
    assert_ne!(code, Some(0));
    assert!(said.contains("environment DESKBELL_LIMIT_RATE: limit.rate"), "{said}");
    let (code, said) = scratch.run(&["serve", "--set", "limit.rate=many"], &[]);
    assert_ne!(code, Some(0));
    assert!(said.contains("--set") && said.contains("limit.rate"), "{said}");
    for arguments in [&["serve", "--lisen", "127.0.0.1:0"][..], &["serv"], &["serve", "more"]] {
        let (code, said) = scratch.run(arguments, &[]);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(
            said.contains(arguments.last().unwrap()) || said.contains(arguments[1]),
            "{arguments:?}: {said}"
        );
    }
    let (_, said) = scratch.run(&["serve", "--lisen", "x"], &[]);
    assert!(said.contains("--listen"), "a near flag is suggested: {said}");
}

#[test]
fn what_is_right_is_said_to_be_right() {
    let scratch = Scratch::new("right");
    let file = scratch.config("limit.rate = 5\nlisten = \"127.0.0.1:0\"");
    let (code, said) = scratch.run(&["check", "--config", &file], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!scratch.0.join("deskbell-data").exists(), "a check writes nothing");
}

#[test]
fn an_address_that_is_taken_stops_the_start_and_says_so() {
    let server = Server::dev();
    let scratch = Scratch::new("taken");
    let (code, said) = scratch.run(&["serve", "--listen", &server.address.to_string()], &[]);
    assert_ne!(code, Some(0));
    assert!(said.contains(&server.address.to_string()) && said.contains("another program"), "{said}");
}

#[test]
fn development_mode_stays_on_this_machine() {
    let scratch = Scratch::new("dev");
    let (code, said) = scratch.run(&["serve", "--dev", "--listen", "0.0.0.0:0"], &[]);
    assert_ne!(code, Some(0));
    assert!(said.contains("0.0.0.0:0 can be reached by others"), "{said}");
    let forced = Server::start(Start::default().flag("--dev").flag("--dev-force"));
    assert_eq!(get(&forced, "/readyz").status, 200);
}

#[test]
fn a_data_directory_belongs_to_one_server() {
    let server = Server::dev();
    let scratch = Scratch::new("second");
    let data = server.data.display().to_string();
    let (code, said) = scratch.run(&["serve", "--listen", "127.0.0.1:0", "--data", &data], &[]);
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains(&data), "{said}");
}
