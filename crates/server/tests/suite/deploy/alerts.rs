//! Alerts ask for numbers that there are.

use super::super::harness::*;
use super::file;

#[test]
fn every_number_that_an_alert_asks_for_is_one_of_ours() {
    let server = Server::dev();
    let metrics = server.api("GET", "/metrics", None).text();
    let rules = file("prometheus/deskbell.yml", &[]);
    let asked: Vec<&str> = rules
        .split(|c: char| c.is_whitespace() || "()".contains(c))
        .filter(|word| word.starts_with("deskbell_"))
        .map(|word| word.split('[').next().unwrap())
        .collect();
    assert!(asked.len() >= 5, "{asked:?}");
    for number in asked {
        // A name ends where its labels or its value begin; labels are whole.
        let there = metrics
            .lines()
            .any(|line| line.strip_prefix(number).is_some_and(|rest| rest.starts_with([' ', '{'])));
        assert!(there, "{number} is no number of /metrics");
    }
}
