//! The slow reference: walks over every minute, asks the zone what a wall clock shows, and asks the rules.
//!
//! It knows nothing of gaps and folds. A rule covers what lies between the first and the last instant whose
//! wall time is inside it; that is the whole of its law. Dates that come again are found by going through
//! all periods in order, as RFC 5545 tells it.

use std::collections::{BTreeMap, BTreeSet};

use deskbell_core::calendar::{Span, Window};
use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::plan::{Every, Plan, Rule, Times, shifted};

const DAY: i64 = 86_400_000;

/// Days around the window that are walked, so that a rule that reaches into it is seen whole: at most a day, and an hour twice.
const MARGIN: i64 = 2;

/// What the walk found.
pub struct Found {
    pub open: Vec<Span>,
    /// First and last instant of each stretch, and whether it opens.
    pub hulls: Vec<(i64, i64, bool)>,
}

pub fn zone(id: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(id).unwrap()
}

fn date_of(day: i64) -> Date {
    shifted(jiff::civil::date(1970, 1, 1), day as i32)
}

/// Walks over the window, which begins and ends with whole steps.
pub fn walk(plan: &Plan, zone: &TimeZone, window: Window) -> Found {
    let (from, to) = (window.span().start as i64, window.span().end as i64);
    let (begin, end) = (from - MARGIN * DAY, to + MARGIN * DAY);
    let begins = begin.div_euclid(DAY) - 3..=end.div_euclid(DAY) + 3;
    let known: BTreeMap<i64, Vec<(Times, bool)>> = stretches(plan, *begins.start(), *begins.end());
    let offset = |at: i64| {
        let at = Timestamp::from_millisecond(at).unwrap();
        i64::from(zone.to_offset(at).seconds()) * 1_000
    };
    // Liberia was 44 minutes and a half behind; no other zone since 1970 has part of a minute.
    let step = if offset(begin) % 60_000 == 0 { 60_000 } else { 30_000 };
    let mut hulls: BTreeMap<(i64, usize), (i64, i64, bool)> = BTreeMap::new();
    for at in (begin..end).step_by(step as usize) {
        let local = at + offset(at);
        assert_eq!(local % step, 0, "the steps are too long for {zone:?}");
        for day in [local.div_euclid(DAY) - 1, local.div_euclid(DAY)] {
            for (index, ((from, to), opens)) in known.get(&day).into_iter().flatten().enumerate() {
                let minute = |minutes: u16| day * DAY + i64::from(minutes) * 60_000;
                let ends = minute(*to) + if to < from { DAY } else { 0 };
                if minute(*from) <= local && local < ends {
                    let hull = hulls.entry((day, index)).or_insert((at, at, *opens));
                    hull.1 = at + step;
                }
            }
        }
    }
    let hulls: Vec<_> = hulls.into_values().collect();
    let mut open: Vec<Span> = Vec::new();
    for at in (from..to).step_by(step as usize) {
        let inside =
            |wanted| hulls.iter().any(|(first, last, opens)| *opens == wanted && *first <= at && at < *last);
        if inside(true) && !inside(false) {
            let (at, end) = (at as u64, (at + step) as u64);
            match open.last_mut() {
                Some(last) if last.end == at => last.end = end,
                _ => open.push(Span { start: at, end }),
            }
        }
    }
    Found { open, hulls }
}

/// What begins on each of these days.
fn stretches(plan: &Plan, first: i64, last: i64) -> BTreeMap<i64, Vec<(Times, bool)>> {
    let rules: Vec<_> =
        plan.recurring.iter().map(|rule| (rule, dates(rule, date_of(first), date_of(last)))).collect();
    let always = plan.weekly.is_empty() && !plan.recurring.iter().any(|rule| rule.open);
    let on = |day: i64| {
        let date = date_of(day);
        if plan.valid.0.is_some_and(|from| date < from) || plan.valid.1.is_some_and(|to| date > to) {
            return Vec::new();
        }
        let mut exception = None;
        for (first, last, hours) in &plan.exceptions {
            if *first <= date && date <= *last {
                exception = Some(hours);
            }
        }
        if let Some(hours) = exception {
            return hours.iter().map(|times| (*times, true)).collect();
        }
        let mut found = Vec::new();
        if always {
            found.push(((0, 1440), true));
        }
        let today = weekday_index(date);
        found.extend(plan.weekly.iter().filter(|(day, _)| *day == today).map(|(_, times)| (*times, true)));
        found.extend(rules.iter().filter(|(_, on)| on.contains(&date)).map(|(r, _)| (r.times, r.open)));
        found
    };
    (first..=last).map(|day| (day, on(day))).collect()
}

fn weekday_index(date: Date) -> usize {
    date.weekday().to_monday_zero_offset() as usize
}

/// The dates that a rule names, from its start or `first` to `last`: period by period, in order.
pub fn dates(rule: &Rule, first: Date, last: Date) -> BTreeSet<Date> {
    let start = rule.start.unwrap_or(first);
    let mut found = BTreeSet::new();
    let mut period = begin_of_period(rule, start);
    while period <= last {
        let mut next = next_period(rule.every, period);
        for date in days_between(period, next) {
            let over = rule.count.is_some_and(|count| found.len() == count);
            let ended = rule.until.is_some_and(|until| date > until);
            if date >= start && !over && !ended && fits(rule, date) {
                found.insert(date);
            }
        }
        for _ in 1..rule.interval {
            next = next_period(rule.every, next);
        }
        period = next;
    }
    found
}

fn days_between(from: Date, to: Date) -> impl Iterator<Item = Date> {
    from.series(jiff::Span::new().days(1)).take_while(move |date| *date < to)
}

fn begin_of_period(rule: &Rule, date: Date) -> Date {
    match rule.every {
        Every::Day => date,
        Every::Week => {
            let first = Weekday::from_monday_zero_offset(rule.week_start as i8).unwrap();
            let mut date = date;
            while date.weekday() != first {
                date = date.yesterday().unwrap();
            }
            date
        }
        Every::Month => date.first_of_month(),
        Every::Year => date.first_of_year(),
    }
}

fn next_period(every: Every, date: Date) -> Date {
    let span = jiff::Span::new();
    let span = match every {
        Every::Day => span.days(1),
        Every::Week => span.days(7),
        Every::Month => span.months(1),
        Every::Year => span.years(1),
    };
    date.checked_add(span).unwrap()
}

/// Does a date of a period that counts fit the lists?
fn fits(rule: &Rule, date: Date) -> bool {
    let month: Vec<Date> =
        days_between(date.first_of_month(), next_period(Every::Month, date.first_of_month())).collect();
    let nth = |all: &[Date], nth: i8| {
        let index = if nth > 0 { i64::from(nth) - 1 } else { all.len() as i64 + i64::from(nth) };
        usize::try_from(index).ok().and_then(|index| all.get(index).copied())
    };
    let of_weekday = |(which, day): &(Option<i8>, usize)| {
        let same: Vec<Date> = month.iter().copied().filter(|date| weekday_index(*date) == *day).collect();
        which.map_or(same.contains(&date), |which| nth(&same, which) == Some(date))
    };
    let unsaid = rule.weekdays.is_empty() && rule.month_days.is_empty();
    let by_start = rule.start.filter(|_| unsaid).is_none_or(|start| match rule.every {
        Every::Day => true,
        Every::Week => start.weekday() == date.weekday(),
        Every::Month => start.day() == date.day(),
        Every::Year => {
            start.day() == date.day() && (!rule.months.is_empty() || start.month() == date.month())
        }
    });
    by_start
        && (rule.months.is_empty() || rule.months.contains(&date.month()))
        && (rule.month_days.is_empty() || rule.month_days.iter().any(|n| nth(&month, *n) == Some(date)))
        && (rule.weekdays.is_empty() || rule.weekdays.iter().any(of_weekday))
}
