//! Lines of a calendar: unfolded and taken apart, escaped and folded.

use deskbell_core::limits;

/// Octets of a line as it is written.
const FOLD: usize = 75;

/// One line, unfolded and taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The name, in capitals.
    pub name: String,
    /// The parameters, their names in capitals.
    pub parameters: Vec<(String, String)>,
    /// What stands behind the colon, as it stands there. A line beyond the bound is cut.
    pub value: String,
    /// It was cut.
    pub cut: bool,
}

impl Line {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The lines of a text. What has no name and no colon is `None`.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Option<Line>> {
    let mut raw = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).peekable();
    std::iter::from_fn(move || {
        loop {
            let mut whole = raw.next()?.to_owned();
            let mut cut = truncate(&mut whole);
            while let Some(more) = raw.next_if(|line| line.starts_with([' ', '\t'])) {
                if cut {
                    continue;
                }
                whole.push_str(&more[1..]);
                cut = truncate(&mut whole);
            }
            if !whole.trim().is_empty() {
                return Some(take_apart(&whole, cut));
            }
        }
    })
}

fn truncate(line: &mut String) -> bool {
    if line.len() <= limits::CALENDAR_LINE {
        return false;
    }
    let end = (0..=limits::CALENDAR_LINE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    line.truncate(end);
    true
}

fn take_apart(line: &str, cut: bool) -> Option<Line> {
    let end = line.find([';', ':'])?;
    let name = line[..end].trim_start_matches('\u{feff}').to_ascii_uppercase();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || !name.chars().all(fits) {
        return None;
    }
    let (mut parameters, mut rest) = (Vec::new(), &line[end..]);
    while let Some(after) = rest.strip_prefix(';') {
        let (parameter, value_and_more) = after.split_once('=')?;
        let (value, more) = match value_and_more.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value_and_more.split_at(value_and_more.find([';', ':'])?),
        };
        // A list of values goes on behind a comma; nothing that is read here has one.
        let more = &more[more.find([';', ':'])?..];
        parameters.push((parameter.to_ascii_uppercase(), value.to_owned()));
        rest = more;
    }
    Some(Line { name, parameters, value: rest.strip_prefix(':')?.to_owned(), cut })
}

/// Appends a line, folded so that no piece is longer than 75 octets and no character is torn.
pub(super) fn push(name: &str, value: &str, out: &mut String) {
    let line = format!("{name}:{value}");
    let (mut rest, mut room) = (line.as_str(), FOLD);
    while rest.len() > room {
        let at = (1..=room).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        out.push_str(&rest[..at]);
        out.push_str("\r\n ");
        // The blank counts.
        (rest, room) = (&rest[at..], FOLD - 1);
    }
    out.push_str(rest);
    out.push_str("\r\n");
}

/// A text as a value.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ',' | ';' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Option<Line> {
        lines(text).next().flatten()
    }

    #[test]
    fn a_line_is_taken_apart_where_its_quotes_end() {
        let line = one("dtstart;TZID=\"a;b:c\";VALUE=DATE:2026:1").unwrap();
        assert_eq!((line.name.as_str(), line.value.as_str()), ("DTSTART", "2026:1"));
        assert_eq!((line.parameter("TZID"), line.parameter("VALUE")), (Some("a;b:c"), Some("DATE")));
        for wrong in ["no colon", ":value", "NA ME:x", "A;B:x", "A;B=\"x:y", "A;B=x"] {
            assert_eq!(one(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn folded_lines_are_joined_whatever_ends_them() {
        let all: Vec<_> = lines("A:1\r\n 2\r\n\t3\n\nB:x\n").map(|line| line.unwrap().value).collect();
        assert_eq!(all, ["123", "x"]);
    }

    #[test]
    fn a_line_beyond_the_bound_is_cut_and_says_so() {
        let line = one(&format!("A:{}\r\n é{}", "é".repeat(40_000), "x".repeat(10))).unwrap();
        assert!(line.cut && line.value.len() <= limits::CALENDAR_LINE, "{}", line.value.len());
    }

    #[test]
    fn what_is_written_is_folded_and_comes_back() {
        for text in ["short".to_owned(), "é".repeat(200), "x".repeat(500), "€a".repeat(99)] {
            let mut out = String::new();
            push("SUMMARY", &text, &mut out);
            assert!(out.lines().all(|line| line.len() <= FOLD), "{out}");
            assert!(out.ends_with("\r\n") && !out.contains("\n\n"));
            assert_eq!(one(&out).unwrap().value, text);
        }
    }

    #[test]
    fn a_text_cannot_end_its_line() {
        assert_eq!(escape("a,b;c\\d\r\ne\u{7}"), "a\\,b\\;c\\\\d\\ne");
    }
}
