//! The variables with which a site says how much is logged, and where.

use std::io::Read as _;
use std::path::Path;

use super::*;

/// A server with variables and flags, from which a visitor was turned away; what it has logged.
fn logged(env: &[(&str, &str)], flags: &[&str]) -> String {
    let own = |text: &&str| (*text).to_owned();
    let env = env.iter().map(|(name, value)| (own(name), own(value))).collect();
    let start = Start { env, flags: flags.iter().map(own).collect(), ..Start::default() };
    let mut server = Server::start(start);
    let turned_away =
        Ws::upgraded(Conn::open(&server), &server.address.to_string(), "/v1/ws?app=nobody", &[]);
    assert!(turned_away.is_err());
    server.stop();
    server.logged().join("\n")
}

const REFUSED: &str = "an upgrade was refused";

#[test]
fn details_are_logged_in_development_and_on_demand_alone() {
    let on = ("WSS_DEBUG_LOG_ENABLED", "true");
    let off = ("WSS_DEBUG_LOG_ENABLED", "false");
    for (env, flags, details) in [
        (&[][..], &[][..], false),
        (&[], &["--dev"], true),
        (&[on], &[], true),
        (&[off], &["--dev"], false),
        (&[], &["--dev", "--log-level", "info"], false),
    ] {
        let said = logged(env, flags);
        assert_eq!(said.contains(REFUSED), details, "{env:?} {flags:?}: {said}");
        assert!(said.contains("listening on") && said.contains("stopped cleanly"), "{said}");
    }
}

#[test]
fn with_a_file_warnings_are_in_both_unless_that_is_switched_off() {
    for (word, both) in [("true", true), ("no", false)] {
        let data = std::env::temp_dir().join(format!("deskbell-logs-{}-{word}", std::process::id()));
        std::fs::create_dir_all(&data).unwrap();
        let file = data.join("websocket.log");
        // A folder that is not there makes a warning.
        let env = [
            ("WSS_LOG_FILE", file.display().to_string()),
            ("WSS_LOG_TO_DOCKER", word.to_owned()),
            ("DESKBELL_PORTICO_SPOOL", "/nowhere/spool".to_owned()),
        ];
        let start =
            Start { env: env.map(|(name, value)| (name.to_owned(), value)).to_vec(), ..Start::default() };
        let binary = Path::new(env!("CARGO_BIN_EXE_deskbell"));
        let mut child = Server::command(&start, &data, "127.0.0.1:0", binary).spawn().unwrap();
        let log = || std::fs::read_to_string(&file).unwrap_or_default();
        eventually("it listens and warns", || {
            log().contains("listening on") && log().contains("cannot be read")
        });
        child.kill().unwrap();
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        child.wait().unwrap();
        assert_eq!(errors.contains("cannot be read"), both, "{errors}");
        assert!(!errors.contains("listening on"), "{errors}");
        std::fs::remove_dir_all(&data).unwrap();
    }
    // Nothing at all.
    let data = std::env::temp_dir().join(format!("deskbell-logs-{}-none", std::process::id()));
    std::fs::create_dir_all(&data).unwrap();
    let env = [("WSS_LOG_ENABLED", "0"), ("DESKBELL_PORTICO_SPOOL", "/nowhere/spool")];
    let start = Start {
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..Start::default()
    };
    let binary = Path::new(env!("CARGO_BIN_EXE_deskbell"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut child = Server::command(&start, &data, &free.to_string(), binary).spawn().unwrap();
    eventually("it listens", || std::net::TcpStream::connect(free).is_ok());
    child.kill().unwrap();
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    child.wait().unwrap();
    assert_eq!(errors, "");
    std::fs::remove_dir_all(&data).unwrap();
}
