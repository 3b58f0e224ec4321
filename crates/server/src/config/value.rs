//! What an option can hold, and how it is written down again as TOML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::error::Source;
use super::options::{Form, Kind, Opt};

/// What is shown in place of a secret.
pub const MASK: &str = "********";

/// The value of one option.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing is set and there is no default.
    Unset,
    /// true or false.
    Flag(bool),
    /// A count.
    Number(u64),
    /// Bytes.
    Size(u64),
    /// Milliseconds.
    Time(u64),
    /// One text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// The tables of an array of tables.
    Rows(Vec<Row>),
}

/// A value together with the place it came from. Two are equal when their values are: moving a line in the
/// file is no change.
#[derive(Clone)]
pub struct Held {
    /// The value.
    pub value: Value,
    /// Its place.
    pub source: Source,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// One table of an array of tables, such as one `[[channels]]`.
#[derive(Clone)]
pub struct Row {
    /// Every field of the table, those not written with their default.
    pub cells: BTreeMap<&'static str, Held>,
    /// Where the table begins.
    pub source: Source,
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.cells == other.cells
    }
}

const SIZE_UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads `64KiB`, `1MiB` or a plain number of bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    let (digits, unit) = split_number(text)?;
    let factor = match unit {
        "" => 1,
        _ => SIZE_UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    digits.checked_mul(factor)
}

/// Reads `250ms`, `10s`, `5m`, `24h`, `30d` into milliseconds; `0` needs no unit.
pub fn parse_time(text: &str) -> Option<u64> {
    let (digits, unit) = split_number(text)?;
    if unit.is_empty() {
        return (digits == 0).then_some(0);
    }
    digits.checked_mul(TIME_UNITS.iter().find(|(name, _)| *name == unit)?.1)
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// Writes bytes in the largest unit that fits exactly.
pub fn show_size(bytes: u64) -> String {
    show_unit(bytes, &SIZE_UNITS).unwrap_or_else(|| bytes.to_string())
}

/// Writes milliseconds in the largest unit that fits exactly.
pub fn show_time(ms: u64) -> String {
    show_unit(ms, &TIME_UNITS).unwrap_or_else(|| ms.to_string())
}

fn show_unit(amount: u64, units: &[(&str, u64)]) -> Option<String> {
    let (name, factor) = units.iter().find(|(_, factor)| amount > 0 && amount.is_multiple_of(*factor))?;
    Some(format!("{}{name}", amount / factor))
}

/// Writes a text as a TOML string.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Writes a value the way it is written in the file, with secrets masked. An unset value is empty.
pub fn show(opt: &Opt, value: &Value) -> String {
    match value {
        Value::Unset => String::new(),
        Value::Flag(on) => on.to_string(),
        Value::Number(n) => n.to_string(),
        Value::Size(0) | Value::Time(0) => "0".to_owned(),
        Value::Size(bytes) => quote(&show_size(*bytes)),
        Value::Time(ms) => quote(&show_time(*ms)),
        Value::Text(_) if matches!(opt.kind, Kind::Text(Form::Secret)) => quote(MASK),
        Value::Text(text) => quote(text),
        Value::Texts(texts) => {
            let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
            format!("[{}]", quoted.join(", "))
        }
        Value::Rows(rows) => {
            let shown: Vec<String> = rows.iter().map(|row| show_row(opt, row)).collect();
            match shown.as_slice() {
                [one] if one.starts_with('"') => one.clone(),
                _ => format!("[{}]", shown.join(", ")),
            }
        }
    }
}

/// Writes one row as an inline table, only what differs from the defaults; as a plain text where that is enough.
fn show_row(opt: &Opt, row: &Row) -> String {
    let set: Vec<(&Opt, String)> = opt
        .fields()
        .iter()
        .filter_map(|field| row.cells.get(field.key).map(|held| (field, held)))
        .filter(|(field, held)| held.value != field.default_value())
        .map(|(field, held)| (field, show(field, &held.value)))
        .collect();
    match (set.as_slice(), opt.kind) {
        ([(field, shown)], Kind::Rows { short: Some(short), .. }) if field.key == short => shown.clone(),
        ([], _) => "{}".to_owned(),
        _ => {
            let cells: Vec<String> =
                set.iter().map(|(field, shown)| format!("{} = {shown}", field.key)).collect();
            format!("{{ {} }}", cells.join(", "))
        }
    }
}
