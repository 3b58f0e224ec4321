//! From a value as typed to the value of an option, or a sentence that says what to write instead.

use super::error::{ConfigError, Source};
use super::forms;
use super::options::{Bounds, Form, Kind, Opt, Preset};
use super::raw::{Raw, Typed, parse_value};
use super::suggest::nearest;
use super::value::{Held, Row, Value, parse_size, parse_time, show_size, show_time};

/// Reads the values of one place (a file, a variable, a flag) and gathers what is wrong with them.
pub struct Reader<'a> {
    /// The place, with any line.
    place: Source,
    errors: &'a mut Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    /// A reader for values of this place.
    pub fn new(place: Source, errors: &'a mut Vec<ConfigError>) -> Self {
        Reader { place, errors }
    }

    /// The place with this line, where it has lines.
    pub fn at(&self, line: usize) -> Source {
        match &self.place {
            Source::File { path, .. } => Source::File { path: path.clone(), line },
            other => other.clone(),
        }
    }

    /// Notes an error.
    pub fn refuse(&mut self, line: usize, key: &str, sentence: impl Into<String>) {
        let error = ConfigError::new(&self.at(line), key, sentence);
        self.errors.push(error);
    }

    /// Reads the value of an option that is named by `key` in errors.
    pub fn read(&mut self, opt: &Opt, key: &str, raw: &Raw, line: usize) -> Option<Held> {
        let value = match opt.kind {
            Kind::Rows { fields, short } => Value::Rows(self.rows(fields, short, key, raw, line)?),
            _ => match simple(opt, raw) {
                Ok(value) => value,
                Err(sentence) => {
                    self.refuse(line, key, sentence);
                    return None;
                }
            },
        };
        Some(Held { value, source: self.at(line) })
    }

    fn rows(
        &mut self,
        fields: &'static [Opt],
        short: Option<&'static str>,
        key: &str,
        raw: &Raw,
        line: usize,
    ) -> Option<Vec<Row>> {
        let items = match listed(raw) {
            Ok(items) => items,
            Err(sentence) => {
                self.refuse(line, key, sentence);
                return None;
            }
        };
        let rows: Vec<Option<Row>> =
            items.iter().map(|item| self.row(fields, short, key, item, line)).collect();
        rows.into_iter().collect()
    }

    fn row(
        &mut self,
        fields: &'static [Opt],
        short: Option<&'static str>,
        key: &str,
        raw: &Raw,
        line: usize,
    ) -> Option<Row> {
        match (raw, short) {
            (Raw::Table(typed), _) => {
                // A table of an array has no line of its own in the parse; its first key is where it shows.
                let start = typed.first().map_or(line, |first| first.line);
                self.table_row(fields, key, typed, start)
            }
            (Raw::Text(text) | Raw::Words(text), Some(short)) => {
                let typed = Typed { key: short.to_owned(), line, raw: Raw::Text(text.clone()) };
                self.table_row(fields, key, &[typed], line)
            }
            _ => {
                self.refuse(
                    line,
                    key,
                    format!("{} is no table; write [[{key}]] and its fields below", raw.quoted()),
                );
                None
            }
        }
    }

    fn table_row(&mut self, fields: &'static [Opt], key: &str, typed: &[Typed], line: usize) -> Option<Row> {
        let errors_before = self.errors.len();
        let mut row = Row { cells: std::collections::BTreeMap::new(), source: self.at(line) };
        for one in typed {
            let full = format!("{key}.{}", one.key);
            if let Some(field) = fields.iter().find(|field| field.key == one.key) {
                if let Some(held) = self.read(field, &full, &one.raw, one.line) {
                    row.cells.insert(field.key, held);
                }
            } else {
                let known: Vec<&str> = fields.iter().map(|field| field.key).collect();
                self.refuse(one.line, &full, unknown_field(&one.key, &known));
            }
        }
        for field in fields {
            if row.cells.contains_key(field.key) {
                continue;
            }
            let tried = typed.iter().any(|one| one.key == field.key);
            if matches!(field.preset, Preset::Required) && !tried {
                self.refuse(line, key, format!("this table has no `{}`; {}", field.key, first_words(field)));
            }
            row.cells.insert(field.key, Held { value: field.default_value(), source: Source::Default });
        }
        (self.errors.len() == errors_before).then_some(row)
    }
}

fn first_words(field: &Opt) -> String {
    if field.is_secret() {
        return format!("write {} = \"...\" with a long random text", field.key);
    }
    format!("write {} = {}", field.key, field.example)
}

fn unknown_field(key: &str, known: &[&str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(near) => format!("there is no such key; did you mean `{near}`?"),
        None => format!("there is no such key; this table has {}", forms::list(known)),
    }
}

/// The items of a list; words are TOML when they begin like a list, and else parted by commas.
fn listed(raw: &Raw) -> Result<Vec<Raw>, String> {
    match raw {
        Raw::List(items) => Ok(items.clone()),
        Raw::Words(words) if begins_like_a_list(words) => match parse_value(words.trim())? {
            Raw::List(items) => Ok(items),
            other => Ok(vec![other]),
        },
        Raw::Words(words) => Ok(words
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| Raw::Text(part.to_owned()))
            .collect()),
        other => Ok(vec![other.clone()]),
    }
}

/// Whether words are a TOML list. An IPv6 address begins with a bracket too, and no text in one stands bare.
fn begins_like_a_list(words: &str) -> bool {
    let inner = words.trim_start().strip_prefix('[').map(str::trim_start);
    inner.is_some_and(|inner| inner.starts_with(['"', '\'', '{', '[', ']']))
}

/// Reads everything but arrays of tables.
fn simple(opt: &Opt, raw: &Raw) -> Result<Value, String> {
    match opt.kind {
        Kind::Flag => flag(raw),
        Kind::Number(bounds) => number(raw, bounds).map(Value::Number),
        Kind::Size(bounds) => size(raw, bounds).map(Value::Size),
        Kind::Time(bounds) => time(raw, bounds).map(Value::Time),
        Kind::Text(form) => text(form, raw).map(Value::Text),
        Kind::Texts(form) => {
            listed(raw)?.iter().map(|item| text(form, item)).collect::<Result<_, _>>().map(Value::Texts)
        }
        // Arrays of tables are read with their fields, above.
        Kind::Rows { .. } => Err("is an array of tables".to_owned()),
    }
}

fn flag(raw: &Raw) -> Result<Value, String> {
    match raw {
        Raw::Flag(on) => Ok(Value::Flag(*on)),
        Raw::Words(words) => match words.to_ascii_lowercase().as_str() {
            "1" | "true" | "on" | "yes" => Ok(Value::Flag(true)),
            "0" | "false" | "off" | "no" => Ok(Value::Flag(false)),
            _ => Err(format!("{} is neither yes nor no; write true or false", raw.quoted())),
        },
        Raw::Text(text) if text == "true" || text == "false" => {
            Err(format!("{} is a text; write {text} without quotes", raw.quoted()))
        }
        _ => Err(format!("{} is neither yes nor no; write true or false", raw.quoted())),
    }
}

fn number(raw: &Raw, bounds: Bounds) -> Result<u64, String> {
    let read = match raw {
        Raw::Number(n) => Some(*n),
        Raw::Words(words) => words.parse().ok(),
        Raw::Text(text) if text.parse::<u64>().is_ok() => {
            return Err(format!("{} is a text; write {text} without quotes", raw.quoted()));
        }
        _ => None,
    };
    let n = read.ok_or_else(|| {
        format!("{} is no number; write a whole number {}", raw.quoted(), range(bounds, plain))
    })?;
    check_bounds(n, bounds, raw, plain)
}

fn size(raw: &Raw, bounds: Bounds) -> Result<u64, String> {
    let read = match raw {
        Raw::Number(n) => Some(*n),
        Raw::Text(text) | Raw::Words(text) => parse_size(text),
        _ => None,
    };
    let n =
        read.ok_or_else(|| format!("{} is no size; write 64KiB, 1MiB or a number of bytes", raw.quoted()))?;
    check_bounds(n, bounds, raw, show_size)
}

fn time(raw: &Raw, bounds: Bounds) -> Result<u64, String> {
    let read = match raw {
        Raw::Number(0) => Some(0),
        Raw::Number(n) => return Err(format!("{n} has no unit; write \"{n}s\" or \"{n}ms\"")),
        Raw::Text(text) | Raw::Words(text) => parse_time(text),
        _ => None,
    };
    let ms = read.ok_or_else(|| format!("{} is no time; write 250ms, 10s, 5m, 24h or 30d", raw.quoted()))?;
    check_bounds(ms, bounds, raw, show_time)
}

fn text(form: Form, raw: &Raw) -> Result<String, String> {
    match raw {
        Raw::Text(text) | Raw::Words(text) => forms::check(form, text),
        _ if form == Form::Secret => Err("is no text; write the secret in quotes".to_owned()),
        _ => Err(format!("{} is no text; write it in quotes", raw.quoted())),
    }
}

fn plain(n: u64) -> String {
    n.to_string()
}

fn check_bounds(n: u64, bounds: Bounds, raw: &Raw, show: fn(u64) -> String) -> Result<u64, String> {
    let zero_fits = n == 0 && bounds.zero.is_some();
    if zero_fits || (bounds.min..=bounds.max).contains(&n) {
        return Ok(n);
    }
    Err(format!("{} is out of bounds; write {}", raw.quoted(), range(bounds, show)))
}

/// "1 to 100, or 0 for off".
pub fn range(bounds: Bounds, show: fn(u64) -> String) -> String {
    let zero = bounds.zero.map(|word| format!(", or 0 for {word}")).unwrap_or_default();
    format!("{} to {}{zero}", show(bounds.min), show(bounds.max))
}
