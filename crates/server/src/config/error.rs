//! Where a value came from, and what is said when it cannot stand.

use std::fmt;
use std::sync::Arc;

/// Where the value of an option was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it; the table's own default stands.
    Default,
    /// A line of the configuration file.
    File {
        /// The file as it was named at the start.
        path: Arc<str>,
        /// The line, counted from one; 0 when the whole file is meant.
        line: usize,
    },
    /// An environment variable, by name.
    Environment(String),
    /// A command line flag, as it is written.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => write!(f, "default"),
            Source::File { path, line: 0 } => write!(f, "{path}"),
            Source::File { path, line } => write!(f, "{path}:{line}"),
            Source::Environment(name) => write!(f, "environment {name}"),
            Source::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One thing that is wrong with the configuration. It names its place, its key and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file and line, the variable or the flag that holds the wrong value.
    pub source: Source,
    /// The option's key; empty when the text as a whole could not be read.
    pub key: String,
    /// What is wrong and what to write instead.
    pub sentence: String,
}

impl ConfigError {
    /// An error of one key at one place.
    pub fn new(source: &Source, key: &str, sentence: impl Into<String>) -> Self {
        ConfigError { source: source.clone(), key: key.to_owned(), sentence: sentence.into() }
    }

    /// The file the wrong value stands in, when it stands in one.
    pub fn file(&self) -> Option<&str> {
        match &self.source {
            Source::File { path, .. } => Some(path),
            _ => None,
        }
    }

    /// The line of that file, counted from one.
    pub fn line(&self) -> Option<usize> {
        match &self.source {
            Source::File { line, .. } if *line > 0 => Some(*line),
            _ => None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.sentence)
    }
}

impl std::error::Error for ConfigError {}

/// Everything that is wrong with the configuration, so that one start shows all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// A text that must not be seen: it has no `Display`, and `Debug` shows a mask.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that was read from the configuration.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one place that signs or compares with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(********)")
    }
}
