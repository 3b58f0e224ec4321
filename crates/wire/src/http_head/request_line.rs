//! The first line of a request: method, target and version.

use super::{HeadError, MAX_REQUEST_LINE, fields::is_token_byte};

const METHODS: [&str; 7] = ["GET", "POST", "OPTIONS", "PUT", "DELETE", "HEAD", "PATCH"];

/// The version of HTTP that a head is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: one request per connection, no upgrade.
    Http10,
    /// HTTP/1.1.
    Http11,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) version: Version,
}

impl<'a> RequestLine<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, HeadError> {
        if line.len() > MAX_REQUEST_LINE {
            return Err(HeadError::TargetTooLong);
        }
        let mut words = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(HeadError::RequestLine);
        };
        if method.is_empty() || !method.iter().copied().all(is_token_byte) {
            return Err(HeadError::RequestLine);
        }
        let version = parse_version(version)?;
        let method = METHODS.into_iter().find(|known| known.as_bytes() == method).ok_or(HeadError::Method)?;
        let (path, query) = parse_target(target, method)?;
        Ok(Self { method, path, query, version })
    }
}

/// Refuses a first line that cannot become one any more, before its end has arrived: another protocol (a TLS
/// hello, say) on this port, or a line beyond the bound.
pub(super) fn check_partial(line: &[u8]) -> Result<(), HeadError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.iter().take(MAX_REQUEST_LINE).any(u8::is_ascii_control) {
        return Err(HeadError::RequestLine);
    }
    if line.len() > MAX_REQUEST_LINE { Err(HeadError::TargetTooLong) } else { Ok(()) }
}

fn parse_version(word: &[u8]) -> Result<Version, HeadError> {
    match word {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(HeadError::Version)
        }
        _ => Err(HeadError::RequestLine),
    }
}

/// Splits a target into path and query. The absolute form, which proxies may send, loses its authority: which
/// host is meant is a question for the `Host` header alone.
fn parse_target<'a>(target: &'a [u8], method: &str) -> Result<(&'a str, &'a str), HeadError> {
    let target = str::from_utf8(target).map_err(|_| HeadError::Target)?;
    if target.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'#') {
        return Err(HeadError::Target);
    }
    if target == "*" {
        return if method == "OPTIONS" { Ok(("*", "")) } else { Err(HeadError::Target) };
    }
    let local = if target.starts_with('/') { target } else { without_authority(target)? };
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    Ok((if path.is_empty() { "/" } else { path }, query))
}

fn without_authority(target: &str) -> Result<&str, HeadError> {
    let (scheme, rest) = target.split_once("://").ok_or(HeadError::Target)?;
    if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(HeadError::Target);
    }
    Ok(&rest[rest.find(['/', '?']).unwrap_or(rest.len())..])
}
