//! Queries and percent-encoding, read as browsers write them.

use std::borrow::Cow;

/// The decoded pairs of a raw query, in their order: `+` is a blank, `%XX` a byte, a name without `=` has an
/// empty value. Bytes that are not UTF-8 become U+FFFD, and a `%` that begins no escape stands for itself.
pub fn query_pairs(raw: &str) -> QueryPairs<'_> {
    QueryPairs { rest: raw }
}

/// The iterator that [`query_pairs`] returns.
#[derive(Debug, Clone)]
pub struct QueryPairs<'a> {
    rest: &'a str,
}

impl<'a> Iterator for QueryPairs<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (pair, rest) = self.rest.split_once('&').unwrap_or((self.rest, ""));
            self.rest = rest;
            if !pair.is_empty() {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                return Some((decode(name, true), decode(value, true)));
            }
        }
        None
    }
}

/// Decodes `%XX` in a path segment or a cookie, where `+` is a plus.
pub fn percent_decode(raw: &str) -> Cow<'_, str> {
    decode(raw, false)
}

fn decode(raw: &str, plus_is_blank: bool) -> Cow<'_, str> {
    if !raw.bytes().any(|byte| byte == b'%' || (plus_is_blank && byte == b'+')) {
        return Cow::Borrowed(raw);
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let byte = match (first, after) {
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = behind;
                    high << 4 | low
                }
                _ => b'%',
            },
            (b'+', _) if plus_is_blank => b' ',
            _ => first,
        };
        bytes.push(byte);
    }
    Cow::Owned(
        String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
    )
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
