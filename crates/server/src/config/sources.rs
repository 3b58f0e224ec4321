//! Lays the flags over the environment, that over the file, and that over the defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ConfigError, Source};
use super::options::{self, Opt};
use super::raw::{LONGEST_FILE, Raw, Typed, parse_file};
use super::read::Reader;
use super::suggest::nearest;
use super::value::{Held, Value};

/// The file that is read when none is named and this one exists.
pub const USUAL_FILE: &str = "deskbell.toml";
/// The variable that names the file.
pub const FILE_VARIABLE: &str = "DESKBELL_CONFIG";

/// Everything that a configuration is read from. It is kept, so that SIGHUP reads the same places again.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file named by `--config` or `DESKBELL_CONFIG`.
    pub file: Option<PathBuf>,
    /// The variables that could mean us.
    pub environment: Vec<(String, String)>,
    /// Key, value and the flag as it was written.
    pub flags: Vec<SetFlag>,
}

/// One option set on the command line.
#[derive(Clone)]
pub struct SetFlag {
    /// The option's key.
    pub key: String,
    /// The value as typed.
    pub words: String,
    /// The flag, for errors: `--listen` or `--set`.
    pub flag: String,
}

/// The value of every option.
#[derive(Clone, PartialEq)]
pub struct Values(BTreeMap<&'static str, Held>);

impl Values {
    /// The value of an option and its place. Asking for a key that is not in the table is a bug.
    pub fn held(&self, key: &str) -> &Held {
        match self.0.get(key) {
            Some(held) => held,
            None => panic!("the option table has no {key}"),
        }
    }
}

/// Defaults that rise with another option, so that raising that one alone is enough: the follower, the one it
/// follows, and how many of it the follower must hold.
pub const FOLLOWERS: [(&str, &str, u64, &str); 2] = [
    ("limit.idle", "heartbeat", 2, "or live connections would be closed"),
    ("limit.backlog", "limit.frame", 1, "or the largest event could not be sent"),
];

impl Values {
    /// The number behind an option; 0 when it has none.
    pub fn number_of(&self, key: &str) -> u64 {
        match self.held(key).value {
            Value::Number(n) | Value::Size(n) | Value::Time(n) => n,
            _ => 0,
        }
    }

    fn follow(&mut self) {
        for (follower, leader, times, _) in FOLLOWERS {
            let least = self.number_of(leader).saturating_mul(times);
            let Some(held) = self.0.get_mut(follower) else { continue };
            if held.source != Source::Default {
                continue;
            }
            if let Value::Number(n) | Value::Size(n) | Value::Time(n) = &mut held.value {
                *n = least.max(*n);
            }
        }
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Secrets are among them, so only their number is shown.
        write!(f, "Values({})", self.0.len())
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Variables and flags can hold secrets.
        f.debug_struct("Sources").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Sources {
    /// The process's own environment, the file it names or the usual one, and these flags.
    pub fn of_process(config: Option<PathBuf>, flags: Vec<SetFlag>) -> Self {
        let aliases: Vec<&str> = options::all().flat_map(|opt| opt.aliases).copied().collect();
        let environment: Vec<(String, String)> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| name.starts_with("DESKBELL_") || aliases.contains(&name.as_str()))
            .collect();
        let named = || {
            let value = &environment.iter().find(|(name, _)| name == FILE_VARIABLE)?.1;
            (!value.is_empty()).then(|| PathBuf::from(value))
        };
        let usual = || Path::new(USUAL_FILE).is_file().then(|| PathBuf::from(USUAL_FILE));
        let file = config.or_else(named).or_else(usual);
        Sources { file, environment, flags }
    }

    /// Reads every place. Errors are gathered; a value that is wrong in one place counts as absent there.
    pub fn read(&self, errors: &mut Vec<ConfigError>) -> Values {
        let from_file = self.read_file(errors);
        let mut values = BTreeMap::new();
        for opt in options::all() {
            let flag = self.read_flag(opt, errors);
            let variable = self.read_variable(opt, errors);
            let typed = from_file.get(opt.key).cloned();
            let preset = || Held { value: opt.default_value(), source: Source::Default };
            values.insert(opt.key, flag.or(variable).or(typed).unwrap_or_else(preset));
        }
        self.check_flags(errors);
        let mut values = Values(values);
        values.follow();
        values
    }

    fn read_file(&self, errors: &mut Vec<ConfigError>) -> BTreeMap<&'static str, Held> {
        let mut found = BTreeMap::new();
        let Some(path) = &self.file else { return found };
        let name: Arc<str> = path.display().to_string().into();
        let mut reader = Reader::new(Source::File { path: name, line: 0 }, errors);
        let text = match read_bounded(path) {
            Ok(text) => text,
            Err(sentence) => {
                reader.refuse(0, "", sentence);
                return found;
            }
        };
        match parse_file(&text) {
            Ok(keys) => take_keys(&mut reader, "", &keys, &mut found),
            Err(broken) => reader.refuse(broken.line, "", broken.sentence),
        }
        found
    }

    fn read_flag(&self, opt: &Opt, errors: &mut Vec<ConfigError>) -> Option<Held> {
        // The last one counts, as with most commands.
        let set = self.flags.iter().rfind(|set| set.key == opt.key)?;
        Reader::new(Source::Flag(set.flag.clone()), errors).read(
            opt,
            opt.key,
            &Raw::Words(set.words.clone()),
            0,
        )
    }

    fn read_variable(&self, opt: &Opt, errors: &mut Vec<ConfigError>) -> Option<Held> {
        let own = opt.env();
        let mut names = std::iter::once(own.as_str()).chain(opt.aliases.iter().copied());
        let (name, words) = names.find_map(|name| {
            self.environment.iter().find(|(known, value)| known == name && !is_absent(name, value))
        })?;
        Reader::new(Source::Environment(name.clone()), errors).read(
            opt,
            opt.key,
            &Raw::Words(words.clone()),
            0,
        )
    }

    fn check_flags(&self, errors: &mut Vec<ConfigError>) {
        for set in self.flags.iter().filter(|set| options::find(&set.key).is_none()) {
            Reader::new(Source::Flag(set.flag.clone()), errors).refuse(0, &set.key, unknown_key(&set.key));
        }
    }

    /// Warnings about variables that look like a slip. Unknown ones are no errors: other programs, and
    /// container platforms for a service of our name, set variables that begin like ours.
    pub fn doubtful_variables(&self) -> Vec<String> {
        let known: Vec<String> = options::all().map(Opt::env).chain([FILE_VARIABLE.to_owned()]).collect();
        let strange = |name: &&String| name.starts_with("DESKBELL_") && !known.contains(*name);
        self.environment
            .iter()
            .map(|(name, _)| name)
            .filter(strange)
            .filter_map(|name| {
                let near = nearest(name, known.iter().map(String::as_str))?;
                Some(format!(
                    "the environment has {name}, which Deskbell does not know; did you mean {near}?"
                ))
            })
            .collect()
    }
}

fn read_bounded(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut bytes = Vec::new();
    let bound = LONGEST_FILE as u64 + 1;
    file.take(bound).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() > LONGEST_FILE {
        return Err("is larger than 1MiB, so it is no configuration".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text; save it as UTF-8".to_owned())
}

/// Matches the keys of a table, and those of the tables in it, with the options.
fn take_keys(reader: &mut Reader<'_>, path: &str, keys: &[Typed], found: &mut BTreeMap<&'static str, Held>) {
    for typed in keys {
        let full = if path.is_empty() { typed.key.clone() } else { format!("{path}.{}", typed.key) };
        if let Some(opt) = options::find(&full) {
            if let Some(held) = reader.read(opt, &full, &typed.raw, typed.line) {
                found.insert(opt.key, held);
            }
        } else if let (Raw::Table(inner), true) = (&typed.raw, is_table(&full)) {
            take_keys(reader, &full, inner, found);
        } else if is_table(&full) {
            reader.refuse(typed.line, &full, format!("is a table; write [{full}] and its keys below"));
        } else if let Raw::Table(inner) = &typed.raw {
            unknown_table(reader, &full, typed.line, inner);
        } else {
            reader.refuse(typed.line, &full, unknown_key(&full));
        }
    }
}

/// Whether a variable counts as absent. An empty one does: compose files pass `${X:-}` for what is not set. In
/// one that other programs share so does `null`, which Laravel's files have for nothing, and an address, which
/// Kubernetes puts into `REDIS_PORT` when a service is called redis.
fn is_absent(name: &str, value: &str) -> bool {
    let is_ours = name.starts_with("DESKBELL_");
    value.is_empty() || !is_ours && (["null", "(null)"].contains(&value) || value.starts_with("tcp://"))
}

/// Whether options stand below this key.
fn is_table(key: &str) -> bool {
    options::all().any(|opt| opt.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

fn unknown_table(reader: &mut Reader<'_>, full: &str, line: usize, inner: &[Typed]) {
    // The keys inside tell better than the table's own name what was meant.
    for typed in inner {
        let key = format!("{full}.{}", typed.key);
        reader.refuse(typed.line, &key, unknown_key(&key));
    }
    if inner.is_empty() {
        reader.refuse(line, full, unknown_key(full));
    }
}

/// The sentence for a key that does not exist.
pub fn unknown_key(key: &str) -> String {
    match nearest(key, options::all().map(|opt| opt.key)) {
        Some(near) => format!("there is no such key; did you mean `{near}`?"),
        None => "there is no such key; `deskbell config` lists them all".to_owned(),
    }
}

/// The text of a value that must be one.
pub fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
