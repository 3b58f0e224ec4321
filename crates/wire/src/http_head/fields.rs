//! The header lines of a head: walking over them, list headers and cookies.

use super::HeadError;

/// The header lines of a head as (name, value), in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// `block` holds whole lines that [`split`] has accepted, each with its CR LF.
    pub(crate) const fn new(block: &'a [u8]) -> Self {
        Self { rest: block }
    }

    /// The values of all lines with this name, in any case.
    pub fn named<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.clone().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // Every line was accepted by `split` before, so finding its parts again is all there is to do.
        let end = memchr::memchr(b'\n', self.rest)?;
        let line = self.rest[..end].strip_suffix(b"\r")?;
        self.rest = &self.rest[end + 1..];
        let colon = memchr::memchr(b':', line)?;
        let name = str::from_utf8(&line[..colon]).ok()?;
        Some((name, line[colon + 1..].trim_ascii()))
    }
}

/// Splits one header line into name and value, and refuses what two readers could understand differently.
pub(crate) fn split(line: &[u8]) -> Result<(&str, &[u8]), HeadError> {
    let colon = line.iter().position(|&byte| byte == b':').ok_or(HeadError::HeaderLine)?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.is_empty() || !name.iter().copied().all(is_token_byte) {
        return Err(HeadError::HeaderLine);
    }
    if line[colon + 1..].iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
        return Err(HeadError::HeaderLine);
    }
    let name = str::from_utf8(name).map_err(|_| HeadError::HeaderLine)?;
    Ok((name, value))
}

/// Whether a byte may stand in a token, such as a method or a header's name.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// The members of a comma-separated list header. Commas within double quotes do not separate.
#[derive(Debug, Clone)]
pub struct ListItems<'a> {
    fields: Fields<'a>,
    name: &'a str,
    value: &'a str,
}

impl<'a> ListItems<'a> {
    pub(crate) const fn new(fields: Fields<'a>, name: &'a str) -> Self {
        Self { fields, name, value: "" }
    }
}

impl<'a> Iterator for ListItems<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            while self.value.is_empty() {
                let (name, value) = self.fields.next()?;
                if name.eq_ignore_ascii_case(self.name) {
                    // A list that is not text has no members that anybody could ask for.
                    self.value = str::from_utf8(value).unwrap_or_default();
                }
            }
            let (item, rest) = split_unquoted(self.value, b',');
            self.value = rest;
            let item = item.trim_matches([' ', '\t']);
            if !item.is_empty() {
                return Some(item);
            }
        }
    }
}

/// The part of `text` before the first `separator` outside double quotes, and the part behind it.
pub(crate) fn split_unquoted(text: &str, separator: u8) -> (&str, &str) {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => return (&text[..at], &text[at + 1..]),
            _ => {}
        }
    }
    (text, "")
}

pub(super) fn cookie<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a str> {
    // Bytes until the very end: another cookie of the same line may be in a legacy charset.
    fields.named("cookie").flat_map(|line| line.split(|&byte| byte == b';')).find_map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        if pair[..equals].trim_ascii() != name.as_bytes() {
            return None;
        }
        let value = str::from_utf8(pair[equals + 1..].trim_ascii()).ok()?;
        Some(value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value))
    })
}
