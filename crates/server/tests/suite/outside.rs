//! The world outside breaks: ports, directories, disks. The server says what is wrong, and what it
//! can still do it does.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::harness::*;
use crate::json;

const CONFIG: &str = r#"
drain = "300ms"
[[channels]]
pattern = "durable*"
durable = true
"#;

const MIB: u64 = 1 << 20;

fn start() -> Start {
    Start::with(CONFIG).flag("--dev")
}

#[test]
fn a_second_server_on_the_same_port_says_so_and_ends() {
    let server = Server::start(start());
    let other = Directory::new("other");
    let (code, said) = Server::refusal(&Start::default(), &other.0, &server.address.to_string());
    assert_eq!(code, Some(1), "{said}");
    let port = server.address.to_string();
    assert!(said.contains(&port) && said.contains("another program has this port"), "{said}");
    assert!(said.contains("--listen"), "it says what to do: {said}");
    assert!(!other.0.join("deskbell.db").exists(), "a server that cannot listen leaves nothing behind");
}

#[test]
fn a_second_server_on_the_same_data_says_so_and_ends() {
    let server = Server::start(start());
    let (code, said) = Server::refusal(&Start::default(), &server.data, "127.0.0.1:0");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another deskbell works on"), "{said}");
    assert!(said.contains(&format!("process {}", server.pid())) && said.contains("--data"), "{said}");
    server.send("lobby", 1);
}

#[test]
fn a_directory_that_may_not_be_written_is_named() {
    // The superuser may write everywhere, so it starts the server as nobody; the binary is copied
    // to where nobody can read it.
    let area = Directory::new("readonly");
    let root =
        std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let (binary, data) = (area.0.join("deskbell"), area.0.join("data"));
    std::fs::copy(env!("CARGO_BIN_EXE_deskbell"), &binary).unwrap();
    std::fs::create_dir(&data).unwrap();
    let mode =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&area.0, 0o755);
    mode(&data, 0o555);
    let mut command = Server::command(&Start::default(), &data, "127.0.0.1:0", &binary);
    command.current_dir("/");
    if root {
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().unwrap();
    mode(&data, 0o755);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&data.display().to_string()) && said.contains("ermission denied"), "{said}");
    assert!(said.contains("check the permissions"), "it says what to do: {said}");
}

#[test]
fn a_port_whose_old_connections_still_linger_is_taken_again_at_once() {
    let server = Server::start(start());
    let mut all: Vec<Ws> = (0..20).map(|_| server.ws()).collect();
    all.iter_mut().for_each(|ws| drop(ws.subscribe("lobby")));
    let port = server.address.port();
    let server = {
        let mut server = server;
        server.stop();
        all.iter_mut().for_each(|ws| _ = ws.until_closed());
        drop(all);
        // The side that closes first keeps the port busy for a minute; here that is the server.
        if let Ok(sockets) = std::fs::read_to_string("/proc/net/tcp") {
            let here = format!("0100007F:{port:04X}");
            let waits = |line: &&str| line.contains(&format!(" {here} ")) && line.contains(" 06 ");
            assert!(sockets.lines().any(|line| waits(&line)), "nothing lingers, so nothing is tested");
        }
        server.restarted()
    };
    assert_eq!(server.address.port(), port);
    server.send("lobby", 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_refuses_what_it_must_and_nothing_else() {
    // A file size limit is a full disk that needs no mount. The signal that comes with it is
    // ignored, as a service manager can do it too; the write then simply fails.
    // What is sent is larger than any file by then, so that no room that was used before can take it.
    let server = Server::start(start().flag("--set").flag("limit.frame=1MiB").on_file());
    let mut ws = server.ws();
    ws.subscribe("lobby");
    ws.subscribe("durable1");
    server.send("durable1", 1);
    assert_eq!(ws.event(), 1);
    server.limit_files(Some(server.largest_file()));
    let body = json!({"channel": "durable1", "name": "e", "id": "kept", "data": "x".repeat(800_000)});
    let refused = server.api("POST", "/v1/publish", Some(&body));
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("unavailable")), "{refused:?}");
    let answer =
        ws.ask(json!({"type": "publish", "channel": "durable1", "name": "e", "data": "y".repeat(800_000)}));
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("unavailable")), "{answer}");
    // What needs no disk goes on, and so the server is not taken out of service.
    assert_eq!(get(&server, "/readyz").status, 200);
    server.send("lobby", 2);
    assert_eq!(ws.event(), 2);
    server.limit_files(None);
    let again = server.publish(&body);
    assert_eq!(again["id"], "kept");
    assert_eq!(ws.expect("event")["id"], "kept", "the first one that was acknowledged, and only that");
    server.send("durable1", 3);
    assert_eq!(ws.event(), 3);
    // Everything that was acknowledged is on the disk, and nothing else.
    let server = server.crash_and_restart();
    let mut back = server.ws();
    back.send(&json!({"type": "hello", "cursor": ws.welcome["cursor"], "channels": ["durable1"]}));
    back.expect("welcome");
    back.expect("subscribed");
    assert_eq!(back.event(), 1);
    assert_eq!(back.expect("event")["id"], "kept");
    assert_eq!(back.event(), 3);
    back.expect_nothing();
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_for_a_while_loses_nothing_that_was_acknowledged() {
    let server = Server::start(start().on_file());
    let mut swarm = Swarm::new(server.address);
    (0..10).for_each(|_| _ = swarm.join(&["durable1", "memory1"]));
    swarm.until("everybody is there", Swarm::is_complete);
    let publishers: Vec<_> = ["durable1", "memory1"]
        .map(|channel| Publisher::start(server.address, channel, Duration::ZERO, 500))
        .into_iter()
        .collect();
    for _ in 0..count(3, 30) {
        swarm.run_for(Duration::from_millis(200));
        server.limit_files(Some(server.largest_file()));
        let memory = publishers[1].acknowledged();
        swarm.until("memory goes on", |_| publishers[1].acknowledged() > memory + 20);
        swarm.until("the store is told", |_| server.stats()["refusals"]["unavailable"].as_u64() > Some(0));
        server.limit_files(None);
        let durable = publishers[0].acknowledged();
        swarm.until("durable goes on", |_| publishers[0].acknowledged() > durable + 5);
    }
    let ending = std::thread::spawn(move || super::crash::finish(publishers));
    swarm.until("the publishers have ended", |_| ending.is_finished());
    let last = ending.join().unwrap();
    swarm.until("everybody has everything", |swarm| swarm.all_have(&last));
    let server = server.crash_and_restart();
    let mut late = Swarm::new(server.address);
    let index = late.join(&["durable1"]);
    late.member(index).cursor = swarm.members()[0].first_cursor.clone();
    late.until("all of it is on the disk", |late| {
        late.all_have(&[("durable1".to_owned(), last["durable1"])].into())
    });
    late.assert_exact();
    swarm.assert_exact();
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fails_while_data_is_copied_ends_the_process_and_takes_nothing_with_it() {
    let mut server = Server::start(start().on_file());
    let cursor = server.ws().cursor;
    let size = |server: &Server, file: &str| std::fs::metadata(server.data.join(file)).unwrap().len();
    let mut taken = Vec::new();
    let publish = |server: &Server, taken: &mut Vec<String>| {
        let id = format!("n{}", taken.len());
        let body = json!({"channel": "durable1", "name": "e", "id": id, "data": "x".repeat(200_000)});
        let bearer = format!("Bearer {SECRET}");
        let headers = [("Authorization", bearer.as_str())];
        let answer = try_request(server.address, "POST", "/v1/publish", &headers, Some(&body.to_string()));
        let is_taken = answer.is_some_and(|answer| answer.status == 200);
        taken.extend(is_taken.then_some(id));
        is_taken
    };
    // The side file is copied whenever 8 MiB are new in it. It gets room for that below the bound, and the
    // data file gets none, so the next copy fails and no commit before it does.
    while size(&server, "deskbell.db") < size(&server, "deskbell.db-wal") + 12 * MIB {
        assert!(publish(&server, &mut taken), "nothing fails yet");
        assert!(taken.len() < 2_000, "the data file does not grow");
    }
    let before = taken.len();
    server.limit_files(Some(size(&server, "deskbell.db")));
    while publish(&server, &mut taken) {
        assert!(taken.len() < before + 500, "the copy does not fail");
    }
    assert_eq!(server.end(), Some(70));
    let said = server.logged().join("\n");
    assert!(said.contains("start the server again"), "{said}");
    let server = server.restarted();
    assert_eq!(server.problems(), Vec::<String>::new());
    let mut back = Ws::back(&server, None, &cursor, &["durable1"]);
    assert_eq!(back.expect("subscribed")["recovered"], true);
    for id in taken {
        assert_eq!(back.expect("event")["id"], id);
    }
}

/// A directory that goes when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("deskbell-{name}-{}", std::process::id()));
        // It may be left from a run that was killed.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
