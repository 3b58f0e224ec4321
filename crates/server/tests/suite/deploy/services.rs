//! The unit for systemd and the program for supervisor.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::super::harness::*;
use super::{BINARY, file};

/// What systemd itself finds wrong with the unit, and how much of the machine it leaves open, from 0 to 10.
#[test]
fn systemd_finds_nothing_wrong_with_the_unit_and_calls_it_safe() {
    let folder = std::env::temp_dir().join(format!("deskbell-unit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let unit = write(
        &folder,
        "deskbell.service",
        &file("systemd/deskbell.service", &[("/usr/local/bin/deskbell", BINARY)]),
    );
    let analyze = |arguments: &[&str]| {
        let done = Command::new("systemd-analyze").args(arguments).arg(&unit).output().expect("run setup.sh");
        (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let (fine, said) = analyze(&["verify", "--man=no"]);
    assert!(fine && !said.contains("deskbell.service"), "{said}");
    // Tenths: what is worse than 2.0 fails.
    let (safe, said) = analyze(&["security", "--offline=yes", "--threshold=20", "--no-pager"]);
    assert!(safe, "{said}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A supervisor that is stopped when the test ends.
struct Supervisor {
    child: Child,
    config: std::path::PathBuf,
}

impl Supervisor {
    fn start(folder: &Path) -> Self {
        let shown = folder.display();
        let config = write(
            folder,
            "supervisord.conf",
            &format!(
                "[supervisord]\nlogfile={shown}/supervisord.log\npidfile={shown}/supervisord.pid\nnodaemon=true\n\
                 [unix_http_server]\nfile={shown}/socket\n\
                 [rpcinterface:supervisor]\n\
                 supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
                 [supervisorctl]\nserverurl=unix://{shown}/socket\n\
                 [include]\nfiles={shown}/appointease-websocket.conf\n"
            ),
        );
        let mut command = Command::new("/usr/bin/supervisord");
        command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().expect("run setup.sh"), config }
    }

    fn ctl(&self, words: &[&str]) -> String {
        let done =
            Command::new("/usr/bin/supervisorctl").arg("-c").arg(&self.config).args(words).output().unwrap();
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// The number of Deskbell's process, once it runs.
    fn process(&self) -> u32 {
        let mut found = None;
        eventually("it runs", || {
            let said = self.ctl(&["status", "appointease-websocket"]);
            let number = said.split("pid ").nth(1).and_then(|rest| rest.split(',').next());
            found = number.filter(|_| said.contains("RUNNING")).and_then(|number| number.parse().ok());
            found.is_some()
        });
        found.unwrap()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

#[test]
fn supervisor_starts_it_again_after_a_crash_and_lets_it_end_in_its_own_time() {
    let folder = std::env::temp_dir().join(format!("deskbell-supervisor-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (shown, logs) = (folder.display().to_string(), folder.join("log"));
    std::fs::create_dir_all(&logs).unwrap();
    write(&folder, "deskbell.toml", "listen = \"127.0.0.1:0\"\ndrain = \"1s\"\n");
    let program = file(
        "supervisor/appointease-websocket.conf",
        &[
            ("/usr/local/bin/deskbell", BINARY),
            ("/etc/deskbell", &shown),
            ("/var/lib/deskbell", &shown),
            ("/var/log", logs.to_str().unwrap()),
            // Whoever runs the tests need not be root; who is, would have to give the folders away.
            ("user=www-data\n", ""),
        ],
    );
    write(&folder, "appointease-websocket.conf", &program);
    let supervisor = Supervisor::start(&folder);
    let log = || std::fs::read_to_string(logs.join("appointease-websocket-error.log")).unwrap_or_default();
    let started = || log().matches("listening on").count();
    let first = supervisor.process();
    eventually("it listens", || started() == 1);
    Command::new("kill").arg("-KILL").arg(first.to_string()).status().unwrap();
    eventually("it listens again", || started() == 2);
    assert_ne!(supervisor.process(), first);
    assert!(supervisor.ctl(&["stop", "appointease-websocket"]).contains("stopped"));
    // Ended by itself, and not by force: what it says last is that all is written.
    let said = supervisor.ctl(&["status", "appointease-websocket"]);
    assert!(said.contains("STOPPED"), "{said}");
    let whole = std::fs::read_to_string(folder.join("supervisord.log")).unwrap();
    assert!(!whole.contains("killing") && whole.contains("exit status 0"), "{whole}");
    drop(supervisor);
    std::fs::remove_dir_all(&folder).unwrap();
}
