//! Every option of the table can be set from every place and is shown the way it is written.

use super::super::options::{Kind, Opt, Preset};
use super::super::value::{Value, parse_size, parse_time, show, show_size, show_time};
use super::super::{MASK, all, find};
use super::load;

/// A value that differs from the default, as TOML.
fn sample(opt: &Opt) -> String {
    // A secret that has a form shows it.
    if opt.is_secret() && matches!(opt.example, "" | "\"\"") {
        return "\"a sample of good length\"".to_owned();
    }
    if !opt.example.is_empty() {
        return opt.example.to_owned();
    }
    let other = |default: &Value, text: String| (show(opt, default) != text).then_some(text);
    let default = opt.default_value();
    let candidates: Vec<String> = match opt.kind {
        Kind::Flag => vec!["true".to_owned(), "false".to_owned()],
        Kind::Number(bounds) => vec![(bounds.min + 1).to_string(), (bounds.min + 2).to_string()],
        Kind::Size(bounds) | Kind::Time(bounds) if bounds.max == 0 => vec!["0".to_owned()],
        Kind::Size(bounds) => vec![format!("\"{}\"", show_size(bounds.max))],
        Kind::Time(bounds) => vec![format!("\"{}\"", show_time(bounds.max))],
        Kind::Text(super::super::options::Form::OneOf(words)) => {
            words.iter().map(|w| format!("\"{w}\"")).collect()
        }
        Kind::Texts(super::super::options::Form::OneOf(words)) => vec![format!("[\"{}\"]", words[0])],
        Kind::Text(super::super::options::Form::Url) => {
            vec!["\"https://other.example/directory\"".to_owned()]
        }
        Kind::Text(_) => vec!["\"other\"".to_owned()],
        Kind::Texts(_) => vec!["[\"other\"]".to_owned()],
        Kind::Rows { fields, .. } => {
            let cells: Vec<String> = fields
                .iter()
                // What is ephemeral cannot be durable, and both samples differ from the default.
                // What is written on channels of Redis has one kind, which is the default.
                .filter(|field| !["durable", "kind"].contains(&field.key))
                .map(|field| format!("{} = {}", field.key, sample(field)))
                .collect();
            vec![format!("[{{ {} }}]", cells.join(", "))]
        }
    };
    candidates.into_iter().find_map(|text| other(&default, text)).unwrap()
}

/// What else must be set so that a sample of this option breaks no rule.
fn company(key: &str) -> &'static str {
    match key {
        "tls.cert" => "tls.key = \"/dev/null\"\n",
        "tls.key" => "tls.cert = \"/dev/null\"\n",
        "listen" => "app.id = 1001\ntls.acme.domains = [\"a.example\"]\n",
        "heartbeat" => "limit.idle = \"24h\"\n",
        "limit.frame" => "limit.backlog = \"64MiB\"\n",
        _ => "",
    }
}

/// Files that are named must exist.
fn existing(text: String) -> String {
    let Some((before, rest)) = text.split_once("\"/etc/deskbell/") else { return text };
    match rest.split_once(".pem\"") {
        Some((_, after)) => format!("{before}\"/dev/null\"{after}"),
        None => text,
    }
}

#[test]
fn every_option_can_be_set_in_the_file_and_by_variable_and_by_flag() {
    for opt in all() {
        let text = existing(sample(opt));
        let words = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(&text).to_owned();
        let rest = company(opt.key);
        let by_file = load(&format!("{} = {text}\n{rest}", opt.key), &[], &[]);
        let by_variable = load(rest, &[(&opt.env(), &words)], &[]);
        let by_flag = load(rest, &[], &[(opt.key, &words)]);
        let mut held = Vec::new();
        for (place, loaded) in [("file", by_file), ("variable", by_variable), ("flag", by_flag)] {
            let settings = loaded.unwrap_or_else(|errors| panic!("{} by {place}: {errors}", opt.key));
            let value = settings.values().held(opt.key).clone();
            assert!(value.value != opt.default_value(), "{} by {place} has its default", opt.key);
            held.push(value);
        }
        assert!(held.iter().all(|value| *value == held[0]), "{} differs by place", opt.key);
    }
}

#[test]
fn what_is_shown_can_be_written_again() {
    for opt in all().filter(|opt| !opt.is_secret() && !opt.fields().iter().any(Opt::is_secret)) {
        let file = format!("{} = {}\n{}", opt.key, existing(sample(opt)), company(opt.key));
        let first = load(&file, &[], &[]).unwrap();
        let shown = show(opt, &first.values().held(opt.key).value);
        let again = load(&format!("{} = {shown}\n{}", opt.key, company(opt.key)), &[], &[]).unwrap();
        assert!(first.values().held(opt.key) == again.values().held(opt.key), "{} = {shown}", opt.key);
    }
}

#[test]
fn the_table_is_sound() {
    for (index, opt) in all().enumerate() {
        assert_eq!(all().position(|other| other.key == opt.key), Some(index), "{} is there twice", opt.key);
        for one in std::iter::once(opt).chain(opt.fields()) {
            assert!(
                one.sentence.ends_with('.') || one.sentence.ends_with(")."),
                "{}: a whole sentence",
                one.key
            );
            assert!(!one.sentence.contains("  "), "{}: two spaces in the sentence", one.key);
            let needs_example = matches!(one.preset, Preset::Unset | Preset::Required);
            assert!(
                !needs_example || !one.example.is_empty(),
                "{} has nothing to show in the example",
                one.key
            );
            if let (Kind::Number(b) | Kind::Size(b) | Kind::Time(b), Preset::Amount(n)) =
                (one.kind, one.preset)
            {
                let fits = (b.min..=b.max).contains(&n) || (n == 0 && b.zero.is_some());
                assert!(fits, "{}: the default is out of bounds", one.key);
            }
        }
    }
}

#[test]
fn sizes_and_times_are_read_and_shown() {
    for (text, bytes) in [("0", 0), ("17", 17), ("64KiB", 65_536), ("1MiB", 1 << 20), ("2GiB", 2 << 30)] {
        assert_eq!(parse_size(text), Some(bytes), "{text}");
        assert_eq!(show_size(bytes), text);
    }
    for (text, ms) in [
        ("0", 0),
        ("250ms", 250),
        ("10s", 10_000),
        ("5m", 300_000),
        ("23h", 82_800_000),
        ("30d", 2_592_000_000),
    ] {
        assert_eq!(parse_time(text), Some(ms), "{text}");
        assert_eq!(show_time(ms), text);
    }
    for wrong in ["", "KiB", "64KB", "64 KiB", "-1", "1.5MiB", "18446744073709551615GiB", "+1", "64kib"] {
        assert_eq!(parse_size(wrong), None, "{wrong}");
    }
    for wrong in ["", "s", "10", "10 s", "1h30m", "-1s", "1.5s", "10S", "18446744073709551615d"] {
        assert_eq!(parse_time(wrong), None, "{wrong}");
    }
}

#[test]
fn a_secret_is_never_shown() {
    let leak = "hunter2-hunter2-hunter2";
    let file = format!(
        "app.secret = \"{leak}\"\nauth.jwt_secret = \"{leak}\"\n\
         apps = [{{ id = 5, key = \"k\", secret = \"{leak}\" }}]\n"
    );
    let settings = load(&file, &[], &[]).unwrap();
    let page = super::super::pages::values(&settings);
    assert!(!page.contains("hunter2"), "{page}");
    assert_eq!(page.matches(MASK).count(), 3);
    let debugged = format!("{settings:?}");
    assert!(!debugged.contains("hunter2"), "{debugged}");
    assert_eq!(settings.apps[1].secret.as_ref().unwrap().expose(), leak);
    let by_variable = load("", &[("DESKBELL_APP_SECRET", leak)], &[("auth.jwt_secret", leak)]).unwrap();
    assert!(!format!("{by_variable:?}").contains("hunter2"));
}

#[test]
fn the_key_of_the_table_is_found() {
    assert_eq!(find("limit.frame").map(super::super::Opt::env).as_deref(), Some("DESKBELL_LIMIT_FRAME"));
    assert!(find("limit").is_none());
}
