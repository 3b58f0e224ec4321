//! `deskbell import`: what is said of a table, and what becomes of rows that are refused.

use serde_json::{Value, json};

use super::{Answering, Scratch, answer, deskbell};

const DUMP: &str = "INSERT INTO `wp_appointments` (`id`,`email`,`appointment_date`,`employee_id`,`strong_id`,`status`) VALUES\n\
(1,'a@b.c','2025-11-03 10:00:00',7,'APT-1','confirmed'),\n\
(2,'b@b.c','2025-11-03 10:70:00',7,'APT-2','confirmed'),\n\
(3,'c@b.c','2025-11-03 11:00:00',7,NULL,'cancelled');\n";

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn each_row_is_told_with_the_secret_and_a_refused_one_is_named() {
    let scratch = Scratch::new();
    let file = scratch.write("dump.sql", DUMP);
    let no =
        r#"{"code":"bad_field","message":"`date` is written YYYY-MM-DD HH:MM:SS","data":{"status":400}}"#;
    let server = Answering::with(vec![
        answer("200 OK", r#"{"success":true}"#),
        answer("400 Bad Request", no),
        answer("200 OK", r#"{"success":true}"#),
    ]);
    let ran = deskbell(&["import", &file, "--url", &server.url(), "--secret", "s3"]);
    assert_eq!((ran.out.as_str(), ran.code), ("2 told, 1 refused\n", 1));
    assert!(ran.err.starts_with("APT-2: ") && ran.err.contains("bad_field"), "{}", ran.err);
    assert!(ran.err.contains("1 rows were refused"), "{}", ran.err);
    let requests = server.requests();
    for request in &requests {
        assert!(request.starts_with("POST /broadcast HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nAuthorization: Bearer s3\r\n"), "{request}");
    }
    let (first, third) = (body(&requests[0]), body(&requests[2]));
    assert_eq!(
        (&first["event"], &first["data"]["strong_id"]),
        (&json!("appointment.created"), &json!("APT-1"))
    );
    assert_eq!((&third["event"], &third["data"]["id"]), (&json!("appointment.cancelled"), &json!(3)));
}

#[test]
fn a_dry_run_prints_what_would_be_said_and_says_nothing() {
    let scratch = Scratch::new();
    let ran = deskbell(&["import", &scratch.write("dump.sql", DUMP), "--dry-run"]);
    assert_eq!((ran.err.as_str(), ran.code), ("", 0));
    let events: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["data"]["employee_id"], 7);
}

#[test]
fn a_server_that_says_no_to_everything_ends_it_at_once() {
    let scratch = Scratch::new();
    let file = scratch.write("dump.sql", DUMP);
    for (status, sentence) in [("401 Unauthorized", "--secret"), ("404 Not Found", "takes no appointments")] {
        let server = Answering::with(vec![answer(status, "{}")]);
        let ran = deskbell(&["import", &file, "--url", &server.url(), "--secret", "s"]);
        assert_eq!((ran.out.as_str(), ran.code), ("", 1));
        assert!(ran.err.contains(sentence), "{}", ran.err);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn what_cannot_be_read_is_said_with_what_to_do() {
    let scratch = Scratch::new();
    let file = scratch.write("dump.sql", DUMP);
    let missing = scratch.path().join("gone.sql").display().to_string();
    for (words, code, sentence) in [
        (vec![file.as_str(), "--table", "other"], 1, "name the table with --table"),
        (vec![missing.as_str()], 1, "cannot be read"),
        (vec!["mysql://u:hunter2@127.0.0.1:1/w"], 1, "look whether it runs there"),
        (vec!["mysql://u:hunter2@127.0.0.1"], 2, "names no database"),
        (vec!["-", "--every", "60", "--url", "http://127.0.0.1:1", "--secret", "s"], 2, "only once"),
    ] {
        let dry = if words.contains(&"--every") { &[][..] } else { &["--dry-run"] };
        let words: Vec<&str> = ["import"].into_iter().chain(words).chain(dry.iter().copied()).collect();
        let ran = deskbell(&words);
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains(sentence) && !ran.err.contains("hunter2"), "{}", ran.err);
    }
}
