//! Query strings and percent-encoding: bounded, and what we write reads back.

use deskbell_wire::http_head::{percent_decode, query_pairs};

/// Any text as a query, and any two texts as a pair in one.
pub fn check(data: &[u8]) {
    let Ok(raw) = std::str::from_utf8(data) else { return };
    let pairs: Vec<_> = query_pairs(raw).collect();
    assert!(pairs.len() <= raw.matches('&').count() + 1);
    let length: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    // A byte that is no UTF-8 becomes a sign of three.
    assert!(length <= raw.len() * 3, "{length} bytes out of {}", raw.len());
    let written: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    let read: Vec<_> = written.iter().flat_map(|pair| query_pairs(pair)).collect();
    assert_eq!(read, pairs, "written again it reads otherwise: {written:?}");
    assert_eq!(percent_decode(&escaped(raw)), raw);
}

/// Every byte that is not a letter or digit, escaped.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02x}") }
    };
    text.bytes().map(escape).collect()
}
