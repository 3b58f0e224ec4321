//! The JSON form of opening hours, read by hand: each wrong field is named, with what to give instead.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};

use super::hours::{Dates, Effect, Exception, Hours, Recurring};
use super::local::{Day, DayTime, Stretch, Weekday};
use super::recurrence::Recurrence;
use crate::limits;
use crate::refusal::{Code, Refusal};

const DATE: &str = "must be a date of the years 1970 to 9998, such as \"2026-12-24\"";
const TIME: &str = "must be a time from \"00:00\" to \"24:00\", such as \"09:30\"";

fn refuse(sentence: String) -> Refusal {
    Refusal::new(Code::BadField, sentence)
}

/// One object, and where it stands.
struct Fields<'a> {
    at: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// An object with none but these members.
    fn of(value: &'a Value, at: String, known: &[&str]) -> Result<Self, Refusal> {
        let place = if at.is_empty() { "opening hours" } else { &at };
        let Some(map) = value.as_object() else {
            return Err(refuse(format!("{place} must be an object with {}", known.join(", "))));
        };
        if let Some(unknown) = map.keys().find(|key| !known.contains(&key.as_str())) {
            let shown: String = unknown.chars().take(40).collect();
            return Err(refuse(format!("{place} has no member {shown:?}; use {}", known.join(", "))));
        }
        Ok(Self { at, map })
    }

    /// The name of a member for a sentence.
    fn name(&self, member: &str) -> String {
        if self.at.is_empty() { member.to_owned() } else { format!("{}.{member}", self.at) }
    }

    fn wrong(&self, member: &str, sentence: &str) -> Refusal {
        refuse(format!("{} {sentence}", self.name(member)))
    }

    /// A member as text that `read` understands, if it is there.
    fn text<T>(
        &self,
        member: &str,
        must: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.map.get(member) else { return Ok(None) };
        value.as_str().and_then(read).map(Some).ok_or_else(|| self.wrong(member, must))
    }

    fn needed<T>(&self, member: &str, must: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Refusal> {
        self.text(member, must, read)?.ok_or_else(|| self.wrong(member, &format!("is missing: it {must}")))
    }

    /// A list of objects, each read by `read`; empty if it is not there.
    fn list<T>(
        &self,
        member: &str,
        limit: usize,
        read: impl Fn(&'a Value, String) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        let Some(value) = self.map.get(member) else { return Ok(Vec::new()) };
        let Some(items) = value.as_array() else { return Err(self.wrong(member, "must be a list")) };
        if items.len() > limit {
            return Err(
                self.wrong(member, &format!("has at most {limit} entries; join some or drop old ones"))
            );
        }
        let each = items.iter().enumerate();
        each.map(|(index, item)| read(item, format!("{}[{index}]", self.name(member)))).collect()
    }

    /// `from` and `to` as times.
    fn stretch(&self) -> Result<Stretch, Refusal> {
        let from = self.needed("from", TIME, DayTime::parse)?;
        let to = self.needed("to", TIME, DayTime::parse)?;
        let advice = "must differ from \"from\", which is before 24:00; a whole date is 00:00 to 24:00";
        Stretch::new(from, to).ok_or_else(|| self.wrong("to", advice))
    }

    fn in_order(&self, dates: Dates) -> Result<Dates, Refusal> {
        if dates.last < dates.first {
            return Err(self.wrong("to", "must not be before \"from\""));
        }
        Ok(dates)
    }
}

/// Opening hours out of their JSON form.
pub(super) fn read(value: &Value) -> Result<Hours, Refusal> {
    let fields = Fields::of(value, String::new(), &["valid", "weekly", "exceptions", "recurring"])?;
    Ok(Hours {
        valid: fields.map.get("valid").map_or(Ok(Dates::ALL), valid)?,
        weekly: fields.list("weekly", limits::HOURS_WEEKLY, weekly)?,
        exceptions: fields.list("exceptions", limits::HOURS_EXCEPTIONS, exception)?,
        recurring: fields.list("recurring", limits::HOURS_RECURRING, recurring)?,
    })
}

fn valid(value: &Value) -> Result<Dates, Refusal> {
    let fields = Fields::of(value, "valid".to_owned(), &["from", "to"])?;
    let first = fields.text("from", DATE, Day::parse)?.unwrap_or(Dates::ALL.first);
    let last = fields.text("to", DATE, Day::parse)?.unwrap_or(Dates::ALL.last);
    fields.in_order(Dates { first, last })
}

fn weekly(value: &Value, at: String) -> Result<(Weekday, Stretch), Refusal> {
    let fields = Fields::of(value, at, &["day", "from", "to"])?;
    let day = fields.needed("day", "must be one of mon, tue, wed, thu, fri, sat, sun", Weekday::parse)?;
    Ok((day, fields.stretch()?))
}

fn exception(value: &Value, at: String) -> Result<Exception, Refusal> {
    let fields = Fields::of(value, at, &["date", "from", "to", "closed", "hours"])?;
    let dates = match fields.text("date", DATE, Day::parse)? {
        Some(_) if fields.map.contains_key("from") || fields.map.contains_key("to") => {
            return Err(fields.wrong("date", "stands beside \"from\" or \"to\"; give one date, or both ends"));
        }
        Some(date) => Dates { first: date, last: date },
        None => Dates {
            first: fields.needed("from", DATE, Day::parse)?,
            last: fields.needed("to", DATE, Day::parse)?,
        },
    };
    let dates = fields.in_order(dates)?;
    let hours = fields.list("hours", limits::EXCEPTION_HOURS, |value, at| {
        Fields::of(value, at, &["from", "to"])?.stretch()
    })?;
    match fields.map.get("closed") {
        None if hours.is_empty() => {
            Err(fields.wrong("hours", "is missing or empty; give \"hours\", or \"closed\": true"))
        }
        None => Ok(Exception { dates, hours }),
        Some(Value::Bool(true)) if !fields.map.contains_key("hours") => Ok(Exception { dates, hours }),
        Some(Value::Bool(true)) => Err(fields.wrong("closed", "stands beside \"hours\"; give one of them")),
        Some(_) => Err(fields.wrong("closed", "must be true; leave it out where there are \"hours\"")),
    }
}

fn recurring(value: &Value, at: String) -> Result<Recurring, Refusal> {
    let fields = Fields::of(value, at, &["rrule", "start", "from", "to", "open"])?;
    let start = fields.text("start", DATE, Day::parse)?;
    let rule = fields.needed("rrule", "must be a text such as \"FREQ=WEEKLY;BYDAY=WE\"", |text| {
        Some(Recurrence::parse(text, start))
    })?;
    let rule = rule.map_err(|sentence| fields.wrong("rrule", &sentence))?;
    let effect = match fields.map.get("open") {
        Some(Value::Bool(true)) => Effect::Opens,
        Some(Value::Bool(false)) => Effect::Blocks,
        _ => return Err(fields.wrong("open", "must be true for an opening or false for a block")),
    };
    Ok(Recurring { rule, stretch: fields.stretch()?, effect })
}

/// The JSON form; what is empty is left out.
fn write(hours: &Hours) -> Value {
    let times = |stretch: &Stretch| {
        let (from, to) = stretch.texts();
        json!({ "from": from, "to": to })
    };
    let with = |mut object: Value, members: &[(&str, Value)]| {
        members.iter().for_each(|(name, value)| object[*name] = value.clone());
        object
    };
    let weekly =
        hours.weekly.iter().map(|(day, stretch)| with(times(stretch), &[("day", json!(day.name()))]));
    let exceptions = hours.exceptions.iter().map(|exception| {
        let Dates { first, last } = exception.dates;
        let dates = if first == last {
            json!({ "date": first.to_string() })
        } else {
            json!({ "from": first.to_string(), "to": last.to_string() })
        };
        if exception.hours.is_empty() {
            return with(dates, &[("closed", json!(true))]);
        }
        with(dates, &[("hours", exception.hours.iter().map(times).collect())])
    });
    let recurring = hours.recurring.iter().map(|found| {
        let open = json!(found.effect == Effect::Opens);
        let object = with(times(&found.stretch), &[("rrule", json!(found.rule.to_string())), ("open", open)]);
        match found.rule.start {
            Some(start) => with(object, &[("start", json!(start.to_string()))]),
            None => object,
        }
    });
    let mut all = Map::new();
    let lists: [(&str, Vec<Value>); 3] = [
        ("weekly", weekly.collect()),
        ("exceptions", exceptions.collect()),
        ("recurring", recurring.collect()),
    ];
    all.extend(
        lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(n, list)| (n.to_owned(), list.into())),
    );
    let ends = [("from", hours.valid.first, Dates::ALL.first), ("to", hours.valid.last, Dates::ALL.last)];
    let ends = ends.into_iter().filter(|(_, end, none)| end != none);
    let valid: Map<_, _> = ends.map(|(n, end, _)| (n.to_owned(), end.to_string().into())).collect();
    if !valid.is_empty() {
        all.insert("valid".to_owned(), valid.into());
    }
    all.into()
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        read(&value).map_err(|refusal| de::Error::custom(refusal.message))
    }
}
