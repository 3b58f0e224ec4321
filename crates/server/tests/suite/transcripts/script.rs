//! Transcripts as they stand in a document, and how a shown value is compared with a real one.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

/// What a document shows.
#[derive(Debug, Default)]
pub struct Document {
    /// The configuration of the server.
    pub config: String,
    /// The transcripts.
    pub blocks: Vec<Block>,
}

/// One transcript.
#[derive(Debug)]
pub struct Block {
    /// The line on which it begins.
    pub line: usize,
    /// Its lines, without empty ones and remarks.
    pub lines: Vec<Line>,
}

/// One line of a transcript.
#[derive(Debug)]
pub struct Line {
    /// Its number in the document.
    pub number: usize,
    /// What it says.
    pub text: String,
}

impl Document {
    /// Reads a document of the repository.
    pub fn read(file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut document = Self::default();
        let mut fence = None;
        for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
            match (fence, line.strip_prefix("```")) {
                (None, Some(info)) => {
                    fence = Some(info);
                    if info == "transcript" {
                        document.blocks.push(Block { line: number, lines: Vec::new() });
                    }
                }
                (Some(_), Some(_)) => fence = None,
                (Some("transcript"), None) => document.take(number, line),
                (Some("toml transcripts"), None) => document.config.extend([line, "\n"]),
                _ => {}
            }
        }
        document
    }

    fn take(&mut self, number: usize, line: &str) {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            return;
        }
        let block = self.blocks.last_mut().expect("a line of a transcript stands in a block");
        block.lines.push(Line { number, text: text.to_owned() });
    }
}

/// The values that placeholders stand for.
#[derive(Debug, Default)]
pub struct Names(HashMap<String, Value>);

impl Names {
    /// From here on the placeholder stands for this.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(format!("<{name}>"), value);
    }

    /// Puts the values in the place of their names.
    pub fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| match value {
            Value::String(value) => text.replace(name, value),
            // A value that is no text stood in quotes only because its name did.
            other => text.replace(&format!("\"{name}\""), &other.to_string()),
        })
    }

    /// Is the real value the one that is shown? Names that are new take their value.
    pub fn fits(&mut self, shown: &Value, real: &Value) -> bool {
        match (shown, real) {
            (Value::String(name), _) if name == "<…>" => true,
            (Value::String(name), _) if name.starts_with('<') && name.ends_with('>') => {
                self.0.entry(name.clone()).or_insert_with(|| real.clone()) == real
            }
            (Value::Array(shown), Value::Array(real)) => {
                shown.len() == real.len()
                    && shown.iter().zip(real).all(|(shown, real)| self.fits(shown, real))
            }
            (Value::Object(shown), Value::Object(real)) => {
                shown.len() == real.len()
                    && shown
                        .iter()
                        .all(|(name, shown)| real.get(name).is_some_and(|real| self.fits(shown, real)))
            }
            _ => shown == real,
        }
    }
}

#[test]
fn shown_values_are_compared() {
    let fits = |shown: &str, real: &str| {
        let [shown, real] = [shown, real].map(|text| serde_json::from_str(text).unwrap());
        Names::default().fits(&shown, &real)
    };
    assert!(fits(r#"{"a":"<x>","b":["<x>","<…>"]}"#, r#"{"b":[1,2],"a":1}"#));
    assert!(!fits(r#"{"a":"<x>","b":"<x>"}"#, r#"{"a":1,"b":2}"#));
    assert!(!fits(r#"{"a":1}"#, r#"{"a":1,"b":2}"#));
    assert!(!fits(r#"{"a":1,"b":2}"#, r#"{"a":1}"#));
    assert!(!fits(r#"["<…>"]"#, "[]"));
    let mut names = Names::default();
    names.set("c", "abc".into());
    names.set("n", 7.into());
    assert_eq!(names.fill(r#"{"since":"<c>","n":"<n>"}"#), r#"{"since":"abc","n":7}"#);
}
