//! `deskbell import` from a real MariaDB.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Answering, Scratch, answer, deskbell};

/// How long it may take to start: the machine is shared.
const DEADLINE: Duration = Duration::from_secs(60);

/// What it holds: each statement on a line of its own.
const CONTENT: &str = "CREATE DATABASE word CHARACTER SET utf8mb4;
CREATE TABLE word.`wp_appointments` (id mediumint NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(100), email varchar(100), appointment_date datetime NOT NULL, status varchar(20), employee_id mediumint, notes longtext, total_amount decimal(10,2), strong_id varchar(20) UNIQUE);
INSERT INTO word.wp_appointments VALUES (1,_utf8mb4 0xC38573652027C2ABC2BB,'ase@example.org','2025-11-03 10:00:00','confirmed',7,REPEAT('n',70000),12.50,'APT-2025-000001'),(2,NULL,'b@example.org','2025-11-04 09:30:00','cancelled',8,'',NULL,NULL);
CREATE TABLE word.`odd``name` AS SELECT * FROM word.wp_appointments WHERE id = 2;
CREATE USER wp@'127.0.0.1' IDENTIFIED BY 'hunter2';
GRANT SELECT ON word.* TO wp@'127.0.0.1';
CREATE USER bare@'127.0.0.1';
GRANT SELECT ON word.wp_appointments TO bare@'127.0.0.1';
CREATE USER nobody@'127.0.0.1' IDENTIFIED BY 'hunter2';
";

/// A running MariaDB, which ends with the test.
struct MariaDb {
    child: Child,
    port: u16,
    _files: Scratch,
}

impl MariaDb {
    fn start() -> Self {
        let files = Scratch::new();
        let data = files.path().join("data");
        let made = Command::new("mariadb-install-db")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db", "--user=root"])
            .output()
            .unwrap_or_else(|error| panic!("mariadb-install-db: {error}; run setup.sh"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let content = files.write("content.sql", CONTENT);
        // A port that was free a moment ago may be taken by now; then the next one is tried.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let mut child = Self::spawn(files.path(), &content, port);
            let begun = Instant::now();
            // It listens when its content is there.
            while child.try_wait().unwrap().is_none() && begun.elapsed() < DEADLINE {
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                    return Self { child, port, _files: files };
                }
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("mariadbd does not start")
    }

    fn spawn(files: &Path, content: &str, port: u16) -> Child {
        let file = |name: &str, option: &str| format!("--{option}={}", files.join(name).display());
        Command::new("mariadbd")
            .arg("--no-defaults")
            .args([file("data", "datadir"), file("s.sock", "socket"), file("pid", "pid-file")])
            .arg(format!("--init-file={content}"))
            .args(["--user=root", "--bind-address=127.0.0.1", "--skip-name-resolve"])
            .args(["--innodb-buffer-pool-size=32M", "--performance-schema=OFF"])
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("mariadbd: {error}; run setup.sh"))
    }

    fn url(&self, user: &str) -> String {
        format!("mysql://{user}@127.0.0.1:{}/word", self.port)
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn printed(words: &[&str]) -> Vec<Value> {
    let ran = deskbell(words);
    assert_eq!((ran.err.as_str(), ran.code), ("", 0));
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_table_is_read_from_its_database_and_each_row_told() {
    let database = MariaDb::start();
    let url = database.url("wp:hunter2");
    let events = printed(&["import", &url, "--dry-run"]);
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["event"], "appointment.created");
    assert_eq!(
        events[0]["data"],
        json!({
            "id": 1, "name": "Åse '«»", "email": "ase@example.org", "appointment_date": "2025-11-03 10:00:00",
            "status": "confirmed", "employee_id": 7, "notes": "n".repeat(70_000), "total_amount": "12.50",
            "strong_id": "APT-2025-000001",
        })
    );
    assert_eq!((&events[1]["event"], &events[1]["data"]["id"]), (&json!("appointment.cancelled"), &json!(2)));
    assert_eq!(printed(&["import", &url, "--dry-run", "--table", "odd`name"]).len(), 1);
    assert_eq!(
        printed(&["import", &database.url("bare"), "--dry-run"]).len(),
        2,
        "a user without a password"
    );
    let server = Answering::with(vec![answer("200 OK", "{}"), answer("200 OK", "{}")]);
    let ran = deskbell(&["import", &url, "--url", &server.url(), "--secret", "s"]);
    assert_eq!((ran.out.as_str(), ran.code), ("2 told, 0 refused\n", 0));
    assert_eq!(server.requests().len(), 2);
    for (url, table, sentence) in [
        (database.url("wp:wrong"), "wp_appointments", "Access denied"),
        (database.url("nobody:hunter2"), "wp_appointments", "Access denied"),
        (url, "gone", "doesn't exist"),
    ] {
        let ran = deskbell(&["import", &url, "--dry-run", "--table", table]);
        assert!(ran.code == 1 && ran.err.contains(sentence), "{}", ran.err);
        assert!(ran.err.contains("what it may select") && !ran.err.contains("hunter2"), "{}", ran.err);
    }
}
