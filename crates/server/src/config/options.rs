//! What an option is. The options themselves stand in `table.rs`, each exactly once; the file reader, the
//! environment, the flags, `deskbell config`, the reference page and the example file all come from there.

use super::error::Source;
use super::table::SECTIONS;
use super::value::{Held, Row, Value};

/// One option, as the table defines it.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// The key in the file, with dots between tables; a field of an array of tables has its own name alone.
    pub key: &'static str,
    /// What it holds and within which bounds.
    pub kind: Kind,
    /// What holds when nobody sets it.
    pub preset: Preset,
    /// What it means and, for a limit, why its default is what it is.
    pub sentence: &'static str,
    /// The part that takes a new value on SIGHUP; without one a change needs a restart.
    pub live: Option<Group>,
    /// Other environment variables that set it, in this order, after its own.
    pub aliases: &'static [&'static str],
    /// Its own command line flag, without the dashes.
    pub flag: Option<&'static str>,
    /// A value for the example file where the default cannot serve as one.
    pub example: &'static str,
}

/// The parts that can take new settings while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Apps, their secrets, and the keys of user tokens.
    Keys,
    /// Channel classes, access rules, origins and trusted proxies.
    Rules,
    /// Everything under `limit`.
    Limits,
    /// Heartbeat, windows, and what is remembered.
    Times,
    /// Log level and log file.
    Log,
    /// Everything under `redis`.
    Redis,
}

impl Group {
    /// The word used in the reference and in log lines.
    pub const fn word(self) -> &'static str {
        match self {
            Group::Keys => "keys",
            Group::Rules => "rules",
            Group::Limits => "limits",
            Group::Times => "times",
            Group::Log => "log",
            Group::Redis => "redis",
        }
    }
}

/// What an option holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// true or false.
    Flag,
    /// A count within bounds.
    Number(Bounds),
    /// Bytes within bounds.
    Size(Bounds),
    /// Milliseconds within bounds.
    Time(Bounds),
    /// One text of a form.
    Text(Form),
    /// A list of texts of a form.
    Texts(Form),
    /// An array of tables.
    Rows {
        /// The fields of one table.
        fields: &'static [Opt],
        /// The field that a plain text in place of a table stands for.
        short: Option<&'static str>,
    },
}

/// The smallest and the largest value allowed.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Smallest.
    pub min: u64,
    /// Largest.
    pub max: u64,
    /// What 0 means, where 0 is allowed below `min`.
    pub zero: Option<&'static str>,
}

/// From `min` to `max`, both allowed.
pub const fn within(min: u64, max: u64) -> Bounds {
    Bounds { min, max, zero: None }
}

/// From `min` to `max`, or 0 for "off".
pub const fn or_off(min: u64, max: u64) -> Bounds {
    Bounds { min, max, zero: Some("off") }
}

/// The form a text must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Any text of at most 1,000 bytes on one line.
    Any,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A short name of letters, digits, - and _.
    Name,
    /// A file or directory; relative ones count from the working directory.
    Path,
    /// A secret: never shown, never quoted in an error.
    Secret,
    /// An address and port, as `127.0.0.1:8080` or `[::1]:8080`.
    Address,
    /// An address or a network, as `10.0.0.0/8`.
    Network,
    /// A web origin, as `https://www.example.org`, or `*`.
    Origin,
    /// An `http://` or `https://` address.
    Url,
    /// A host name.
    Domain,
    /// A host name or an IP address.
    Host,
    /// A channel of Redis, or how channels begin with a `*` behind it.
    Topic,
    /// An e-mail address.
    Email,
    /// The name of a cookie.
    Cookie,
    /// A channel name in which `*` stands for any run of characters.
    Pattern,
    /// A pattern that may also have placeholders, as `private-notifications.{user}`.
    Template,
    /// Who an access rule is for.
    Grantee,
}

/// What holds when nobody sets an option.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// Nothing.
    Unset,
    /// Nothing, and that is an error: a field every table of the array must have.
    Required,
    /// true or false.
    Flag(bool),
    /// A number, in the unit of the kind.
    Amount(u64),
    /// A text.
    Text(&'static str),
    /// Texts; for an array of tables each stands for its short field.
    Texts(&'static [&'static str]),
}

/// A part of the reference page.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// What the reader should know before the options.
    pub intro: &'static str,
    /// Its options.
    pub options: &'static [Opt],
}

impl Opt {
    const fn new(key: &'static str, kind: Kind, preset: Preset, sentence: &'static str) -> Opt {
        Opt { key, kind, preset, sentence, live: None, aliases: &[], flag: None, example: "" }
    }

    pub(super) const fn switch(key: &'static str, on: bool, sentence: &'static str) -> Opt {
        Opt::new(key, Kind::Flag, Preset::Flag(on), sentence)
    }

    pub(super) const fn number(key: &'static str, n: u64, bounds: Bounds, sentence: &'static str) -> Opt {
        Opt::new(key, Kind::Number(bounds), Preset::Amount(n), sentence)
    }

    pub(super) const fn size(key: &'static str, bytes: u64, bounds: Bounds, sentence: &'static str) -> Opt {
        Opt::new(key, Kind::Size(bounds), Preset::Amount(bytes), sentence)
    }

    pub(super) const fn time(key: &'static str, ms: u64, bounds: Bounds, sentence: &'static str) -> Opt {
        Opt::new(key, Kind::Time(bounds), Preset::Amount(ms), sentence)
    }

    pub(super) const fn text(key: &'static str, form: Form, sentence: &'static str) -> Opt {
        Opt::new(key, Kind::Text(form), Preset::Unset, sentence)
    }

    pub(super) const fn texts(
        key: &'static str,
        form: Form,
        texts: &'static [&'static str],
        sentence: &'static str,
    ) -> Opt {
        Opt::new(key, Kind::Texts(form), Preset::Texts(texts), sentence)
    }

    pub(super) const fn rows(
        key: &'static str,
        fields: &'static [Opt],
        short: Option<&'static str>,
        sentence: &'static str,
    ) -> Opt {
        Opt::new(key, Kind::Rows { fields, short }, Preset::Texts(&[]), sentence)
    }

    pub(super) const fn or(mut self, preset: Preset) -> Opt {
        self.preset = preset;
        self
    }

    pub(super) const fn unset(self) -> Opt {
        self.or(Preset::Unset)
    }

    pub(super) const fn live(mut self, group: Group) -> Opt {
        self.live = Some(group);
        self
    }

    pub(super) const fn also(mut self, aliases: &'static [&'static str]) -> Opt {
        self.aliases = aliases;
        self
    }

    pub(super) const fn flag(mut self, flag: &'static str) -> Opt {
        self.flag = Some(flag);
        self
    }

    pub(super) const fn like(mut self, example: &'static str) -> Opt {
        self.example = example;
        self
    }

    /// The environment variable of this option: `limit.frame` is `DESKBELL_LIMIT_FRAME`.
    pub fn env(&self) -> String {
        format!("DESKBELL_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }

    /// The fields of one table, for an array of tables.
    pub fn fields(&self) -> &'static [Opt] {
        match self.kind {
            Kind::Rows { fields, .. } => fields,
            _ => &[],
        }
    }

    /// Whether the value must never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Text(Form::Secret))
    }

    /// The default as a value.
    pub fn default_value(&self) -> Value {
        match (self.preset, self.kind) {
            (Preset::Unset | Preset::Required, _) => Value::Unset,
            (Preset::Flag(on), _) => Value::Flag(on),
            (Preset::Amount(n), Kind::Size(_)) => Value::Size(n),
            (Preset::Amount(n), Kind::Time(_)) => Value::Time(n),
            (Preset::Amount(n), _) => Value::Number(n),
            (Preset::Text(text), _) => Value::Text(text.to_owned()),
            (Preset::Texts(texts), Kind::Rows { fields, short }) => Value::Rows(
                texts.iter().map(|text| short_row(fields, short.unwrap_or_default(), text)).collect(),
            ),
            (Preset::Texts(texts), _) => Value::Texts(texts.iter().map(|&text| text.to_owned()).collect()),
        }
    }
}

/// A row of which only the short field is given.
fn short_row(fields: &'static [Opt], short: &str, text: &str) -> Row {
    let cell = |field: &Opt| {
        let value = if field.key == short { Value::Text(text.to_owned()) } else { field.default_value() };
        (field.key, Held { value, source: Source::Default })
    };
    Row { cells: fields.iter().map(cell).collect(), source: Source::Default }
}

/// Every option, in the order of the reference page.
pub fn all() -> impl Iterator<Item = &'static Opt> {
    SECTIONS.iter().flat_map(|section| section.options)
}

/// The option with this key.
pub fn find(key: &str) -> Option<&'static Opt> {
    all().find(|opt| opt.key == key)
}
