//! Calendars from outside: links that show bookings, and busy times that block them.

mod feed;
mod links;
mod put;

use std::sync::OnceLock;

use super::harness::*;
use crate::json;

/// A calendar with these lines within its one event.
pub fn calendar(lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// A server with a resource in Oslo at which doctor 7 serves.
pub fn server(config: &str) -> Server {
    let server = Server::start(Start::with(config));
    let wish = json!({"time_zone": "Europe/Oslo", "provider": "7"});
    assert_eq!(server.api("PUT", "/v1/resources/dr-7", Some(&wish)).status, 200);
    server
}

/// Says in iCalendar when the resource is busy.
pub fn put(server: &Server, path: &str, text: &str) -> Answer {
    let bearer = format!("Bearer {SECRET}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "text/calendar; charset=utf-8")];
    request(server, "PUT", path, &headers, Some(text))
}

/// Starts of what is free of the resource between two instants, in steps of an hour, for an hour.
pub fn is_free(server: &Server, start: u64) -> bool {
    let path = format!("/v1/resources/dr-7/availability?from={start}&to={}", start + 3_600_000);
    let free = server.api("GET", &path, None).json();
    free["segments"].as_array().unwrap().iter().all(|segment| segment["free"] == 1)
}

/// Books an hour for somebody; gives the reservation.
pub fn book(server: &Server, who: &str, start: u64) -> serde_json::Value {
    let claims = json!([{"resource": "dr-7", "start": start, "end": start + 3_600_000}]);
    let wish = json!({"claims": claims, "holder": who, "email": format!("{who}@private.test"), "meta": {"note": "secret"}});
    let answer = server.api("POST", "/v1/bookings", Some(&wish));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["reservation"].clone()
}

/// A moment that is so many hours ahead, on the hour: of the same hour for a whole run, because a test asks
/// several times and a new hour may begin in between.
pub fn ahead(hours: u64) -> u64 {
    static NOW: OnceLock<u64> = OnceLock::new();
    (NOW.get_or_init(|| in_seconds(0) as u64 / 3_600) + hours) * 3_600_000
}
