//! The JSON form of opening hours: what it means, and a sentence for everything that is wrong.

use deskbell_core::calendar::{Hours, Span, open};
use deskbell_core::limits;
use deskbell_core::refusal::Code;
use serde_json::{Value, json};

use super::{hours, utc, window, zone};

const EXAMPLE: &str = r#"{
    "weekly": [{"day":"mon","from":"09:00","to":"17:00"},{"day":"wed","from":"09:00","to":"17:00"},
               {"day":"thu","from":"09:00","to":"17:00"},{"day":"fri","from":"20:00","to":"02:00"}],
    "exceptions": [{"date":"2026-12-24","closed":true},
                   {"from":"2026-12-27","to":"2026-12-31","hours":[{"from":"10:00","to":"14:00"}]}],
    "recurring": [{"rrule":"FREQ=WEEKLY;BYDAY=WE;UNTIL=20270101","from":"12:00","to":"13:00","open":false}]
}"#;

/// Open time as `date from-to`, in UTC.
fn told(json: &str, from: &str, to: &str) -> Vec<String> {
    let text =
        |at: u64| jiff::Timestamp::from_millisecond(at as i64).unwrap().strftime("%m-%d %H:%M").to_string();
    let spans = open(&hours(json), &zone("UTC"), window(from, to));
    spans.iter().map(|Span { start, end }| format!("{} to {}", text(*start), text(*end))).collect()
}

#[test]
fn weekly_rules_exceptions_and_blocks_play_together() {
    assert_eq!(
        told(EXAMPLE, "2026-12-21T00:00Z", "2027-01-04T00:00Z"),
        [
            "12-21 09:00 to 12-21 17:00",
            "12-23 09:00 to 12-23 12:00",
            "12-23 13:00 to 12-23 17:00",
            "12-25 20:00 to 12-26 02:00",
            "12-27 10:00 to 12-27 14:00",
            "12-28 10:00 to 12-28 14:00",
            "12-29 10:00 to 12-29 14:00",
            "12-30 10:00 to 12-30 14:00",
            "12-31 10:00 to 12-31 14:00",
            "01-01 20:00 to 01-02 02:00",
        ]
    );
}

#[test]
fn the_last_exception_of_a_date_counts() {
    let json = r#"{"exceptions":[{"from":"2026-12-20","to":"2026-12-31","closed":true},
        {"date":"2026-12-22","hours":[{"from":"10:00","to":"14:00"}]}]}"#;
    assert_eq!(
        told(json, "2026-12-19T12:00Z", "2027-01-01T12:00Z"),
        ["12-19 12:00 to 12-20 00:00", "12-22 10:00 to 12-22 14:00", "01-01 00:00 to 01-01 12:00"]
    );
}

#[test]
fn what_began_the_evening_before_goes_on_into_a_closed_date() {
    let json = r#"{"weekly":[{"day":"wed","from":"20:00","to":"02:00"},{"day":"thu","from":"20:00","to":"02:00"}],
        "exceptions":[{"date":"2026-12-24","closed":true}]}"#;
    assert_eq!(told(json, "2026-12-23T00:00Z", "2026-12-26T00:00Z"), ["12-23 20:00 to 12-24 02:00"]);
}

#[test]
fn nothing_begins_outside_the_range_of_validity() {
    let json = r#"{"valid":{"from":"2026-12-02","to":"2026-12-03"}}"#;
    assert_eq!(told(json, "2026-12-01T00:00Z", "2026-12-09T00:00Z"), ["12-02 00:00 to 12-04 00:00"]);
    let json = r#"{"valid":{"to":"2026-12-03"},"recurring":[{"rrule":"FREQ=DAILY","from":"22:00","to":"01:00","open":true}]}"#;
    assert_eq!(told(json, "2026-12-03T12:00Z", "2026-12-09T00:00Z"), ["12-03 22:00 to 12-04 01:00"]);
}

#[test]
fn blocks_alone_leave_the_rest_open_and_openings_alone_do_not() {
    let rule = |open| {
        format!(r#"{{"recurring":[{{"rrule":"FREQ=DAILY","from":"12:00","to":"13:00","open":{open}}}]}}"#)
    };
    let told = |json: &str| told(json, "2026-12-01T00:00Z", "2026-12-02T00:00Z");
    assert_eq!(told(&rule(false)), ["12-01 00:00 to 12-01 12:00", "12-01 13:00 to 12-02 00:00"]);
    assert_eq!(told(&rule(true)), ["12-01 12:00 to 12-01 13:00"]);
    assert_eq!(told("{}"), ["12-01 00:00 to 12-02 00:00"]);
    assert_eq!(told(r#"{"weekly":[],"exceptions":[],"recurring":[],"valid":{}}"#), told("{}"));
}

#[test]
fn the_written_form_is_short_and_reads_back() {
    let written = serde_json::to_value(hours(EXAMPLE)).unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(EXAMPLE).unwrap());
    assert_eq!(serde_json::to_string(&Hours::default()).unwrap(), "{}");
    let midnight = hours(r#"{"weekly":[{"day":"mon","from":"20:00","to":"00:00"}]}"#);
    assert_eq!(serde_json::to_value(&midnight).unwrap()["weekly"][0]["to"], "24:00");
    let started = r#"{"recurring":[{"rrule":"FREQ=YEARLY","start":"2026-05-17","from":"00:00","to":"24:00","open":false}]}"#;
    let written = serde_json::to_value(hours(started)).unwrap();
    assert_eq!(written["recurring"][0]["rrule"], "FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=17");
}

/// Values that must be refused, each with a part of its sentence.
fn refused(rows: &[(Value, &str)]) {
    for (value, sentence) in rows {
        let refusal = Hours::from_value(value).unwrap_err();
        assert_eq!(refusal.code, Code::BadField, "{value}");
        assert!(refusal.message.contains(sentence), "{value}: {refusal}");
        let error = serde_json::from_value::<Hours>(value.clone()).unwrap_err();
        assert_eq!(error.to_string(), refusal.message, "serde says the same");
    }
}

#[test]
fn each_wrong_field_is_named_with_what_to_give() {
    let day = |member: &str, value: Value| {
        let mut rule = json!({ "day": "mon", "from": "10:00", "to": "11:00" });
        rule[member] = value;
        json!({ "weekly": [rule] })
    };
    let date = "2026-01-02";
    refused(&[
        (json!([]), "opening hours must be an object with valid, weekly"),
        (json!(null), "opening hours must be an object"),
        (json!({ "weeky": [] }), "opening hours has no member \"weeky\"; use valid, weekly"),
        (json!({ "weekly": {} }), "weekly must be a list"),
        (json!({ "weekly": ["mon"] }), "weekly[0] must be an object with day, from, to"),
        (
            json!({ "weekly": [{ "day": "mon", "from": "10:00" }] }),
            "weekly[0].to is missing: it must be a time",
        ),
        (day("day", json!("MON")), "weekly[0].day must be one of mon, tue"),
        (day("day", json!(1)), "weekly[0].day must be one of mon, tue"),
        (day("from", json!("9:00")), "weekly[0].from must be a time from"),
        (day("to", json!("24:01")), "weekly[0].to must be a time from"),
        (day("to", json!("10:00")), "weekly[0].to must differ from"),
        (day("from", json!("24:00")), "weekly[0].to must differ from"),
        (day("open", json!(true)), "weekly[0] has no member \"open\""),
        (json!({ "valid": date }), "valid must be an object with from, to"),
        (json!({ "valid": { "from": "2026-02-30" } }), "valid.from must be a date"),
        (json!({ "valid": { "from": date, "to": "2026-01-01" } }), "valid.to must not be before"),
    ]);
}

#[test]
fn each_wrong_field_of_an_exception_or_a_recurring_rule_is_named() {
    let times = json!({ "from": "10:00", "to": "11:00" });
    let exception = |value: Value| json!({ "exceptions": [value] });
    let recurring = |member: &str, value: Value| {
        let mut rule = json!({ "rrule": "FREQ=DAILY", "from": "10:00", "to": "11:00", "open": true });
        rule[member] = value;
        json!({ "recurring": [rule] })
    };
    let date = "2026-01-02";
    refused(&[
        (exception(json!({ "closed": true })), "exceptions[0].from is missing: it must be a date"),
        (
            exception(json!({ "from": date, "closed": true })),
            "exceptions[0].to is missing: it must be a date",
        ),
        (exception(json!({ "date": date })), "exceptions[0].hours is missing or empty; give"),
        (exception(json!({ "date": date, "hours": [] })), "exceptions[0].hours is missing or empty; give"),
        (exception(json!({ "date": date, "closed": false })), "exceptions[0].closed must be true"),
        (
            exception(json!({ "date": date, "closed": 1, "hours": [times] })),
            "exceptions[0].closed must be true",
        ),
        (
            exception(json!({ "date": date, "closed": true, "hours": [times] })),
            "closed stands beside \"hours\"",
        ),
        (exception(json!({ "date": date, "to": date, "closed": true })), "date stands beside \"from\" or"),
        (
            exception(json!({ "from": date, "to": "2026-01-01", "closed": true })),
            "exceptions[0].to must not be",
        ),
        (exception(json!({ "date": date, "hours": [{}] })), "exceptions[0].hours[0].from is missing"),
        (recurring("rrule", json!(5)), "recurring[0].rrule must be a text such as"),
        (recurring("start", json!("soon")), "recurring[0].start must be a date"),
        (recurring("open", json!("yes")), "recurring[0].open must be true for an opening or false"),
        (recurring("open", Value::Null), "recurring[0].open must be true for an opening or false"),
        (recurring("day", json!("mon")), "recurring[0] has no member \"day\"; use rrule"),
    ]);
}

#[test]
fn every_list_has_a_bound() {
    let times = json!({ "from": "10:00", "to": "11:00" });
    let weekly = json!({ "day": "mon", "from": "10:00", "to": "11:00" });
    let exception = json!({ "date": "2026-01-02", "closed": true });
    let recurring = json!({ "rrule": "FREQ=DAILY", "from": "10:00", "to": "11:00", "open": true });
    for (name, one, limit) in [
        ("weekly", weekly, limits::HOURS_WEEKLY),
        ("exceptions", exception, limits::HOURS_EXCEPTIONS),
        ("recurring", recurring, limits::HOURS_RECURRING),
    ] {
        let of = |count: usize| Hours::from_value(&json!({ name: vec![one.clone(); count] }));
        assert!(of(limit).is_ok(), "{name}");
        assert!(
            of(limit + 1).unwrap_err().message.contains(&format!("{name} has at most {limit}")),
            "{name}"
        );
    }
    let hours = vec![times; limits::EXCEPTION_HOURS + 1];
    let refusal = Hours::from_value(&json!({ "exceptions": [{ "date": "2026-01-02", "hours": hours }] }));
    assert!(refusal.unwrap_err().message.contains("exceptions[0].hours has at most 24"));
    let refusal = Hours::from_json(&" ".repeat(limits::HOURS_TEXT + 1)).unwrap_err();
    assert_eq!(refusal.code, Code::TooLarge);
    assert!(Hours::from_json("{").unwrap_err().message.contains("mend the text"));
}

#[test]
fn the_longest_window_of_the_busiest_hours_has_a_bounded_answer() {
    let weekly: Vec<_> = (0..limits::HOURS_WEEKLY)
        .map(|i| json!({ "day": super::plan::DAYS[i % 7], "from": format!("{:02}:00", i / 7), "to": format!("{:02}:30", i / 7) }))
        .collect();
    let hours = hours(&json!({ "weekly": weekly }).to_string());
    let start = utc("2026-01-01T00:00Z");
    let longest = deskbell_core::calendar::Window::new(start, start + limits::CALENDAR_WINDOW).unwrap();
    assert_eq!(open(&hours, &zone("UTC"), longest).len(), 400 * 14);
}
