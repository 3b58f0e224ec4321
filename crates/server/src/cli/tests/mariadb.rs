//! `deskbell import` from a real MariaDB.

#[path = "../../../tests/suite/harness/mariadb.rs"]
#[allow(dead_code)] // The outside tests use the rest of it.
mod database;

use serde_json::{Value, json};

use super::{Answering, answer, deskbell};
use database::MariaDb;

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

fn printed(words: &[&str]) -> Vec<Value> {
    let ran = deskbell(words);
    assert_eq!((ran.err.as_str(), ran.code), ("", 0));
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_table_is_read_from_its_database_and_each_row_told() {
    let database = MariaDb::start(CONTENT);
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
