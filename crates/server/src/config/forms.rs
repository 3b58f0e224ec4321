//! The forms a text can have: each check gives the text as it is kept, or says what to write instead.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::options::Form;

/// The longest text that an option takes.
const LONGEST_TEXT: usize = 1_000;
/// The longest channel name; a pattern can be no longer.
const LONGEST_PATTERN: usize = 200;

/// The longest name of a webhook or a calendar: it stands in paths, metrics and sources.
const LONGEST_NAME: usize = 40;

/// Checks a text against its form. The error is a sentence that never holds a secret.
pub fn check(form: Form, text: &str) -> Result<String, String> {
    if form == Form::Secret {
        return secret(text);
    }
    if text.is_empty() {
        return Err("is empty; write a value or leave the line out".to_owned());
    }
    if text.len() > LONGEST_TEXT || text.chars().any(char::is_control) {
        return Err(format!("must be one line of at most {LONGEST_TEXT} bytes"));
    }
    match form {
        Form::Any | Form::Path | Form::Secret => Ok(text.to_owned()),
        Form::Name => name(text),
        Form::OneOf(words) => one_of(words, text),
        Form::Address => address(text),
        Form::Network => network(text).map(|net| net.to_string()),
        Form::Origin => origin(text),
        Form::Url => url(text),
        Form::Domain => domain(text),
        Form::Host => host(text),
        Form::Topic => topic(text),
        Form::Email => email(text),
        Form::Cookie => cookie(text),
        Form::Pattern => pattern(text).map(|()| text.to_owned()),
        Form::Template => template(text).map(|()| text.to_owned()),
        Form::Grantee => grantee(text),
    }
}

/// Reads a network; a bare address is the network of that address alone.
pub fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    match text.parse::<IpNet>() {
        Ok(net) if net.addr() == net.network() => Ok(net),
        Ok(net) => Err(format!("\"{text}\" has bits beyond its length; write {}", net.trunc())),
        Err(_) => Err(format!("\"{text}\" is no network; write one like 10.0.0.0/8, or a single address")),
    }
}

fn secret(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("is empty; write a long random text or leave the line out".to_owned());
    }
    if text.len() > LONGEST_TEXT || text.chars().any(char::is_control) {
        return Err(format!("must be one line of at most {LONGEST_TEXT} bytes"));
    }
    Ok(text.to_owned())
}

fn name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.len() <= LONGEST_NAME && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("\"{text}\" is no name; write at most {LONGEST_NAME} letters, digits, - and _"))
}

fn one_of(words: &[&str], text: &str) -> Result<String, String> {
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("\"{text}\" is not known; write {}", list(words)))
}

/// "a, b or c".
pub fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn address(text: &str) -> Result<String, String> {
    text.parse::<SocketAddr>().map(|address| address.to_string()).map_err(|_| {
        format!("\"{text}\" is no address; write an IP address and a port, like 127.0.0.1:8080 or [::]:8080")
    })
}

fn origin(text: &str) -> Result<String, String> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let wrong =
        || format!("\"{text}\" is no origin; write one without a path, like https://www.example.org, or *");
    let lower = text.to_ascii_lowercase();
    let (scheme, rest) = lower.split_once("://").ok_or_else(wrong)?;
    let scheme_fits =
        !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !scheme_fits
        || rest.is_empty()
        || !rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
    {
        return Err(wrong());
    }
    Ok(lower)
}

fn url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest)
            if !rest.is_empty() && !rest.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic()) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(format!("\"{text}\" is no web address; write one that begins with https:// or http://")),
    }
}

fn domain(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() <= 253 && text.split('.').all(label) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("\"{text}\" is no host name; write one like bell.example.org, without scheme and port"))
}

fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    // Names of services have underscores where no host of the internet may.
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if bare.parse::<IpAddr>().is_ok() || bare.len() <= 253 && bare.chars().all(fits) {
        return Ok(bare.to_owned());
    }
    Err(format!("\"{text}\" is no host; write a name or an IP address, without scheme and port"))
}

fn topic(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_whitespace)
        || text.trim_end_matches('*').contains('*')
        || text.ends_with("**")
    {
        return Err(format!("\"{text}\" is no channel of Redis; write how it begins and a * behind that"));
    }
    Ok(text.to_owned())
}

fn email(text: &str) -> Result<String, String> {
    let plain = text.strip_prefix("mailto:").unwrap_or(text);
    match plain.split_once('@') {
        Some((name, host)) if !name.is_empty() && !plain.contains(' ') && domain(host).is_ok() => {
            Ok(plain.to_owned())
        }
        _ => Err(format!("\"{text}\" is no e-mail address; write one like admin@example.org")),
    }
}

fn cookie(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("\"{text}\" is no cookie name; write letters, digits, - and _ only"))
}

fn channel_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-=@,.;:#".contains(c)
}

fn pattern(text: &str) -> Result<(), String> {
    if text.len() > LONGEST_PATTERN {
        return Err(format!("is longer than {LONGEST_PATTERN} bytes, so no channel can fit it"));
    }
    match text.chars().find(|&c| !channel_char(c) && c != '*') {
        None => Ok(()),
        Some(c) => Err(format!(
            "\"{text}\" holds {c:?}, which no channel name has; write letters, digits, _-=@,.;:# and *"
        )),
    }
}

/// A pattern in which `{name}` may stand for a part.
fn template(text: &str) -> Result<(), String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        plain.push_str(&rest[..open]);
        let name_and_more = &rest[open + 1..];
        let close = name_and_more
            .find('}')
            .ok_or_else(|| format!("\"{text}\" opens a {{ and never closes it; write {{user}}"))?;
        let name = &name_and_more[..close];
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            return Err(format!("\"{text}\" has the placeholder {{{name}}}; its name must be small letters"));
        }
        // A placeholder takes any run of characters, so two side by side have no border between them.
        if name_and_more[close + 1..].starts_with(['{', '*']) || plain.ends_with('*') {
            return Err(format!("\"{text}\" has two open parts side by side; put a character between them"));
        }
        rest = &name_and_more[close + 1..];
    }
    plain.push_str(rest);
    pattern(&plain)
}

fn grantee(text: &str) -> Result<String, String> {
    let role = text.strip_prefix("role:").is_some_and(|role| !role.is_empty() && !role.contains(' '));
    if role || ["everyone", "user"].contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("\"{text}\" is nobody; write everyone, user or role:NAME"))
}
