//! The site's own table, read by the server again and again from a real MariaDB.

use super::*;

/// A table under a name of its own, and who may read it.
const CONTENT: &str = "CREATE DATABASE word CHARACTER SET utf8mb4;
CREATE TABLE word.clinic_appointments (id int PRIMARY KEY, name varchar(100), email varchar(100), appointment_date datetime, status varchar(20), employee_id int, strong_id varchar(20));
INSERT INTO word.clinic_appointments VALUES (1,'Ann','ann@example.org','2025-11-03 10:00:00','confirmed',1,'APT-1'),(2,NULL,NULL,'2025-11-03 12:00:00','cancelled',1,'APT-2'),(3,NULL,NULL,'2025-11-03 13:00:00','confirmed',NULL,'APT-3');
CREATE USER desk@'127.0.0.1' IDENTIFIED BY 'hunter2';
GRANT SELECT ON word.clinic_appointments TO desk@'127.0.0.1';
";

fn start(database: &MariaDb) -> Server {
    site(&format!(
        "database = \"{}\"\ntable = \"clinic_appointments\"\nevery = \"1s\"\n",
        database.url("desk:hunter2")
    ))
}

fn booked(server: &Server) -> Vec<(String, u64)> {
    let all = server.api("GET", "/v1/bookings?state=booked", None).json()["reservations"].clone();
    let one = |one: &Value| {
        (one["external_ref"].as_str().unwrap().to_owned(), one["claims"][0]["start"].as_u64().unwrap())
    };
    let mut all: Vec<_> = all.as_array().unwrap().iter().map(one).collect();
    all.sort();
    all
}

/// Ten o'clock of the day in Oslo.
const TEN: u64 = 1_762_160_400_000;
const HOUR: u64 = 3_600_000;

#[test]
fn the_rows_of_a_sites_table_are_bookings_as_long_as_they_stand_there() {
    let mut database = MariaDb::start(CONTENT);
    let server = start(&database);
    let mut page = Page::open(&server, "/");
    page.watch("10:00");
    eventually("the row is a booking", || booked(&server) == [("APT-1".to_owned(), TEN)]);
    // A row is added, one is moved, one comes back, and one goes.
    database.run(
        "INSERT INTO word.clinic_appointments VALUES (4,NULL,NULL,'2025-11-03 14:00:00','confirmed',1,'APT-4');
         UPDATE word.clinic_appointments SET appointment_date = '2025-11-03 11:00:00' WHERE id = 1;
         UPDATE word.clinic_appointments SET status = 'confirmed' WHERE id = 2",
    );
    page.until_times(|times| *times == ["11:00", "12:00", "14:00"].map(Value::from));
    database.run("DELETE FROM word.clinic_appointments WHERE id = 4");
    page.until_times(|times| *times == ["11:00", "12:00"].map(Value::from));
    let expected = [("APT-1".to_owned(), TEN + HOUR), ("APT-2".to_owned(), TEN + 2 * HOUR)];
    assert_eq!(booked(&server), expected);
    // The database is away and comes back.
    database.kill();
    eventually("it is said that it is away", || said(&server, "is behind") == 1);
    database.start_again();
    database.run("UPDATE word.clinic_appointments SET status = 'cancelled' WHERE id = 1");
    page.until_times(|times| *times == ["12:00"].map(Value::from));
    eventually("it is said that it is back", || said(&server, "read again") == 1);
    // What makes no sense was said once, and the password never.
    assert_eq!(
        (said(&server, "makes no booking"), said(&server, "hunter2")),
        (1, 0),
        "{:?}",
        server.logged()
    );
    assert_eq!(said(&server, "is behind"), 1, "{:?}", server.logged());
}

/// How many lines of the log say something.
fn said(server: &Server, what: &str) -> usize {
    server.logged().iter().filter(|line| line.contains(what)).count()
}

#[test]
fn a_server_that_starts_again_books_nothing_twice() {
    let database = MariaDb::start(CONTENT);
    let server = start(&database);
    eventually("the row is a booking", || booked(&server).len() == 1);
    let before = server.api("GET", "/v1/bookings", None).json();
    let server = server.crash_and_restart();
    // Something new is read behind what was there.
    database.run(
        "INSERT INTO word.clinic_appointments VALUES (4,NULL,NULL,'2025-11-03 14:00:00','confirmed',1,'APT-4')",
    );
    eventually("the new row is a booking", || booked(&server).len() == 2);
    let now = server.api("GET", "/v1/bookings", None).json();
    let of = |all: &Value| {
        let all = all["reservations"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["external_ref"] == "APT-1").unwrap()
    };
    assert_eq!(of(&now), of(&before));
}
