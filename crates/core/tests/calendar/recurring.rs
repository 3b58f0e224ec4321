//! Dates that come again: against going through all periods in order, well-known rules, and refusals.

use deskbell_core::calendar::{Hours, Window, open};
use jiff::civil::{Date, date};
use proptest::prelude::*;
use serde_json::json;

use super::plan::{Every, Plan, Rule, rule, shifted};
use super::{cases, hours, reference, utc, zone};

const DAY: u64 = 86_400_000;

/// The dates between two others on which the rule of these hours opens at ten for an hour.
fn opened(hours: &Hours, first: Date, days: i32) -> Vec<Date> {
    let start = utc(&format!("{first}T00:00Z"));
    let window = Window::new(start, start + days as u64 * DAY).unwrap();
    let spans = open(hours, &zone("UTC"), window);
    let date = |at: u64| shifted(date(1970, 1, 1), (at / DAY) as i32);
    spans
        .iter()
        .for_each(|span| assert_eq!((span.start % DAY, span.end % DAY), (DAY / 24 * 10, DAY / 24 * 11)));
    spans.iter().map(|span| date(span.start)).collect()
}

/// Dates around which rules are made: leap years, and a century that is none.
fn around() -> impl Strategy<Value = Date> {
    (prop::sample::select(vec![1972i16, 2000, 2024, 2026, 2100]), 1i8..=12, 1i8..=28)
        .prop_map(|(year, month, day)| date(year, month, day))
}

fn case() -> impl Strategy<Value = (Date, Rule)> {
    around().prop_flat_map(|around| rule(around).prop_map(move |rule| (around, rule)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(300)))]

    #[test]
    fn a_rule_names_the_dates_that_counting_finds((around, mut rule) in case(), days in 1i32..400) {
        rule.times = (600, 660);
        rule.open = true;
        let expected: Vec<Date> = reference::dates(&rule, around, shifted(around, days - 1))
            .into_iter()
            .filter(|date| around <= *date && *date < shifted(around, days))
            .collect();
        let plan = Plan { recurring: vec![rule], ..Plan::default() };
        prop_assert_eq!(opened(&hours(&plan.json()), around, days), expected, "{}", plan.json());
    }
}

fn named(text: &str, start: Option<&str>, first: Date, days: i32) -> Vec<String> {
    let mut one = json!({ "rrule": text, "from": "10:00", "to": "11:00", "open": true });
    if let Some(start) = start {
        one["start"] = json!(start);
    }
    let hours = hours(&json!({ "recurring": [one] }).to_string());
    opened(&hours, first, days).iter().map(Date::to_string).collect()
}

#[test]
fn well_known_rules_name_their_dates() {
    let year = |text, start| named(text, start, date(2026, 1, 1), 365);
    assert_eq!(year("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", None), ["2026-02-13", "2026-03-13", "2026-11-13"]);
    assert_eq!(year("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", None), ["2026-11-26"], "Thanksgiving");
    assert_eq!(year("FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU", None), ["2026-03-29", "2026-10-25"]);
    assert_eq!(year("rrule:freq=yearly;bymonth=5;bymonthday=-1", None), ["2026-05-31"], "case and prefix");
    assert_eq!(year("FREQ=MONTHLY;COUNT=3", Some("2026-01-31")), ["2026-01-31", "2026-03-31", "2026-05-31"]);
    assert_eq!(year("FREQ=YEARLY", Some("2020-06-05")), ["2026-06-05"]);
    assert_eq!(year("FREQ=YEARLY", Some("2024-02-29")), [""; 0], "no leap year");
    assert_eq!(year("FREQ=DAILY;INTERVAL=200", Some("2025-12-31")), ["2026-07-19"]);
    assert_eq!(year("FREQ=DAILY;UNTIL=20260102", None), ["2026-01-01", "2026-01-02"], "UNTIL is inside");
    // The two examples of RFC 5545 that differ in nothing but the first day of the week.
    let august = |week| {
        let text = format!("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST={week}");
        named(&text, Some("1997-08-05"), date(1997, 8, 1), 60)
    };
    assert_eq!(august("MO"), ["1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"]);
    assert_eq!(august("SU"), ["1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"]);
}

#[test]
fn a_rule_of_another_kind_is_refused_with_what_to_do() {
    let with = |text: &str, start: Option<&str>| {
        let mut one = json!({ "rrule": text, "from": "10:00", "to": "11:00", "open": true });
        start.into_iter().for_each(|start| one["start"] = json!(start));
        Hours::from_value(&json!({ "recurring": [one] })).unwrap_err().message.into_owned()
    };
    let start = Some("2026-01-01");
    for (text, start, sentence) in [
        ("", None, "has a part without"),
        ("FREQ", None, "write it like FREQ=WEEKLY"),
        ("FREQ=WEEKLY;", None, "has a part without"),
        ("INTERVAL=2", start, "has no FREQ; give FREQ=DAILY"),
        ("FREQ=HOURLY", None, "wrong FREQ; give DAILY, WEEKLY, MONTHLY or YEARLY"),
        ("FREQ=DAILY;FREQ=DAILY", None, "names \"FREQ\" twice"),
        ("FREQ=DAILY;BYSETPOS=1", None, "\"BYSETPOS\", which is not read here; use FREQ"),
        ("FREQ=DAILY;BYHOUR=9", None, "not read here"),
        ("FREQ=DAILY;INTERVAL=0", start, "a number from 1 to 1000"),
        ("FREQ=DAILY;INTERVAL=-1", start, "a number from 1 to 1000"),
        ("FREQ=DAILY;INTERVAL=1001", start, "a number from 1 to 1000"),
        ("FREQ=DAILY;COUNT=0", start, "wrong COUNT"),
        ("FREQ=DAILY;COUNT=99999999999", start, "wrong COUNT"),
        ("FREQ=DAILY;UNTIL=20260230", None, "the last local date"),
        ("FREQ=DAILY;UNTIL=20260203T000000Z", None, "the last local date"),
        ("FREQ=WEEKLY;BYDAY=XX", None, "days such as MO,TH"),
        ("FREQ=WEEKLY;BYDAY=", None, "days such as MO,TH"),
        ("FREQ=MONTHLY;BYDAY=6MO", None, "days such as MO,TH"),
        ("FREQ=MONTHLY;BYDAY=0MO", None, "days such as MO,TH"),
        ("FREQ=MONTHLY;BYDAY=é", None, "days such as MO,TH"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", None, "days from 1 to 31"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", None, "days from 1 to 31"),
        ("FREQ=YEARLY;BYMONTH=13", None, "months from 1 to 12"),
        ("FREQ=YEARLY;BYMONTH=-1", None, "months from 1 to 12"),
        ("FREQ=WEEKLY;BYDAY=MO;WKST=X", None, "one of MO to SU"),
        ("FREQ=WEEKLY;BYDAY=1MO", None, "use FREQ=MONTHLY"),
        ("FREQ=YEARLY;BYDAY=1MO", None, "name the months with BYMONTH"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", None, "has BYMONTHDAY in weeks"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", start, "give one of them"),
        ("FREQ=DAILY;COUNT=2", None, "give \"start\" beside it"),
        ("FREQ=DAILY;INTERVAL=2", None, "give \"start\" beside it"),
        ("FREQ=WEEKLY", None, "does not say on which days"),
        ("FREQ=YEARLY;BYMONTH=3", None, "does not say on which days"),
        ("FREQ=DAILY;UNTIL=20251231", start, "give a later UNTIL"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=1", start, "within 100 years; give UNTIL"),
        ("FREQ=YEARLY;COUNT=102", start, "within 100 years; give UNTIL"),
        (&"X".repeat(801), None, "is longer than 800 bytes"),
    ] {
        let found = with(text, start);
        assert!(found.starts_with("recurring[0].rrule ") && found.contains(sentence), "{text}: {found}");
    }
}

#[test]
fn only_the_last_of_a_counted_rule_ends_it() {
    let rule = Rule {
        every: Every::Week,
        interval: 3,
        count: Some(1_000),
        until: None,
        months: vec![],
        month_days: vec![],
        weekdays: vec![(None, 0)],
        week_start: 0,
        start: Some(date(2026, 1, 5)),
        times: (600, 660),
        open: true,
    };
    let last = shifted(date(2026, 1, 5), 999 * 21);
    let plan = Plan { recurring: vec![rule], ..Plan::default() };
    assert_eq!(opened(&hours(&plan.json()), shifted(last, -21), 200), [shifted(last, -21), last]);
}
