//! `PUT /v1/resources/{id}/busy`: over a change of the clocks, replaced, with conflicts, and refused in words.

use super::*;

const PATH: &str = "/v1/resources/dr-7/busy";
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

#[test]
fn a_series_blocks_the_same_hour_on_the_wall_before_and_after_the_clocks_change() {
    let server = server("");
    // The calendar is read a year ahead: the next change of the clocks is in it, whichever that is.
    let daily = "DTSTART;TZID=Europe/Oslo:20260105T090000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY";
    let answer = put(&server, PATH, &calendar(daily));
    assert_eq!(answer.status, 200, "{answer:?}");
    let shown = server.api("GET", PATH, None).json();
    let spans = shown["busy"].as_array().unwrap();
    assert!(spans.len() > 360, "{}", spans.len());
    let hours = spans.iter().map(|span| span["start"].as_u64().unwrap() % DAY / HOUR);
    let (winter, summer): (Vec<u64>, Vec<u64>) = hours.partition(|hour| *hour == 8);
    assert!(winter.len() > 100 && summer.len() > 100, "{} and {}", winter.len(), summer.len());
    assert!(summer.iter().all(|hour| *hour == 7), "{summer:?}");
    let steps: Vec<u64> = spans
        .windows(2)
        .map(|two| two[1]["start"].as_u64().unwrap() - two[0]["start"].as_u64().unwrap())
        .filter(|step| *step != DAY)
        .collect();
    assert!(steps.contains(&(23 * HOUR)) && steps.contains(&(25 * HOUR)), "both directions: {steps:?}");
    let start = spans[100]["start"].as_u64().unwrap();
    assert!(!is_free(&server, start) && is_free(&server, start + HOUR));
}

#[test]
fn what_a_source_says_replaces_what_it_said_and_other_sources_stay() {
    let server = server("");
    let hour = |at: u64| json!({"busy": [{"start": at, "end": at + HOUR}]});
    let (one, two) = (ahead(48), ahead(60));
    assert_eq!(server.api("PUT", PATH, Some(&hour(one))).status, 200);
    assert_eq!(server.api("PUT", &format!("{PATH}?source=other"), Some(&hour(two))).status, 200);
    assert!(!is_free(&server, one) && !is_free(&server, two));
    let mut watcher = server.ws();
    watcher.subscribe("slots:dr-7");
    let moved = json!({"busy": [{"start": one, "end": one + HOUR}, {"start": ahead(72), "end": ahead(73)}]});
    assert_eq!(server.api("PUT", PATH, Some(&moved)).status, 200);
    assert!(!is_free(&server, one) && !is_free(&server, two) && !is_free(&server, ahead(72)));
    assert_eq!(server.api("PUT", PATH, Some(&json!({"busy": []}))).status, 200);
    assert!(is_free(&server, one) && is_free(&server, ahead(72)) && !is_free(&server, two));
    let other = server.api("GET", &format!("{PATH}?source=other"), None).json();
    assert_eq!((other["source"].as_str(), other["busy"].as_array().unwrap().len()), (Some("other"), 1));
}

#[test]
fn what_is_booked_already_stays_and_is_named() {
    let server = server("");
    let booked = book(&server, "ann", ahead(48));
    let busy = json!({"busy": [{"start": ahead(48), "end": ahead(50)}], "as_of": ahead(0) - HOUR});
    let answer = server.api("PUT", PATH, Some(&busy)).json();
    let conflicts = answer["conflicts"].as_array().unwrap();
    assert_eq!((conflicts.len(), &conflicts[0]["by"]), (1, &json!("booked")), "{answer}");
    assert_eq!(conflicts[0]["start"], booked["claims"][0]["start"]);
    let kept = server.api("GET", &format!("/v1/bookings/{}", booked["id"].as_str().unwrap()), None).json();
    assert_eq!(kept["reservation"]["state"], "booked");
    assert_eq!(server.api("GET", PATH, None).json()["as_of"], ahead(0) - HOUR);
    // An older state does not replace a newer one.
    let older = json!({"busy": [], "as_of": ahead(0) - 2 * HOUR});
    assert_eq!(server.api("PUT", PATH, Some(&older)).json()["code"], "stale_version");
}

#[test]
fn what_cannot_be_taken_is_refused_in_words_and_nothing_changes() {
    let server = server("");
    let hour = json!({"busy": [{"start": ahead(48), "end": ahead(49)}]});
    server.api("PUT", PATH, Some(&hour));
    for (text, word) in [
        (calendar("DTSTART:20260105T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;BYSETPOS=1"), "BYSETPOS"),
        (calendar("DTSTART;TZID=Mars:20260105T090000\r\nDURATION:PT1H"), "Mars"),
        ("<html>".to_owned(), "iCalendar"),
    ] {
        let answer = put(&server, PATH, &text);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some("bad_field")), "{answer:?}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(word), "{answer:?}");
    }
    for (path, body, code) in [
        (PATH, json!({"busy": [{"start": 2, "end": 1}]}), "bad_field"),
        (PATH, json!({"busy": "all"}), "bad_field"),
        ("/v1/resources/nowhere/busy", json!({"busy": []}), "not_found"),
        ("/v1/resources/dr-7/busy?source=a/b", json!({"busy": []}), "bad_field"),
    ] {
        assert_eq!(server.api("PUT", path, Some(&body)).json()["code"], code, "{path} {body}");
    }
    assert!(!is_free(&server, ahead(48)), "what was known still blocks");
    let bearer = format!("Bearer {}", user("7"));
    let answer = request(&server, "PUT", PATH, &[("Authorization", &bearer)], Some("{\"busy\":[]}"));
    assert_eq!(answer.json()["code"], "denied");
}
