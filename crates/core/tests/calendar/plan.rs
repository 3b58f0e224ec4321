//! Opening hours as the tests say them: made at random, written as JSON, and read by the reference.

use jiff::civil::{Date, date};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
pub const BASIC: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// From and to in minutes of the day.
pub type Times = (u16, u16);

#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub valid: (Option<Date>, Option<Date>),
    pub weekly: Vec<(usize, Times)>,
    pub exceptions: Vec<(Date, Date, Vec<Times>)>,
    pub recurring: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    Day,
    Week,
    Month,
    Year,
}

#[derive(Debug, Clone)]
pub struct Rule {
    pub every: Every,
    pub interval: i32,
    pub count: Option<usize>,
    pub until: Option<Date>,
    pub months: Vec<i8>,
    pub month_days: Vec<i8>,
    pub weekdays: Vec<(Option<i8>, usize)>,
    pub week_start: usize,
    pub start: Option<Date>,
    pub times: Times,
    pub open: bool,
}

fn time(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

fn list<T: ToString>(all: &[T]) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

impl Plan {
    pub fn json(&self) -> String {
        let weekly = self
            .weekly
            .iter()
            .map(|(day, (from, to))| json!({ "day": DAYS[*day], "from": time(*from), "to": time(*to) }));
        let exceptions = self.exceptions.iter().map(|(first, last, hours)| {
            let hours: Vec<_> =
                hours.iter().map(|(f, t)| json!({ "from": time(*f), "to": time(*t) })).collect();
            let mut one = if first == last {
                json!({ "date": first.to_string() })
            } else {
                json!({ "from": first.to_string(), "to": last.to_string() })
            };
            if hours.is_empty() {
                one["closed"] = json!(true);
            } else {
                one["hours"] = json!(hours);
            }
            one
        });
        let mut all = json!({
            "weekly": weekly.collect::<Vec<_>>(),
            "exceptions": exceptions.collect::<Vec<_>>(),
            "recurring": self.recurring.iter().map(Rule::json).collect::<Vec<_>>(),
            "valid": {},
        });
        for (name, end) in [("from", self.valid.0), ("to", self.valid.1)] {
            if let Some(end) = end {
                all["valid"][name] = json!(end.to_string());
            }
        }
        all.to_string()
    }
}

impl Rule {
    pub fn text(&self) -> String {
        let mut text = format!(
            "FREQ={}",
            match self.every {
                Every::Day => "DAILY",
                Every::Week => "WEEKLY",
                Every::Month => "MONTHLY",
                Every::Year => "YEARLY",
            }
        );
        let mut part = |name: &str, value: String| text += &format!(";{name}={value}");
        if self.interval > 1 {
            part("INTERVAL", self.interval.to_string());
        }
        if let Some(count) = self.count {
            part("COUNT", count.to_string());
        }
        if let Some(until) = self.until {
            part("UNTIL", until.to_string().replace('-', ""));
        }
        if !self.months.is_empty() {
            part("BYMONTH", list(&self.months));
        }
        if !self.month_days.is_empty() {
            part("BYMONTHDAY", list(&self.month_days));
        }
        if !self.weekdays.is_empty() {
            let days = self.weekdays.iter();
            let days = days.map(|(nth, day)| nth.map_or(String::new(), |n| n.to_string()) + BASIC[*day]);
            part("BYDAY", list(&days.collect::<Vec<_>>()));
        }
        if self.week_start > 0 {
            part("WKST", BASIC[self.week_start].to_owned());
        }
        text
    }

    fn json(&self) -> Value {
        let (from, to) = self.times;
        let mut one = json!({ "rrule": self.text(), "from": time(from), "to": time(to), "open": self.open });
        if let Some(start) = self.start {
            one["start"] = json!(start.to_string());
        }
        one
    }
}

/// Times of which many lie where clocks jump: around midnight and between 1 and 3.
pub fn times() -> impl Strategy<Value = Times> {
    let minute = prop_oneof![
        2 => prop::sample::select(vec![0, 1, 30, 60, 90, 105, 120, 135, 150, 180, 1380, 1410, 1439]),
        1 => 0u16..1440,
    ];
    let end = prop_oneof![3 => minute.clone(), 1 => Just(1440u16)];
    (minute, end).prop_filter("equal ends mean nothing", |(from, to)| from != to)
}

/// A rule whose dates lie around a date.
pub fn rule(around: Date) -> impl Strategy<Value = Rule> {
    let every = prop::sample::select(vec![Every::Day, Every::Week, Every::Month, Every::Year]);
    let signed = |bound: i8| prop_oneof![1..=bound, -bound..=-1];
    let lists = (vec(1i8..=12, 0..4), vec(signed(31), 0..3), vec((option::of(signed(5)), 0usize..7), 0..4));
    let ends = (option::of(1usize..12), option::of(-60i32..900), option::of(-800i32..20));
    (every, 1i32..5, lists, ends, 0usize..7, times(), any::<bool>()).prop_map(
        move |(every, interval, (months, month_days, weekdays), ends, week_start, times, open)| {
            let (count, until, start) = ends;
            let start = start.map(|days| shifted(around, days)).filter(|start| start.year() >= 1970);
            let until = until.map(|days| shifted(around, days));
            let mut rule = Rule {
                every,
                interval: if start.is_some() { interval } else { 1 },
                count: count.filter(|_| start.is_some()),
                until: until.filter(|until| start.is_none_or(|start| start <= *until)),
                months,
                month_days,
                weekdays,
                week_start,
                start,
                times,
                open,
            };
            rule.mend();
            rule
        },
    )
}

impl Rule {
    /// Drops parts that do not fit each other.
    fn mend(&mut self) {
        if self.count.is_some() {
            self.until = None;
            // A rare date might not come often enough in a hundred years.
            self.month_days.retain(|day| day.abs() < 29);
            if !self.month_days.is_empty() {
                self.weekdays.clear();
            }
            if self.every == Every::Month {
                self.months.clear();
            }
            self.weekdays.iter_mut().for_each(|day| day.0 = day.0.map(|nth| nth.clamp(-4, 4)));
        }
        if self.every == Every::Week {
            self.month_days.clear();
        }
        let in_months = self.every == Every::Month || (self.every == Every::Year && !self.months.is_empty());
        if !in_months {
            self.weekdays.iter_mut().for_each(|day| day.0 = None);
        }
        let nothing = self.weekdays.is_empty() && self.month_days.is_empty();
        if self.start.is_none() && nothing && self.every != Every::Day {
            self.weekdays = vec![(None, 2)];
        }
        if self.count.is_some() && self.start.is_some_and(|start| start.day() > 28) && nothing {
            self.count = None;
        }
    }
}

pub fn shifted(from: Date, days: i32) -> Date {
    // No rule is said in dates before 1970.
    from.checked_add(jiff::Span::new().days(i64::from(days))).unwrap().max(date(1970, 1, 1))
}

/// Opening hours that have something to say around a date.
pub fn plan(around: Date) -> impl Strategy<Value = Plan> {
    let around = around.max(date(1970, 1, 20));
    let near = move |days: std::ops::Range<i32>| days.prop_map(move |days| shifted(around, days));
    let exception = (near(-5..5), 0i32..4, vec(times(), 0..3))
        .prop_map(|(first, days, hours)| (first, shifted(first, days), hours));
    let valid = prop_oneof![
        4 => Just((None, None)),
        1 => (option::of(near(-10..1)), option::of(near(1..10))),
    ];
    (valid, vec((0usize..7, times()), 0..9), vec(exception, 0..3), vec(rule(around), 0..4))
        .prop_map(|(valid, weekly, exceptions, recurring)| Plan { valid, weekly, exceptions, recurring })
}
