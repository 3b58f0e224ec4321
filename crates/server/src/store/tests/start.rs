//! First start, later starts, and files that must not be touched.

use std::os::unix::fs::PermissionsExt as _;

use rusqlite::Connection;

use super::*;
use crate::store::Failure;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_first_start_makes_everything_and_a_second_finds_it() {
    let scratch = Scratch::new();
    let opened = scratch.open();
    assert!(opened.is_first_start() && !opened.was_clean());
    let first = opened.installation().clone();
    assert_eq!((first.secret, first.app.id), ([7; 32], APP));
    let text = std::fs::read_to_string(opened.credentials_file()).unwrap();
    assert_eq!(text, format!("id = 1001\nkey = \"{}\"\nsecret = \"{}\"\n", "ab".repeat(10), "cd".repeat(20)));
    start(opened).close().unwrap();

    let other = Seed { secret: [1; 32], app_key: [1; 10], app_secret: [1; 20] };
    let again = Opened::open(&Options { seed: other, ..options(&scratch.data()) }).unwrap();
    assert!(!again.is_first_start() && again.was_clean());
    assert_eq!(*again.installation(), first, "a later start takes nothing from the seed");
}

#[test]
fn nobody_else_can_read_what_is_kept() {
    let scratch = Scratch::new();
    let store = scratch.start();
    put(&store, "a", "1");
    assert_eq!(mode(&scratch.data()), 0o700);
    let mut seen = 0;
    for file in std::fs::read_dir(scratch.data()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 5, "data, its two side files, credentials and lock");
}

#[test]
fn secrets_are_not_in_what_is_printed_for_debugging() {
    let printed = format!("{:?}", Scratch::new().open());
    assert!(!printed.contains(&"cd".repeat(4)) && !printed.contains("7, 7"), "{printed}");
}

#[test]
fn credentials_that_stand_there_are_taken_over() {
    let scratch = Scratch::new();
    std::fs::create_dir_all(scratch.data()).unwrap();
    let file = scratch.data().join("credentials.toml");
    std::fs::write(&file, "id = 7\nkey = \"our-key\"\nsecret = 'our secret'\n").unwrap();
    let refused = Opened::open(&options(&scratch.data())).unwrap_err().to_string();
    assert!(refused.contains("credentials.toml") && !refused.contains("our"), "{refused}");
    let text = "id = 7\nkey = \"our-key\"\nsecret = 'our-secret'\n";
    std::fs::write(&file, text).unwrap();
    let opened = scratch.open();
    let app = &opened.installation().app;
    assert_eq!((app.id, &*app.key, &*app.secret), (AppId(7), "our-key", "our-secret"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn an_empty_file_of_version_0_becomes_one_of_this_version() {
    let scratch = Scratch::new();
    std::fs::create_dir_all(scratch.data()).unwrap();
    let file = scratch.data().join("deskbell.db");
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 0; VACUUM").unwrap();
    let store = scratch.start();
    put(&store, "a", "1");
    store.close().unwrap();
    let version: i64 =
        Connection::open(&file).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 8);
}

#[test]
fn a_newer_or_foreign_file_is_refused_and_not_changed() {
    type Make = fn(&Path);
    let cases: [(&str, Make); 3] = [
        ("newer", |file| {
            Connection::open(file).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
        }),
        ("some other program", |file| {
            Connection::open(file).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
        }),
        ("some other program", |file| std::fs::write(file, "not a database. ".repeat(400)).unwrap()),
    ];
    for (word, make) in cases {
        let scratch = Scratch::new();
        std::fs::create_dir_all(scratch.data()).unwrap();
        let file = scratch.data().join("deskbell.db");
        make(&file);
        let before = std::fs::read(&file).unwrap();
        let failure = Opened::open(&options(&scratch.data())).unwrap_err();
        assert!(matches!(failure, Failure::Newer { .. } | Failure::Foreign(_)), "{failure:?}");
        assert!(failure.to_string().contains(word), "{failure}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }
}

/// SQLite's layer with lock files shares no memory, as most network file systems do not.
#[test]
fn a_start_is_refused_where_there_can_be_no_write_ahead_log() {
    let scratch = Scratch::new();
    let disk = Some("unix-dotfile".to_owned());
    let failure = Opened::open(&Options { disk, ..options(&scratch.data()) }).unwrap_err();
    assert!(matches!(failure, Failure::NoLog(_)), "{failure}");
    assert!(failure.to_string().contains("a disk of this machine with --data"), "{failure}");
}

#[test]
fn one_directory_has_one_owner_until_it_goes() {
    let scratch = Scratch::new();
    let store = scratch.start();
    let refused = Opened::open(&options(&scratch.data())).unwrap_err();
    let Failure::Locked { holder, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*holder, Some(std::process::id()));
    assert!(refused.to_string().contains("stop it first"), "{refused}");
    store.close().unwrap();
    scratch.open();
}

#[test]
fn inspecting_needs_a_file_and_no_lock() {
    let scratch = Scratch::new();
    assert!(matches!(crate::store::inspect(&scratch.data()), Err(Failure::Missing(_))));
    let store = scratch.start();
    put(&store, "a", "1");
    let verdict = crate::store::inspect(&scratch.data()).unwrap();
    assert_eq!((verdict.rows, verdict.events, verdict.problems.len()), (1, 1, 0));
}
