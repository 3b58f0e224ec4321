//! The pages made from the table: what `deskbell config` prints, the reference and the example file.

use std::fmt::Write as _;

use super::forms;
use super::options::{Form, Kind, Opt, Preset, Section};
use super::read::range;
use super::settings::Settings;
use super::table::SECTIONS;
use super::value::{Value, show, show_size, show_time};

const WIDTH: usize = 96;

/// Every option with its value, where the value came from and what it means. Secrets are masked.
pub fn values(settings: &Settings) -> String {
    let mut page = String::new();
    for section in SECTIONS {
        let _ = writeln!(page, "# {}\n", section.title);
        for opt in section.options {
            let held = settings.values().held(opt.key);
            let shown = match &held.value {
                Value::Unset => "(not set)".to_owned(),
                value => show(opt, value),
            };
            let _ = writeln!(page, "{} = {shown}    # {}", opt.key, held.source);
            for line in wrap(opt.sentence, WIDTH) {
                let _ = writeln!(page, "    {line}");
            }
        }
        page.push('\n');
    }
    page
}

/// The reference page, `docs/configuration.md`.
pub fn markdown() -> String {
    let mut page = String::from(MARKDOWN_HEAD);
    for section in SECTIONS {
        let _ = write!(page, "\n## {}\n\n{}\n\n", section.title, section.intro);
        page.push_str("| option | default | meaning |\n|---|---|---|\n");
        for opt in section.options {
            let mut names = format!("`{}`<br>`{}`", opt.key, opt.env());
            for alias in opt.aliases {
                let _ = write!(names, "<br>`{alias}`");
            }
            if let Some(flag) = opt.flag {
                let _ = write!(names, "<br>`--{flag}`");
            }
            let _ = writeln!(page, "| {names} | {} | {} |", default_cell(opt), meaning(opt));
        }
        for opt in section.options.iter().filter(|opt| !opt.fields().is_empty()) {
            let _ = write!(page, "\n### `[[{}]]`\n\n| key | default | meaning |\n|---|---|---|\n", opt.key);
            for field in opt.fields() {
                let _ = writeln!(page, "| `{}` | {} | {} |", field.key, default_cell(field), meaning(field));
            }
            let _ = write!(page, "\n```toml\n{}```\n", example_rows(opt, ""));
        }
    }
    page
}

const MARKDOWN_HEAD: &str = "\
# Configuration

<!-- Made by `deskbell config --markdown`. Change the table in crates/server/src/config/ and run it again. -->

Deskbell runs without any configuration. What you set is taken from, in this order:

1. flags: the ones named below, and `--set key=value` for every option;
2. the environment: `DESKBELL_` and the key in capitals with `_` for `.`; an empty variable counts as absent;
3. a TOML file: `--config FILE`, or `DESKBELL_CONFIG`, or `deskbell.toml` in the working directory;
4. the defaults.

Sizes are written `64KiB`, `1MiB` or as a number of bytes; times `250ms`, `10s`, `5m`, `24h`, `30d`. In the
environment and in flags, a list is written `a,b` or as TOML (`[\"a\", \"b\"]`), and a list of tables as TOML
(`[{ pattern = \"typing-*\", class = \"ephemeral\" }]`). Relative paths count from the working directory.

Anything that is wrong stops the start and is named with its file, line and key:
`deskbell check --config FILE` shows all of it without starting. `deskbell config` prints every option with its
value and where the value came from. There are no default secrets.

`kill -HUP` makes a running server read its file again. Options marked *reload* count at once; for others it
says in the log that they need a restart. The log file is opened anew each time.
";

fn default_cell(opt: &Opt) -> String {
    match opt.preset {
        Preset::Required => "required".to_owned(),
        Preset::Unset => String::new(),
        _ => format!("`{}`", show(opt, &opt.default_value())),
    }
}

fn meaning(opt: &Opt) -> String {
    let mut text = opt.sentence.replace('|', "\\|");
    let what = kind_words(opt.kind);
    if !what.is_empty() {
        let _ = write!(text, " *{what}*");
    }
    if let Some(group) = opt.live {
        let _ = write!(text, " *(reload: {})*", group.word());
    }
    text
}

/// What can be written, in some words.
fn kind_words(kind: Kind) -> String {
    match kind {
        Kind::Flag => "true or false".to_owned(),
        Kind::Number(bounds) => range(bounds, |n| n.to_string()),
        Kind::Size(bounds) => range(bounds, show_size),
        Kind::Time(bounds) => range(bounds, show_time),
        Kind::Text(Form::OneOf(words)) => forms::list(words),
        Kind::Texts(Form::OneOf(words)) => format!("list of {}", forms::list(words)),
        Kind::Text(Form::Secret) => "secret".to_owned(),
        Kind::Text(Form::Path) => "path".to_owned(),
        Kind::Texts(_) => "list".to_owned(),
        Kind::Text(_) | Kind::Rows { .. } => String::new(),
    }
}

/// The example file, `deskbell.example.toml`: every option with its default, commented out.
pub fn example() -> String {
    let mut page = String::from(EXAMPLE_HEAD);
    let single =
        |opt: &&Opt| opt.fields().is_empty() || matches!(opt.kind, Kind::Rows { short: Some(_), .. });
    // In TOML the keys that belong to no table stand first, and arrays of tables are safest last.
    for section in SECTIONS {
        for opt in section.options.iter().filter(|opt| !opt.key.contains('.')).filter(single) {
            example_line(&mut page, opt);
        }
    }
    for section in SECTIONS {
        example_tables(&mut page, section);
    }
    for opt in SECTIONS.iter().flat_map(|section| section.options).filter(|opt| !opt.fields().is_empty()) {
        page.push('\n');
        for line in wrap(opt.sentence, WIDTH) {
            let _ = writeln!(page, "# {line}");
        }
        page.push_str(&example_rows(opt, "# "));
    }
    page
}

const EXAMPLE_HEAD: &str = "\
# Deskbell: every option with its default or, where it has none, with an example.
# Made by `deskbell config --example`; docs/configuration.md explains the rest.
";

fn example_tables(page: &mut String, section: &Section) {
    let mut table = "";
    // An array of tables stands at the end, and TOML allows it only once.
    for opt in section.options.iter().filter(|opt| opt.fields().is_empty()) {
        let Some((path, _)) = opt.key.rsplit_once('.') else { continue };
        if path != table {
            table = path;
            let _ = write!(page, "\n[{table}]\n");
        }
        example_line(page, opt);
    }
}

fn example_line(page: &mut String, opt: &Opt) {
    page.push('\n');
    for line in wrap(opt.sentence, WIDTH) {
        let _ = writeln!(page, "# {line}");
    }
    let name = opt.key.rsplit('.').next().unwrap_or(opt.key);
    let _ = writeln!(page, "# {name} = {}", example_value(opt));
}

fn example_rows(opt: &Opt, before: &str) -> String {
    let mut text = format!("{before}[[{}]]\n", opt.key);
    for field in opt.fields() {
        let _ = writeln!(text, "{before}{} = {}", field.key, example_value(field));
    }
    text
}

fn example_value(opt: &Opt) -> String {
    if opt.example.is_empty() { show(opt, &opt.default_value()) } else { opt.example.to_owned() }
}

/// Breaks a text into lines.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let used = lines.last().map_or(0, String::len);
        if used > 0 && used + 1 + word.len() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
