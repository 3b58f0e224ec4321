//! The committed pages are the ones the table makes, and the example file is a configuration.

use super::super::{Settings, all, pages};
use super::from_file;

#[test]
fn the_committed_pages_are_those_the_table_makes() {
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    for (file, flag, made) in [
        ("docs/configuration.md", "--markdown", pages::markdown()),
        ("deskbell.example.toml", "--example", pages::example()),
    ] {
        let committed = std::fs::read_to_string(format!("{repository}/{file}")).unwrap_or_default();
        assert!(committed == made, "{file} is old; run: cargo run -- config {flag} > {file}");
    }
}

#[test]
fn the_example_as_it_is_changes_nothing() {
    let settings = from_file(&pages::example()).unwrap();
    let defaults = from_file("").unwrap();
    assert!(Settings::reload_difference(&defaults, &settings).is_empty());
}

#[test]
fn every_line_of_the_example_is_a_configuration_when_it_is_uncommented() {
    let example = pages::example();
    let known = |line: &str| {
        let key = line.split([' ', '=']).next().unwrap_or_default();
        let is_key = all()
            .flat_map(|opt| std::iter::once(opt).chain(opt.fields()))
            .any(|opt| opt.key.rsplit('.').next() == Some(key) && line[key.len()..].starts_with(" = "));
        is_key || line.starts_with("[[")
    };
    let uncommented: String = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if known(rest) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        // The short form of `listen` stands above; own files and an authority exclude each other.
        .filter(|line| !line.starts_with("listen = ") && !line.starts_with("domains = "))
        .collect();
    let uncommented = super::made_to_work(&uncommented);
    let settings = from_file(&uncommented).unwrap();
    for opt in all().filter(|opt| opt.key != "tls.acme.domains") {
        let held = settings.values().held(opt.key);
        assert!(held.source != super::super::Source::Default, "{} is not in the example", opt.key);
    }
}

#[test]
fn every_option_and_field_is_in_the_reference_and_in_what_is_printed() {
    let reference = pages::markdown();
    let printed = pages::values(&from_file("").unwrap());
    for opt in all() {
        assert!(reference.contains(&format!("| `{}`<br>`{}`", opt.key, opt.env())), "{}", opt.key);
        assert!(printed.contains(&format!("\n{} = ", opt.key)), "{}", opt.key);
        assert!(opt.fields().iter().all(|field| reference.contains(&format!("| `{}` |", field.key))));
    }
}

#[test]
fn what_is_printed_names_the_place_of_each_value() {
    let scratch = super::Scratch::new();
    let settings = super::load_in(&scratch, "\nlimit.rate = 7", &[], &[]).unwrap();
    let page = pages::values(&settings);
    let place = format!("limit.rate = 7    # {}/deskbell.toml:2\n", scratch.path().display());
    assert!(page.contains(&place), "{page}");
    assert!(page.contains("limit.burst = 1000    # default\n"));
    assert!(page.contains("app.secret = (not set)    # default\n"));
}
