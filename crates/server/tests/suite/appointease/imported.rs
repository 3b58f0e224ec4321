//! Appointments from before: `deskbell import` against a running server, and a page that sees them.

use super::*;

/// What the command said and whether it was content.
fn import(server: &Server, file: &std::path::Path, secret: &str) -> (String, bool) {
    let url = format!("http://{}", server.address);
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_deskbell"))
        .args(["import", "--url", &url, "--secret", secret])
        .arg(file)
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), ran.status.success())
}

fn row(id: u32, strong: Value, at: &str, status: &str) -> Value {
    json!({"id": id.to_string(), "name": "Ann", "email": "ann@example.org", "phone": null, "status": status,
        "appointment_date": at, "employee_id": "1", "strong_id": strong, "notes": "a \"b\""})
}

/// The same rows in each of the forms that a file may have, and its name.
fn files(rows: &[Value; 3]) -> [(&'static str, String); 4] {
    let columns = ["id", "name", "email", "status", "appointment_date", "employee_id", "strong_id", "notes"];
    let line = |divider: &str, value: &dyn Fn(&Value) -> String| {
        rows.iter().map(|row| columns.map(|column| value(&row[column])).join(divider)).collect::<Vec<_>>()
    };
    let sql = line(",", &|value| match value {
        Value::String(text) => format!("'{text}'"),
        _ => "NULL".to_owned(),
    });
    let batch = line("\t", &|value| value.as_str().unwrap_or("NULL").to_owned());
    let export = json!([
        {"type": "header", "version": "5.2.1"}, {"type": "database", "name": "word"},
        {"type": "table", "name": "wp_options", "database": "word", "data": [{"option_id": "1"}]},
        {"type": "table", "name": "wp_appointments", "database": "word", "data": rows},
    ]);
    [
        ("rows.json", json!(rows).to_string()),
        ("export.json", export.to_string()),
        (
            "dump.sql",
            format!(
                "INSERT INTO `wp_appointments` (`{}`) VALUES\n({});\n",
                columns.join("`,`"),
                sql.join("),\n(")
            ),
        ),
        ("batch.txt", format!("{}\n{}\n", columns.join("\t"), batch.join("\n"))),
    ]
}

#[test]
fn appointments_from_before_are_imported_once_from_whichever_file_and_a_page_sees_them() {
    let rows = [
        row(1, json!("APT-2025-000001"), "2025-11-03 10:00:00", "confirmed"),
        row(2, Value::Null, "2025-11-03 11:00:00", "confirmed"),
        row(3, json!("APT-2025-000003"), "2025-11-03 12:00:00", "cancelled"),
    ];
    let server = Server::dev();
    let mut ann = Page::open(&server, "/?email=ann%40example.org");
    let mut bob = Page::open(&server, "/");
    bob.watch("10:00");
    let mut seen = Value::Null;
    for (name, content) in files(&rows) {
        let file = server.data.join(name);
        std::fs::write(&file, content).unwrap();
        let (said, content) = import(&server, &file, SECRET);
        assert!(content && said == "3 told, 0 refused\n", "{name}: {said}");
        if seen.is_null() {
            bob.until_times(|times| *times == [json!("10:00"), json!("11:00")]);
            while seen.as_array().is_none_or(|rows| rows.len() < 2) {
                seen = ann.news("update")["data"]["appointments"].clone();
            }
        }
        // Whatever is told again in another form changes nothing.
        let now = ann.ask(json!({"type": "subscribe"}))["data"]["appointments"].clone();
        assert_eq!(now, seen, "{name}");
    }
    let named = |nth: usize| (seen[nth]["strong_id"].clone(), seen[nth]["appointment_date"].clone());
    assert_eq!(named(0), (json!("2"), json!("2025-11-03T11:00:00.000Z")), "{seen}");
    assert_eq!(named(1), (json!("APT-2025-000001"), json!("2025-11-03T10:00:00.000Z")));
    assert_eq!((&seen[1]["name"], &seen[1]["notes"]), (&json!("Ann"), &json!("a \"b\"")));
}

#[test]
fn a_row_that_makes_no_sense_is_named_and_the_others_are_taken() {
    let server = site("");
    let mut odd = row(2, Value::Null, "some day", "confirmed");
    odd["employee_id"] = Value::Null;
    let rows = json!([row(1, json!("APT-1"), "2025-11-03 10:00:00", "confirmed"), odd]);
    let file = server.data.join("rows.json");
    std::fs::write(&file, rows.to_string()).unwrap();
    let (said, content) = import(&server, &file, SECRET);
    assert!(!content && said.contains("1 told, 1 refused") && said.contains("2: "), "{said}");
    let booked = server.api("GET", "/v1/bookings", None).json();
    assert_eq!(booked["reservations"][0]["external_ref"], "APT-1", "{booked}");
    let (said, content) = import(&server, &file, "wrong");
    assert!(!content && said.contains("--secret"), "{said}");
}
