//! The flags that set options. They are made from the option table, so a new flag is one word there.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};

use deskbell_core::limits::SECOND;

use crate::config::{self, Kind, Opt, SetFlag, Sources, parse_time};

const CONFIG: &str = "config";
const SET: &str = "set";

/// How long something is good that is signed here, as it was typed.
pub fn lifetime(typed: &str) -> Result<u64, String> {
    match parse_time(typed) {
        Some(ms) if ms >= SECOND => Ok(ms),
        _ => Err("write 10s, 5m, 24h or 30d, at least 1s".to_owned()),
    }
}

/// What the command line says about the configuration.
#[derive(Clone, Default)]
pub struct ConfigFlags {
    config: Option<PathBuf>,
    set: Vec<SetFlag>,
}

impl ConfigFlags {
    /// These flags over the process's environment and file.
    pub fn sources(self) -> Sources {
        Sources::of_process(self.config, self.set)
    }
}

fn flagged() -> impl Iterator<Item = (&'static Opt, &'static str)> {
    config::all().filter_map(|opt| Some((opt, opt.flag?)))
}

/// The flag of one option.
fn argument(opt: &'static Opt, flag: &'static str) -> Arg {
    let arg = Arg::new(opt.key).long(flag).help(first_sentence(opt.sentence)).long_help(opt.sentence);
    let name: &'static str = opt.key.rsplit('.').next().unwrap_or(opt.key);
    match opt.kind {
        Kind::Flag => arg.action(ArgAction::SetTrue),
        Kind::Rows { .. } | Kind::Texts(_) => arg.value_name(name).action(ArgAction::Append),
        _ => arg.value_name(name).action(ArgAction::Set),
    }
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}

impl Args for ConfigFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        let file =
            Arg::new(CONFIG).long(CONFIG).value_name("FILE").value_parser(clap::value_parser!(PathBuf)).help(
                "The configuration file; without it DESKBELL_CONFIG, then deskbell.toml if it is there",
            );
        let set = Arg::new(SET)
            .long(SET)
            .value_name("KEY=VALUE")
            .action(ArgAction::Append)
            .value_parser(key_and_value)
            .help("Set any option, as --set limit.frame=128KiB; `deskbell config` lists them");
        command.arg(file).args(flagged().map(|(opt, flag)| argument(opt, flag))).arg(set)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

fn key_and_value(typed: &str) -> Result<(String, String), String> {
    match typed.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, as limit.frame=128KiB".to_owned()),
    }
}

impl FromArgMatches for ConfigFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = ConfigFlags { config: matches.get_one::<PathBuf>(CONFIG).cloned(), set: Vec::new() };
        for (key, words) in matches.get_many::<(String, String)>(SET).into_iter().flatten() {
            flags.set.push(SetFlag { key: key.clone(), words: words.clone(), flag: "--set".to_owned() });
        }
        // A flag of its own is the plainer wish, so it stands behind `--set` and counts.
        for (opt, flag) in flagged() {
            let words = match opt.kind {
                Kind::Flag if matches.get_flag(opt.key) => "true".to_owned(),
                Kind::Flag => continue,
                _ => match matches.get_many::<String>(opt.key) {
                    Some(values) => values.map(String::as_str).collect::<Vec<_>>().join(","),
                    None => continue,
                },
            };
            flags.set.push(SetFlag { key: opt.key.to_owned(), words, flag: format!("--{flag}") });
        }
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
