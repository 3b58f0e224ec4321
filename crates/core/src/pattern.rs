//! Name patterns: `*` for any text and `{user}` for the reader's own id.

use std::fmt;

/// A pattern over channel names, as it stands in access and class rules.
///
/// `*` matches any text, also none. `{user}` matches exactly the id of the user who asks, and
/// nothing for somebody without an id, so that no rule opens by accident.
///
/// ```
/// use deskbell_core::pattern::Pattern;
/// let own = Pattern::parse("private-notifications.{user}").unwrap();
/// assert!(own.matches("private-notifications.7", Some("7")));
/// assert!(!own.matches("private-notifications.8", Some("7")));
/// assert!(!own.matches("private-notifications.7", None));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Any,
    User,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern(pub &'static str);

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// More wildcards than this would let one pattern cost more than a short loop.
const WILDCARDS: usize = 4;

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(place) = rest.find(['*', '{', '}']) {
            let (before, tail) = rest.split_at(place);
            push_text(&mut pieces, before)?;
            rest = if let Some(tail) = tail.strip_prefix('*') {
                pieces.push(Piece::Any);
                tail
            } else if let Some(tail) = tail.strip_prefix("{user}") {
                pieces.push(Piece::User);
                tail
            } else {
                return Err(BadPattern("the only placeholder is {user}"));
            };
        }
        push_text(&mut pieces, rest)?;
        if pieces.is_empty() {
            return Err(BadPattern("an empty pattern matches nothing; write * for every channel"));
        }
        if pieces.iter().filter(|p| **p == Piece::Any).count() > WILDCARDS {
            return Err(BadPattern("a pattern has at most four *"));
        }
        Ok(Self { text: text.to_owned(), pieces })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Does the name fit, for a reader with this user id?
    pub fn matches(&self, name: &str, user: Option<&str>) -> bool {
        fits(&self.pieces, name, user)
    }

    /// Does the name fit for any reader at all?
    ///
    /// ```
    /// use deskbell_core::pattern::Pattern;
    /// let own = Pattern::parse("notes.{user}").unwrap();
    /// assert!(own.covers("notes.7") && !own.covers("news"));
    /// ```
    pub fn covers(&self, name: &str) -> bool {
        let any = |piece: &Piece| if *piece == Piece::User { Piece::Any } else { piece.clone() };
        fits(&self.pieces.iter().map(any).collect::<Vec<_>>(), name, None)
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) -> Result<(), BadPattern> {
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-=@,.;:#".contains(&b)) {
        return Err(BadPattern("a pattern has the characters of a channel name, * and {user}"));
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
    Ok(())
}

fn fits(pieces: &[Piece], name: &str, user: Option<&str>) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return name.is_empty() };
    let literal = |text: &str| name.strip_prefix(text).is_some_and(|tail| fits(rest, tail, user));
    match first {
        Piece::Text(text) => literal(text),
        Piece::User => user.is_some_and(literal),
        Piece::Any => {
            rest.is_empty()
                || (0..=name.len()).any(|cut| name.is_char_boundary(cut) && fits(rest, &name[cut..], user))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_patterns() {
        let table = [
            ("*", "anything", None, true),
            ("public-*", "public-lobby", None, true),
            ("public-*", "private-lobby", None, false),
            ("public-*", "public-", None, true),
            ("a*c", "abc", None, true),
            ("a*c", "abcd", None, false),
            ("a*b*c", "aXbYc", None, true),
            ("user:{user}", "user:ann", Some("ann"), true),
            ("user:{user}", "user:annabel", Some("ann"), false),
            ("user:{user}:*", "user:ann:inbox", Some("ann"), true),
            ("user:{user}", "user:", None, false),
            ("exact", "exact", None, true),
            ("exact", "exactly", None, false),
        ];
        for (pattern, name, user, expected) in table {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(name, user), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn an_empty_user_id_opens_nothing() {
        assert!(!Pattern::parse("user:{user}").unwrap().matches("user:", None));
    }

    #[test]
    fn bad_patterns_are_refused() {
        for bad in ["", "{role}", "a b", "}", "*****"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
