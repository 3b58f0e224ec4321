//! A value as it was typed, before the option it belongs to is known.

use toml::de::{DeTable, DeValue};

use super::value::quote;

/// The longest file that is read. A real one has a few kilobytes.
pub const LONGEST_FILE: usize = 1 << 20;

/// A value as typed.
#[derive(Clone, Debug)]
pub enum Raw {
    /// true or false.
    Flag(bool),
    /// A whole number that is not negative.
    Number(u64),
    /// A quoted text.
    Text(String),
    /// Words from the environment or a flag, where nothing tells a number from a text.
    Words(String),
    /// A list.
    List(Vec<Raw>),
    /// A table, its keys in the order of their lines.
    Table(Vec<Typed>),
    /// What no option takes: a fraction, a date, a negative number.
    Strange(String),
}

/// A key with its value and the line it stands on, counted from one.
#[derive(Clone, Debug)]
pub struct Typed {
    /// The key, one part of it.
    pub key: String,
    /// Its line.
    pub line: usize,
    /// Its value.
    pub raw: Raw,
}

impl Raw {
    /// The value as it can be quoted in an error, cut to a length that fits a line.
    pub fn quoted(&self) -> String {
        let full = match self {
            Raw::Flag(on) => on.to_string(),
            Raw::Number(n) => n.to_string(),
            Raw::Text(text) | Raw::Words(text) => quote(text),
            Raw::List(_) => "a list".to_owned(),
            Raw::Table(_) => "a table".to_owned(),
            Raw::Strange(text) => text.clone(),
        };
        if full.chars().count() > 80 { full.chars().take(77).chain("...".chars()).collect() } else { full }
    }
}

/// Why a text is no TOML, and the line where that shows.
#[derive(Debug)]
pub struct Broken {
    /// The line, counted from one.
    pub line: usize,
    /// The reason.
    pub sentence: String,
}

/// Parses a whole file.
pub fn parse_file(text: &str) -> Result<Vec<Typed>, Broken> {
    let lines = Lines::new(text);
    match DeTable::parse(text) {
        Ok(table) => Ok(lines.table(table.get_ref())),
        Err(error) => {
            let line = error.span().map_or(1, |span| lines.at(span.start));
            Err(Broken { line, sentence: format!("is no TOML: {}", error.message().replace('\n', ", ")) })
        }
    }
}

/// Parses one value, as `["a", "b"]` or `[{ pattern = "x" }]`.
pub fn parse_value(text: &str) -> Result<Raw, String> {
    let lines = Lines::new(text);
    match DeValue::parse(text) {
        Ok(value) => Ok(lines.value(value.get_ref())),
        Err(error) => Err(format!("is no TOML list: {}", error.message().replace('\n', ", "))),
    }
}

/// The places where lines begin, so that a byte's line is found without counting from the start again.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn new(text: &str) -> Self {
        let after = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Lines { starts: std::iter::once(0).chain(after).collect() }
    }

    fn at(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte)
    }

    /// The keys of a table in the order of their lines. The parser bounds the depth.
    fn table(&self, table: &DeTable<'_>) -> Vec<Typed> {
        let mut keys: Vec<Typed> = table
            .iter()
            .map(|(key, value)| {
                let line = self.at(key.span().start);
                Typed { key: key.get_ref().to_string(), line, raw: self.value(value.get_ref()) }
            })
            .collect();
        keys.sort_by_key(|typed| typed.line);
        keys
    }

    fn value(&self, value: &DeValue<'_>) -> Raw {
        match value {
            DeValue::String(text) => Raw::Text(text.to_string()),
            DeValue::Boolean(on) => Raw::Flag(*on),
            DeValue::Integer(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
                Ok(n) => Raw::Number(n),
                Err(_) => Raw::Strange(number.to_string()),
            },
            DeValue::Float(number) => Raw::Strange(number.to_string()),
            DeValue::Datetime(date) => Raw::Strange(date.to_string()),
            DeValue::Array(items) => Raw::List(items.iter().map(|item| self.value(item.get_ref())).collect()),
            DeValue::Table(table) => Raw::Table(self.table(table)),
        }
    }
}
